# Pathwise
#
#   make help      print this list
#   make setup     install missing Debian packages
#   make build     build the library and the command: .build/release/pathwise
#   make install   build, and install below PREFIX (/usr/local): command, manual, completions, units
#   make uninstall  remove what `make install` installed
#   make deb       build, and make the Debian package in .build/deb
#   make image     build, and make the root folder of the container's image in .build/image
#   make demo      set up, build, and run `pathwise demo` over emulated paths
#   make test      set up and run all tests
#   make check     lint the format, then run all tests
#   make python-test  the tests of the Python package alone (part of `make test`)
#   make spark-test  training over a real Spark cluster on loopback (Java 17, pyspark)
#   make examples  build and run the programs of Examples/, and compare their output
#   make docs      build the documentation of the library; a warning is an error
#   make models    train a model from random worlds and compare it with a start from nothing (4 minutes)
#   make notebooks  run the notebooks of python/notebooks and export them to notebooks-exported/
#   make bench     set up and run the benchmarks of Benchmarks/ (they print figures)
#   make bench-links  the command over emulated links beside kernel MPTCP (root, ../shared/testbed)
#   make deb-test  the package in a fresh Debian: install, serve, upgrade, remove (root, debootstrap)
#   make image-test  the program in the image's folder, without an engine
#   make closed-loop  policies in closed loop over many worlds, random ones and of recorded networks
#   make bench-worlds  worlds in virtual time beside the same links for real, a recorded drive, and what they cost
#   make bench-transfers  short transfers over random worlds beside the best single path
#   make page-test  the status page in headless Chromium (root, apt-get install chromium)
#   make api-test  requests that schemathesis makes of docs/openapi.json (API=100000: so many)
#   make guides-test  the commands of docs/guides over emulated links, as they are written (root, iproute2, curl)
#   make bench-watch  what --http costs: scrapes of 100 clients with 2,000 flows, idle forwards
#   make bench-coverage  measure the coverage of the intervals of `evaluate`
#   make bench-spark  the same training with one and with two Spark workers
#   make audit     estimates of `evaluate` beside what the policies then did, in worlds
#   make format    format all Swift files in place
#   make clean     remove all build products
#
# Variables: PREFIX=/usr/local and DESTDIR= (where `make install` installs),
# DEMO="--seconds 20 --report demo.html" (arguments of the demo),
# LINKS="bulk S1 jit_20" (what bench-links measures; all takes hours),
# FILTER=Name (only tests whose name matches), JOBS=2 (compilers at once).

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: page-test api-test guides-test bench-watch help setup build install uninstall deb deb-test image image-test demo test python python-test spark spark-test check lint examples docs models notebooks bench bench-links bench-worlds closed-loop bench-coverage bench-spark audit format clean

# The libraries that the rooms link, the compiler of their C parts, and `ip` for the tests in
# network namespaces, which only root runs.
PACKAGES := libopenblas-dev libssl-dev libsqlite3-dev pkg-config gcc libc6-dev make iproute2 python3-venv

# All tests of a process share a few threads. Those that wait for sockets would wait for minutes
# behind those that compute or wait for programs, so each kind has a process of its own.
SOCKET_TESTS := ^(PathForwardTests|PathNetworkTests|PathWatchTests|PathwiseTests)\.
PROGRAM_TESTS := ^CommandTests\.
define RUN_ALL_TESTS
swift test --skip-build $(TEST_FLAGS) --skip '$(SOCKET_TESTS)' --skip '$(PROGRAM_TESTS)'
	swift test --skip-build $(TEST_FLAGS) --filter '$(SOCKET_TESTS)'
	swift test --skip-build $(TEST_FLAGS) --filter '$(PROGRAM_TESTS)'
endef

JOBS ?= $(shell nproc)
DEMO ?=
FILTER ?=
PAGE ?=

# All tests have one optimised configuration, because scenarios in virtual time take minutes in a
# debug build and seconds here; bounds and overflow checks stay on. It has its own folder, so that
# `make build` and `make test` do not overwrite each other's files.
TEST_FLAGS := -c release -Xswiftc -enable-testing --scratch-path .build-tests

# The examples are another package, so SwiftPM cannot share a folder with the tests. A debug build is
# the fastest one.
EXAMPLE_FLAGS := --package-path Examples --scratch-path $(CURDIR)/.build-examples

# The command includes the Swift runtime: it starts a fifth faster, and runs where Swift is not
# installed.
BUILD_FLAGS := -c release --static-swift-stdlib

# BLAS threads slow down small matrices, and results should not depend on their number.
export OPENBLAS_NUM_THREADS := 1

help:
	@sed -n '3,/^$$/s/^# \{0,1\}//p' Makefile

setup:
	@if ! command -v swift >/dev/null; then \
	    echo "setup: Swift 6.2 or newer is missing: see https://www.swift.org/install" >&2; exit 1; \
	fi
	@if ! command -v dpkg-query >/dev/null; then \
	    echo "setup: not a Debian system; needed are the equivalents of: $(PACKAGES)"; exit 0; \
	fi; \
	missing=""; \
	for package in $(PACKAGES); do \
	    state=$$(dpkg-query -W -f='$${db:Status-Status}' $$package 2>/dev/null || true); \
	    [ "$$state" = installed ] || missing="$$missing $$package"; \
	done; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	sudo=""; \
	if [ "$$(id -u)" != 0 ]; then \
	    command -v sudo >/dev/null || { \
	        echo "setup: become root, then: apt-get install$$missing" >&2; exit 1; }; \
	    sudo=sudo; \
	fi; \
	echo "setup: installing$$missing"; \
	$$sudo apt-get update -q; \
	$$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends$$missing

build: setup
	swift build -j $(JOBS) $(BUILD_FLAGS) --product pathwise

# BINARY installs and packs another binary than that of `make build`.
PREFIX ?= /usr/local
DESTDIR ?=
BINARY ?= .build/release/pathwise

install: $(if $(filter .build/release/pathwise,$(BINARY)),build)
	packaging/install.sh install '$(PREFIX)' '$(DESTDIR)' '$(BINARY)'

uninstall:
	packaging/install.sh uninstall '$(PREFIX)' '$(DESTDIR)'

# The tools that pack, besides those that build.
deb deb-test: PACKAGES += dpkg-dev binutils

deb: $(if $(filter .build/release/pathwise,$(BINARY)),build)
	packaging/deb.sh '$(BINARY)' .build/deb

# In a fresh Debian below a temporary folder: installs, serves, upgrades, removes (root, debootstrap).
deb-test: $(if $(filter .build/release/pathwise,$(BINARY)),build)
	packaging/test-deb.sh '$(BINARY)'

image: $(if $(filter .build/release/pathwise,$(BINARY)),build)
	rm -rf .build/image
	packaging/root.sh '$(BINARY)' .build/image

# Serves in such a folder, without an engine.
image-test: $(if $(filter .build/release/pathwise,$(BINARY)),build)
	packaging/test-image.sh '$(BINARY)'

demo: build
	.build/release/pathwise demo $(DEMO)

test: setup
	swift build --build-tests -j $(JOBS) $(TEST_FLAGS)
	$(if $(FILTER),swift test --skip-build $(TEST_FLAGS) --filter '$(FILTER)',$(RUN_ALL_TESTS))
	$(if $(FILTER),,@$(MAKE) --no-print-directory python || \
	    echo "test: skips the tests of python/, because pip cannot install what they need" >&2)
	$(if $(FILTER),,[ ! -e $(PYTHON)/ready ] || $(PYTHON_TEST))

# The Python package, in an environment of its own with what its tests need.
PYTHON := .build/python
PYTHON_TEST = PATHWISE=.build-tests/release/pathwise $(PYTHON)/bin/python -m pytest -q python/tests --ignore=python/tests/spark

python: $(PYTHON)/ready

$(PYTHON)/ready: python/pyproject.toml
	@python3 -c 'import ensurepip, sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	    { echo "python: Python 3.11 or newer with venv is missing: apt-get install python3-venv" >&2; exit 1; }
	python3 -m venv $(PYTHON)
	$(PYTHON)/bin/python -m pip install -q --editable 'python[test]'
	touch $@

python-test: python
	swift build -j $(JOBS) $(TEST_FLAGS) --product pathwise
	$(PYTHON_TEST)

# The notebooks have an environment of their own, since VW's package is large.
NOTEBOOKS := .build/notebooks

$(NOTEBOOKS)/ready: python/pyproject.toml
	python3 -m venv $(NOTEBOOKS)
	$(NOTEBOOKS)/bin/python -m pip install -q --editable 'python[notebooks]'
	touch $@

# NOTEBOOK="3 5" runs only these.
notebooks: build $(NOTEBOOKS)/ready
	PATHWISE=$(CURDIR)/.build/release/pathwise $(NOTEBOOKS)/bin/python python/notebooks/make.py \
	    notebooks-exported $(NOTEBOOK)

# Spark in the environment of the tests; it is large, so `make test` does without it.
spark: $(PYTHON)/spark

$(PYTHON)/spark: $(PYTHON)/ready
	$(MAKE) --no-print-directory setup PACKAGES=openjdk-17-jre-headless
	$(PYTHON)/bin/python -m pip install -q --editable 'python[test,spark]'
	touch $@

spark-test: spark
	swift build -j $(JOBS) $(TEST_FLAGS) --product pathwise
	PATHWISE=.build-tests/release/pathwise $(PYTHON)/bin/python -m pytest -q python/tests/spark

check: lint test

lint:
	swift format lint --strict --parallel --recursive Package.swift Sources Tests Benchmarks/Package.swift Benchmarks/Sources Benchmarks/learning Examples/Package.swift Examples/Sources

examples: setup
	swift build -j $(JOBS) $(EXAMPLE_FLAGS)
	Examples/check.sh "$$(swift build $(EXAMPLE_FLAGS) --show-bin-path)"

# The documentation is extracted from the modules that `make test` has built, or builds them first.
docs: setup
	swift build -j $(JOBS) $(TEST_FLAGS) --target Pathwise
	rm -rf .build-docs
	mkdir -p .build-docs/symbols
	built=$$(swift build $(TEST_FLAGS) --show-bin-path); \
	swift symbolgraph-extract -module-name Pathwise -I "$$built/Modules" \
	    $$(find Sources .build-tests/checkouts -name module.modulemap -printf '-I %h ') \
	    $$(find "$$built"/*.build -maxdepth 1 -name module.modulemap -printf '-I %h ') \
	    -target "$$(basename "$$(dirname "$$built")")" -minimum-access-level public \
	    -experimental-allowed-reexported-modules=PathTransport,PathTelemetry,PathLearning,PathNetwork,PathTrace \
	    -skip-synthesized-members -output-dir .build-docs/symbols
	docc convert Sources/Pathwise/Pathwise.docc --additional-symbol-graph-dir .build-docs/symbols \
	    --warnings-as-errors --output-path .build-docs/Pathwise.doccarchive

models: build
	models/make.sh

bench: setup
	$(MAKE) --no-print-directory -C Benchmarks

# The real command over emulated links beside kernel MPTCP; root. LINKS="bulk S1 jit_20" selects.
bench-links: build
	Benchmarks/links/links.py $(or $(LINKS),all)

# Policies in closed loop over worlds that they were not made on. CLOSED_LOOP="--worlds 20 --families random,lte" selects.
closed-loop: build
	Benchmarks/worlds/closed_loop.py $(CLOSED_LOOP)

# TRANSFERS="--first 8000 --policy learned --policy min-rtt" selects.
bench-transfers: build
	Benchmarks/worlds/transfers.py --jobs $(JOBS) $(TRANSFERS)

bench-worlds: build
	Benchmarks/worlds/drive.py
	Benchmarks/worlds/cost.py
	Benchmarks/worlds/fidelity.py

page-test: build
	python3 Benchmarks/watch/page.py $(PAGE)

# schemathesis lies in a folder of its own; the programs run as `nobody` if this is root.
API ?= 3000
SCHEMATHESIS := .build/schemathesis

$(SCHEMATHESIS)/ready:
	rm -rf $(SCHEMATHESIS)
	python3 -m venv $(SCHEMATHESIS)
	$(SCHEMATHESIS)/bin/python -m pip install -q 'schemathesis>=4,<5'
	touch $@

api-test: build $(SCHEMATHESIS)/ready
	$(SCHEMATHESIS)/bin/python Benchmarks/watch/api.py --requests $(API)

# GUIDES=--write writes into the guides what their commands print.
guides-test: build
	Benchmarks/watch/guides.py $(GUIDES)

bench-watch: build
	python3 Benchmarks/watch/scale.py

bench-coverage: setup
	$(MAKE) --no-print-directory -C Benchmarks/evaluation coverage adaptive

# AUDIT="--worlds 10 --seed 7" selects; the same seed gives the same tables.
audit: build
	Benchmarks/worlds/audit.py --jobs $(JOBS) $(AUDIT)

# The recordings stay in .build/spark-traces (1.5 GB).
bench-spark: build spark
	cd python && PATHWISE=$(CURDIR)/.build/release/pathwise $(CURDIR)/$(PYTHON)/bin/python \
	    -m tests.spark.speedup $(CURDIR)/.build/spark-traces

format:
	swift format --in-place --parallel --recursive Package.swift Sources Tests Benchmarks/Package.swift Benchmarks/Sources Benchmarks/learning Examples/Package.swift Examples/Sources

clean:
	rm -rf .build .build-tests .build-examples .build-docs Benchmarks/.build
