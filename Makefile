# The whole product through a handful of words: `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
NODE_FLAGS ?=

.PHONY: help setup build addon check test demo bench bench-runtime verify-litert format clean

help: ## what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: node_modules/.setup ## install packages, and ffmpeg and Chromium where apt may

# Installation runs no package's scripts; what needs a compiler is a step of its own (addon). Not `npm ci`: it refuses a
# lock made where the registry has no packages for other platforms. Versions and digests come from the lock all the same.
node_modules/.setup: package-lock.json scripts/system-packages.sh
	scripts/system-packages.sh
	npm install --no-save --ignore-scripts --no-audit --no-fund
	@touch $@

build: setup ## compile everything
	npx tsc -b

# The fallback runtime: tfjs-tflite-node's own addon, compiled against the headers of the Node that runs.
node_modules/.addon: node_modules/.setup scripts/build-addon.sh
	scripts/build-addon.sh
	@touch $@
addon: node_modules/.addon ## compile the fallback runtime (needs a C++ compiler)

check: build ## types, lint, format, boundaries, dead code
	npm run --silent lint
	npm run --silent boundaries
	npm run --silent dead-code
	@echo "check: all good"

test: build addon ## install what is needed, build, run every test
	scripts/test.sh

demo: build ## the main job end to end; ONCE=1 ends by itself, VIDEO= and LABELS= take a recording of yours
	ONCE=$(ONCE) node hub/dist/demo/demo.js

bench: bench-runtime ## every benchmark

bench-runtime: build addon ## our runtime beside tfjs-tflite-node's addon, in one run
	node trainer/dist/bench/runtime.js

verify-litert: build ## our INT8 and float models through Google's LiteRT interpreter (installs it into .work)
	scripts/verify-litert.sh

format: setup ## write the house style
	npx biome check --write .

clean: ## forget what was built; .work keeps the demo's results
	rm -rf shared/dist edge/dist hub/dist trainer/dist
