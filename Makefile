# Set-up, demo and checks. `make help` lists the targets; CI (.ci/run) and people call the same ones.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup-base setup demo test lint types layers tests quality-report quality-report-quick merge-datasets generate-prompts train train-quick train-modern train-large format lock clean

PYTHON ?= python3
VENV_PACKAGE = python$$($(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv
BIN := .venv/bin
UV := .venv/bin/uv

# An environment that holds everything stays so: `make demo` after `make test` removes and installs nothing.
SET := $(if $(wildcard .venv/.all-*),all,base)
# A stamp's name holds the hash of what it stands for: with the same locks, set-up has nothing to do.
KEY := $(shell cat requirements/*.txt pyproject.toml | sha256sum | cut -c1-16)

# $(call system,TEST,PACKAGE): where TEST fails, installs the Debian package if it may, else says so in one line.
define system
$(1) >/dev/null 2>&1 || if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	echo "set-up: apt-get install $(2)"; apt-get -qq update; \
	DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends $(2) >/dev/null; \
	else echo "A system package is missing: as root, apt-get install $(2)" >&2; exit 1; fi
endef

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-22s%s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup-base: .venv/.$(SET)-$(KEY) ## what `make demo` needs: .venv without torch, Chromium, fonts, KaTeX and Tailwind
	@$(BIN)/python -m rendering.install

setup: .venv/.all-$(KEY) ## everything: what `make test` and training need
	@$(BIN)/python -m rendering.install

demo: setup-base ## the main job on the embedded sample, offline; the release is build/demo/releases/demo
	@$(BIN)/markupmill build demo --workspace build/demo

test: setup lint types layers tests ## everything that CI runs, in this order

lint: setup ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup ## mypy, strict
	$(BIN)/mypy

layers: setup ## import-linter: which room may import which
	$(BIN)/lint-imports

tests: setup ## pytest on two processes
	$(BIN)/python -m pytest -n 2 --dist loadgroup

# distilvit's names for the same things
REPORT = $(BIN)/markupmill report "$(QUALITY_DATASET)" $(if $(SPLIT),--split "$(SPLIT)") $(if $(OUTPUT_DIR),--output-dir "$(OUTPUT_DIR)")

quality-report: setup ## of QUALITY_DATASET (a release, a folder, org/name); also SPLIT, MAX_SAMPLES, OUTPUT_DIR
	@test -n "$(QUALITY_DATASET)" || { echo "Which data set? make $@ QUALITY_DATASET=org/name" >&2; exit 2; }
	$(REPORT) $(if $(MAX_SAMPLES),--max-samples $(MAX_SAMPLES))

quality-report-quick: setup ## the same of 100 samples
	@$(MAKE) --no-print-directory quality-report MAX_SAMPLES=$(or $(MAX_SAMPLES),100)

merge-datasets: setup ## MERGE_DATASETS (presets, folders, org/name) into MERGE_SAVE; also SAMPLE, PUSH_TO_HUB, PRIVATE=1, MERGE_ARGS
	$(BIN)/markupmill merge $(if $(MERGE_DATASETS),--datasets $(MERGE_DATASETS)) \
		--save-path "$(or $(MERGE_SAVE),merged_dataset)" $(if $(SAMPLE),--sample $(SAMPLE)) \
		$(if $(PUSH_TO_HUB),--push-to-hub "$(PUSH_TO_HUB)") $(if $(PRIVATE),--private) $(MERGE_ARGS)

generate-prompts: setup ## for rare classes: of RARE_OBJECTS (the report's objects_below_50.csv) or FROM a release; also TASK, OUTPUT, SEED
	$(BIN)/markupmill prompts $(if $(FROM),--from "$(FROM)",--rare-objects "$(or $(RARE_OBJECTS),quality_reports/objects_below_50.csv)") \
		$(if $(TASK),--task "$(TASK)") $(if $(OUTPUT),--output "$(OUTPUT)") $(if $(SEED),--seed $(SEED))

# distilvit's names and variables; DATASET is a release: a folder, or org/name[@revision]
PRESET ?= distilvit
TRAIN = $(BIN)/markupmill train-distilvit --preset $(PRESET) --dataset "$(DATASET)" \
	$(if $(EPOCHS),--num-train-epochs $(EPOCHS)) $(if $(SAMPLE),--sample $(SAMPLE)) \
	$(if $(MAX_LENGTH),--max-length $(MAX_LENGTH)) $(if $(ENCODER),--encoder-model "$(ENCODER)") \
	$(if $(DECODER),--decoder-model "$(DECODER)") $(TRAIN_ARGS)

train: setup ## a captioner as distilvit trains it, on DATASET; also EPOCHS, SAMPLE, MAX_LENGTH, ENCODER, DECODER, TRAIN_ARGS
	@test -n "$(DATASET)" || { echo "Which release? make $@ DATASET=org/name" >&2; exit 2; }
	$(TRAIN)

train-quick: PRESET = distilvit_quick
train-quick: train ## the same on 100 rows, once

train-modern: PRESET = distilvit_modern
train-modern: train ## with SmolLM-360M

train-large: PRESET = distilvit_large
train-large: train ## with SigLIP-SO400M and SmolLM-1.7B

format: setup ## ruff: mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

lock: $(UV) ## requirements/*.in to requirements/*.txt with hashes; LOCK=--upgrade moves the versions
	for set in uv base all; do $(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 \
		--custom-compile-command "make lock" $(LOCK) requirements/$$set.in -o requirements/$$set.txt; done

clean: ## removes what make made: .venv, build, node_modules, caches of the tools
	rm -rf .venv build rendering/assets/node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# uv installs the rest; pip fetches it by hash into the new environment, and the locks hold the same uv.
$(UV):
	@$(call system,command -v $(PYTHON),python3)
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || { echo \
		"$$($(PYTHON) --version) will not do, Python 3.11 to 3.13 is needed: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	@$(call system,$(PYTHON) -c 'import ensurepip',$(VENV_PACKAGE))
	@echo "set-up: .venv and uv"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt

.venv/.%-$(KEY): | $(UV)
	@echo "set-up: Python packages ($* set)"
	@rm -f .venv/.base-* .venv/.all-*
	@$(UV) pip sync --quiet --python $(BIN)/python --require-hashes requirements/$*.txt
	@# The program that drives Chromium is a node of Playwright's, which a bare Debian lacks a library for.
	@$(call system,$(BIN)/python -m playwright --version,libatomic1)
	@$(UV) pip install --quiet --python $(BIN)/python --offline --no-deps --no-build-isolation --editable .
	@touch $@
