# Every target installs what it needs first, and does nothing twice.
SHELL := /bin/bash
PY := .venv/bin/python
TESTS ?= tests
ONLY ?=
# Two tests at a time: half of them wait for a container, a lease or a browser.
WORKERS ?= 2
SECONDS ?= 300

.PHONY: help setup demo test lint bench coverage soak clean

help:  ## show this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup:  ## install Debian packages and the Python environment
	@infra/setup/all.sh

demo: setup  ## two studies through everything, on real input
	@$(PY) -m proctor_backend.cli demo

lint: setup  ## formatter, linter, types
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy backend workers sdk/src

test: lint  ## linters, then every test
	@$(PY) -m pytest -n $(WORKERS) --dist loadfile $(TESTS)

coverage: setup  ## simulate every interval and the false alarms; writes docs/reference/coverage.md
	@$(PY) tests/simulation/run.py

bench: setup  ## measure ourselves; ONLY=id for one
	@$(PY) tests/bench/run.py $(if $(ONLY),--only $(ONLY))

soak: setup  ## fuzz the readers of foreign files, guided by coverage; SECONDS=300
	@$(PY) tests/soak/fuzz_readers.py $(SECONDS)

clean:  ## remove what was built (not the data of a stack)
	@rm -rf build .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -path ./.venv -prune -o -name __pycache__ -type d -exec rm -rf {} +
