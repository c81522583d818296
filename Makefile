# Each target sets up .venv when it is missing or older than pyproject.toml / constraints.txt, and only then.
SHELL := /bin/bash
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
export CT_QUESTION := $(value Q)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: ask serve test test-slow eval bench calibrate check setup setup-dev clean

ask: $(VENV)/.ready
	@if [ -z "$$CT_QUESTION" ]; then echo 'Ask like this: make ask Q="How would adults with type 2 diabetes react to …?"' >&2; exit 2; fi
	@$(BIN)/cohort ask -- "$$CT_QUESTION"

serve: $(VENV)/.ready
	@$(BIN)/cohort serve

test: $(VENV)/.ready-dev
	@$(BIN)/python -m pytest -n 2 --dist loadfile $(PYTEST_ARGS)

test-slow: $(VENV)/.ready-dev
	@$(BIN)/python -m pytest -n 2 --dist loadfile -m slow $(PYTEST_ARGS)

eval: $(VENV)/.ready-dev
	@$(BIN)/python -m evals run $(EVAL_ARGS)

bench: $(VENV)/.ready-dev
	@$(BIN)/python -m evals bench $(BENCH_ARGS)

calibrate: $(VENV)/.ready-dev
	@$(BIN)/python -m evals calibrate

check: $(VENV)/.ready-dev
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/python -m knowledge.check

setup: $(VENV)/.ready
setup-dev: $(VENV)/.ready-dev

$(VENV)/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(None if v == (3, 11) else "Cohort Twin needs Python 3.11 (found %d.%d). Install it, or say make PYTHON=/path/to/python3.11 …" % v)'
	@echo "Setting up $(VENV) (about two minutes the first time) …" >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet -c constraints.txt torch==2.13.0 >&2
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e . >&2
	@touch $@

$(VENV)/.ready-dev: $(VENV)/.ready
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[dev,inspect]' >&2
	@touch $@

clean:
	rm -rf $(VENV) .cohort
