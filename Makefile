# Everything a developer or an operator starts by hand. `make` alone lists it.

PYTHON ?= python3
PORT ?= 8000
# Not taken from the environment: some shells keep the machine's name in HOST.
HOST = 127.0.0.1
# More for the command behind a target: make test ARGS="-k resume -x"
ARGS =
# How long `make chaos` and `make abuse` go on, and where its dice start: the same seed is the same schedule.
SECONDS = 60
# How many schedules `make explore` runs.
SCHEDULES = 100000
# How many requests `make fuzz` makes up for each operation of the REST interface.
EXAMPLES = 300
SEED = $(shell date +%s)

VENV := .venv
BIN := $(VENV)/bin
PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --require-hashes
# The lock files name everything, and uv takes seconds where pip takes a minute or two. Its own
# version and hashes are in the lock file as well; where it does not run, pip does all.
UV_LINES := awk '/^uv==/ { found = 1 } found { print } found && !/\\$$/ { exit }' requirements-dev.txt
UV_INSTALL := $(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --require-hashes

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help install run migrate shell env test test-slow test-all check fuzz explore abuse lint format bench bench-compare bench-peers chaos chaos-long settings-page lock audit sbom clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# --- the virtual environment: what is installed follows the lock files --------------------------

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ". Name another: make PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); echo 'No virtual environment could be made. On Debian or Ubuntu: apt-get install python3-venv'; exit 1; }

install-from = { $(UV_LINES) | $(PIP_INSTALL) -r /dev/stdin && $(UV_INSTALL) -r $(1); } || $(PIP_INSTALL) -r $(1)

$(VENV)/runtime.stamp: requirements.txt | $(BIN)/python
	@echo 'Installing the packages …'
	@$(call install-from,requirements.txt)
	@touch $@

# Its lock file repeats the runtime packages, at the same versions.
$(VENV)/dev.stamp: requirements-dev.txt requirements.txt | $(BIN)/python
	@echo 'Installing the packages and tools …'
	@$(call install-from,requirements-dev.txt)
	@touch $(VENV)/runtime.stamp $@

install: $(VENV)/dev.stamp ## Install everything for development into .venv

# --- the server ---------------------------------------------------------------------------------

run: $(VENV)/runtime.stamp ## Start the chat with demo people (PORT=8000 HOST=127.0.0.1)
	@$(BIN)/python manage.py migrate --verbosity 0
	@$(BIN)/python manage.py seed_demo
	@echo
	@echo '  Chat       http://$(HOST):$(PORT)/'
	@echo '  REST docs  http://$(HOST):$(PORT)/api/docs/'
	@echo '  Socket     ws://$(HOST):$(PORT)/ws/v1/, see http://$(HOST):$(PORT)/api/socket-docs/'
	@echo
	@exec $(BIN)/python manage.py serve --host $(HOST) --port $(PORT) $(ARGS)

migrate: $(VENV)/runtime.stamp ## Bring the database up to date
	$(BIN)/python manage.py migrate $(ARGS)

shell: $(VENV)/runtime.stamp ## Open a Python prompt with the models loaded
	$(BIN)/python manage.py shell $(ARGS)

env: $(VENV)/runtime.stamp ## Write new secrets for docker-compose.yml to .env (SITE=chat.example.org)
	@test ! -e .env || { echo '.env is there already. Its secrets belong to your data: keep it.'; exit 1; }
	@umask 077; $(BIN)/python manage.py make_env "$(SITE)" > .env.new && mv .env.new .env

# --- the checks ---------------------------------------------------------------------------------

test: $(VENV)/dev.stamp ## Run the tests, but for the slow tier (ARGS=…)
	@$(BIN)/python -m tools.run_tests $(ARGS)

test-slow: $(VENV)/dev.stamp ## Run the slow tier: faults, attacks, fuzz, large data (ARGS=…)
	@$(BIN)/python -m tools.run_tests --tier slow $(ARGS)

test-all: $(VENV)/dev.stamp ## Run all tests, as CI does (ARGS=…)
	@$(BIN)/python -m tools.run_tests --tier all $(ARGS)

check: lint ## Lint, types, and the tests of what has changed since BASE (BASE=main)
	@$(BIN)/python -m tools.changed_tests $(or $(BASE),main) | xargs -r $(BIN)/python -m tools.run_tests

fuzz: $(VENV)/dev.stamp ## Send REST much that it allows and much that it does not (EXAMPLES=300)
	@FUZZ_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest tests/test_rest_fuzz.py --timeout 3600 $(ARGS)

explore: $(VENV)/dev.stamp ## Try the orders in which things can happen to sockets, by the thousand (SCHEDULES=100000)
	@$(BIN)/python -m tests.explorer --schedules $(SCHEDULES) $(ARGS)

abuse: $(VENV)/dev.stamp ## Attack a server from all sides and hold it to docs/limits.md (SECONDS=60)
	@ABUSE_SECONDS=$(SECONDS) $(BIN)/python -m pytest tests/test_abuse.py -rP $(ARGS)

lint: $(VENV)/dev.stamp ## Check style, types, layers, templates and migrations
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/python -m tools.check_packages
	$(BIN)/lint-imports
	$(BIN)/djlint --lint --quiet templates $(wildcard */templates */*/templates)
	$(BIN)/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml
	$(BIN)/mypy .
	$(BIN)/python manage.py makemigrations --check --dry-run

format: $(VENV)/dev.stamp ## Put the code into the house style
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

audit: $(VENV)/dev.stamp ## Look for known vulnerabilities in what we run on
	@# --strict: what the service cannot tell us about is no "nothing found".
	$(BIN)/pip-audit --strict --disable-pip --require-hashes --requirement requirements.txt $(ARGS)

sbom: $(VENV)/dev.stamp ## Write what the server is made of to sbom.json (CycloneDX)
	$(BIN)/cyclonedx-py requirements --output-reproducible --of JSON --output-file sbom.json requirements.txt

bench: $(VENV)/dev.stamp ## Measure speed and size (ARGS=…)
	@$(BIN)/python -m benchmarks.run $(ARGS)

bench-compare: $(VENV)/dev.stamp ## Measure beside an older commit, in turns (BASE=<commit> ARGS=…)
	@test -n "$(BASE)" || { echo 'Which commit? make bench-compare BASE=<commit>'; exit 2; }
	@$(BIN)/python -m benchmarks.compare $(BASE) $(ARGS)

bench-peers: $(VENV)/dev.stamp ## Measure beside other chat servers, which it installs (ARGS=…)
	@$(BIN)/python -m benchmarks.run peers $(ARGS)

chaos: $(VENV)/dev.stamp ## Break things while people chat, then look for losses (SECONDS=60 SEED=…)
	@$(BIN)/python -m tests.chaos --seconds $(SECONDS) --seed $(SEED) $(ARGS)

chaos-long: $(VENV)/dev.stamp ## The same by the thousand, in about an hour; the report goes into docs (SEED=…)
	@$(BIN)/python -m tests.chaos --plan long --seed $(SEED) --report docs/reliability.md $(ARGS)

settings-page: $(VENV)/dev.stamp ## Write docs/settings.md from the declarations in chatbe/settings
	$(BIN)/python -m tools.settings_page

# --- housekeeping -------------------------------------------------------------------------------

COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' $(ARGS)

lock: $(VENV)/dev.stamp ## Renew the lock files from requirements*.in (ARGS=--upgrade for newer versions)
	$(COMPILE) requirements.in --output-file requirements.txt
	$(COMPILE) requirements-dev.in --output-file requirements-dev.txt

clean: ## Remove .venv and caches (your data in var/ stays)
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis test-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
