# Every task of the project. A fresh machine needs Python >= 3.11 and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Stories wait for each other's processes now and then: two more than there are processors.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2) + 2)
export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev run test check coverage acceptance bench bench-size bench-mixed bench-tenfold bench-telling bench-plots runbook format lock clean

help: ## show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 24

$(VENV)/.base: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "selldesk needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.base requirements-dev.lock
	$(BIN)/python -m pip install --quiet --require-hashes --requirement requirements-dev.lock
	@touch $@

setup: $(VENV)/.base ## create .venv with the selldesk command, from the lock file

setup-dev: $(VENV)/.dev ## the same with the tools that tests and checks need

run: setup ## the whole market on this machine: http://127.0.0.1:8000 (FRESH=1 starts anew)
	@exec $(BIN)/selldesk sandbox $(if $(FRESH),--fresh)

test: setup-dev ## all tests that need nothing but this machine
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m "not alone"
	$(BIN)/python -m pytest -m alone

check: setup-dev ## format, lint, strict types, import contracts, coverage of the rooms
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	@$(MAKE) --no-print-directory coverage

coverage: setup-dev ## tests/rooms alone takes every branch of the rooms and of Steam's codec
	$(BIN)/coverage run -m pytest tests/rooms
	$(BIN)/coverage report

acceptance/.venv/.installed: acceptance/requirements.txt
	$(PYTHON) -m venv acceptance/.venv
	acceptance/.venv/bin/python -m pip install --quiet --require-hashes --requirement acceptance/requirements.txt
	@touch $@

acceptance: setup acceptance/.venv/.installed ## unmodified Steam clients from npm and PyPI trade on the simulator and receive a delivery (needs Node 18 or newer)
	@command -v node >/dev/null && command -v npm >/dev/null || { echo "make acceptance needs Node.js and npm"; exit 1; }
	@test -d acceptance/node_modules || npm ci --prefix acceptance --no-audit --no-fund --loglevel=error
	$(BIN)/python acceptance/run.py

bench: setup-dev ## speed, each figure beside a floor of the same run; writes var/bench.json (BENCH_QUICK=1: a minute)
	$(BIN)/python -m bench.run

bench-size: setup-dev ## lists, look-ups and audit with a long past (TRADES=10000000; ENGINE=sqlite TRADES=1000000)
	$(BIN)/python -m bench.atsize

bench-mixed: setup-dev ## half an hour of everything at once, with Steam's moods (MINUTES=30)
	$(BIN)/python -m bench.mixed

bench-tenfold: setup-dev ## the busiest hour of a market ten times the largest (URL=postgresql://…, an empty database: filled with TRADES=10000000 first)
	@test -n "$(URL)" || { echo "make bench-tenfold needs URL=postgresql://… (an empty database is filled first)"; exit 2; }
	$(BIN)/python -m bench.tenfold "$(URL)" $(or $(TRADES),10000000)

bench-telling: setup-dev ## events, webhooks, streams and deliveries: what telling and handing over cost (BENCH_QUICK=1: a minute)
	$(BIN)/python -m bench.telling

bench-plots: setup-dev ## draw docs/plots from the figures in docs/measured
	$(BIN)/python -m pip install --quiet matplotlib==3.10.8
	$(BIN)/python -m bench.plots

runbook: setup ## write the alerts' part of docs/operating.md from their declaration
	$(BIN)/python -m selldesk.alerts.runbook docs/operating.md

format: setup-dev ## put the code into the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: setup-dev ## resolve the dependencies anew and write both lock files
	$(BIN)/python -m pip install --quiet 'uv>=0.13'
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --upgrade --python-version 3.11 --extra build-tools pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --upgrade --python-version 3.11 --extra build-tools --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

clean: ## remove what the tasks made (not var/, where the sandbox lives)
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
