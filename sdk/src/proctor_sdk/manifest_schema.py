"""The keys of proctor.toml as data: kind, bounds, default, meaning; the reference page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

from proctor_sdk.outputs import TASKS

CONTRACT = "proctor/v1"

Kind = Literal["line", "text", "name", "path", "names", "integer", "number", "flag"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key: what may stand behind it."""

    kind: Kind
    meaning: str
    example: str
    default: Any = None
    choices: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None

    @property
    def required(self) -> bool:
        """Whether the manifest must say it."""
        return self.default is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A [table] of keys; without `required` it may be left out and every key takes its default."""

    keys: dict[str, Key | Table | Array]
    meaning: str = ""
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Array:
    """A list of tables, written [[name]]."""

    table: Table
    meaning: str
    most: int
    required: bool = True


_MODEL = Table(
    meaning="Who made what. Reviewers do not see it until they have signed the results.",
    keys={
        "name": Key(kind="line", meaning="Name of the product.", example='"Example risk score"'),
        "version": Key(kind="line", meaning="Version of the model.", example='"1.0.0"'),
        "vendor": Key(kind="line", meaning="Name of your company.", example='"Example Ltd"'),
        "description": Key(
            kind="text",
            meaning="What it does, for whom, where in the workflow.",
            example='"Estimates the risk of death in hospital from 30 values of day 3."',
        ),
        "training_data": Key(
            kind="text",
            meaning="What it was trained and tuned on: sources, sites, years, size, population.",
            example='"2,000 patients of 3 centres in the US, 1989 to 1991."',
        ),
    },
)

_OPERATING_POINT = Table(
    meaning="A decision rule. It is sealed together with the protocol.",
    keys={
        "id": Key(kind="name", meaning="Name that the protocol uses.", example='"main"'),
        "threshold": Key(
            kind="number", meaning="Bound that a score is compared with.", example="0.5"
        ),
        "comparator": Key(
            kind="line",
            meaning="How a score is compared with the threshold to count as positive.",
            example='">="',
            default=">=",
            choices=(">=", ">", "<=", "<"),
        ),
        "target": Key(
            kind="name",
            meaning="The class or label whose score is compared; not for binary_classification.",
            example='"malignant"',
            default="",
        ),
        "chosen": Key(
            kind="text",
            meaning="How and on what data the threshold was chosen.",
            example='"Youden index on 500 patients kept out of training."',
        ),
    },
)

_RESOURCES = Table(
    meaning="What the container may use; the study sets a ceiling.",
    required=False,
    keys={
        "memory_mb": Key(
            kind="integer",
            meaning="Memory, in MiB.",
            example="2048",
            default=2048,
            low=64,
            high=2**21,
        ),
        "cpus": Key(
            kind="number", meaning="Processor cores.", example="1", default=1, low=0.1, high=256
        ),
        "gpu": Key(kind="flag", meaning="Whether it needs a GPU.", example="false", default=False),
        "tmp_mb": Key(
            kind="integer",
            meaning="Size of /tmp, in MiB.",
            example="256",
            default=256,
            low=1,
            high=2**20,
        ),
        "seconds_per_case": Key(
            kind="number",
            meaning="Longest time for one case.",
            example="30",
            default=30,
            low=0.1,
            high=86_400,
        ),
        "seconds_total": Key(
            kind="number",
            meaning="Longest time for a run.",
            example="7200",
            default=7200,
            low=1,
            high=2_592_000,
        ),
        "start_seconds": Key(
            kind="number",
            meaning="Longest time until the model is loaded and the first case is answered.",
            example="120",
            default=120,
            low=1,
            high=86_400,
        ),
    },
)

SCHEMA: Final = Table(
    keys={
        "contract": Key(
            kind="line",
            meaning="Version of the container contract.",
            example=f'"{CONTRACT}"',
            choices=(CONTRACT,),
        ),
        "model": _MODEL,
        "image": Table(
            meaning="The container image.",
            keys={
                "archive": Key(
                    kind="path",
                    meaning="docker-archive or oci-archive tar, relative to this file.",
                    example='"image.tar"',
                )
            },
        ),
        "task": Table(
            meaning="What the model decides.",
            keys={
                "kind": Key(
                    kind="line",
                    meaning="Kind of task.",
                    example='"binary_classification"',
                    choices=tuple(TASKS),
                ),
                "positive": Key(
                    kind="name",
                    meaning="The positive class; of binary_classification only.",
                    example='"died"',
                    default="",
                ),
                "negative": Key(
                    kind="name",
                    meaning="The negative class; of binary_classification only.",
                    example='"survived"',
                    default="",
                ),
                "targets": Key(
                    kind="names",
                    meaning="What is answered for: the classes, labels, structures, landmarks or "
                    "quantities by name; ordinal categories in their order.",
                    example='["normal", "benign", "malignant"]',
                    default=(),
                ),
            },
        ),
        "operating_points": Array(
            table=_OPERATING_POINT,
            meaning="Decision rules; write one [[operating_points]] for each.",
            most=20,
            required=False,
        ),
        "inputs": Table(
            meaning="What the model sees of a case. The cohort's terms decide what is granted.",
            keys={
                "kind": Key(
                    kind="line",
                    meaning="What a case consists of.",
                    example='"table"',
                    choices=("table", "dicom", "image", "volume", "slide", "signal"),
                ),
                "attributes": Key(
                    kind="names",
                    meaning="Covariates it asks for, by name.",
                    example='["age", "sex"]',
                    default=(),
                ),
                "headers": Key(
                    kind="names",
                    meaning="DICOM header fields it asks for, by keyword.",
                    example='["PixelSpacing"]',
                    default=(),
                ),
            },
        ),
        "resources": _RESOURCES,
        "indeterminate": Table(
            meaning="Answers the model may decline.",
            required=False,
            keys={
                "reasons": Key(
                    kind="names",
                    meaning='Reasons it may give with the status "indeterminate".',
                    example='["poor_quality"]',
                    default=(),
                )
            },
        ),
    }
)
