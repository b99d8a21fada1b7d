"""A model of any kind of task: it answers what the case's inputs say, in their parts' order.

`part0`, `part1`, … hold the JSON of an answer's outputs; one that is empty is not answered for.
"""

import json

from proctor_sdk.runtime import answer, cases

for case in cases():
    parts = sorted(name for name in case.inputs if name.startswith("part"))
    said = "".join(str(case.inputs[name] or "") for name in parts)
    if said:
        answer(case, **json.loads(said))
    else:
        answer(case, status="failed", reason="nothing to say")
