#!/usr/bin/env bash
# Makes .venv with the pinned versions of constraints.txt; again only when one of its inputs changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

stamp=.venv/.installed
wanted="$(cat pyproject.toml sdk/pyproject.toml constraints.txt "${BASH_SOURCE[0]}" | sha256sum; pwd)"
[[ -f "$stamp" && "$(cat "$stamp")" == "$wanted" ]] && exit 0

python=""
for candidate in "${PYTHON:-}" python3.11 python3 python3.12 python3.13; do
    if [[ -n "$candidate" ]] && command -v "$candidate" >/dev/null \
        && "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        python="$candidate"
        break
    fi
done
[[ -n "$python" ]] || { echo "Python 3.11 or newer with venv is needed." >&2; exit 1; }

echo "Installing the Python environment into .venv (minutes the first time)"
[[ -x .venv/bin/python ]] || "$python" -m venv .venv
pip() { .venv/bin/python -m pip --disable-pip-version-check --quiet "$@"; }
# First and alone: resolved together with the rest, it may be replaced by the multi-gigabyte build.
pip install torch==2.13.0
pip install --constraint constraints.txt -e "sdk[cli]" -e ".[local,dev]"
printf '%s' "$wanted" > "$stamp"
