# Statewire. `make help` lists the targets.
SHELL        := /bin/bash
GO           ?= go
VERSION      ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS      := -s -w -X statewire/cmd/statewire/cli.version=$(VERSION)
ENGINE       := bin/libchdb.so
ENGINE_NPM   := store/embedded/npm
ENGINE_SO    := $(ENGINE_NPM)/node_modules/@chdb/lib-$(shell node -p 'process.platform+"-"+process.arch+(process.platform=="linux"?"-gnu":"")' 2>/dev/null)/libchdb.so
FUZZTIME     ?= 60s
TEST_FLAGS   ?= -race -shuffle=on -timeout 25m
# Tests of megabytes: the race detector looks at each byte that is copied, so they run without it.
LARGE        := ^(TestAReportOfExactlyTheLimit|TestI21MemoryStaysBounded|TestMemoryIsBoundedWhateverWaits|TestAReportIsNotMadeOfTheWholeCache|TestTheStoreIsBoundedAndSaysSo|TestABigAnswerIsSplitAndItsCompletionComesLast|TestAReportThatIsTooLongIsCutShort)$$
LONG         ?= 20
STATICCHECK  := $(GO) run -modfile=tools.mod honnef.co/go/tools/cmd/staticcheck

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-10s %s\n",$$1,$$2}' $(MAKEFILE_LIST)

engine: $(ENGINE) ## fetch the pinned ClickHouse engine library from npm

$(ENGINE): $(ENGINE_NPM)/package-lock.json
	scripts/get-engine $(ENGINE_NPM)
	@mkdir -p bin && cp $(ENGINE_SO) $(ENGINE).new && mv $(ENGINE).new $(ENGINE)

build: engine ## build bin/statewire, ready to run
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/statewire ./cmd/statewire

run: build ## start a site with a simulated fleet and print the dashboard's address
	bin/statewire demo

deps: ## install what the tests need on Debian (as root); a no-op when it is there
	scripts/get-test-tools

lint: export GOFLAGS += -trimpath # the flags of build: nothing is compiled twice
lint: export CGO_ENABLED = 0
lint: ## gofmt, go vet, staticcheck
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); exit 1; }
	$(GO) vet ./...
	$(STATICCHECK) ./...

platforms: ## a build for the other platforms
	for p in linux/arm64 darwin/arm64 windows/amd64; do \
	  CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} $(GO) build -trimpath -o /dev/null ./... || exit 1; done

check: lint platforms ## what a change needs at once: format, vet, staticcheck, builds, tests without engine, root or network
	$(GO) test -short ./...

t: engine ## one package's tests, or those of a name: make t P=./relay R=TestName
	$(GO) test -race $(if $(R),-run '$(R)' -v) $(or $(P),./...)

test: deps build lint ## everything that must pass before a change lands
	@set -o pipefail; mkdir -p build; export RAPID_SEED=1 RAPID_CHECKS=10 STATEWIRE_TEST_SEED=1; { \
	  CGO_ENABLED=0 $(GO) test -trimpath -vet=off -shuffle=on -run '$(LARGE)' ./agent/cache ./ingest ./relay && \
	  $(GO) test -vet=off $(TEST_FLAGS) -skip '$(LARGE)' ./...; } 2>&1 | tee build/test.log || { scripts/test-summary build/test.log; exit 1; }

long: build platforms ## the same proofs at length (root): LONG times the kills, cuts and traffic, fleets of 300 and 2,000
	STATEWIRE_TEST_LONG=$(LONG) STATEWIRE_TEST_POWER=1 $(GO) test -shuffle=on -timeout 3h -run 'Chaos|Kill|PowerCut|FailedWrite|MergedOrNot|ManyTasks|EachTaskRuns|TakenOver|OverTimeFromOutside' ./cmd/statewire ./store
	STATEWIRE_TEST_LONG=$(LONG) $(GO) test -shuffle=on -timeout 1h -run 'Model|Property|Runs|Retired|StoredOrACopy|NoParameter|Million|Story|LargeFleet|ProcessDies|MemoryIsBounded|AYear|AsOf|DaysAre' \
	  ./ingest ./inbox ./store ./resync/gaps ./agent/cache ./reports ./notifier/manager ./fleet
	for n in 300 2000; do STATEWIRE_TEST_FLEET=$$n $(GO) test -count 1 -timeout 1h \
	  -run 'OneRoundMakesSite|SerialsThatJumpMove|ASiteAsksForCertificatesWhile|TheAuthorityChangesUnder' ./cmd/statewire || exit 1; done
	STATEWIRE_TEST_SOAK=1h $(GO) test -count 1 -timeout 2h -run PresenceIsTrue ./notifier/manager

bench: build ## the speed claims, as ratios measured side by side (STATEWIRE_TEST_STEADY=30m: the steady site at length)
	$(GO) test -run '^$$' -bench 'Ratio|Limit' -benchtime 1x -timeout 60m ./... | scripts/bench-table

attack: build ## what an attacker tries: tokens, certificates, names, floods, SQL and scripts in every field
	STATEWIRE_TEST_LONG=$(LONG) $(GO) test -timeout 15m -run Attack ./...

fuzz: ## every fuzz target for FUZZTIME each
	@for p in $$($(GO) list ./...); do for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
	  echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) $$p || exit 1; done; done

mutants: engine ## make one bug at a time in a copy of the tree; a test must notice each
	scripts/mutants

sbom: build ## what bin/statewire is made of, as CycloneDX in build/statewire.cdx.json
	mkdir -p build && scripts/sbom bin/statewire $(VERSION) build/statewire.cdx.json

vuln: ## known vulnerabilities in what the program calls; needs vuln.go.dev or a copy in GOVULNDB
	scripts/vuln

clean: ## remove what was built
	rm -rf bin build
.PHONY: help engine build run deps lint platforms test long bench attack fuzz mutants sbom vuln clean
