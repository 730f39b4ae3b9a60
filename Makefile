# Everything a contributor runs. A fresh machine needs Go, gcc, git, make and python3 for build, test and demo.

SHELL       := bash
.SHELLFLAGS := -o pipefail -ec
GO          ?= go
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LINT_VERSION = v2.15.0
FUZZTIME    ?= 30000x
BENCHTIME   ?= 1s
CRASH_KILLS ?= 60
PKGS        ?= ./...

# SQLite flushes its log with fdatasync: most commits change nothing of the file but its content.
export CGO_CFLAGS ?= -O2 -g -DHAVE_FDATASYNC=1

# The machine's golangci-lint when it has the pinned version, else one of our own, built through the module proxy.
LINT := $(shell golangci-lint version 2>/dev/null | grep 'version $(LINT_VERSION:v%=%) ' > /dev/null && command -v golangci-lint || echo bin/golangci-lint-$(LINT_VERSION))

.PHONY: build test race lint vet fmt generated bench fuzz crash demo clean help

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-10s %s\n", $$1, $$2}'

build: ## build bin/flowctl
	$(GO) build -trimpath -ldflags "-X flowctl/cmd/flowctl/cli.version=$(VERSION)" -o bin/flowctl ./cmd/flowctl

test: ## all tests; ends with a list of what was skipped
	$(GO) run ./scripts/gotest $(PKGS)

race: ## all tests under the race detector
	$(GO) run ./scripts/gotest -race $(PKGS)

lint: fmt vet generated $(filter bin/%,$(LINT)) ## formatting, vet, golangci-lint, scripts, generated files
	$(LINT) run $(PKGS)
	./scripts/check-scripts

vet:
	$(GO) vet $(PKGS)

fmt:
	@bad=$$(git ls-files '*.go' | xargs gofmt -l -s); if [ -n "$$bad" ]; then echo "not gofmt -s formatted:" $$bad; exit 1; fi

generated: ## fail when a committed generated file differs from what its source gives
	./scripts/generated

bin/golangci-lint-$(LINT_VERSION):
	@mkdir -p bin
	GOBIN=$(CURDIR)/bin $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	mv bin/golangci-lint $@

bench: ## all benchmarks, one package at a time; they report ratios to a baseline measured in the same run
	$(GO) test -p 1 -run '^$$' -bench . -benchtime $(BENCHTIME) $(PKGS) | ./scripts/ratios

fuzz: ## every fuzz target for FUZZTIME
	./scripts/fuzz $(FUZZTIME)

crash: ## kill -9 server, agents, plugins and tasks, and cut networks, CRASH_KILLS times at random instants, a cold start too
	FLOWCTL_CRASH_KILLS=$(CRASH_KILLS) $(GO) run ./scripts/gotest -v -count=1 -timeout 15m -run TestCrash ./cmd/flowctl

demo: build ## a server on flows/ with one backfilled week; DEMO_EXIT=1 ends instead of serving
	./scripts/demo

clean:
	rm -rf bin .flowctl-demo
