# Madoguchi: every command of the house. Each installs what it needs first, and nothing twice.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PY := .venv/bin/python
# Where this is set, each of a town's dozen processes compiles all sources anew.
unexport PYTHONDONTWRITEBYTECODE
RESIDENTS ?= 2000
SEED ?= 1
VISITS ?= 200
VISIT ?=
DATABASE ?= sqlite
CASH ?= socket
TOWN = --residents $(RESIDENTS) --seed $(SEED) --database $(DATABASE)
# PostgreSQL itself is among what the tests need.
SETUP_TOWN = $(if $(filter postgresql,$(DATABASE)),setup-test,setup)
N ?= 100000
SEEDS ?= 2000
START ?= 1
MUTATION ?=

.PHONY: help setup setup-test setup-bench demo demo-once town test check s1 browser-matrix sim sim-mutations fuzz timing judge-card judge-seal printer-scenarios kill-matrix bench-render bench-restart glyphs pictures gallery lock

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z0-9-]+):.*## */  make \1\t/' | expand -t 22

setup: ## install what the demo needs
	@deploy/setup.sh demo

setup-test: ## install what the tests need
	@deploy/setup.sh test

setup-bench: ## install what the benches need: the other engines
	@deploy/setup.sh bench

demo: $(SETUP_TOWN) ## bring up a whole town; open the address it prints
	@$(PY) madoguchi.py town demo $(TOWN) --cash $(CASH)

demo-once: $(SETUP_TOWN) ## one visit from card to paper, then stop everything; VISIT=visit.json tells which, CASH=cctalk: real bytes to the coins
	@$(PY) madoguchi.py town once $(TOWN) --cash $(CASH) $(if $(VISIT),--visit $(VISIT))

town: $(SETUP_TOWN) ## bring the town up, print where everything is, stay until interrupted; DATABASE=postgresql: two servers
	@$(PY) madoguchi.py town up $(TOWN) --cash $(CASH)

s1: setup-test ## VISITS visits on four terminals at once: every paper is its own card's
	@$(PY) madoguchi.py town s1 $(TOWN) --visits $(VISITS)

test: setup-test ## every test, on real parts
	@$(PY) -m pytest -n 2 --dist loadgroup -m "not matrix"

check: setup-test ## format, lint, types, import rules, fast tests: under a minute
	@.venv/bin/ruff format --check .
	@.venv/bin/ruff check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports
	@$(PY) -m pytest -m "not parts and not slow" -n 2

browser-matrix: setup-test ## every screen and page in every language at every size, in Chromium
	@$(PY) -m pytest tests/browser

sim: setup-test ## SEEDS seeds from START of visits and faults in virtual time; SEED=n replays one, MUTATION=name breaks the product
	@$(PY) -m tests.simulation $(if $(MUTATION),--mutation $(MUTATION),$(if $(findstring command,$(origin SEED)),--seed $(SEED),--seeds $(SEEDS) --start $(START)))

sim-mutations: setup-test ## twelve known ways to break the product, each caught by the simulator
	@$(PY) -m tests.simulation --mutations --start $(START)

fuzz: setup-test ## a million inputs that are almost right, for every reader of other people's bytes; INPUTS=n SEED=k TARGET=name
	@$(PY) -m tests.fuzz $(if $(INPUTS),--inputs $(INPUTS)) $(if $(findstring command,$(origin SEED)),--seed $(SEED)) $(if $(TARGET),--target "$(TARGET)")

timing: setup-test ## how long refusals about a person take, by reason, with their fixed deadline and without
	@$(PY) -m tests.timing

judge-card: setup-test ## OpenSC and openssl judge the virtual card
	@$(PY) -m tests.judges.card

judge-seal: setup-test ## two COSE libraries, zbar and zxing judge the printed seals, worn pages too
	@$(PY) -m tests.judges.seal

printer-scenarios: setup-test ## every fault of a printer on real parts, each with its one right verdict; ONLY=name plays one
	@$(PY) -m tests.judges.printer $(if $(ONLY),--only $(ONLY)) $(if $(WRITE),--write)

kill-matrix: setup-test ## kill -9 of every part at every point of a visit, each cell with its one end; ALL=1, CELLS=n SEED=k, ONLY=name
	@$(PY) -m tests.judges.kill $(if $(ALL),--all) $(if $(CELLS),--cells $(CELLS) --seed $(SEED)) $(if $(ONLY),--only "$(ONLY)") $(if $(WRITE),--write)

pictures: setup-test ## take the README's pictures again, from a real visit
	@$(PY) -m deploy.demo.pictures

bench-render: setup-bench setup-test ## this engine against others, and a worker's memory; WRITE=1 writes the docs
	@$(PY) -m tests.benches.render --memory 10000 $(if $(WRITE),--write)

bench-restart: setup-test ## how long a terminal needs after a power cut, with VISITS visits in its journal
	@$(PY) -m tests.benches.restart $(if $(findstring command,$(origin VISITS)),--visits $(VISITS))

glyphs: setup-test ## N random names over all characters of the font: extracted exactly, drawn exactly, or refused
	@$(PY) -m tests.judges.glyphs --names $(N)

gallery: setup-test ## draw every kind of certificate into docs/gallery
	@$(PY) -m tests.gallery

lock: setup-test ## pin the requirements anew, with hashes and without addresses
	@for part in build runtime dev bench; do .venv/bin/uv pip compile -q --universal --python-version 3.11 --generate-hashes \
		--no-header --no-emit-index-url --no-emit-find-links --upgrade requirements/$$part.in -o requirements/$$part.txt || exit 1; done
