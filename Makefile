# Pathwise
#
#   make help      print this list
#   make setup     install missing Debian packages
#   make build     build the library and the command: .build/release/pathwise
#   make demo      set up, build, and run `pathwise demo` over emulated paths
#   make test      set up and run all tests
#   make check     lint the format, then run all tests
#   make examples  build and run the programs of Examples/, and compare their output
#   make docs      build the documentation of the library; a warning is an error
#   make models    record over emulated links and train models/default.safetensors (2 minutes)
#   make bench     set up and run the benchmarks of Benchmarks/ (they print figures)
#   make bench-links  the command over emulated links beside kernel MPTCP (root, ../shared/testbed)
#   make bench-worlds  worlds in virtual time beside the same links for real, and a recorded drive
#   make bench-coverage  measure the coverage of the intervals of `evaluate`
#   make audit     estimates of `evaluate` beside what the policies then did, in worlds
#   make format    format all Swift files in place
#   make clean     remove all build products
#
# Variables: DEMO="--seconds 20 --report demo.html" (arguments of the demo),
# LINKS="bulk S1 jit_20" (what bench-links measures; all takes hours),
# FILTER=Name (only tests whose name matches), JOBS=2 (compilers at once).

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup build demo test check lint examples docs models bench bench-links bench-worlds bench-coverage audit format clean

# The libraries that the rooms link, the compiler of their C parts, and `ip` for the tests in
# network namespaces, which only root runs.
PACKAGES := libopenblas-dev libssl-dev libsqlite3-dev pkg-config gcc libc6-dev make iproute2

# All tests of a process share a few threads. Those that wait for sockets would wait for minutes
# behind those that compute or wait for programs, so each kind has a process of its own.
SOCKET_TESTS := ^(PathForwardTests|PathNetworkTests|PathwiseTests)\.
PROGRAM_TESTS := ^CommandTests\.
define RUN_ALL_TESTS
swift test --skip-build $(TEST_FLAGS) --skip '$(SOCKET_TESTS)' --skip '$(PROGRAM_TESTS)'
	swift test --skip-build $(TEST_FLAGS) --filter '$(SOCKET_TESTS)'
	swift test --skip-build $(TEST_FLAGS) --filter '$(PROGRAM_TESTS)'
endef

JOBS ?= $(shell nproc)
DEMO ?=
FILTER ?=

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
	@sed -n '3,19s/^# \{0,1\}//p' Makefile

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

demo: build
	.build/release/pathwise demo $(DEMO)

test: setup
	swift build --build-tests -j $(JOBS) $(TEST_FLAGS)
	$(if $(FILTER),swift test --skip-build $(TEST_FLAGS) --filter '$(FILTER)',$(RUN_ALL_TESTS))

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

bench-worlds: build
	Benchmarks/worlds/drive.py
	Benchmarks/worlds/fidelity.py

bench-coverage: setup
	$(MAKE) --no-print-directory -C Benchmarks/evaluation coverage adaptive

# AUDIT="--worlds 10 --seed 7" selects; the same seed gives the same tables.
audit: build
	Benchmarks/worlds/audit.py --jobs $(JOBS) $(AUDIT)

format:
	swift format --in-place --parallel --recursive Package.swift Sources Tests Benchmarks/Package.swift Benchmarks/Sources Benchmarks/learning Examples/Package.swift Examples/Sources

clean:
	rm -rf .build .build-tests .build-examples .build-docs Benchmarks/.build
