# Windlass. `make help` lists the targets; CONTRIBUTING.md says when to use which.

SHELL       := bash
.SHELLFLAGS := -eu -o pipefail -c
MAKEFLAGS   += --no-builtin-rules --no-print-directory
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# SQLite is compiled in, so a C compiler is needed.
export CGO_ENABLED := 1

GO        ?= go
CHROMIUM  ?= chromium
FUZZTIME  ?= 10m
KILLS     ?= 1000
DAYS      ?= 30
CUSTOMERS ?= 70
BACKLOG   ?= 10000
SEED      ?= 1
ARGS      ?=

GOTESTSUM_VERSION     := v1.13.0
GOLANGCI_LINT_VERSION := v2.15.0

# A tool's version is in its file's name, so that a new version is a missing file.
gotestsum     := bin/tools/gotestsum-$(GOTESTSUM_VERSION)
golangci_lint := bin/tools/golangci-lint-$(GOLANGCI_LINT_VERSION)

# What the customers' pages and the binary are built from. Tests are left out:
# changing one must not rebuild the program.
stamps      := bin/.stamps
npm         := frontend/node_modules/.package-lock.json
web         := $(stamps)/web
web_sources := $(shell find frontend \( -name node_modules -o -name dist -o -name demo -o -name story \) -prune -o \
                 -type f ! -name '*.go' ! -name '*.test.*' -print) \
               $(wildcard server/language/*.json) schema.graphqls
go_sources  := $(shell find server graph frontend -name node_modules -prune -o -name dist -prune -o \
                 -type f \( -path 'server/*' -o -path 'graph/*' -o -name '*.go' \) ! -name '*_test.go' ! -path '*/testdata/*' -print)

version := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)

##@ Use

.PHONY: run
run: build ## build what is missing and start everything offline (ARGS="--public-port 9000")
	@exec bin/windlass dev $(ARGS)

.PHONY: demo
demo: build browser ## watch a deposit and a withdrawal happen, in a fresh folder on free ports
	@exec node frontend/demo/demo.mjs $(ARGS)

.PHONY: build
build: bin/windlass ## build the web app and the binary, bin/windlass

##@ Work

.PHONY: test
test: test-go test-web test-story ## everything a contributor must see green

.PHONY: test-go
test-go: $(web) $(gotestsum) ## the Go tests, with the race detector
	$(gotestsum) --format pkgname --hide-summary skipped -- -race -timeout 9m $(ARGS) ./...

.PHONY: sandbox-conformance
sandbox-conformance: ## hold the sandbox against the recorded Horizon: how many exchanges, which differ, why
	@$(GO) test -count 1 -run '^TestConformance$$' -v ./server/sandbox

.PHONY: test-web
test-web: $(npm) ## the web app's unit tests
	npm --prefix frontend run test

.PHONY: web-budget
web-budget: $(web) ## weigh the customer's first screens, and fail above the limit
	@node frontend/budget.mjs

.PHONY: test-story
test-story: build browser ## the browser tests: customers, wallets and staff in real pages (ARGS="--only staff")
	npm --prefix frontend run --silent story -- $(ARGS)

.PHONY: screenshots
screenshots: build browser ## take pictures of every screen of the customer's page; writes docs/screenshots.md
	@node frontend/story/story.mjs --gallery docs/screenshots $(ARGS)

.PHONY: check
check: ## what must hold before a change is handed in: generate, tidy and format change nothing; vet, lint, web-budget, test
	@.ci/unchanged generate tidy format
	@$(MAKE) vet lint web-budget test

.PHONY: generate
generate: $(npm) ## regenerate what is generated: GraphQL code, diagrams, the web app's types
	$(GO) tool gqlgen generate
	$(GO) generate ./...
	npm --prefix frontend run generate --if-present

.PHONY: tidy
tidy: ## bring go.mod and go.sum in line with the imports
	$(GO) mod tidy

.PHONY: format
format: $(golangci_lint) ## format the code
	$(golangci_lint) fmt

.PHONY: vet
vet: ## go vet
	$(GO) vet ./...

.PHONY: lint
lint: $(golangci_lint) $(npm) ## the linters of .golangci.yml, and the web app's own
	$(golangci_lint) run
	npm --prefix frontend run lint --if-present

.PHONY: bench
bench: $(web) ## measure the poll that wallets live on, and a backlog of payouts; writes docs/benchmarks.md
	$(GO) test -tags bench -run '^TestBench' -count 1 -v -timeout 30m ./server

.PHONY: backlog
backlog: ## catch up with BACKLOG=10000 payments that were made while the anchor was off
	@mkdir -p bin; BACKLOG=$(BACKLOG) $(GO) test -run '^TestBacklog$$' -count 1 -v -timeout 30m ./server/incoming > bin/backlog.txt || { cat bin/backlog.txt; exit 1; }
	@grep -o 'backlog: .*' bin/backlog.txt

.PHONY: simulate
simulate: $(web) ## live DAYS=30 of an anchor's life, with CUSTOMERS=70 new ones a day and troubles, by SEED=1
	@SIMULATE_DAYS=$(DAYS) SIMULATE_CUSTOMERS=$(CUSTOMERS) SIMULATE_SEED=$(SEED) GOGC=400 \
	  $(GO) test -run '^TestSimulation$$' -count 1 -v -timeout 30m ./server | sed '/^=== /d'

.PHONY: chaos
chaos: $(web) ## kill the anchor KILLS times amid deposits, withdrawals and refunds; count what was lost
	@status=0; rm -f bin/chaos.txt; mkdir -p bin; \
	KILLS=$(KILLS) SEED=$(SEED) CHAOS_REPORT=$(CURDIR)/bin/chaos.txt $(GO) test -run '^TestChaos$$' -count 1 -v -timeout 10h ./server || status=$$?; \
	cat bin/chaos.txt; exit $$status

.PHONY: model
model: spin ## prove the payout protocol, docs/payout-model.md (BREAK=early: what happens without a rule)
	@BREAK=$(BREAK) .ci/model

# Without a limit the fuzzer would spend its time on making inputs small.
.PHONY: fuzz
fuzz: ## every fuzz target, one after the other (FUZZTIME=10m each)
	@for package in $$(grep -rl --include='*_test.go' '^func Fuzz' server | xargs -n1 dirname | sort -u); do \
	  for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9]*\)(.*/\1/p' $$package/*_test.go); do \
	    echo "$$package $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $(ARGS) ./$$package; \
	  done; \
	done

.PHONY: clean
clean: ## remove what was built and installed here; .windlass, which holds books and keys, stays
	rm -rf bin frontend/node_modules frontend/dist
	mkdir -p frontend/dist && touch frontend/dist/.keep

.PHONY: help
help: ## list the targets
	@awk 'BEGIN { FS = ":.*## " } \
	  /^##@ / { printf "\n%s\n", substr($$0, 5) } \
	  /^[a-z-]+:.*## / { printf "  make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# What the targets above are made of.

bin/windlass: $(go_sources) $(web) go.mod go.sum
	$(GO) build -ldflags '-X main.version=$(version)' -o $@ ./server

$(npm): frontend/package-lock.json frontend/package.json
	npm --prefix frontend ci --no-audit --no-fund
	@touch $@

# The build empties dist; .keep is what lets the Go code compile before the first build.
$(web): $(npm) $(web_sources) $(if $(wildcard frontend/dist/*),,always)
	npm --prefix frontend run build
	@mkdir -p $(stamps) && touch frontend/dist/.keep $@

$(gotestsum):
	GOBIN=$(CURDIR)/bin/tools $(GO) install gotest.tools/gotestsum@$(GOTESTSUM_VERSION)
	@mv bin/tools/gotestsum $@

$(golangci_lint):
	@echo 'Building golangci-lint, once; this takes a minute or two.'
	GOBIN=$(CURDIR)/bin/tools $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_LINT_VERSION)
	@mv bin/tools/golangci-lint $@

# $(call installed,COMMAND,PACKAGES,WHO NEEDS WHAT) installs a program of Debian's
# that is missing.
define installed
@command -v $(1) >/dev/null && exit 0; \
	install='apt-get install -y --no-install-recommends $(2)'; \
	if ! command -v apt-get >/dev/null; then \
	  echo '$(3), and there is no apt-get here to install it with.' >&2; \
	  echo 'Install it with your own package manager so that `$(1)` starts it.' >&2; exit 1; \
	elif [ "$$(id -u)" = 0 ]; then sudo=; \
	elif sudo -n true 2>/dev/null; then sudo='sudo -n'; \
	else \
	  echo '$(3), and installing it needs root. Please run:' >&2; \
	  echo "  sudo apt-get update && sudo $$install" >&2; exit 1; \
	fi; \
	echo '$(3): installing it.'; \
	export DEBIAN_FRONTEND=noninteractive; \
	$$sudo apt-get update -q && $$sudo $$install
endef

# The browser tests drive Debian's own Chromium.
.PHONY: browser
browser: $(npm)
	$(call installed,$(CHROMIUM),chromium chromium-sandbox fonts-liberation,The browser tests need Chromium)

.PHONY: spin
spin:
	$(call installed,spin,spin,The model is checked by spin)

.PHONY: always
always:
