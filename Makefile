# Needs Python 3.11 or newer and make; .venv holds everything else, Node and the CDK CLI included.

PYTHON ?= python3
VENV := $(CURDIR)/.venv
PY := $(VENV)/bin/python
OUTER_PATH := $(subst $(VENV)/bin:,,$(PATH))
CODE := $(wildcard automode_constructs charts stacks app.py tests examples benchmarks tools)

# node, cdk and python are the venv's in every recipe; the set-up alone looks for PYTHON and uv outside.
export PATH := $(VENV)/bin:$(OUTER_PATH)

.DEFAULT_GOAL := help
.PHONY: help setup synth test lowest newest check check-all judge format-check lint types manifests rules schemas crds rehearse bench build lock clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s  %s\n", $$1, $$2 }' Makefile

setup: ## Make .venv ready, which every other target does by itself (PYTHON=python3.13)
	@PATH='$(OUTER_PATH)' PYTHON='$(PYTHON)' tools/setup

synth: setup ## Write the CloudFormation templates to cdk.out (ARGS='-c name=value')
	@tools/synth $(ARGS)

test: setup ## Run the tests (ARGS='-k pool')
	@'$(PY)' -m pytest $(ARGS)

lowest: ## Test the library with the lowest version of every runtime dependency (ARGS='tests/specs')
	@PATH='$(OUTER_PATH)' PYTHON='$(PYTHON)' tools/versions lowest $(ARGS)

newest: ## Test the library with the newest versions that pyproject.toml allows (ARGS='tests/specs')
	@PATH='$(OUTER_PATH)' PYTHON='$(PYTHON)' tools/versions newest $(ARGS)

check: format-check lint types test build ## Everything that must hold before a change is proposed

check-all: check judge lowest rehearse ## The slow judges as well: half an hour

judge: setup ## cdk-nag's NIST, PCI and HIPAA packs and checkov over the app (ARGS='--app default')
	@'$(PY)' -m tools.judge $(ARGS)

format-check: setup ## Are the files formatted? (ruff format writes them)
	@'$(PY)' -m ruff format --check .

lint: setup ## Look for mistakes that ruff knows
	@'$(PY)' -m ruff check .

types: setup ## Check the types, strictly
	@'$(PY)' -m mypy $(CODE)
	@basedpyright

manifests: setup ## Write the Kubernetes objects as YAML to manifests (OUTPUTS=outputs.json)
	@'$(PY)' -m charts --out manifests $(if $(OUTPUTS),--outputs '$(OUTPUTS)') $(ARGS)

rules: setup ## Write docs/rules.md from the rules in the code
	@'$(PY)' -m automode_constructs.cli.pages rules docs/rules.md

schemas: setup ## Write the JSON Schema of each kind, for editors, to schemas
	@'$(PY)' -m automode_constructs.cli.pages schemas schemas

crds: setup ## Write the contract data from CRDs (AUTOMODE_CRD_DIR=crds ARGS='--source ... --date ...')
	@'$(PY)' -m tools.crds $(ARGS)

rehearse: setup ## Deploy, break, repair and destroy against a stand-in AWS (ARGS='--only destroy')
	@'$(PY)' -m tools.rehearse $(ARGS)

bench: setup ## Measure what the README promises
	@'$(PY)' -m benchmarks $(ARGS)

build: setup ## Build the wheel and the source distribution into dist
	@rm -rf dist
	@'$(PY)' -m build --no-isolation

lock: ## Write constraints.txt anew, with the newest versions pyproject.toml allows
	@PATH='$(OUTER_PATH)' PYTHON='$(PYTHON)' tools/lock

clean: ## Remove what the other targets wrote, except .venv and the parts in .rehearse and .judge
	@rm -rf .rehearse/last .judge/last cdk.out .synth.* manifests dist .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
