# make up       from a bare machine, or any cluster with CONTEXT=<kube-context>, to two verified predictions
# make test     lint, types, unit, and the journeys of the end-to-end tests
# make test-all everything: a change is finished only after it
# make down     pulumi destroy, then the local cluster
# make help     the rest
# CACHE_FROM=<folder or URL> with any of them takes from another machine's cache what is not built here yet

ifeq ($(filter oneshell,$(.FEATURES)),)
$(error GNU make 3.82 or newer is needed; this is $(MAKE_VERSION) (macOS: brew install make, then gmake))
endif
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

CONTEXT ?=
CACHE_FROM ?=
export CACHE_FROM
STACK ?= $(if $(CONTEXT),cluster,dev)
# The Python of .venv, 3.11 to 3.14; unless named, python3 or else the newest on PATH.
PYTHON3 ?=
PYTHON := .venv/bin/python
# Shell settings for Pulumi: the local cluster's, or the user's own when a context is given.
ENVIRONMENT = settings="$$($(PYTHON) -m cluster env $(if $(CONTEXT),--tools))"; eval "$$settings"
# Select the stack, or create it; Pulumi then works with a copy of its file, so that git sees no change.
stack_file = PULUMI_OPTION_CONFIG_FILE="$$($(PYTHON) -m stack_files open $(STACK) $(if $(CONTEXT),--context '$(CONTEXT)'))"; \
  export PULUMI_OPTION_CONFIG_FILE

# Options of pip and uv for the Python packages that CACHE_FROM has; without them, or where they do not do, PyPI is asked.
define wheels
options="$$([ -z "$$CACHE_FROM" ] || $${python:-$(PYTHON)} -m cluster.cache_from)"
mapfile -t wheels <<<"$$options"
[ -n "$$options" ] || wheels=()
endef
from_pypi = [ -z "$$CACHE_FROM" ] || echo "not all of the Python packages are at CACHE_FROM: they are taken from PyPI instead" >&2

.PHONY: help
help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */  make \1\t/' | expand -t 16

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

# Made anew for another Python: the one that PYTHON3 names, or what python3 became when the machine was upgraded.
version = $(shell $(1) -c 'import sys; print("python%d.%d" % sys.version_info[:2])' 2>/dev/null)
ifeq ($(wildcard .venv/lib/$(or $(call version,$(or $(PYTHON3),$(PYTHON))),none)),)
.PHONY: .venv/bin/uv
endif

# What runs in the images keeps their Python, 3.11: these packages are for it, whichever Python .venv has.
cluster/serving/.venv/.synced: .venv/.synced cluster/serving/pyproject.toml cluster/serving/uv.lock
	@.venv/bin/uv venv --quiet --clear --python $(PYTHON) cluster/serving/.venv
	.venv/bin/uv export --project cluster/serving --frozen --quiet --no-emit-project | .venv/bin/uv pip install --quiet \
	  --python cluster/serving/.venv/bin/python --python-version 3.11 --python-platform x86_64-manylinux_2_36 \
	  --require-hashes --no-deps --only-binary :all: -r -
	touch $@

.PHONY: venv
venv: .venv/.synced  ## this project's Python environment, at the locked versions

# What a local cluster needs before anything is installed; `python -m cluster` checks the rest.
.PHONY: host
host:
	@$(if $(CONTEXT),exit 0)
	if [ "$$(uname -sm)" != "Linux x86_64" ] || [ "$$(id -u)" != 0 ]; then
	  echo "error: the local cluster needs root on Linux/x86_64. Or use a cluster you have: make up CONTEXT=<kube-context>" >&2
	  exit 1
	fi

.PHONY: up
up: host venv  ## deploy and check by value; CONTEXT=<kube-context> uses a cluster you have
	@$(PYTHON) -m stack_files check $(STACK)
	$(PYTHON) -m cluster $(if $(CONTEXT),tools,up --stack-file Pulumi.$(STACK).yaml)
	$(ENVIRONMENT)
	$(stack_file)
	if pulumi stack export --stack $(STACK) | grep -q '"pending_operations"'; then  # of a run that was killed
	  pulumi refresh --yes --skip-preview --clear-pending-creates --stack $(STACK)
	fi
	if ! pulumi up --yes --skip-preview --refresh --stack $(STACK); then  # an interrupted destroy goes on in the cluster
	  echo "Why: make doctor$(if $(CONTEXT), CONTEXT=$(CONTEXT))" >&2
	  exit 1
	fi
	answers=0
	$(PYTHON) -m predict --stack $(STACK) || answers=$$?
	if [ $$answers = 2 ]; then
	  echo "once more, for what an interrupted destroy had still to delete"
	  pulumi up --yes --skip-preview --refresh --stack $(STACK)
	  $(PYTHON) -m predict --stack $(STACK)
	elif [ $$answers != 0 ]; then
	  exit $$answers
	fi
	echo
	echo "Next: eval \"\$$($(PYTHON) -m cluster env$(if $(CONTEXT), --tools))\"; then kubectl get inferenceservices, pulumi stack output, pulumi up"

.PHONY: predict
predict: venv  ## ask every model again and compare by value
	@$(ENVIRONMENT)
	$(PYTHON) -m predict --stack $(STACK)

.PHONY: doctor
doctor: venv  ## say why a model, or the deployment, is not ready
	@$(ENVIRONMENT)
	$(PYTHON) -m predict doctor $(if $(CONTEXT),--context '$(CONTEXT)') </dev/null

.PHONY: down
down: venv  ## remove the deployment, then the local cluster
	@trap 'exit 130' INT  # Pulumi ends by itself on Ctrl-C: that is no failure to go on from
	if $(if $(CONTEXT),true,$(PYTHON) -m cluster status >/dev/null 2>&1); then
	  $(ENVIRONMENT)
	  if pulumi stack select $(STACK) 2>/dev/null; then
	    $(stack_file)
	    pulumi destroy --yes --skip-preview --stack $(STACK) || \
	      $(if $(CONTEXT),exit 1,echo "the destroy failed: the local cluster goes with what is left in it")
	    pulumi stack rm --yes --preserve-config $(if $(CONTEXT),,--force) $(STACK)
	  fi
	elif $(PYTHON) -m cluster kubeconfig >/dev/null 2>&1; then
	  echo "the local cluster does not answer: it goes with all that is deployed there"
	fi
	$(PYTHON) -m stack_files clean $(STACK)
	$(if $(CONTEXT),,$(PYTHON) -m cluster down)

.PHONY: lint
lint: venv cluster/serving/.venv/.synced  ## ruff and mypy --strict
	@.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	$(MAKE) --jobs --output-sync types types-of-serving

.PHONY: types types-of-serving
types:
	@.venv/bin/mypy .

types-of-serving:
	@cd cluster/serving && ../../.venv/bin/mypy --python-executable .venv/bin/python

.PHONY: unit
unit: lint  ## the fast tests
	@$(PYTHON) -m pytest -m "not e2e" -q -n logical --maxprocesses 8

.PHONY: test
test: host unit  ## lint, types, unit, and what most users do end-to-end on a local cluster of its own
	@$(PYTHON) -m cluster build
	$(PYTHON) -m pytest -m "journey"

.PHONY: test-all
test-all: host lint  ## all tests, which a change needs before it is finished; writes docs/features.md
	@$(PYTHON) -m cluster build --extras
	$(PYTHON) -m pytest

.PHONY: bench
bench: venv  ## measure, and write docs/benchmarks.md; COLD=1 builds everything from nothing, too
	@.venv/bin/uv sync --frozen --quiet --group bench
	$(PYTHON) -m benchmarks $(if $(COLD),--cold)

.PHONY: docs
docs: venv  ## write the settings reference and schema, and draw the deployed stack's graph
	@$(PYTHON) -m tools.settings_reference
	$(PYTHON) -m tools.schema
	$(PYTHON) -m tools.troubleshooting
	$(ENVIRONMENT)
	pulumi stack export --stack $(STACK) | $(PYTHON) -m tools.graph
