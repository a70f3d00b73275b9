# Everything a person does here, by name: `make` lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
REGISTRY ?=
PY := .venv/bin/python

export PATH := $(CURDIR)/.local/bin:$(CURDIR)/.venv/bin:$(PATH)
# Rewritten assertions are kept from run to run: half the time of `make unit`.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help
help: ## list what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: setup
setup: ## install all that is needed: system packages, Python environment, cluster programs
	hack/setup

.PHONY: cluster
cluster: setup ## start the cluster `cijob` (kubeconfig and programs in .local/)
	@hack/kind create cluster --name cijob --kubeconfig .local/kubeconfig
	@echo 'Next: export KUBECONFIG=$$PWD/.local/kubeconfig PATH=$$PWD/.local/bin:$$PATH'

.PHONY: cluster-down
cluster-down: ## end that cluster and remove every trace of it
	@hack/kind delete cluster --name cijob --kubeconfig .local/kubeconfig
	@rm -f .local/kubeconfig

.PHONY: images
images: setup ## build the images and load them into the cluster, or push them to REGISTRY=…
	@hack/build-images --registry "$(REGISTRY)"

.PHONY: demo
demo: cluster images ## a cluster with a real job, its log on the screen
	@hack/demo

.PHONY: demo-down
demo-down: cluster-down ## end what `make demo` started

.PHONY: generate
generate: ## make the generated files anew
	@$(PY) hack/generate

.PHONY: verify
verify: ## fail if a generated file is not what its source gives
	@$(PY) hack/generate --verify

.PHONY: lock
lock: ## make the lock files anew (`hack/lock --upgrade` takes newer versions)
	hack/lock

.PHONY: format
format: ## format the code
	ruff format . && ruff check --fix .

.PHONY: check
check: verify ## generated files, format, lint, types, import rules, chart
	ruff format --check .
	ruff check .
	mypy
	lint-imports --no-cache
	yamllint --strict .
	helm lint --strict --quiet charts/cijob

.PHONY: unit
unit: ## unit tests: no cluster, no network, under 10 s
	CIJOB_HYPOTHESIS=quick pytest tests/unit -m 'not process' -q

.PHONY: processes
processes: ## tests that start programs or servers, and properties looked for longer
	pytest tests/unit -m 'process or hypothesis' -n 2 -q

.PHONY: soak
soak: setup ## the long versions of the tests of chaos, logs and a hostile workspace, with figures
	CIJOB_SOAK=1 hack/cluster-tests -rP tests/cluster/test_chaos.py tests/cluster/test_log_*.py \
		tests/cluster/test_results.py::test_a_hostile_workspace_gives_nothing_away_and_is_done_in_time

.PHONY: bench
bench: cluster images ## measure, side by side with what Kubernetes itself does
	bench/run

.PHONY: test
test: setup ## everything: checks, unit tests, then all tests on a real local cluster
	$(MAKE) check unit processes
	hack/cluster-tests
