# Two commands: `make demo` and `make test`. Everything they need is made by them.
PYTHON ?= python3
ARGS ?=
FUZZ_SECONDS ?= 60
FUZZ_READERS ?= delimited headings workbook archive json_pairs fhir ndjson export_set hl7v2 gzip detection
RUN := .venv/bin/
TEST := .venv-test/bin/
BENCH := .venv-bench/bin/

.PHONY: demo test test-fast test-nightly fuzz bench check audit lock clean

demo: .venv/.ready
	@$(RUN)rollcall demo $(ARGS)

test: check
	$(TEST)python -m pytest -n auto --maxprocesses 4 --dist loadfile -m "not nightly"

test-fast: .venv-test/.ready
	$(TEST)python -m pytest -x -q tests/spec tests/unit tests/properties

test-nightly: .venv-test/.ready
	$(TEST)python -m pytest -m nightly

# Every reader in turn, each for FUZZ_SECONDS; what is learned, and what breaks a promise, stays in build/fuzz.
fuzz: .venv-test/.ready
	@for reader in $(FUZZ_READERS); do echo "== $$reader"; \
	  $(TEST)python tests/fuzz/fuzz_readers.py $$reader --keep build/fuzz -max_total_time=$(FUZZ_SECONDS) -verbosity=0 \
	  -print_final_stats=1 || exit 1; done

bench: .venv-bench/.ready
	@for script in tests/benchmarks/bench_*.py; do echo "== $$script"; $(BENCH)python $$script || exit 1; done

check: .venv-test/.ready
	$(TEST)ruff check .
	$(TEST)ruff format --check .
	$(TEST)mypy
	$(TEST)lint-imports --no-cache
	$(TEST)bandit -q --severity-level medium -r service schemas jobs -c pyproject.toml

# Needs the public advisory database; behind a package mirror --strict fails instead of passing unseen packages.
audit: .venv-test/.ready
	$(TEST)pip-audit --strict --disable-pip --require-hashes -r requirements.lock

.venv/.ready: requirements.lock pyproject.toml
	@echo "Preparing .venv (once)..."
	@$(PYTHON) -m venv .venv
	@$(RUN)pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements.lock
	@$(RUN)pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

.venv-test/.ready: .ci/requirements-test.lock pyproject.toml
	@echo "Preparing .venv-test (once)..."
	@$(PYTHON) -m venv .venv-test
	@$(TEST)pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r .ci/requirements-test.lock
	@$(TEST)pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

# What the test environment has, and the peers that the benchmarks run beside: polars and duckdb.
.venv-bench/.ready: .ci/requirements-bench.lock pyproject.toml
	@echo "Preparing .venv-bench (once)..."
	@$(PYTHON) -m venv .venv-bench
	@$(BENCH)pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r .ci/requirements-bench.lock
	@$(BENCH)pip install -qq --disable-pip-version-check --no-deps --no-build-isolation --no-index -e .
	@touch $@

# Renews the lock files; needs uv. They name no registry.
lock:
	uv pip compile pyproject.toml --extra build --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade -o requirements.lock
	uv pip compile pyproject.toml --extra build --extra test -c requirements.lock --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade -o .ci/requirements-test.lock
	uv pip compile pyproject.toml --extra build --extra test --extra bench -c .ci/requirements-test.lock --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --upgrade -o .ci/requirements-bench.lock

clean:
	rm -rf .venv .venv-test .venv-bench .mypy_cache .ruff_cache .pytest_cache .hypothesis build dist *.egg-info
