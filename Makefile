# Every target does all of its own set-up in $(VENV); stamps in there keep a second run fast.
PYTHON ?= python3
VENV ?= .venv
# Installed before anything else, so that no dependency asks for a newer torch with its gigabytes of CUDA libraries.
TORCH ?= torch==2.13.0
# Where a GPU is found, pip may take whichever build the machine's configuration offers.
ifneq ($(shell command -v nvidia-smi 2>/dev/null),)
TORCH = torch>=2.7
endif

BIN := $(VENV)/bin
VENV_READY := $(VENV)/.ready
USER_READY := $(VENV)/.user
DEV_READY := $(VENV)/.dev

.PHONY: help setup demo test test-slow fuzz hostile lint types docs site bench wheel wheel-check clean

help:
	@echo 'make demo         edit a bundled portrait and write mbu-ops-demo.png'
	@echo 'make test         run the tests'
	@echo 'make test-slow    run those that take more than a few seconds each; half an hour'
	@echo 'make fuzz         read thousands of damaged files: pictures, weights, chains, plugins; some minutes'
	@echo 'make hostile      count what hostile pictures, weights, plugins and kills break; half an hour'
	@echo 'make setup        only make the virtual environment, with the development tools'
	@echo 'make lint types   check style, check types'
	@echo 'make docs         write docs/cli.md and the tables of docs/verbs from the code, check all links'
	@echo 'make site         build the site, build/site/index.html, and fail on links that lead nowhere'
	@echo 'make bench        time what should be fast'
	@echo 'make wheel        build the wheel, dist/mbu_ops-*.whl'
	@echo 'make wheel-check  build the wheel, install it into a clean environment and run it there'

setup: $(DEV_READY)

$(VENV_READY):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet '$(TORCH)'
	@touch $@

$(USER_READY): $(VENV_READY) pyproject.toml
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

# in one command: so pip finds here what the extras ask for, and asks no index
$(DEV_READY): $(VENV_READY) pyproject.toml plugins/avatars/pyproject.toml checkpoints/measuring/pyproject.toml
	$(BIN)/python -m pip install --quiet --editable '.[dev]' --editable plugins/avatars --editable checkpoints/measuring
	@touch $@ $(USER_READY)

demo: $(USER_READY)
	$(BIN)/mbu-ops chain adjust:smile,strength=0.6 adjust:hair_women,strength=-0.4 < /dev/null

test: $(DEV_READY)
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal

test-slow: $(DEV_READY)
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal -m 'slow and not gpu'

fuzz: $(DEV_READY)
	$(BIN)/python -m pytest tests/fuzz --hypothesis-profile=fuzz

hostile: $(DEV_READY)
	$(BIN)/python -m tests.hostile

lint: $(DEV_READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(DEV_READY)
	$(BIN)/mypy

docs: $(DEV_READY)
	$(BIN)/python tools/generate_cli_docs.py
	$(BIN)/python tools/generate_verb_docs.py
	$(BIN)/python tools/generate_export_docs.py
	$(BIN)/python tools/check_links.py

# not --quiet, which lets broken links pass; the two variables leave out advertisements for successors of mkdocs
site: $(DEV_READY)
	NO_MKDOCS_2_WARNING=1 DISABLE_MKDOCS_2_WARNING=true $(BIN)/mkdocs build
	@echo build/site/index.html

# those that need no photos; alignment.py and sharpness.py say in their first lines what they need
bench: $(DEV_READY)
	@for script in startup transfer training_step throughput; do \
	    echo "== benchmarks/$$script.py"; $(BIN)/python benchmarks/$$script.py || exit 1; done

wheel: $(DEV_READY)
	$(BIN)/python -m hatchling build -t wheel

wheel-check: $(DEV_READY)
	$(BIN)/python tools/check_wheel.py '$(TORCH)'

clean:
	rm -rf $(VENV) dist build .mypy_cache .pytest_cache .ruff_cache
