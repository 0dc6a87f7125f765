# Targets are thin: each line can be typed by hand. `make help` lists them.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
CARGO ?= cargo
BINARIES := -p tfcoord-cli -p tfcoord-coordinator -p tfcoord-ps -p tfcoord-worker

.PHONY: help demo setup test verify fix sim-long mutants hadoop-long fault-points chaos bench bench-peers bench-training data data-adult data-stocks data-anomaly

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

demo: ## build, then train the example on separate processes
	$(CARGO) build --release $(BINARIES)
	target/release/tfcoord submit examples/fashion-mnist/job.json

setup: ## install what the tests judge by (into target/tools), fetch data
	tests/setup.sh

test: setup ## set up and check everything
	$(CARGO) build --workspace
	$(CARGO) test --workspace

verify: ## format, lints, shape of the project and licences; changes nothing
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) test -p tfcoord-tidy

fix: ## format, and apply what lints suggest
	$(CARGO) fmt --all
	$(CARGO) clippy --workspace --all-targets --fix --allow-dirty --allow-staged

# Not a release build: the cores' own checks are to run.
sim-long: ## 100,000 seeds of the simulator; prints how fast it is
	$(CARGO) build -p tfcoord-sim
	target/debug/tfcoord-sim 0 100000

mutants: ## put known bugs back, one after the other: each must be caught
	tests/mutants/run.sh

hadoop-long: ## a job on secured HDFS for two whole lives of its tokens, in ten minutes (tests/hadoop/README.md)
	$(CARGO) build $(BINARIES) -p tfcoord-hadoop-tests
	$(CARGO) test -p tfcoord-hadoop-tests --test tokens two_lives -- --ignored --nocapture

fault-points: ## kill a process at every fault point of running jobs; print where, and that the bits stay
	$(CARGO) build $(BINARIES) -p tfcoord-testkit
	$(CARGO) test -p tfcoord-e2e --test jobs fault_points -- --nocapture

chaos: ## what failures cost, in fifty minutes; appends to benches/chaos-ledger.jsonl (benches/README.md)
	$(CARGO) build --release $(BINARIES) -p tfcoord-testkit
	target/release/tfcoord-chaos $(CHAOS)

bench: ## measure ourselves; prints ratios and the machine's load
	$(CARGO) build --release $(BINARIES) -p tfcoord-benches
	target/release/tfcoord-benches

bench-peers: ## the same job beside other systems, in the same run
	$(CARGO) build --release $(BINARIES)
	benches/peers/run.sh

bench-training: ## our kernels and models beside torch's, in the same run
	$(CARGO) build --release -p tfcoord-benches
	benches/peers/setup.sh torch
	python3 benches/training/run.py target/release/tfcoord-benches target/peers/torch/bin/python

data: ## fetch all of Fashion-MNIST into data/fashion-mnist (for full.json)
	examples/fashion-mnist/fetch.sh data/fashion-mnist

data-adult: ## fetch Adult into data/adult (for examples/adult)
	examples/adult/fetch.sh data/adult

data-stocks: ## fetch prices of stocks into data/stocks (for examples/stocks)
	examples/stocks/fetch.sh data/stocks

data-anomaly: data ## write Fashion-MNIST without one class into data/anomaly (for examples/anomaly)
	python3 examples/anomaly/hold_out.py data/fashion-mnist data/anomaly
