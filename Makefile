# Everything needs only Python 3.10+ with venv and pip, git and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# A file of exact versions with hashes, which CI names: everything but the project itself comes from it.
PINNED ?=
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
FUZZ_RUNS ?= 20000

.PHONY: demo test lint check docs fuzz requirements clean

## demo: add a logger to an example and show what changes
demo: $(VENV)/installed
	@echo '$$ sidecarctl add logger -f examples/java-logs/input.yaml --set logDir=/opt/app/logs --diff'
	@$(BIN)/sidecarctl add logger -f examples/java-logs/input.yaml --set logDir=/opt/app/logs --diff

## test: everything that needs no other program than Python
test: $(VENV)/tested
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -m "not e2e" -n auto --dist worksteal

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

## fuzz: FUZZ_RUNS random inputs; what breaks a law is made small and kept in build/fuzz
fuzz: $(VENV)/tested
	$(BIN)/python -m tests.fuzz --runs $(FUZZ_RUNS)

## requirements: the exact versions that CI installs, for every Python that is supported
requirements: $(VENV)/tested
	$(INSTALL) uv
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.10 --generate-hashes --group dev \
	  --no-annotate --custom-compile-command "make requirements" pyproject.toml -o requirements/ci.txt

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(if $(PINNED),$(INSTALL) --require-hashes -r $(PINNED) && $(INSTALL) --no-deps --no-build-isolation --editable .,\
	  $(INSTALL) --editable .)
	@touch $@

$(VENV)/tested: $(VENV)/installed
	$(if $(PINNED),,$(INSTALL) --upgrade "pip>=25.1" && $(INSTALL) --group dev)
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
