# The two commands of the README. Each sets up what it needs in .venv, from a fresh clone and a Python of 3.11 or later.
PYTHON ?= python3
WORKERS ?= 2
# or constraints-lowest.txt: the lowest versions that pyproject.toml allows
CONSTRAINTS ?= constraints.txt
VENV := .venv
BIN := $(VENV)/bin

.PHONY: plan lint types check test quick slow benchmark laws docs clean

plan: $(VENV)/.main            ## the main job: the best (LLM, visual tokens) pair for 2 TFLOPs
	$(BIN)/vlm-planner plan --budget 2TFLOPs --query-tokens 50 --generated-tokens 32

lint: $(VENV)/.test
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check --no-cache .

types: $(VENV)/.test
	$(BIN)/mypy

check: lint types              ## lint and types

quick: $(VENV)/.test           ## every test but the slow ones, alone
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal  # a worker a core: one thread in each

test: lint                     ## lint, types and every test but the slow ones
	$(MAKE) --no-print-directory --jobs 2 quick types  # mypy has one thread: beside the tests no core is idle

slow: $(VENV)/.test            ## the slow tests alone
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal -m slow

benchmark: $(VENV)/.test       ## what we measure about ourselves, into benchmarks/results/
	$(BIN)/python -m pip install --quiet -c $(CONSTRAINTS) -e '.[bench]'
	$(BIN)/python benchmarks/fit_speed.py
	$(BIN)/python benchmarks/startup.py

laws: $(VENV)/.main            ## fit the shipped laws again from fitted_laws/runs/
	$(BIN)/python -m fitted_laws.make_laws
	$(BIN)/python -m fitted_laws.make_known
	$(BIN)/python -m fitted_laws.make_variances
	$(BIN)/python -m fitted_laws.make_transfer

docs: $(VENV)/.test            ## write docs/cli.md and docs/api.md again from the code
	$(BIN)/python docs/make_reference.py

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("vlm-planner needs Python 3.11 or later, this is " + sys.version.split()[0] + "; name another with: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.main: $(VENV)/bin/python pyproject.toml $(CONSTRAINTS)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e .
	touch $@

$(VENV)/.test: $(VENV)/.main  # pip compiles on one core alone: compileall takes them all
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c $(CONSTRAINTS) torch  # no CUDA packages
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile -c $(CONSTRAINTS) -e '.[vlm,test,app]'
	-$(BIN)/python -m compileall -qq -j 0 $(VENV)/lib
	touch $@

clean:
	rm -rf $(VENV) dist build
