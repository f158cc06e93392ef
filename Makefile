# Requirements: Python 3.10 or newer with venv and pip, Git, and make. `make site` also needs Python 3.11, Node.js, and npm.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# Requirements file with exact versions and hashes. CI sets it; without it, pip resolves the newest versions.
PINNED ?=
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
FUZZ_RUNS ?= 20000
FUZZ_SECONDS ?= 300

# Tomcat writes its logs to /usr/local/tomcat/logs with mode 0640, so the logger needs a common group to read them.
DEMO := add logger -f examples/java-logs/input.yaml --set logDir=/usr/local/tomcat/logs \
  --set path='catalina.*.log,localhost_access_log.*.txt' --set fsGroup=2000 --diff

.PHONY: help demo test lint check docs site test-site pyz man fuzz fuzz-coverage requirements clean

## help: list the targets
help:
	@sed -n 's/^## //p' Makefile

## demo: show what adding a logger to an example changes
demo: $(VENV)/installed
	@echo "$$ sidecarctl $(DEMO)"
	@$(BIN)/sidecarctl $(DEMO)

## test: run all tests that need no other program than Python
test: $(VENV)/tested
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest -m "not e2e and not browser" -n auto --dist worksteal

## lint: check style and types
lint: $(VENV)/tested
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

## check: lint and test
check: lint test

## docs: generate the pages and pictures of the library, the rules, and the examples, and the index of rules
docs: $(VENV)/installed
	$(BIN)/python tools/gen_library_docs.py
	$(BIN)/python tools/gen_rules_index.py
	$(BIN)/python tools/gen_rules_docs.py
	$(BIN)/python tools/gen_graphs.py

## pyz: build dist/sidecarctl.pyz, one file that runs with any Python from 3.10 on
pyz: $(VENV)/tested build/shiv/bin/shiv
	$(BIN)/python tools/pyz.py --shiv build/shiv/bin/shiv

build/shiv/bin/shiv: requirements/shiv.txt
	$(PYTHON) -m venv build/shiv
	build/shiv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/shiv.txt
	@touch $@

## man: write manual pages to build/man
man: $(VENV)/installed
	$(BIN)/python tools/gen_man.py

## site: build the documentation site and the playground in build/site
site: $(VENV)/site site/node_modules/.package-lock.json
	$(BIN)/python -m tools.docs_site

## test-site: build the site and test it in Chromium
test-site: site
	$(BIN)/python -m pytest -m browser

## fuzz: run FUZZ_RUNS random inputs; failures are minimized and saved in build/fuzz
fuzz: $(VENV)/tested
	$(BIN)/python -m tests.fuzz --runs $(FUZZ_RUNS) --jobs 0

## fuzz-coverage: run a coverage-guided search of FUZZ_SECONDS for each target; Linux and macOS only
fuzz-coverage: $(VENV)/fuzz
	for target in parser record composition sandbox; do \
	  $(VENV)/fuzz/bin/python -m tests.fuzz.coverage $$target -max_total_time=$(FUZZ_SECONDS) || exit 1; done

## requirements: pin the versions that CI installs, for all supported Python versions
requirements: $(VENV)/tested
	$(INSTALL) uv
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.10 --generate-hashes --group dev \
	  --no-annotate --custom-compile-command "make requirements" pyproject.toml -o requirements/ci.txt
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.10 --generate-hashes --no-annotate \
	  --custom-compile-command "make requirements" pyproject.toml requirements/pyz.in -o requirements/pyz.txt
	echo shiv | $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.10 --generate-hashes --no-annotate \
	  --allow-unsafe --custom-compile-command "make requirements" - -o requirements/shiv.txt
	$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --group site \
	  --no-annotate --custom-compile-command "make requirements" -c requirements/ci.txt -o requirements/site.txt
	echo 'atheris<3.1' | $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --group test \
	  --no-annotate --custom-compile-command "make requirements" -c requirements/ci.txt pyproject.toml - -o requirements/fuzz.txt

$(VENV)/installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(if $(PINNED),$(INSTALL) --require-hashes -r $(PINNED) && $(INSTALL) --no-deps --no-build-isolation --editable .,\
	  $(INSTALL) --editable .)
	@touch $@

$(VENV)/tested: $(VENV)/installed
	$(if $(PINNED),,$(INSTALL) --upgrade "pip>=25.1" && $(INSTALL) --group dev)
	@touch $@

$(VENV)/fuzz: requirements/fuzz.txt
	$(PYTHON) -m venv $@
	$@/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/fuzz.txt
	$@/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(VENV)/site: $(VENV)/tested requirements/site.txt
	$(INSTALL) --require-hashes -r requirements/site.txt
	@touch $@

site/node_modules/.package-lock.json: site/package-lock.json
	cd site && npm ci --no-audit --no-fund
	@touch $@

## clean: remove the virtual environment, caches, and build results
clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis dist build/shiv build/site build/site-src \
	  site/node_modules
