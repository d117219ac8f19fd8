# Everything is set up inside .venv of this folder; a second run of a target starts at once.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
VENV := .venv
BIN := $(VENV)/bin
LISTEN ?= 127.0.0.1:9080
DATA ?= data
RUNS ?= 50000
FACTOR ?= 10
SCHEDULES ?= 5000

.PHONY: help run test lint bench torture docs lock clean

help: ## show the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /  make \1\t/' | expand -t 16

run: $(VENV)/run.stamp ## follow the logs of this machine and serve the page (DATA=… LISTEN=… ARGS=…)
	exec $(BIN)/tailrace up --data $(DATA) --listen $(LISTEN) $(ARGS)

test: lint ## lint, types, layers, then every test
	scripts/chromium
	scripts/axe
	scripts/peers
	$(BIN)/coverage erase
	# what meets the kernel and real programs may lose a race on a busy machine: it is tried once more, and told as RERUN
	$(BIN)/pytest -n 2 --dist worksteal --reruns 1 -raR $(ARGS)

lint: $(VENV)/dev.stamp ## ruff, mypy --strict, import layers
	$(BIN)/ruff format --check src tests bench
	$(BIN)/ruff check src tests bench
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/dev.stamp ## measure parse, commit, import, query, latency, memory (ARGS=--quick for a minute)
	$(BIN)/python -m bench $(ARGS)

torture: $(VENV)/dev.stamp ## the long tests of tailing: storms, crash points, kills, rotation at speed (RUNS=… FACTOR=…)
	TAILRACE_STORMS=$(RUNS) TAILRACE_TORTURE=$(FACTOR) TAILRACE_SCHEDULES=$(SCHEDULES) $(BIN)/pytest -n 2 --dist worksteal --timeout 36000 \
	  tests/torture tests/e2e/test_exactly_once.py tests/e2e/test_crash_points.py \
	  tests/conformance/test_cases_on_cluster.py tests/e2e/test_cluster_s3.py $(ARGS)
	TAILRACE_FLEET_AGENTS=20 TAILRACE_FLEET_FILES=100 TAILRACE_FLEET_SECONDS=300 $(BIN)/pytest tests/e2e/test_fleet.py $(ARGS)

docs: $(VENV)/dev.stamp ## write the generated reference pages
	$(BIN)/python -m tailrace.config.describe docs/reference
	$(BIN)/python -m tailrace.cli.describe docs/reference

lock: $(VENV)/dev.stamp ## pin every dependency by name, version and hash
	scripts/lock

clean: ## remove what the targets made, not the data
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis bench/out

$(VENV)/run.stamp: requirements.txt pyproject.toml scripts/setup
	scripts/setup requirements.txt
	touch $@

$(VENV)/dev.stamp: requirements.txt requirements-dev.txt pyproject.toml scripts/setup
	scripts/setup requirements-dev.txt
	touch $(VENV)/run.stamp $@
