# Each target sets up what it needs. Stamps in .make/ remember what is done; `make help` lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := build
.PHONY: help build run test debug coverage fuzz lint type bench bench-chaos bench-dns bench-tls soak image dist lock clean
.SILENT:

PYTHON ?= python3
BIN := .venv/bin
SOURCES := setup.py pyproject.toml $(wildcard haystack/_fast/*.pyx haystack/_fast/*/*.pyx haystack/_fast/*/*.pxd)
# twice quiet: its errors, without the warnings that concern its own set-up
INSTALL := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-warn-script-location
COMPILE := $(BIN)/python setup.py --quiet build_ext --inplace --parallel $(shell nproc 2>/dev/null || echo 2)
LOCK := $(BIN)/pip-compile --quiet --strip-extras --generate-hashes --allow-unsafe \
	--no-emit-index-url --no-emit-trusted-host --no-emit-find-links

help: ## this list
	sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name what; do printf '  make %-12s %s\n' "$$name" "$$what"; done

build: .make/release ## the command, at .venv/bin/haystack

run: build ## run it: against the engine where one answers, else a demo of five instances (ARGS: its flags)
	exec $(BIN)/haystack auto $(ARGS)

# One process more than there are processors: most tests wait most of the time.
test: .make/tools build ## every test, in several processes (ARGS: pytest's; `-n 0`: in one)
	$(BIN)/python -m pytest --numprocesses $$(( $$(nproc 2>/dev/null || echo 2) + 1 )) $(ARGS)

# Whatever its goals lack is told before anything is done: those that neither build nor run need the tests' clients too.
PURPOSE := $(if $(filter-out build run image dist clean,$(MAKECMDGOALS)),test,run)

# What `haystack run` needs, and what compiles it.
.make/venv: requirements/build.txt requirements/image.txt
	requirements/system $(PURPOSE) $(PYTHON)
	echo "haystack: installing Python packages into .venv, half a minute or so" >&2
	mkdir -p .make
	[[ -x $(BIN)/python ]] || $(PYTHON) -m venv .venv
	$(INSTALL) --require-hashes -r requirements/build.txt -r requirements/image.txt
	touch $@

# What tests, linters and benchmarks need beside it.
.make/tools: requirements/dev.txt .make/venv
	requirements/system test $(PYTHON)
	echo "haystack: installing the tests' Python packages into .venv, half a minute or so" >&2
	$(INSTALL) --require-hashes -r requirements/dev.txt
	touch $@

# Each of the three stamps takes the others' place: the extensions in the tree are of one kind only. Where that or how it is built has changed, all are compiled.
.make/release: .make/venv $(SOURCES)
	rm -f .make/debug .make/coverage
	echo "haystack: compiling, a minute or two" >&2
	HAYSTACK_FORCE=$(if $(filter setup.py,$?),1) $(COMPILE)
	HAYSTACK_COMPILED=1 $(INSTALL) --no-deps --no-build-isolation --editable .
	touch $@

.make/debug: .make/venv $(SOURCES)
	rm -f .make/release .make/coverage
	echo "haystack: compiling for debugging, a minute or two" >&2
	HAYSTACK_DEBUG=1 HAYSTACK_FORCE=$(if $(filter setup.py,$?),1) $(COMPILE)
	HAYSTACK_COMPILED=1 $(INSTALL) --no-deps --no-build-isolation --editable .
	touch $@

.make/coverage: .make/venv $(SOURCES)
	rm -f .make/release .make/debug
	echo "haystack: compiling for coverage, some minutes" >&2
	HAYSTACK_COVERAGE=1 HAYSTACK_FORCE=$(if $(filter setup.py,$?),1) $(COMPILE)
	HAYSTACK_COMPILED=1 $(INSTALL) --no-deps --no-build-isolation --editable .
	touch $@

debug: .make/tools .make/debug ## every test, on extensions with bounds checks and counted allocations
	HAYSTACK_DEBUG=1 $(BIN)/python -X dev -m pytest $(ARGS)

coverage: .make/tools .make/coverage ## which lines the tests run, compiled ones too, and why not the others (ARGS: pytest's)
	$(BIN)/python -m tests.coverage $(ARGS)

.make/atheris: .make/tools requirements/fuzz.txt
	$(INSTALL) --require-hashes -r requirements/fuzz.txt
	touch $@

# With clang there, on extensions of its own with AddressSanitizer.
FUZZ_SECONDS ?= 60
fuzz: build .make/atheris ## the fuzz targets, FUZZ_SECONDS each (FUZZ: head, body, exchange, http2, http2_up, dns, upstream, hello)
	$(BIN)/python -m tests.fuzz --seconds $(FUZZ_SECONDS) $(FUZZ)

lint: .make/tools ## the linters
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/cython-lint haystack/_fast

type: .make/tools ## the type checker
	$(BIN)/mypy

bench: .make/tools build ## the benchmarks beside nginx and HAProxy (ARGS: which, how long)
	$(BIN)/python -m bench $(ARGS)

bench-chaos: .make/tools build ## what is lost while containers come and go, beside nginx and HAProxy
	$(BIN)/python -m bench.chaos $(ARGS)

bench-dns: .make/tools build ## DNS beside Knot, dnsmasq and unbound, and under load of all kinds (ARGS: which, how long)
	$(BIN)/python -m bench.dns $(ARGS)

bench-tls: .make/tools build ## TLS and HTTP/2 beside nginx and HAProxy (ARGS: which, how long)
	$(BIN)/python -m bench.tls $(ARGS)

soak: .make/tools build ## minutes of mixed load, and whether memory and descriptors stay
	$(BIN)/python -m bench soak $(ARGS)

image: ## the image haystack
	docker build --tag haystack --build-arg VERSION="$$(sed -nE 's/^__version__ = "(.+)"/\1/p' haystack/__init__.py)" \
		--build-arg REVISION="$$(git rev-parse HEAD 2>/dev/null || true)" --build-arg CREATED="$$(date -u +%Y-%m-%dT%H:%M:%SZ)" .

dist: .make/venv ## the wheel for this Python, and the source distribution, in dist/
	$(BIN)/python setup.py --quiet sdist --dist-dir dist
	$(BIN)/python setup.py --quiet bdist_wheel --dist-dir dist

lock: .make/tools ## newer versions of all packages, within the ranges of pyproject.toml
	$(LOCK) --upgrade --output-file requirements/image.txt pyproject.toml
	$(LOCK) --upgrade --output-file requirements/build.txt requirements/build.in
	$(LOCK) --upgrade -c requirements/image.txt -c requirements/build.txt --output-file requirements/dev.txt requirements/dev.in pyproject.toml
	$(LOCK) --upgrade -c requirements/dev.txt --output-file requirements/fuzz.txt requirements/fuzz.in

clean: ## away with everything that was made here
	rm -rf .make .venv build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find haystack/_fast -name "*.so" -delete -o -name "*.c" -delete -o -name "*.html" -delete
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
