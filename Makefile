# make install | test | test-all | test-interop | mutants | many-examples | faults | demo | bench-smoke | format | clean   (python3 >= 3.11 with venv and pip)

PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
CRYODRGN := .venv-cryodrgn/.installed
RECOVAR := .venv-recovar/.installed
ZARR_PARTICLE_TOOLS := .venv-zarr-particle-tools/.installed

.PHONY: install test test-all test-interop mutants many-examples faults check demo bench-smoke format clean

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet -c constraints.txt hatchling
	$(BIN)/python -m pip install --quiet -c constraints.txt --no-build-isolation -e '.[dev]'
	touch $@

check: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

test: check
	$(BIN)/python -m pytest -n auto --dist worksteal -m 'not slow and not interop'

test-all: check
	$(BIN)/python -m pytest -n auto --dist worksteal -m 'not interop'

# other programs, each in an environment of its own: 2 GB of disk for cryoDRGN, 1.5 GB for RECOVAR, 1 GB for the third
test-interop: install $(CRYODRGN) $(RECOVAR) $(ZARR_PARTICLE_TOOLS)
	$(BIN)/python -m pytest -rP -m interop tests/interop

$(CRYODRGN): constraints-cryodrgn.txt
	$(PYTHON) -m venv .venv-cryodrgn
	.venv-cryodrgn/bin/python -m pip install --quiet -c constraints-cryodrgn.txt cryodrgn
	touch $@

$(RECOVAR): constraints-recovar.txt
	$(PYTHON) -m venv .venv-recovar
	.venv-recovar/bin/python -m pip install --quiet -c constraints-recovar.txt recovar
	touch $@

$(ZARR_PARTICLE_TOOLS): constraints-zarr-particle-tools.txt
	$(PYTHON) -m venv .venv-zarr-particle-tools
	.venv-zarr-particle-tools/bin/python -m pip install --quiet -c constraints-zarr-particle-tools.txt zarr-particle-tools
	touch $@

# property tests with 2,000 examples each, 2,000 damaged files of each kind, and every command with every spoilt path
many-examples: install
	HYPOTHESIS_PROFILE=many TOMODRGN_MUTATIONS=2000 nice $(BIN)/python -m pytest -n auto --dist worksteal \
	  tests/core/test_quoting.py tests/core/files/test_yaml_text.py tests/integration/hostile

# 200 small faults, each put into a copy: do the tests notice? Hours; it goes on where it was stopped. docs/testing.md
mutants: install
	nice $(BIN)/python -m benchmarks mutants --sample 200 --seed 1

# kill -9, a full disk and unreadable files at every step of every command: hours. docs/reliability.md
faults: install
	nice $(BIN)/python -m tests.faults

demo: install
	$(BIN)/tomodrgn run examples/demo.yaml
	@echo 'Look at demo/run/recovery.png (latents and slices), demo/volumes/*.mrc (decoded), demo/simulation/maps/*.mrc (true).'

bench-smoke: install
	$(BIN)/python -m benchmarks --quick

format: install
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf .venv .venv-cryodrgn .venv-recovar .venv-zarr-particle-tools demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache dist build
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
