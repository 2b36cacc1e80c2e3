# `make demo` and `make test` need Python 3.11 to 3.13 with pip and venv, and nothing else.

PYTHON ?= python3
VENV := .venv
RUN := runs/quickstart
COMPARISON := runs/compare_small
# By file, so that two workers do not compile the same kernels.
PYTEST_FLAGS ?= -n 2 --dist loadfile
# The tests that call kernels in their own process.
KERNEL_TESTS := tests/kernels tests/fuzz tests/data tests/diagnostics tests/evaluation tests/objectives \
	tests/models/test_low_rank.py tests/models/test_hashed.py tests/models/test_sparse.py tests/optim tests/samplers \
	tests/training/test_engine.py
# Of these, the ones that count frequencies or stop processes: they ask nothing of an index.
LEFT_OUT := -k "not million and not interrupted and not intervals"
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

# The peers' environments, prepared examples and what `make bench-quick` writes.
BENCH := .bench
BENCH_FLAGS ?=
PEERS := PYTHONPATH=benchmarks $(VENV)/bin/python -m peers --work $(BENCH)

.PHONY: help demo test lint bench bench-quick bench-roofline bench-growth bench-instructions bench-startup clean

help:
	@echo "make demo    install, train on the King James Bible, evaluate, predict, compare samplers (some minutes)"
	@echo "make test    install what the tests need, and run them, kernels with checked indices too"
	@echo "make lint    ruff check, ruff format --check, mypy --strict"
	@echo "make bench-quick         other tools beside sstrain on the King James Bible (ten minutes)"
	@echo "make bench DATA=FOLDER   every tool and setting on three sets (hours; goes on where it was interrupted)"
	@echo "make bench-roofline      this machine's bandwidths and rates, and each kernel's share of its bound"
	@echo "make bench-instructions  instructions of the hottest kernels beside those of a known state (valgrind)"
	@echo "make bench-growth        time of an example against classes, features, samples, batch, threads"
	@echo "make bench-startup       how long commands take to start"
	@echo "make clean   remove the virtual environment and caches; runs/ stays"
	@echo
	@echo "Another Python than python3: make demo PYTHON=python3.12"

demo: $(VENV)/installed
	$(VENV)/bin/sstrain train --config configs/quickstart.yaml --output $(RUN) --overwrite
	$(VENV)/bin/sstrain eval $(RUN)
	@echo
	@echo "The five most probable next words after each of three beginnings, with their probabilities:"
	@for prompt in "and god said let there be" "blessed are the" "fear not for i am with"; do \
		echo "$$prompt ..."; \
		echo "$$prompt" | $(VENV)/bin/sstrain predict $(RUN) - --top-k 5 || exit $$?; \
	done
	@echo
	@echo "Which proposal, and how many samples? A small comparison:"
	$(VENV)/bin/sstrain compare-samplers --config configs/compare_small.yaml --output $(COMPARISON) --overwrite
	@echo
	@echo "The run:      $(RUN)"
	@echo "Its metrics:  $(RUN)/metrics.jsonl"
	@echo "Its picture:  $(RUN)/loss.png"
	@echo "The report:   $(COMPARISON)/report.html"

test: $(VENV)/installed-dev
	$(VENV)/bin/python -m pytest $(PYTEST_FLAGS) --ignore=tests/fuzz
	@# An index out of bounds is silent in a compiled kernel, unless it was compiled to be checked.
	@# Checks are put in before code is optimised: little optimisation will do, and compiles faster.
	NUMBA_CACHE_DIR= NUMBA_BOUNDSCHECK=1 NUMBA_OPT=1 $(VENV)/bin/python -m pytest $(PYTEST_FLAGS) $(KERNEL_TESTS) $(LEFT_OUT)

lint: $(VENV)/installed-dev
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy

# A command of a benchmark takes options, as BENCH_FLAGS="--only sampled".
bench: $(VENV)/installed
	@test -n "$(DATA)" || { echo "make bench DATA=FOLDER: the folder of kjv/, novels/ and placenames/ (benchmarks/peers/sets.py)"; exit 1; }
	$(PEERS) --output benchmarks --data $(DATA) $(BENCH_FLAGS)

bench-quick: $(VENV)/installed
	$(PEERS) --output $(BENCH)/quick --quick --repeats 1 --time-limit 150 $(BENCH_FLAGS)

bench-roofline: $(VENV)/installed
	$(VENV)/bin/python benchmarks/roofline.py $(BENCH_FLAGS)

bench-growth: $(VENV)/installed
	$(VENV)/bin/python benchmarks/growth.py $(BENCH_FLAGS)

bench-instructions: $(VENV)/installed
	$(VENV)/bin/python benchmarks/instructions.py $(BENCH_FLAGS)

bench-startup: $(VENV)/installed
	$(VENV)/bin/python benchmarks/startup.py $(BENCH_FLAGS)

clean:
	rm -rf $(VENV) $(BENCH) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The two stamps: what a run needs, and what the tests and checks need besides.
$(VENV)/installed: pyproject.toml constraints.txt
	@command -v $(PYTHON) > /dev/null || { echo "$(PYTHON) is not there; install Python 3.11, 3.12 or 3.13, or name it: make PYTHON=..."; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
		{ echo "sstrain needs Python 3.11, 3.12 or 3.13, and $(PYTHON) is $$($(PYTHON) -V 2>&1); name another: make PYTHON=python3.12"; exit 1; }
	@echo "Installing sstrain into $(VENV) ..."
	@# Debian's Python cannot put pip into a new environment unless python3-venv is installed.
	@$(PYTHON) -m venv $(VENV) > /dev/null 2>&1 || { $(PYTHON) -m venv --clear --without-pip $(VENV) && \
		$(PYTHON) -m pip --python $(VENV)/bin/python install --quiet pip; }
	@$(PIP) -e .
	@# pip compiles what it copies to bytecode, and not what it links to: no start is to do it again.
	@$(VENV)/bin/python -m compileall -q sstrain
	@touch $@

$(VENV)/installed-dev: $(VENV)/installed
	@echo "Installing what the tests need into $(VENV) ..."
	@$(PIP) -e '.[dev]'
	@touch $@
