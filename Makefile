# Two commands do everything on a machine that has only Python 3.11 or later: `make demo` and `make test`.
# Each target makes .venv, and installs again only when pyproject.toml or constraints.txt changed.

VENV := .venv
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONNOUSERSITE := 1
PYTEST_ARGS ?= -n auto
DEMO_ARGS ?=

.PHONY: help demo test lint format docs docs-serve clean
.DEFAULT_GOAL := help

help:
	@echo "make demo    unmix a synthetic PRISMA granule with known truth; results in demo/"
	@echo "make test    run the tests (PYTEST_ARGS='-k prisma -x' is passed on)"
	@echo "make lint    ruff, mypy, import-linter, docstrings"
	@echo "make format  let ruff write the format"
	@echo "make docs    build the documentation as a site in site/"
	@echo "make clean   remove .venv, caches, demo/ and site/"

demo: $(VENV)/.installed-run
	$(BIN)/hsgeo demo --out demo $(DEMO_ARGS)

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: $(VENV)/.installed-lint
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tests/tools/check_docstrings.py

format: $(VENV)/.installed-lint
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

docs: $(VENV)/.installed-docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir site
	@echo "the site is in site/index.html"

docs-serve: $(VENV)/.installed-docs
	$(BIN)/mkdocs serve

clean:
	rm -rf $(VENV) .venv312 demo site .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
	find hsgeo plugins catalogs tests -name __pycache__ -type d -prune -exec rm -rf {} +

# The first interpreter that runs, is 3.11 or later and can make virtual environments (a pyenv shim may be there and not run).
$(VENV)/bin/python:
	@for python in $(PYTHON) python3.11 python3.12 python3.13 python3.14 python3 python; do \
	    if "$$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "$$python -m venv $(VENV)"; exec "$$python" -m venv $(VENV); \
	    fi; \
	done; \
	echo "No Python 3.11 or later with venv was found. Install one (on Debian also python3-venv), or name it: make PYTHON=/path/to/python3" >&2; \
	exit 1

$(VENV)/.installed-run: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-%: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[$*]'
	@touch $@
