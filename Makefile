# build run test debug fuzz lint type bench bench-chaos soak image clean; each sets up what it needs. Stamps in .make/ remember what is done.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := build
.PHONY: build run test debug fuzz lint type bench bench-chaos soak image lock clean

PYTHON ?= python3
BIN := .venv/bin
SOURCES := setup.py pyproject.toml $(wildcard haystack/_fast/*.pyx haystack/_fast/*.pxd haystack/_fast/*.h)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check
LOCK := $(BIN)/pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links

build: .make/release

.make/venv: requirements/dev.txt
	mkdir -p .make
	[[ -x $(BIN)/python ]] || $(PYTHON) -m venv .venv
	$(INSTALL) --require-hashes -r requirements/dev.txt
	touch $@

# Either stamp takes the other's place: the extensions in the tree are of one kind only.
.make/release: .make/venv $(SOURCES)
	rm -f .make/debug
	HAYSTACK_FORCE=1 $(INSTALL) --no-deps --no-build-isolation --editable .
	touch $@

.make/debug: .make/venv $(SOURCES)
	rm -f .make/release
	HAYSTACK_DEBUG=1 HAYSTACK_FORCE=1 $(INSTALL) --no-deps --no-build-isolation --editable .
	touch $@

run: build
	exec $(BIN)/haystack auto $(ARGS)

test: build
	$(BIN)/python -m pytest $(ARGS)

debug: .make/debug
	HAYSTACK_DEBUG=1 $(BIN)/python -X dev -m pytest $(ARGS)

.make/atheris: .make/venv requirements/fuzz.txt
	$(INSTALL) --require-hashes -r requirements/fuzz.txt
	touch $@

# Each target for FUZZ_SECONDS; with clang there, on extensions of its own with AddressSanitizer. FUZZ: head, body, exchange.
FUZZ_SECONDS ?= 60
fuzz: build .make/atheris
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS) $(FUZZ)

lint: .make/venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/cython-lint haystack/_fast

type: .make/venv
	$(BIN)/mypy

bench: build
	$(BIN)/python -m bench $(ARGS)

bench-chaos: build
	$(BIN)/python -m bench.chaos $(ARGS)

soak: build
	$(BIN)/python -m bench soak $(ARGS)

image:
	docker build --tag haystack .

# Newer versions within the ranges of pyproject.toml.
lock: .make/venv
	$(LOCK) --upgrade --output-file requirements/image.txt pyproject.toml
	$(LOCK) --upgrade --output-file requirements/build.txt requirements/build.in
	$(LOCK) --upgrade -c requirements/image.txt -c requirements/build.txt --output-file requirements/dev.txt requirements/dev.in pyproject.toml
	$(LOCK) --upgrade -c requirements/dev.txt --output-file requirements/fuzz.txt requirements/fuzz.in

clean:
	rm -rf .make .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	rm -f haystack/_fast/*.so haystack/_fast/*.c haystack/_fast/*.html
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
