# make serve   the bundled models on :8000      make test    lint, types, every test
# make check   lint, types, the quick tests     make bench   measure (see benchmarks/)
# make train   fit the bundled models again     make clean   remove the environment

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL = $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: serve test check lint bench train clean

serve: $(VENV)/serve.stamp
	$(BIN)/python -m app

test: lint
	$(BIN)/pytest

check: lint
	$(BIN)/pytest -m "not slow"

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks.precision
	$(BIN)/python -m benchmarks.startup

train: $(VENV)/dev.stamp
	$(BIN)/python -m training fit --recipe bigram --split both --out checkpoints/bigram
	$(BIN)/python -m training fit --recipe transformer --split both --out checkpoints/transformer

clean:
	rm -rf $(VENV)

$(VENV)/serve.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --editable .
	touch $@

$(VENV)/dev.stamp: $(VENV)/serve.stamp
	$(PIP_INSTALL) --editable '.[dev]'
	touch $@
