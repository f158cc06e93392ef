# Everything needs only Python 3.10+ with venv and pip, git and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test lint check docs fuzz clean

## demo: add a logger to an example and show what changes
demo: $(VENV)/installed
	@echo '$$ sidecarctl add logger -f examples/java-logs/input.yaml --set logDir=/opt/app/logs --diff'
	@$(BIN)/sidecarctl add logger -f examples/java-logs/input.yaml --set logDir=/opt/app/logs --diff

## test: everything that needs no other program than Python
test: $(VENV)/tested
	$(BIN)/python -m pytest -m "not e2e"

## lint: style and types
lint: $(VENV)/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

## check: lint and test
check: lint test

## docs: pages and pictures that are made from the library and the examples
docs: $(VENV)/installed
	$(BIN)/python tools/gen_library_docs.py
	$(BIN)/python tools/gen_rules_docs.py
	$(BIN)/python tools/gen_graphs.py

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/tested: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade "pip>=25.1"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --group dev
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
