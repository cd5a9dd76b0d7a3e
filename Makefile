# A customer data platform as a Spark lakehouse suite. `make` lists what there is to do.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PACK ?= department_store
ARGS ?=
LAKEHOUSE ?= .lakehouse

# The first Python that the suite runs on; PYTHON=... chooses another.
FIT := import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))
PYTHON ?= $(shell for p in python3.11 python3.12 python3 python; do $$p -c '$(FIT)' 2>/dev/null && { command -v $$p; break; }; done)

VENV := .venv
PY := $(VENV)/bin/python
CDP := $(VENV)/bin/cdp
UV := $(or $(shell command -v uv 2>/dev/null),.cache/uv/bin/uv)

SYNCED := $(VENV)/.synced
RESOLVED := .jars/.resolved
# Somebody may have deleted a jar: then the stamp beside them tells nothing.
JARS_LACK := $(if $(filter 2,$(words $(wildcard .jars/delta-*.jar))),,FORCE)

# A Spark session each, of about 3 GB; WORKERS=0 tests within one process.
WORKERS ?= 2
PYTEST = $(PY) -m pytest -q --numprocesses $(WORKERS) --dist loadfile --no-loadscope-reorder

QUICK := not slow and not cluster and not fault and not benchmark
THOROUGH := (slow or cluster or fault) and not benchmark

.PHONY: help setup demo test test-slow lint bench docs mlflow-ui clean FORCE
FORCE:

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@printf '\n  PACK=coffee_shop and ARGS="..." go to the demo.\n'

setup: $(SYNCED) $(RESOLVED)  ## Install the locked packages and Delta's jars; at once when nothing changed
	@:

demo: setup  ## A store's year from landing files to the single view (PACK=coffee_shop: another shop)
	@$(CDP) demo --pack $(PACK) $(ARGS)

test: setup  ## The quick tests
	@$(PYTEST) -m "$(QUICK)" $(ARGS)

test-slow: setup  ## The slow tests: a real cluster, kills, full disks
	@# Exit code 5 says that no test was selected.
	@$(PYTEST) -m "$(THOROUGH)" $(ARGS) || test $$? -eq 5

lint: setup  ## Style, format and types
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy

bench: setup  ## Every benchmark beside its peers; lines of JSON with ARGS=--json
	@$(UV) sync --frozen --inexact --quiet --group bench
	@set -e; for benchmark in benchmarks/[a-z]*.py; do $(PY) $$benchmark $(ARGS); done

mlflow-ui: setup  ## Trainings and models in the browser (LAKEHOUSE=folder: another lakehouse)
	@test -f "$(LAKEHOUSE)/mlflow.db" || { echo "No training yet below $(LAKEHOUSE): run make demo, or name a lakehouse with LAKEHOUSE=..." >&2; exit 1; }
	@echo "Open http://127.0.0.1:5000/#/experiments?workflowType=machine_learning (MLflow's own link leads to its pages for language models)."
	@$(VENV)/bin/mlflow ui --backend-store-uri "sqlite:///$(LAKEHOUSE)/mlflow.db" $(ARGS)

docs: setup  ## Write the generated documents anew
	@$(CDP) docs

clean:  ## Remove caches, not data: .lakehouse and .landing stay
	@rm -rf .cache .jars .mypy_cache .pytest_cache .ruff_cache .hypothesis
	@find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(SYNCED): uv.lock pyproject.toml
	@test -n "$(PYTHON)" || { echo "Python 3.11 or 3.12 is needed; none is on PATH. Install one, or run: make setup PYTHON=/path/to/python3.11" >&2; exit 1; }
	@$(PYTHON) -c '$(FIT)' 2>/dev/null || { echo "$(PYTHON) is not Python 3.11 or 3.12, which the suite needs." >&2; exit 1; }
	@test -x "$(UV)" || { $(PYTHON) -m venv .cache/uv && .cache/uv/bin/pip install --quiet uv; } || { echo "uv could not be installed. Debian and Ubuntu: apt-get install python3-venv; or install uv yourself and run make setup again." >&2; exit 1; }
	@# --inexact keeps what other groups brought, such as the benchmarks' peers.
	@$(UV) sync --frozen --inexact --python "$(PYTHON)"
	@touch $@

$(RESOLVED): $(SYNCED) $(JARS_LACK)
	@$(PY) -m cdp_lib.io.java
	@$(PY) -m cdp_lib.io.jars
	@mkdir -p $(@D) && touch $@
