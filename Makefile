# Python ≥ 3.11, make and the package registries are all that is needed. Settings: see README.md.
PYTHON ?= python3
VENV ?= .venv
PREGAO_LOCAL_DIR ?= .local
export PREGAO_LOCAL_DIR

BIN := $(VENV)/bin
READY := $(VENV)/requirements.stamp

.PHONY: help setup run watch test lint bench lock clean
.DEFAULT_GOAL := help

help:
	@echo 'make run | watch | test | lint | bench [ONLY=name] | setup | lock | clean'

setup: $(READY)

$(BIN)/python:
	@deploy/local/venv.sh '$(PYTHON)' '$(VENV)'

$(READY): requirements/dev.txt | $(BIN)/python
	@echo 'Installing the packages of $< into $(VENV)'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r $<
	@touch $@

run: setup
	@exec $(BIN)/python -m deploy.local

watch: setup
	@exec $(BIN)/python -m deploy.local.watch

# Unit tests share both cores; the others start servers of their own and get the machine to themselves.
test: setup
	$(BIN)/pytest tests/unit -n 2
	$(BIN)/pytest tests/integration
	$(BIN)/pytest tests/e2e

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup
	@$(BIN)/python -m tests.bench $(ONLY)

lock: setup
	@for name in runtime dev; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    requirements/$$name.in -o requirements/$$name.txt || exit 1; \
	done

clean:
	rm -rf '$(VENV)' '$(PREGAO_LOCAL_DIR)' .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name node_modules -prune -exec rm -rf {} +
	find . -name __pycache__ -prune -exec rm -rf {} +
