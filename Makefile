# The only entrance: everything a newcomer, a developer or CI runs is a target here.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.DEFAULT_GOAL := help
.PHONY: help setup demo test check fix wheel evaluate readers train lock clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */  \1\t/'

setup: $(READY)  ## make .venv with the pinned packages and layerctl in it

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

demo: $(READY)  ## decompose examples/ into out/
	$(BIN)/layerctl decompose examples --out out --layers 4 --psd --pptx --png
	$(BIN)/layerctl verify out --against examples
	@echo "Layers are in out/: open a .psd or .pptx, or look into a folder of PNGs."

test: $(READY)  ## run the tests
	$(BIN)/python -m pytest

check: $(READY)  ## ruff and mypy, as CI runs them
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

fix: $(READY)  ## let ruff format and mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

wheel: $(READY)  ## build the wheel, install it in an empty environment, decompose a picture with it
	rm -rf build/wheel && mkdir -p build/wheel
	$(BIN)/python -m build --quiet --no-isolation --wheel --outdir build/wheel
	$(PYTHON) -m venv build/wheel/venv
	build/wheel/venv/bin/pip install --quiet --disable-pip-version-check --constraint requirements.lock build/wheel/*.whl
	cd build/wheel && venv/bin/layerctl decompose ../../$(firstword $(wildcard examples/*.jpg)) --out layers
	cd build/wheel && venv/bin/layerctl verify layers
	cd build/wheel && venv/bin/layerctl presets check studio
	rm -rf build/wheel/venv

evaluate: $(READY)  ## score the shipped model, make evaluate DATA=folder
	$(BIN)/python model/recipe/evaluate.py $(DATA) --layers 6

readers: $(READY)  ## open the documents in out/ with other programs and compare
	$(BIN)/python benchmarks/readers.py out --against examples

train: $(READY)  ## train mini from nothing; resumable
	$(BIN)/python model/recipe/train.py --out runs/mini

lock: $(READY)  ## renew requirements.lock from the ranges in pyproject.toml
	rm -rf build/lock && $(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet --editable '.[dev]'
	build/lock/bin/pip freeze --exclude-editable | sed 's/+cpu//' > requirements.lock

clean:  ## remove what the other targets made, but for the environment
	rm -rf build dist out .mypy_cache .pytest_cache .ruff_cache
