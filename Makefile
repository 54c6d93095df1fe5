# Everything a developer or an operator types. `make help` lists it.

SHELL := /bin/bash
.NOTPARALLEL:
.DEFAULT_GOAL := help

HYPHA := .build/release/hypha
CONFIG ?= config/public-peer.toml
# Network interfaces need root; everything else is done as the calling user.
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)

.PHONY: help setup setup-test build run test demo bench format lint clean

help:
	@echo "make run     install what is missing, build, start a public peer (CONFIG=$(CONFIG))"
	@echo "make test    install what is missing, build, run every test"
	@echo "make demo    three nodes in network namespaces on this machine: A and B meet through R"
	@echo "make bench   measure the stages and a relay on this machine"
	@echo "make build   only build: .build/release/hypha and .build/release/hypha-bench"
	@echo "make format  rewrite the sources in the project's style (make lint only checks)"
	@echo "make clean   remove everything that was built"

setup:
	@scripts/setup.sh

setup-test:
	@scripts/setup.sh --with-test-tools

build: setup
	swift build -c release --static-swift-stdlib

run: build
	$(HYPHA) run --config $(CONFIG)

test: setup-test build
	scripts/test.sh

demo: setup-test build
	$(SUDO) scripts/demo.sh $(HYPHA)

bench: setup-test build
	$(SUDO) .build/release/hypha-bench

format:
	swift format --in-place --recursive Sources Tests Bench Package.swift

lint:
	swift format lint --strict --recursive Sources Tests Bench Package.swift

clean:
	rm -rf .build
