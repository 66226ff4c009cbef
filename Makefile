# The two commands of the README. Each sets up what it needs in .venv, from a fresh clone and a Python of 3.11 or later.
PYTHON ?= python3
WORKERS ?= 2
# or constraints-lowest.txt: the lowest versions that pyproject.toml allows
CONSTRAINTS ?= constraints.txt
VENV := .venv
BIN := $(VENV)/bin

.PHONY: plan check test slow benchmark laws docs clean

plan: $(VENV)/.main            ## the main job: the best (LLM, visual tokens) pair for 2 TFLOPs
	$(BIN)/vlm-planner plan --budget 2TFLOPs --query-tokens 50 --generated-tokens 32

check: $(VENV)/.test           ## lint and types
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check --no-cache .
	$(BIN)/mypy

test: check                    ## lint, types and every test but the slow ones
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal  # a worker a core: one thread in each

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

$(VENV)/.test: $(VENV)/.main
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) torch  # first: no CUDA packages
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c $(CONSTRAINTS) -e '.[vlm,test,app]'
	touch $@

clean:
	rm -rf $(VENV) dist build
