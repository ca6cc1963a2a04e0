# Every task of the project. CI runs these targets and nothing else.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3)
SERVE := .venv/bin
DEV := .venv-dev/bin
PIP_INSTALL := -m pip install --quiet --disable-pip-version-check --constraint requirements.lock
PROTO := $(wildcard proto/echoplane/v1/*.proto) proto/build_stubs.py

# onnxruntime reports its use to its maker unless told not to before it is imported.
export ORT_DISABLE_TELEMETRY := 1

.PHONY: help
help: ## list the tasks
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# ---- environments: .venv serves (no torch), .venv-dev develops -------------------------------------------------

.venv/installed: pyproject.toml requirements.lock $(PROTO)
	@echo "Setting up .venv (serving, no torch; about a minute) ..."
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info[:2] == (3, 11) else "Python 3.11 is needed; set PYTHON=")'
	@$(PYTHON) -m venv .venv
	@$(SERVE)/python $(PIP_INSTALL) --editable '.[cpu]'
	@touch $@

.venv-dev/installed: pyproject.toml requirements.lock $(PROTO)
	@echo "Setting up .venv-dev (training and development with torch; a few minutes, about 7 GB) ..."
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info[:2] == (3, 11) else "Python 3.11 is needed; set PYTHON=")'
	@$(PYTHON) -m venv .venv-dev
	@$(DEV)/python $(PIP_INSTALL) --editable '.[cpu,training,dev]'
	@touch $@

.PHONY: setup
setup: .venv/installed .venv-dev/installed ## install everything for development

# ---- use ----------------------------------------------------------------------------------------------------------

.PHONY: demo
demo: .venv/installed ## one cine after another through the whole service; pictures in out/demo
	@$(SERVE)/python -m deploy.demo

.PHONY: serve
serve: .venv/installed ## a site in the foreground: gRPC 50051, metrics 9464, DICOM 11112, a page on 8080
	@exec $(SERVE)/echoplane serve

# ---- develop ------------------------------------------------------------------------------------------------------

.PHONY: fmt
fmt: .venv-dev/installed ## rewrite to style
	@$(DEV)/ruff format
	@$(DEV)/ruff check --fix
	@$(DEV)/buf format --write proto

.PHONY: check
check: lint test-unit ## format, lint, types, import contracts, proto, unit tests

.PHONY: lint
lint: .venv-dev/installed ## the same without tests
	@$(DEV)/ruff format --check
	@$(DEV)/ruff check
	@$(DEV)/mypy
	@$(DEV)/lint-imports --no-logo
	@$(DEV)/buf lint proto
	@$(DEV)/buf format --exit-code --diff proto
	@$(DEV)/hadolint --config .hadolint.yaml Dockerfile
	@$(DEV)/shellcheck $$(git ls-files '*.sh') .ci/run

.PHONY: test-unit
test-unit: .venv-dev/installed ## the fast tests
	@OMP_NUM_THREADS=1 $(DEV)/pytest tests/unit --numprocesses 2 --cov --cov-report=
	@echo -n 'Per cent of services/cine that the unit tests cover: '
	@$(DEV)/python -m coverage report --include='services/cine/*' --fail-under=95 --format=total

.PHONY: peers
peers: .venv-dev/installed ## install what the tests talk to: a real Triton server, real dcmtk and dicom3tools, a browser
	@tests/integration/triton/install.sh
	@tests/integration/dcmtk.sh
	@tests/browser/chromium.sh

# The others run a file in one process, two at a time, but for those that want the machine for themselves. Coverage is
# counted over all. A target runs once in one call of make, so `make check test` runs the unit tests once.
.PHONY: test
test: .venv/installed peers test-unit ## every test that CI runs, a real Triton server included
	@OMP_NUM_THREADS=1 $(DEV)/pytest --ignore=tests/unit -m 'not alone' --numprocesses 2 --dist loadfile --cov --cov-append --cov-report=
	@OMP_NUM_THREADS=1 $(DEV)/pytest --ignore=tests/unit -m alone --cov --cov-append --cov-report=
	@echo -n 'Per cent of services and training that all tests cover: '
	@$(DEV)/python -m coverage report --fail-under=85 --format=total

.PHONY: bench
bench: .venv-dev/installed ## ratios against named baselines, measured in one run
	@$(DEV)/python -m tests.bench.predict_view
	@$(DEV)/python -m tests.bench.classifier
	@OMP_NUM_THREADS=1 $(DEV)/python -m training.simulator.speed

.PHONY: smoke
smoke: .venv-dev/installed ## simulate, train, export and predict, tiny, in a minute or two
	@$(DEV)/echoplane train classifier --preset smoke --out out/smoke/run
	@$(DEV)/echoplane export --checkpoint out/smoke/run --repository out/smoke/model_repository
	@$(DEV)/echoplane simulate --subjects 1 --out out/smoke/cines --format avi
	@$(DEV)/echoplane predict out/smoke/cines/*.avi --model-repository out/smoke/model_repository

.PHONY: image
image: ## build the container (with docker, podman, or buildah as root on Debian) and run it
	@deploy/image/build.sh

.PHONY: lock
lock: ## resolve requirements.lock again
	@$(PYTHON) -m venv .cache/uv && .cache/uv/bin/pip install --quiet --disable-pip-version-check uv
	@.cache/uv/bin/uv pip compile pyproject.toml --extra cpu --extra training --extra dev --python-version 3.11 \
	  --no-annotate --custom-compile-command 'make lock' --quiet --output-file requirements.lock

.PHONY: clean
clean: ## remove environments, caches and outputs
	@rm -rf .venv .venv-dev .cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache out runs
