# The whole product through a handful of words: `make help` lists them.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
NODE_FLAGS ?=

.PHONY: help setup build addon litert tfjs-node check conformance-packages conformance conformance-http test test-crash test-attacks test-renewal demo model bench bench-detect bench-networks bench-recurrence bench-labelling bench-train bench-runtime bench-convert verify-litert verify-reference verify-evidence verify-tracking verify-assessment verify-tfjs-node bench-gates bench-ingest fuzz-model schemas format clean

help: ## what there is to make
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 18

setup: node_modules/.setup ## install packages, and ffmpeg, Chromium and PostgreSQL where apt may

# Not `npm ci`: it refuses a lock made where the registry has no packages for other platforms. Versions and digests come from
# the lock all the same. That no package's scripts run is a setting of the repository: .npmrc.
node_modules/.setup: package-lock.json scripts/system-packages.sh
	scripts/system-packages.sh
	npm install --no-save --no-audit --no-fund
	@touch $@

build: setup ## compile everything
	npx tsc -b
	scripts/build-web.sh

# The fallback runtime: tfjs-tflite-node's own addon, compiled against the headers of the Node that runs.
node_modules/.addon: node_modules/.setup scripts/build-addon.sh
	scripts/build-addon.sh
	@touch $@
addon: node_modules/.addon ## compile the fallback runtime (needs a C++ compiler)

litert: build ## fetch the LiteRT library (pip; its digest is checked), if it is not here
	@node edge/dist/runtime.js list | grep -qE '^litert +[0-9]' || node edge/dist/runtime.js install litert

tfjs-node: setup ## build what fine-tuning is many times faster with than with wasm (pip, 270 MB; a C++ compiler)
	scripts/build-tfjs-node.sh

check: build ## types, lint, format, boundaries, dead code, citations
	npm run --silent lint
	npm run --silent boundaries
	npm run --silent dead-code
	npm run --silent documents
	@echo "check: all good"

conformance-packages: build # what Python needs for both, through pip
	scripts/conformance/install.sh

conformance: conformance-packages ## a device and an operator, written in Python from docs/protocol alone, against a hub
	node --test --test-timeout=600000 tools/dist/protocol/conformance.test.js

conformance-http: conformance-packages ## the hub against its OpenAPI document: REQUESTS= (5,000) made by schemathesis; SEED=
	@node tools/dist/protocol/conformance-http.js

test: build addon litert conformance-packages ## install what is needed, build, run every test
	scripts/test.sh

test-crash: build ## hubs killed at random and at every step, and PostgreSQL's server too; KILLS= (200, on each store), SEED=, STORES=sqlite,postgres
	@node tools/dist/crash/crash.js

test-attacks: build ## what an attacker tries on a real hub, a row each; ONLY= takes the rows whose names hold a word
	@node tools/dist/attack/attacks.js

test-renewal: build ## a device whose certificate lives for a minute, and a hub that changes its own, lose nothing; MINUTES= (10)
	@node tools/dist/renewal/renewal.js

demo: build ## the main job end to end; ONCE=1 ends by itself, VIDEO= and LABELS= take a recording of yours
	ONCE=$(ONCE) node tools/dist/demo/demo.js

model: build ## a first model for `adbreak detect`, trained on synthetic broadcasts and kept; SECONDS_EACH= (600) of a channel
	scripts/first-model.sh

bench: bench-runtime bench-convert bench-gates bench-ingest ## every benchmark

bench-networks: build litert ## each network on channels that nobody trained on, beside a colour histogram and comskip's rules; SEEDS= (3), ONLY=
	scripts/comskip.sh
	@node tools/dist/bench/networks/networks.js

bench-runtime: build addon litert ## our runtimes beside tfjs-tflite-node's addon and Python's LiteRT, in one run
	scripts/bench-runtime.sh

bench-convert: build litert ## our converter beside Google's, in one run (installs Google's into .work)
	scripts/verify-reference.sh convert

bench-gates: build ## how often the rollout gate errs, beside a PSI gate and a peeking z-test; RUNS= (1,000), SEED=, ONLY=shared,people
	node tools/dist/bench/gate/gates.js

bench-ingest: build ## reports a second that the hub acknowledges, beside Mosquitto in turns; SECONDS_EACH= (8), ROUNDS= (2), DEVICES=200,1000,5000
	scripts/mosquitto.sh
	node tools/dist/bench/ingest/ingest.js

bench-detect: model ## the decision in hindsight beside the live one, on synthetic broadcasts; SECONDS_EACH= (1,800), SEED=
	node tools/dist/bench/detect/detect.js

bench-recurrence: build ## what recurrence finds in broadcasts and real pictures, whole and distorted; SEEDS= (b1,b2,b3), ONLY=, SCAN=
	@node tools/dist/bench/recurrence/recurrence.js

bench-labelling: build ## seconds for a labelled hour by hand, with a model, with recurrence, with both; SEEDS= (l1,l2), ONLY=
	@node tools/dist/bench/labelling/labelling.js

bench-train: build ## `adbreak train` beside the same work in Keras (installs it into .work); ROUNDS= (2), STEPS= (2), ONLY=frozen,step
	scripts/bench-train.sh

verify-reference: build litert ## three architectures against Keras, Google's converter and its interpreter (installs them into .work)
	scripts/verify-reference.sh

verify-evidence: build ## our statistics against scipy, evidently, nannyml and river (installs them into .work)
	scripts/verify-evidence.sh

verify-tracking: build ## what a training tells TensorBoard and MLflow, read back from the real ones (installs them into .work)
	scripts/tracking/verify.sh
verify-assessment: ## the golden values of the trainer's metrics by scikit-learn, cleanlab and sed_eval (installs them into .work)
	scripts/verify-assessment.sh

verify-tfjs-node: build tfjs-node ## the suite of the training's backends, which `make test` runs on wasm, on tfjs-node
	ADBREAK_BACKEND=tfjs-node node --test --test-timeout=300000 trainer/dist/fit/network/*.test.js

fuzz-model: build litert ## damaged models and weight files; COUNT= (10,000) and SEED=
	node tools/dist/attack/fuzz.js

verify-litert: build ## our INT8 and float models through Google's LiteRT interpreter (installs it into .work)
	scripts/verify-litert.sh

schemas: build ## write what docs/protocol has from the schemas anew: tables, AsyncAPI, JSON Schema
	node scripts/write-schemas.mjs

format: setup ## write the house style
	npx biome check --write .

clean: ## forget what was built; .work keeps the demo's results
	rm -rf shared/dist edge/dist hub/dist trainer/dist tools/dist web/dist
