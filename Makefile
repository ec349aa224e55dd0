PYTHON ?= python3
VENV := .venv
COMPOSE := $(shell docker compose version >/dev/null 2>&1 && echo docker compose || echo docker-compose)
ENGINE := $(shell command -v docker >/dev/null || ! command -v podman >/dev/null && echo docker || echo podman)
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TOKENS := secrets/api-token|secrets/api-read-token|secrets/metrics-token
STRICT := --strict
PATRONI := build/patroni/bin/patroni
RUNTIME = $(shell sed -n 's/==.*//p' requirements.txt)
KEY := secrets/.digest-key
BEYOND := postgresql or browser or process or stack or reliability
KEYED := cat $(KEY) - | { sha256sum 2>/dev/null || shasum -a 256; } | cut -c 1-16
SETTINGS := for file in .env .env.local secrets/*; do case $$file in ($(TOKENS)) ;; (*) test -f "$$file" && echo "$$file" && cat "$$file" ;; esac; done | $(KEYED)

.DEFAULT_GOAL := help
.PHONY: help setup run test test-all torture torture-ha lint bench token stack stack-test stack-proof container-test evidences requirements audit licences sbom fuzz as-x-is

help: ## Say what there is to make
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

setup: $(STAMP) ## Make .venv and install

$(STAMP): requirements.txt requirements-dev.txt
	@test -x $(BIN)/python || { echo "Making $(VENV), then installing packages into it: about a minute, once." && $(PYTHON) -m venv $(VENV); }
	@echo "Installing what the service needs ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@echo "Installing the tools for tests and checks ..."
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@echo "Installed."
	@touch $(STAMP)

# One more than processors: many tests wait for a clock or a socket.
WORKERS_OF_TESTS = $(shell $(PYTHON) -c "import os; print((os.cpu_count() or 1) + 1)")

run: $(STAMP) ## Migrate the database, serve on http://127.0.0.1:5000, collect at first start
	@exec $(BIN)/python app.py

test: $(STAMP) ## Run the quick suite: three to four minutes on two cores, and nothing but Python
	@$(BIN)/python -m pytest -q -n $(WORKERS_OF_TESTS) --dist worksteal -m "not ($(BEYOND))"
	@echo "make test-all adds what needs PostgreSQL, Chromium, real processes, the stack's programs or faults: -m '$(BEYOND)'"

test-all: test ## Run everything but the torture tests: PostgreSQL, browser, processes, stack, reliability
	@$(BIN)/python -m pytest -q -n 4 --dist worksteal --durations=20 -m "$(BEYOND)"

torture: $(STAMP) ## Run the long tests that make test-all leaves out
	@$(BIN)/python -m pytest -q -m slow -s

torture-ha: $(STAMP) $(PATRONI) ## Kill leaders of a cluster that Patroni keeps (root on Debian, with etcd-server)
	@command -v etcd >/dev/null || { echo "etcd is missing: apt-get install etcd-server" >&2; exit 1; }
	@$(BIN)/python -m pytest -q -s -m ha tests/reliability

$(PATRONI): | $(STAMP) # with the system's Python, for the user postgres may not be able to run one below /root
	@/usr/bin/python3 -m venv --clear --without-pip build/patroni
	@$(BIN)/pip --python build/patroni/bin/python install --quiet --disable-pip-version-check "patroni[etcd3,psycopg3]==4.1.5"

fuzz: $(STAMP) ## Fuzz the import for FUZZ_SECONDS (600)
	@$(BIN)/python -m tests.reliability.fuzz

lint: $(STAMP) ## Run ruff and mypy
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy .

as-x-is: $(STAMP) ## Collect from an emulator with every oddity of X, AS_X_IS_RUNS (200) schedules
	@$(BIN)/python -m tests.reliability.as_x_is

audit: $(STAMP) ## Look up known vulnerabilities of the pinned packages; STRICT= accepts packages that PyPI tells nothing of
	@$(BIN)/pip check
	@$(BIN)/pip-audit $(STRICT) --disable-pip --progress-spinner=off --requirement requirements-dev.txt

licences: $(STAMP) ## Write the table of docs/licences.md; a licence that pyproject.toml doesn't allow stops it
	@mkdir -p build && $(BIN)/pip-licenses --ignore-packages pysqlite3 --packages $(RUNTIME) >build/table.md
	@sed '/^| Name /,$$d' docs/licences.md | cat - build/table.md >build/licences.md && mv build/licences.md docs/licences.md

sbom: $(STAMP) ## Write the packages that run, with licences, to build/sbom.cdx.json (CycloneDX)
	@$(PYTHON) -m venv --clear --without-pip build/runtime
	@$(BIN)/pip --python build/runtime/bin/python install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --output-file build/sbom.cdx.json build/runtime

bench: $(STAMP) ## Run the benchmarks, or BENCH="reads --quick" (they need curl, nghttp2-client and sqlite3)
	@$(BIN)/python -m benchmarks $(BENCH)

token: ## Make tokens for the API in secrets/; RETIRE=1 leaves the newest only
	@scripts/make-token $(if $(RETIRE),--retire)

stack: ## Look at the machine, then bring up the containers: the service, logs, metrics, dashboards
	@ENGINE=$(ENGINE) scripts/stack-check $(COMPOSE)
	@test -s $(KEY) || (umask 077 && head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >$(KEY))
	@ENV_LOCAL=$$(test -f .env.local && echo .env.local) SETTINGS_DIGEST=$$($(SETTINGS)) GRAFANA_DIGEST=$$(cat grafana/.env | $(KEYED)) $(COMPOSE) up -d --build || { ENGINE=$(ENGINE) WAIT_S=0 scripts/stack-wait $(COMPOSE); exit 1; }
	@echo "Started; waiting until all are healthy, five minutes at most"
	@ENGINE=$(ENGINE) scripts/stack-wait $(COMPOSE)
	@$(COMPOSE) logs --no-color secrets | sed 's/^[^|]*| //'

stack-test: $(STAMP) ## Find a known request in every part of the running stack
	@$(BIN)/python scripts/stack-test.py

stack-proof: $(STAMP) ## Run rules, routes, dashboard and log queries on the pinned versions (go, npm; mvn and a JDK for Elasticsearch)
	@scripts/stack-proof

container-test: $(STAMP) ## Build the image and run the stack for real, on ENGINES (docker, else podman; root on Debian)
	@scripts/container-test $(ENGINES)

evidences: $(STAMP) ## Take the pictures of evidences/, and write the table of settings
	@for script in settings-table pictures; do $(BIN)/python scripts/$$script.py || exit 1; done

requirements: $(STAMP) ## Pin the dependencies of pyproject.toml in requirements*.txt
	@$(BIN)/pip-compile $(COMPILE) --output-file requirements.txt pyproject.toml
	@$(BIN)/pip-compile $(COMPILE) --extra dev --constraint requirements.txt --output-file requirements-dev.txt pyproject.toml

COMPILE := --quiet --generate-hashes --strip-extras --no-header --no-emit-index-url --no-emit-trusted-host --no-emit-find-links --no-emit-options --allow-unsafe
