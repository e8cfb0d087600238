# Needs Python 3.11 or newer with its venv module, and make. `make help` lists what there is.
# PYTHON=/path/to/python picks an interpreter; ARGS="..." goes on to the program, pytest, the benchmark or the drill.

VENV := .venv
BENCH_VENV := bench/.venv
NODE_MODULES := tests/clients/node_modules
BENCH_NODE_MODULES := bench/peers/tus/node_modules
BIN := $(VENV)/bin
ARGS ?=
PYTHON ?=
PYTHON_NAMES := $(if $(PYTHON),$(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python)

# Upload buffers stay in the heap instead of being mapped anew: receiving costs half. The image sets this too.
SERVER_ENV := MALLOC_MMAP_THRESHOLD_=4194304 MALLOC_TRIM_THRESHOLD_=536870912

PIP_INSTALL := -m pip install --quiet --disable-pip-version-check
INSTALL := $(PIP_INSTALL) --require-hashes --requirement
# The command `holdall`, from what is installed already: nothing is looked for on the network.
COMMAND := $(PIP_INSTALL) --no-index --no-deps --no-build-isolation --editable .
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-header $(if $(UPGRADE),--upgrade)

# The tests are many processes that import the same modules: compile these once.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help run test test-fast test-slow test-clients check format lock bench drill drill-uploads install clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

run: $(VENV)/runtime.stamp ## start the server; installs what it needs when that is missing or outdated
	@exec env $(SERVER_ENV) $(BIN)/holdall $(ARGS)

test: install ## run the tests (ARGS="tests/api -k range")
	@$(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder $(ARGS)

test-fast: install ## run those of them that need no server, browser or process: embedded only
	@$(BIN)/python -m pytest --fast --numprocesses auto --dist loadfile --no-loadscope-reorder $(ARGS)

test-slow: install ## run those that are slow by nature: kills at every step, full disks, proxies, a fuzzer
	@$(BIN)/python -m pytest --slow --numprocesses auto --dist loadfile --no-loadscope-reorder $(ARGS)

test-clients: install $(NODE_MODULES)/stamp ## generate clients of the API by Node.js and Java, and let them work
	@$(BIN)/python -m pytest --slow --numprocesses auto tests/clients $(ARGS)

check: install ## formatting, lint, types, imports (that migrations match the models is a test)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: install ## format the code and mend what the linter can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

lock: install ## write the lock files anew from pyproject.toml; UPGRADE=1 takes the newest versions
	$(COMPILE) pyproject.toml --all-extras -o requirements.txt
	$(COMPILE) pyproject.toml --all-extras --group dev --constraints requirements.txt -o requirements-dev.txt
	$(COMPILE) --group build --constraints requirements-dev.txt -o requirements-build.txt
	$(COMPILE) bench/requirements.in -o bench/requirements.txt

bench: install $(BENCH_VENV)/bench.stamp $(BENCH_NODE_MODULES)/stamp ## measure the server against its peers, which have an environment of their own
	@$(BIN)/python -m bench $(ARGS)

drill: install ## kill each server of the scaled profile in turn, under load; nothing acknowledged may be lost
	@$(BIN)/python -m drill $(ARGS)

drill-uploads: install ## upload over a network that breaks, to a server that is killed; all must end whole
	@$(BIN)/python -m drill.uploads $(ARGS)

install: $(VENV)/dev.stamp ## everything that tests and checks need, in .venv

clean: ## remove environments and caches, but no data
	rm -rf $(VENV) $(BENCH_VENV) $(NODE_MODULES) $(BENCH_NODE_MODULES) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -type d -name __pycache__ -prune -exec rm -rf {} +

$(VENV)/runtime.stamp: requirements.txt requirements-build.txt pyproject.toml $(BIN)/python
	@echo "Installing requirements.txt into $(VENV)"
	@$(BIN)/python $(INSTALL) requirements.txt --requirement requirements-build.txt
	@$(BIN)/python $(COMMAND)
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt pyproject.toml $(BIN)/python
	@echo "Installing requirements-dev.txt into $(VENV)"
	@$(BIN)/python $(INSTALL) requirements-dev.txt
	@$(BIN)/python $(COMMAND)
	@touch $(VENV)/runtime.stamp $@

$(BENCH_VENV)/bench.stamp: bench/requirements.txt $(BENCH_VENV)/bin/python
	@echo "Installing bench/requirements.txt into $(BENCH_VENV)"
	@$(BENCH_VENV)/bin/python $(INSTALL) bench/requirements.txt
	@touch $@

%/node_modules/stamp: %/package.json
	@if command -v npm >/dev/null; then \
		npm install --prefix $* --no-package-lock --no-audit --no-fund --loglevel=error && touch $@; \
	else \
		echo "No npm is installed (on Debian and Ubuntu: nodejs and npm): what needs $* is skipped"; \
	fi

# A name may be a shim that starts nothing, and Debian ships ensurepip apart: only trying tells.
%/bin/python:
	@for name in $(PYTHON_NAMES); do \
		if "$$name" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
			echo "Making $* with $$name, $$("$$name" --version)"; \
			exec "$$name" -m venv --clear $*; \
		fi; \
	done; \
	echo "No Python 3.11 or newer with venv among: $(PYTHON_NAMES)" >&2; \
	echo "Install one (on Debian and Ubuntu: python3 and python3-venv) or name it: make PYTHON=/path/to/python" >&2; \
	exit 1
