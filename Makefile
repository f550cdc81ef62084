# make serve   the bundled models on :8000      make test    lint, types, every test
# make check   lint, types, the quick tests     make bench   measure (see benchmarks/)
# make audit   look for known vulnerabilities of what is pinned; part of both
# make test-ray  the service on Ray Serve: replicas killed under load and more, some minutes
# make lock    write the hashes of what the image installs (after constraints.txt has changed)
# make sbom    list what the image holds, as CycloneDX, in build/sbom.cdx.json
# make fuzz    ask for all that OpenAPI describes, and more (EXAMPLES=500 an operation)
# make faults  prove that it keeps working under load, overload and bad clients (SCALE=0.1: less)
# make train   fit the bundled models again, and make docs/models.md (hours)
# make clean   remove the environment

PYTHON ?= python3
EXAMPLES ?= 500
SCALE ?= 1
VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL = $(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt

# A file's tests in one process: they share what is dear to make. A server takes 400 MB.
# The long proofs run one after the other: they load every core themselves.
PYTEST = $(BIN)/pytest --numprocesses auto --maxprocesses 4 --dist loadfile
FIT = $(BIN)/python -m training fit
ON_TWO = bigram neural-bigram ngram bow rnn gru lstm transformer mixture gru-ngram
ON_THREE = mlp cnn

# For pip-audit: AUDIT='--ignore-vuln ID' where a vulnerability was looked at and is none here.
AUDIT ?=

.PHONY: serve test test-ray check lint audit lock sbom fuzz faults bench bench-training train clean

serve: $(VENV)/serve.stamp
	$(BIN)/python -m app

test: lint audit
	$(PYTEST) -m "not slow and not ray"
	$(BIN)/pytest -m "slow and not ray"

check: lint audit
	$(PYTEST) -m "not slow and not ray"

test-ray: $(VENV)/ray.stamp
	$(BIN)/pytest -m ray

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: $(VENV)/dev.stamp
	$(BIN)/python -m supply.audit $(AUDIT)

lock: $(VENV)/dev.stamp
	$(BIN)/python -m supply.lock

sbom: $(VENV)/dev.stamp
	mkdir -p build
	grep '^torch==' constraints.txt | cat deploy/requirements.lock - | \
		$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
		--output-file build/sbom.cdx.json -

fuzz: $(VENV)/dev.stamp
	$(BIN)/python -m tests.fuzz $(EXAMPLES)

# One after the other: each loads every core. Then what was measured, whether all has passed or not.
faults: $(VENV)/dev.stamp
	rm -f build/faults.jsonl
	FAULTS_SCALE=$(SCALE) $(BIN)/pytest tests/faults; \
	passed=$$?; $(BIN)/python -m tests.faults; exit $$passed

# The trees are not filled to the end, so that it takes some ten minutes; see benchmarks/README.md.
bench: $(VENV)/bench.stamp
	$(BIN)/python -m benchmarks.precision
	$(BIN)/python -m benchmarks.generation --warm 60
	$(BIN)/python -m benchmarks.scoring --models gru-ngram transformer bigram --warm-s 5
	$(BIN)/python -m benchmarks.memory --fill-s 30
	$(BIN)/python -m benchmarks.scaling
	$(BIN)/python -m benchmarks.http --warm 60 --rounds 1
	$(BIN)/python -m benchmarks.protocol
	$(BIN)/python -m benchmarks.request_cost

bench-training: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks.time_to_loss

train: $(VENV)/dev.stamp
	for recipe in $(ON_TWO); do \
		$(FIT) --recipe $$recipe --split makemore clean --out checkpoints/$$recipe || exit; done
	for recipe in $(ON_THREE); do \
		$(FIT) --recipe $$recipe --split makemore clean lecture --out checkpoints/$$recipe || exit; done
	$(FIT) --recipe korean-gpt --out checkpoints/korean-gpt
	$(FIT) --recipe mlp-lecture --split lecture --out build/compared/mlp-lecture
	$(FIT) --recipe korean-lookup --out build/compared/korean-lookup
	$(BIN)/python -m training compare checkpoints build/compared --out docs/models.md

clean:
	rm -rf $(VENV)

$(VENV)/serve.stamp: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP_INSTALL) --editable .
	touch $@

$(VENV)/dev.stamp: $(VENV)/serve.stamp
	$(PIP_INSTALL) --editable '.[dev]'
	touch $@

# 320 MB, of no use to other tests.
$(VENV)/ray.stamp: $(VENV)/dev.stamp
	$(PIP_INSTALL) --editable '.[dev,ray]'
	touch $@

$(VENV)/bench.stamp: $(VENV)/dev.stamp
	$(PIP_INSTALL) --editable '.[dev,bench]'
	touch $@
