# `make eval` sets up everything and runs the bundled example; `make test` runs the tests. See README.md.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python

# Said in one line before anything is made, also where an older Python began the environment.
define PYTHON_IS_NEW_ENOUGH
if [ -z "$(PYTHON)" ]; then echo "error: no python3 here; 3.11 or newer is needed: make setup PYTHON=..." >&2; exit 2; \
else "$(PYTHON)" scripts/check_python.py $(VENV); fi
endef

.DEFAULT_GOAL := help
.PHONY: help tiny setup setup-dev config eval test test-slow test-distributed test-parity test-export test-serving mistakes lint format clean

help:
	@echo "make eval       set up, run the bundled example, print the table of results"
	@echo "make config DATA=FOLDER [MODEL=...] [REVISION=...] [PRESET='lora telephone'] [OUT=mine.yaml]"
	@echo "                a configuration for your own data, with what is in FOLDER (README.md)"
	@echo "make setup      only the environment, $(VENV)"
	@echo "make test       set up what tests need, check the style, run the tests"
	@echo "make lint       style checks alone; make format mends what it can"
	@echo "make test-parity  compare with the published toolkit, in .venv-parity"
	@echo "make test-export  decode what convert.py writes for sherpa-onnx and llama.cpp, in .venv-export"
	@echo "make test-serving  compare with vLLM, in .venv-serving"
	@echo "make test-slow  tests that take minutes or much memory"
	@echo "make test-distributed  trainings on several processes, hosts and Slurm nodes made here (as root; docs/clusters.md)"
	@echo "make mistakes   500 random mistakes through the whole workflow (half an hour)"
	@echo "make clean      remove $(VENV) and exp/"

# uv installs the pinned packages in a third of pip's time; pip fetches uv itself. The packages are compiled here because
# otherwise every call compiles them where Python does not write into them: 3.7 s to plan instead of 1.6.
$(VENV)/.setup: requirements.lock
	@$(PYTHON_IS_NEW_ENOUGH)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check uv==$(shell sed -n 's/^uv==//p' requirements.lock)
	@echo "installing packages into $(VENV) (about 6 GB, PyTorch with CUDA)"
	$(UV) -r requirements.lock
	@touch $@

$(VENV)/.setup-dev: $(VENV)/.setup requirements-dev.lock
	$(UV) -r requirements-dev.lock
	@touch $@

setup: $(VENV)/.setup
setup-dev: $(VENV)/.setup-dev

# Of one's own: make config DATA=/my/corpus, then snakemake --cores all eval --configfile mine.yaml.
OUT := mine.yaml
comma := ,
config: setup
	@test -n "$(DATA)" || { echo "error: say where your data are: make config DATA=/my/corpus" >&2; exit 2; }
	@$(BIN)/python scripts/configure.py "$(DATA)" --output "$(OUT)" $(if $(MODEL),--model "$(MODEL)") \
		$(if $(REVISION),--revision $(REVISION)) $(if $(PRESET),--preset $(subst $(comma), ,$(PRESET)))

eval: setup
	$(BIN)/snakemake --cores all eval

# Tests start Python a thousand times: what it compiles is kept, also where the environment says otherwise, and
# scripts that need PyTorch are forked from one process that has loaded it (tests/preloaded.py).
test: export PYTHONDONTWRITEBYTECODE :=
test: setup-dev lint
	$(BIN)/python -m pytest --preload -m "not slow" --numprocesses 4 --dist loadfile --no-loadscope-reorder

test-slow: setup-dev
	$(BIN)/python -m pytest -m slow

# Hosts are network namespaces; Slurm's tests are skipped where slurmctld, slurmd, slurm-client and munge are not installed.
test-distributed: setup-dev
	$(UV) -r requirements-slurm.txt
	$(BIN)/python -m pytest tests/distributed -m slow -rs --capture no

# Every one must end in a result with full counts or in one clear line; other numbers: make mistakes COUNT=40 SEED=7.
COUNT := 500
SEED := 1
mistakes: setup-dev
	$(BIN)/python benchmarks/mistakes.py --count $(COUNT) --seed $(SEED)

# Against the published toolkit, in an environment of its own.
.venv-parity/.setup: requirements-dev.lock requirements-parity.txt
	@$(PYTHON_IS_NEW_ENOUGH)
	$(PYTHON) -m venv .venv-parity
	.venv-parity/bin/pip install --quiet --disable-pip-version-check uv==$(shell sed -n 's/^uv==//p' requirements.lock)
	.venv-parity/bin/uv pip install --quiet --compile-bytecode --python .venv-parity/bin/python -r requirements-dev.lock -r requirements-parity.txt
	@touch $@

test-parity: .venv-parity/.setup
	.venv-parity/bin/python -m pytest tests/parity -m "not slow"

# With sherpa-onnx, and with FunASR's llama.cpp program where LLAMA_FUNASR_CLI names it (docs/models.md says how it is built).
.venv-export/.setup: requirements-dev.lock requirements-export.txt
	@$(PYTHON_IS_NEW_ENOUGH)
	$(PYTHON) -m venv .venv-export
	.venv-export/bin/pip install --quiet --disable-pip-version-check uv==$(shell sed -n 's/^uv==//p' requirements.lock)
	.venv-export/bin/uv pip install --quiet --compile-bytecode --python .venv-export/bin/python -r requirements-dev.lock -r requirements-export.txt
	@touch $@

test-export: .venv-export/.setup
	.venv-export/bin/python -m pytest tests/serving/test_exports.py tests/serving/test_export_workflow.py

# Models served by vLLM on a CPU, in an environment of its own. Of what vLLM brings, torchvision and torchcodec are built for
# CUDA and fail beside a torch for the CPU; torchaudio does without its compiled part. By pip, which finds that torch where
# its configuration says (requirements-serving.txt).
SERVING_PYTHON ?= $(shell command -v python3.11)
SERVING := .venv-serving
$(SERVING)/.setup: requirements-serving.txt plugins/vllm/pyproject.toml plugins/vllm/fun_asr_nano_vllm.py
	@test -n "$(SERVING_PYTHON)" || { echo "error: vLLM for the CPU needs Python 3.11: make test-serving SERVING_PYTHON=..." >&2; exit 2; }
	$(SERVING_PYTHON) -m venv $(SERVING)
	$(SERVING)/bin/pip install --quiet --disable-pip-version-check -r requirements-serving.txt ./plugins/vllm
	$(SERVING)/bin/pip uninstall --quiet --yes torchvision torchcodec
	rm -f $(SERVING)/lib/python*/site-packages/torchaudio/lib/*.so
	@touch $@

test-serving: $(SERVING)/.setup
	$(SERVING)/bin/python -m pytest tests/serving/test_vllm.py

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check --quiet .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/snakemake --lint

format: setup-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules

clean:
	rm -rf $(VENV) .venv-parity .venv-export $(SERVING) exp

# The bundled base model from nothing, in three parts, and its CTC branch; see config/tiny.yaml. Its tokenizer stays as it is, so that the
# result is the same model (once trained with --text on corpora/pretrain/train/text and data/train/text).
tiny: setup
	$(BIN)/python local/bundled.py --set pretrain --num-utterances 6000 --output-dir corpora/pretrain
	$(BIN)/python scripts/init_model.py --tokenizer models/tiny --output-dir corpora/tiny-untrained
	$(BIN)/snakemake --cores 1 eval --configfile config/tiny.yaml
	$(BIN)/snakemake --cores 1 eval --configfile config/tiny2.yaml
	$(BIN)/python scripts/convert.py --to hf --dtype float16 exp/tiny2/train/tiny/model exp/tiny2/tiny
	$(BIN)/snakemake --cores 1 eval --configfile config/tiny3.yaml
	$(BIN)/python scripts/convert.py --to hf --dtype float16 exp/tiny3/train/tiny/model exp/tiny3/tiny
	$(BIN)/python scripts/fit_times.py --model-dir exp/tiny3/tiny --output-dir exp/tiny4/tiny --dtype float16 \
		--data-dir corpora/pretrain/train corpora/pretrain/home --valid-dir corpora/pretrain/valid
