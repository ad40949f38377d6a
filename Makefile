# cxr-train. `make demo` tries everything on phantom films; `make test` proves it. Both set up what they need.
.PHONY: demo test lint format bench docs chart e2e image env clean

UV := .uv/bin/uv
RUN := .venv/bin
DEMO := .runs/demo
SYNC := $(UV) sync --locked --extra cpu --extra dicom --extra onnx
HOROVOD = .venv/lib/python3.11/site-packages/horovod/tensorflow/mpi_lib.*.so
export TF_CPP_MIN_LOG_LEVEL ?= 2

demo: env
	rm -rf $(DEMO)
	$(RUN)/cxr-train phantom $(DEMO)/films --config demo.yaml
	$(RUN)/cxr-train prepare --config demo.yaml
	$(RUN)/cxr-train train --config demo.yaml --ranks 2
	$(RUN)/cxr-train evaluate --config demo.yaml --ranks 2

test: env lint .servers/mlflow/done
	$(RUN)/pytest tests/unit -n 2
	$(RUN)/pytest tests/faults -n 2
	$(RUN)/pytest tests/chart -n 2
	$(RUN)/pytest tests/distributed

lint: env
	$(RUN)/ruff check .
	$(RUN)/ruff format --check .
	$(RUN)/mypy
	$(RUN)/lint-imports
	$(RUN)/hadolint docker/Dockerfile

format: env
	$(RUN)/ruff check --fix .
	$(RUN)/ruff format .

bench: env .bench/torch/done .bench/peers/done
	$(RUN)/python -m benchmarks.run

docs: env
	$(RUN)/python -c 'from trainer.telemetry.catalog import markdown; print(markdown(), end="")' > docs/metrics.md
	$(RUN)/python -m helm.generate.dashboards

# helm/values.schema.json and helm/README.md, from the trainer's settings and the comments in helm/values.yaml.
chart: env
	$(RUN)/python -m helm.generate

# On whatever KUBECONFIG points at, with the image that CXR_TRAIN_E2E_IMAGE names: one that its nodes have or can pull.
e2e: env
	$(RUN)/pytest tests/e2e

# TARGET=gpu, PUSH=your.registry/cxr-train, TAG=...: docker/build says them all.
image:
	@docker/build

# Horovod has no wheel: `uv sync` compiles it against TensorFlow, once, with MPI where mpicxx exists. A copy that was
# compiled on this machine before Open MPI came (or went) is compiled again.
env: .venv/done
.venv/done: pyproject.toml uv.lock $(UV)
	@command -v g++ >/dev/null || { echo "g++ is missing, and Horovod is compiled here: apt-get install g++ make"; exit 1; }
	$(SYNC) || { echo "setting up failed; if the lines above speak of horovod: apt-get install g++ make python3-dev"; exit 1; }
	@if command -v mpicxx >/dev/null; then found=with; else found=without; fi; \
	  if ldd $(HOROVOD) | grep -q libmpi; then built=with; else built=without; fi; \
	  [ $$found = $$built ] || { $(UV) cache clean --quiet horovod; $(SYNC) --reinstall-package horovod; }
	@touch $@

$(UV):
	@python3 -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "Python 3.11 is needed as python3"; exit 1; }
	@python3 -m venv .uv || { echo "python3-venv is missing: apt-get install python3-venv"; exit 1; }
	.uv/bin/pip install --quiet --disable-pip-version-check "uv>=0.9,<1"

.bench/torch/done: $(UV)
	$(UV) venv --quiet --allow-existing --python 3.11 .bench/torch
	$(UV) pip install --quiet --python .bench/torch/bin/python torch==2.13.0 numpy
	@touch $@

.bench/peers/done: $(UV)
	$(UV) venv --quiet --allow-existing --python 3.11 .bench/peers
	$(UV) pip install --quiet --python .bench/peers/bin/python torch==2.13.0 mosaicml-streaming==0.13.0 webdataset==1.0.2
	@touch $@

# What tests talk to. Apart from the trainer's own packages: MLflow brings 80 of its own, of other versions.
.servers/mlflow/done: $(UV)
	$(UV) venv --quiet --allow-existing --python 3.11 .servers/mlflow
	$(UV) pip install --quiet --python .servers/mlflow/bin/python mlflow==3.17.2
	@touch $@

clean:
	rm -rf .venv .uv .bench .servers .runs
