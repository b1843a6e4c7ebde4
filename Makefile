# make up       from a bare machine, or any cluster with CONTEXT=<kube-context>, to two verified predictions
# make down     remove the deployment, then the local cluster
# make test-all run all tests: a change is finished only after it
# make help     list the rest
# CONTEXT=<kube-context> means a cluster you have, STACK=<name> another stack than dev, or than cluster with CONTEXT.
# On a cluster you have, up and down show what would change, and ask; YES=1 agrees beforehand, as a pipeline has to.
# CACHE_FROM=<folder or URL> takes from another machine's cache what is not built here yet.

ifeq ($(filter oneshell,$(.FEATURES)),)
$(error GNU make 3.82 or newer is needed; this is $(MAKE_VERSION) (macOS: brew install make, then gmake))
endif
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

CONTEXT ?=
STACK ?=
YES ?=
CACHE_FROM ?=
export CACHE_FROM
# The Python of .venv, 3.11 to 3.14; unless named, python3 or else the newest on PATH.
PYTHON3 ?=
PYTHON := .venv/bin/python
stack = $(if $(STACK),--stack '$(STACK)')
context = $(if $(CONTEXT),--context '$(CONTEXT)')
yes = $(if $(filter 1,$(YES)),--yes)

# The recipes run in the bash 3.2 of macOS, too: no mapfile there, and under `set -u` no "${empty[@]}".
# Options of pip and uv to take Python packages from CACHE_FROM; where it lacks one, all come from PyPI.
define wheels
options="$$([ -z "$$CACHE_FROM" ] || $${python:-$(PYTHON)} -m cluster.cache_from)"
wheels=()
while IFS= read -r option; do [ -z "$$option" ] || wheels+=("$$option"); done <<<"$$options"
endef
from_pypi = [ -z "$$CACHE_FROM" ] || echo "not all of the Python packages are at CACHE_FROM: they are taken from PyPI instead" >&2

.PHONY: help
help:  ## list the commands
	@awk -F ':.*## *' '/^[a-z-]+:.*##/ {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.venv/bin/uv:
	@for python in $(or $(PYTHON3),python3 python3.14 python3.13 python3.12 python3.11) ''; do
	  if $$python -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then break; fi
	done
	if [ -z "$$python" ]; then
	  echo "error: Python 3.11 to 3.14 is needed, and $(or $(PYTHON3),python3) is not one. Install one, as Ubuntu 22.04 has it" \
	    "(apt-get install python3.11 python3.11-venv), or name one: make PYTHON3=/path/to/python3.11 …" >&2
	  exit 1
	fi
	$(wheels)
	if ! $$python -c 'import ensurepip, venv' 2>/dev/null; then
	  package=$$($$python -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
	  if [ "$$(id -u)" != 0 ]; then
	    echo "error: Python's venv is missing; install it: apt-get install $$package" >&2
	    exit 1
	  fi
	  echo "installing with apt: $$package"
	  apt-get update -qq && apt-get install -y -qq --no-install-recommends $$package
	fi
	$$python -m venv --clear .venv
	install=(.venv/bin/python -m pip install --quiet --require-hashes --only-binary :all: -r requirements-uv.txt)
	if [ $${#wheels[@]} = 0 ] || ! "$${install[@]}" "$${wheels[@]}"; then
	  $(from_pypi)
	  "$${install[@]}"
	fi

.venv/.synced: .venv/bin/uv pyproject.toml uv.lock
	@$(wheels)
	locked=(.venv/bin/uv export --frozen --quiet --no-emit-project --no-header --no-annotate)
	install=(.venv/bin/uv pip sync --quiet --compile-bytecode --python .venv/bin/python --require-hashes)
	if [ $${#wheels[@]} = 0 ] || ! "$${install[@]}" "$${wheels[@]}" <("$${locked[@]}"); then
	  $(from_pypi)
	  .venv/bin/uv sync --frozen --quiet --compile-bytecode
	fi
	touch $@

# Make .venv again for another Python: PYTHON3 names one, or an upgrade of the machine changed the version of python3.
version = $(shell $(1) -c 'import sys; print("python%d.%d" % sys.version_info[:2])' 2>/dev/null)
ifeq ($(wildcard .venv/lib/$(or $(call version,$(or $(PYTHON3),$(PYTHON))),none)),)
.PHONY: .venv/bin/uv
endif

# The programs of the model servers are checked, and tried, with the packages of their images, which have Python 3.11.
cluster/%/.venv/.synced: .venv/.synced cluster/%/pyproject.toml cluster/%/uv.lock
	@.venv/bin/uv venv --quiet --clear --python $(PYTHON) cluster/$*/.venv
	.venv/bin/uv export --project cluster/$* --frozen --quiet --no-emit-project | .venv/bin/uv pip install --quiet \
	  --python cluster/$*/.venv/bin/python --python-version 3.11 --python-platform x86_64-manylinux_2_36 \
	  --require-hashes --no-deps --only-binary :all: -r -
	touch $@

.PHONY: venv
venv: .venv/.synced  ## install the project's Python packages, at the locked versions

# Refuse a machine that cannot run the local cluster before anything is installed; `python -m cluster` checks the rest.
.PHONY: host
host:
	@$(if $(CONTEXT),exit 0)
	if [ "$$(uname -sm)" != "Linux x86_64" ] || [ "$$(id -u)" != 0 ]; then
	  echo "error: the local cluster needs root on Linux/x86_64. Or use a cluster you have: make up CONTEXT=<kube-context>" >&2
	  exit 1
	fi

.PHONY: up
up: host venv  ## deploy and check by value; CONTEXT=<kube-context> uses a cluster you have, and asks first
	@$(PYTHON) -m lifecycle up $(stack) $(context) $(yes)

.PHONY: predict
predict: venv  ## ask every model again and compare by value
	@$(PYTHON) -m lifecycle predict $(stack) $(context)

.PHONY: doctor
doctor: venv  ## say why a model, or the deployment, is not ready
	@$(PYTHON) -m lifecycle doctor $(context)

.PHONY: down
down: venv  ## remove the deployment, then the local cluster; with CONTEXT=<kube-context>, ask first
	@$(PYTHON) -m lifecycle down $(stack) $(context) $(yes)

# Not in make 3.82; there, what the two print may be mixed.
output_sync = $(if $(filter output-sync,$(.FEATURES)),--output-sync)

# Projects of images that have programs of this project.
typed = serving mlserver

.PHONY: lint
lint: venv $(typed:%=cluster/%/.venv/.synced)  ## run ruff and mypy --strict
	@.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	$(MAKE) --jobs $(output_sync) types $(typed:%=types-of-%) types-of-tfserving types-of-torchserve

.PHONY: types $(typed:%=types-of-%) types-of-tfserving types-of-torchserve
types:
	@.venv/bin/mypy .

$(typed:%=types-of-%): types-of-%:
	@cd cluster/$* && ../../.venv/bin/mypy --python-executable .venv/bin/python

# TensorFlow has no types, and is not fetched for this; the packages that all servers share suffice.
types-of-tfserving:
	@cd cluster/tfserving && ../../.venv/bin/mypy --python-executable ../serving/.venv/bin/python

# Its Python is a newer one, but its program needs no other packages than the project itself.
types-of-torchserve:
	@cd cluster/torchserve && ../../.venv/bin/mypy

# How many processes `auto` means stands in tests/conftest.py.
unit_tests = $(PYTHON) -m pytest -m "not e2e" -q -n auto

.PHONY: unit
unit: lint  ## lint, then run the fast tests
	@$(unit_tests)

.PHONY: test
test: host lint  ## also test what most users do, end-to-end on a local cluster of its own
	@$(PYTHON) -m cluster build
	$(unit_tests)
	$(PYTHON) -m pytest -m "journey"

.PHONY: test-all
test-all: host lint  ## run all tests, which finishes a change; writes docs/features.md
	@$(PYTHON) -m cluster build --extras
	$(PYTHON) -m pytest

.PHONY: bench
bench: venv  ## measure, and write docs/benchmarks.md; with COLD=1, also a build from nothing
	@.venv/bin/uv sync --frozen --quiet --group bench
	$(PYTHON) -m benchmarks $(if $(COLD),--cold)

.PHONY: docs
docs: venv  ## write the settings reference and schema, and draw the deployed stack's graph
	@$(PYTHON) -m tools.settings_reference
	$(PYTHON) -m tools.schema
	$(PYTHON) -m tools.troubleshooting
	$(PYTHON) -m lifecycle export $(stack) $(context) | $(PYTHON) -m tools.graph
