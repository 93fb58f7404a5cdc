# Python ≥ 3.11 (with venv), make and the package registries are all that is needed. Settings: README.md.
PYTHON ?= python3
VENV ?= .venv
PREGAO_LOCAL_DIR ?= .local
export PREGAO_LOCAL_DIR

BIN := $(VENV)/bin
READY := $(VENV)/requirements.stamp

.PHONY: help setup run watch test test-browser test-operations chaos lint bench lock settings image-env image-test clean
.DEFAULT_GOAL := help

help:
	@echo 'make run      install, migrate and start everything; Ctrl-C stops it'
	@echo 'make watch    the running candle, the bot, its trades and profit, in the terminal'
	@echo 'make test     unit, integration and end-to-end tests'
	@echo 'make test-browser what a trader sees, in a real Chromium'
	@echo 'make test-operations a roll-out under load, each service twice; on a cluster of NATS whose servers die; restores'
	@echo 'make chaos    N random schedules of faults from seed SEED on; ROUNDS of trouble for a cluster of NATS; RUNS of a'
	@echo '              workflow under FAULTS; BOTS bots for MINUTES while processes die'
	@echo 'make lint     ruff, mypy, import-linter'
	@echo 'make bench    all figures, or those of ONLY=name'
	@echo 'make setup    the virtual environment alone'
	@echo 'make lock     compile requirements/*.in'
	@echo 'make settings what is made of the code: settings in README.md and docker-compose.yml, users of NATS'
	@echo 'make image-env  .env with the secrets that docker-compose.yml needs'
	@echo 'make image-test build the image and run every service in it; needs root, buildah and debootstrap'
	@echo 'make clean    remove what was made: environment, packages, data'

setup: $(READY)

$(BIN)/python:
	@deploy/local/venv.sh '$(PYTHON)' '$(VENV)'

$(READY): requirements/dev.txt | $(BIN)/python
	@echo 'Installing the packages of $< into $(VENV)'
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-input --require-hashes -r $< || \
	  { echo 'pip cannot install $<; which registry it asks is decided by its own settings (pip config list)' >&2; exit 1; }
	@touch $@

run: setup
	@exec $(BIN)/python -m deploy.local

watch: setup
	@exec $(BIN)/python -m deploy.local.watch

# Tests that start servers mostly wait, so that five files at a time fit two cores.
test: setup
	$(BIN)/pytest tests/unit -n 2
	$(BIN)/pytest tests/integration -n 5 --dist loadfile --no-loadscope-reorder
	$(BIN)/pytest tests/e2e -n 2 --dist loadfile --no-loadscope-reorder

test-browser: setup
	$(BIN)/pytest tests/browser

test-operations: setup
	$(BIN)/pytest tests/operations

N ?= 5000
MINUTES ?= 10
ROUNDS ?= 10
BOTS ?= 200
SEED ?= 1
RUNS ?= 1000
FAULTS ?= 50
chaos: export PREGAO_CHAOS_SEED = $(SEED)
chaos: setup
	PREGAO_CHAOS_SCHEDULES=$(N) $(BIN)/pytest tests/integration/broker_gateway/test_fault_schedules.py -vv
	PREGAO_CLUSTER_ROUNDS=$(ROUNDS) $(BIN)/pytest tests/integration/cluster -vv
	PREGAO_CHAOS_RUNS=$(RUNS) PREGAO_CHAOS_FAULTS=$(FAULTS) $(BIN)/pytest tests/integration/crm/workflows/test_faults.py -vv
	PREGAO_CHAOS_MINUTES=$(MINUTES) PREGAO_CHAOS_BOTS=$(BOTS) $(BIN)/pytest tests/integration/day -vv

lint: setup
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy -p libs -p services -p deploy -p tests
	$(BIN)/lint-imports

bench: setup
	@$(BIN)/python -m tests.bench $(ONLY)

lock: setup
	@for name in runtime dev; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
	    requirements/$$name.in -o requirements/$$name.txt || exit 1; \
	done

settings: setup
	@$(BIN)/python -m deploy.settings

image-env: setup
	@$(BIN)/python -m deploy.compose

IMAGE := $(PREGAO_LOCAL_DIR)/image
image-test: setup
	deploy/docker/build.sh '$(IMAGE)'
	$(BIN)/python -m deploy.docker.sbom '$(IMAGE)/root' >'$(IMAGE)/sbom.cdx.json'
	PREGAO_IMAGE_ROOT='$(IMAGE)/root' $(BIN)/pytest tests/image

# By name, so that a PREGAO_LOCAL_DIR that holds other things keeps them.
clean:
	@test ! -e '$(PREGAO_LOCAL_DIR)/stack.json' || \
	  { echo 'a stack runs on $(PREGAO_LOCAL_DIR): stop it first (after a crash, remove its stack.json)' >&2; exit 1; }
	rm -rf '$(VENV)' .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	rm -rf deploy/local/supabase/node_modules tests/e2e/node/node_modules tests/bench/node/node_modules
	find libs services deploy tests -name __pycache__ -prune -exec rm -rf {} +
	@if [ -d '$(PREGAO_LOCAL_DIR)' ]; then cd '$(PREGAO_LOCAL_DIR)' && \
	  echo 'rm -rf what a stack keeps in $(PREGAO_LOCAL_DIR)' && \
	  rm -rf bench data env image infrastructure.Procfile lock logs nats nats.conf paper-broker.sqlite3* secrets.json \
	    services.Procfile stack.json supabase; fi
	@rmdir '$(PREGAO_LOCAL_DIR)' 2>/dev/null || true
