# Relative paths, because make does not support blanks in the path of a target.
LINT := .bin/golangci-lint
COLLECTOR := .bin/otelcol
PROMETHEUS := .bin/prometheus
# The promtool of the system, if it has one.
PROMTOOL := $(or $(shell command -v promtool 2>/dev/null),.bin/promtool)
JAEGER_VERSION := v1.76.0
JAEGER := .bin/jaeger-$(JAEGER_VERSION)

# Every module that holds packages; internal/tools and internal/tools/collector only pin tools.
MODULES := $(sort $(patsubst %/go.mod,%,$(shell find . -name go.mod \
	-not -path '*/.*/*' -not -path '*/testdata/*' \
	-not -path './internal/tools/go.mod' -not -path './internal/tools/collector/*')))

RELEASE := go -C internal/tools/release run .

# The packages must compile on these platforms too.
PLATFORMS := linux/386 linux/arm windows/amd64 darwin/arm64 js/wasm

# $(call each,MODULES,COMMAND) runs a command in each module and stops at the first failure.
each = @set -e; for m in $(1); do echo "== $$m"; (cd "$$m" && $(2)); done

.PHONY: help test lint vet fmt tidy tidy-check platforms install-check release bench bench-quick bench-scaling bench-micro bench-guard bench-batch bench-dashboard bench-cluster bench-against demo demo-cluster demo-dashboard lab-check stress soak alerts-check e2e e2e-jaeger e2e-dashboard e2e-cluster chaos dashboard-screens dashboard-assets chromium engines cc

help:
	@echo 'make test    vet, and all tests with the race detector'
	@echo 'make lint    golangci-lint (the first run builds it, which takes minutes)'
	@echo 'make vet     go vet'
	@echo 'make fmt     format the code and group the imports'
	@echo 'make tidy    go mod tidy in every module'
	@echo 'make tidy-check  fail if that would change a file'
	@echo 'make platforms  vet for other systems, and some tests on 32 bits'
	@echo 'make install-check  install every published module as its users do'
	@echo 'make release VERSION=v1.2.3  prepare a release and print its tags'
	@echo 'make bench   the pools side by side: benchmarks/RESULTS.md (25 minutes)'
	@echo 'make bench-quick  a part of that, in .bin/bench (two minutes)'
	@echo 'make bench-scaling  throughput on 1 to all processors, beside a model (a minute or two)'
	@echo 'make bench-micro  the benchmarks of the packages'
	@echo 'make bench-batch  an ordered map over 1,000,000 items, beside conc and errgroup (a minute)'
	@echo 'make bench-dashboard  what a dashboard costs a task, beside none (two minutes)'
	@echo 'make bench-cluster  package nats beside River and Asynq (nine minutes; installs their servers on Debian)'
	@echo 'make bench-guard  fail if the dispatch path or package nats has become slower'
	@echo 'make bench-against REV=HEAD~1  compare the working tree with a revision, in one process'
	@echo '             (five minutes, or one with ARGS=-quick; ARGS=-help lists the flags)'
	@echo 'make demo    tasklab over the source of the Go distribution'
	@echo 'make demo-cluster  the same in three worker processes, of which one is killed'
	@echo 'make demo-dashboard  the live dashboard of a synthetic service, until Ctrl-C'
	@echo 'make lab-check  replays against queueing theory, on 1, 2 and 8 processors, and of MEMORY=n jobs'
	@echo 'make stress  20 runs of the tests with the race detector, or 4 times STRESS=n'
	@echo 'make soak    everything at random for a minute, or for SOAK=1h, from SEED=n'
	@echo 'make alerts-check  the tests of the Prometheus alerts in adapters/grafana, with promtool'
	@echo 'make e2e     what a run emits, in the OpenTelemetry Collector and Prometheus'
	@echo 'make e2e-jaeger  the same in Jaeger, and observe/trace.svg (builds Jaeger first: 6 minutes)'
	@echo 'make e2e-dashboard  the page of the dashboard, in Chromium (three minutes; installs it on Debian)'
	@echo 'make e2e-cluster  the tasks of adapters/nats in processes that are killed and cut off (six minutes)'
	@echo 'make chaos   all of that at random for ten minutes, or for CHAOS=1h, from SEED=n, on SERVERS=3'
	@echo 'make dashboard-screens  take the pictures of the dashboard again (three minutes)'
	@echo 'make dashboard-assets  fetch the libraries of the page again, and check them'

# Vet, the tests and the go commands that tests start have the same flags, so they compile everything
# once, and without what only debuggers need. Then two modules are tested at a time, because many tests
# wait. The output of a module stays together, if make can do that.
TESTS := $(MODULES:%=test-%)
test: export CGO_ENABLED := 1
test: export GOFLAGS = $(shell go env GOFLAGS) -race -gcflags=all=-dwarf=false
test: cc
	$(call each,$(MODULES),go vet ./...)
	@$(MAKE) --no-print-directory -j2 $(if $(filter output-sync,$(.FEATURES)),-O) $(TESTS)

.PHONY: $(TESTS)
$(TESTS): test-%:
	@echo "== $*"; cd "$*" && "$(CURDIR)/.ci/race" ./...

lint: $(LINT)
	$(call each,$(MODULES),"$(CURDIR)/$(LINT)" run ./...)

vet:
	$(call each,$(MODULES),go vet ./...)

fmt: $(LINT)
	$(LINT) fmt

tidy:
	$(RELEASE) tidy

tidy-check:
	$(RELEASE) tidy -diff

# The programs of benchmarks are of no use on js/wasm, and their dependencies take a minute to
# compile. Modules that hold only tests or comparisons are not checked for other systems. A machine
# that runs linux/amd64 runs linux/386 too: the packages that start no goroutines are tested there, where
# int and small allocations differ.
platforms:
	@set -e; for p in $(PLATFORMS); do for m in $(filter-out ./internal/% ./benchmarks/% ./adapters/nats/internal/%,$(MODULES)); do \
		case $$p:$$m in js/wasm:./benchmarks) continue ;; esac; \
		echo "== $$p $$m"; \
		(cd "$$m" && CGO_ENABLED=0 GOOS=$${p%/*} GOARCH=$${p#*/} go vet ./...); \
	done; done
	@case $$(go env GOHOSTOS)/$$(go env GOHOSTARCH) in linux/amd64) \
		CGO_ENABLED=0 GOOS=linux GOARCH=386 go test ./queue/... ;; \
	esac

install-check:
	$(RELEASE) install-check

# VERSION reaches the program as it is, whatever it contains.
release: export VERSION := $(value VERSION)
release:
	@$(RELEASE) prepare "$$VERSION"

bench:
	go build -C benchmarks -buildvcs=false -o "$(CURDIR)/.bin/poolbench" ./cmd/poolbench
	.bin/poolbench -out benchmarks

bench-quick:
	go build -C benchmarks -buildvcs=false -o "$(CURDIR)/.bin/poolbench" ./cmd/poolbench
	mkdir -p .bin/bench
	.bin/poolbench -quick -out .bin/bench

bench-scaling:
	go build -C benchmarks -buildvcs=false -o "$(CURDIR)/.bin/poolbench" ./cmd/poolbench
	.bin/poolbench -scaling

bench-batch:
	@go build -C benchmarks -buildvcs=false -o "$(CURDIR)/.bin/batchbench" ./cmd/batchbench
	@.bin/batchbench $(ARGS)

bench-micro:
	$(call each,. ./benchmarks,go test -run '^$$' -bench . -benchmem ./...)

# The test comes first: it shows that the guard detects a path that is slowed down on purpose.
bench-guard:
	cd benchmarks && go test -count=1 ./cmd/benchguard -limits="$(CURDIR)/benchmarks/limits.json"
	cd benchmarks && go run ./cmd/benchguard -limits limits.json
	go test -C benchmarks/benchcluster -count=1 -run '^TestSpeed$$' -v . -guard

# REV and ARGS are split as by a shell: ARGS='-quick -run SubmitFunc'.
bench-against:
	@go build -C benchmarks -buildvcs=false -o "$(CURDIR)/.bin/benchagainst" ./cmd/benchagainst
	@.bin/benchagainst -rev "$(REV)" $(ARGS)

demo:
	go build -C benchmarks -buildvcs=false -o "$(CURDIR)/.bin/tasklab" ./cmd/tasklab
	.bin/tasklab run -dir "$$(go env GOROOT)/src"

# It reads in this process too, and compares the digests.
demo-cluster:
	go build -C benchmarks -buildvcs=false -o "$(CURDIR)/.bin/tasklab" ./cmd/tasklab
	.bin/tasklab demo-cluster -dir "$$(go env GOROOT)/src" $(ARGS)

# On a machine without other load.
bench-dashboard:
	go test -C adapters/dashboard -count=1 -run '^TestCost$$' -v . -cost

# On a machine without other load. ARGS is split as by a shell: ARGS='-rounds 1 -run nats'.
bench-cluster: engines
	@go build -C benchmarks/benchcluster -buildvcs=false -o "$(CURDIR)/.bin/benchcluster" .
	@.bin/benchcluster $(ARGS)

# On Debian, as root, missing servers are installed, and not started: RUNLEVEL keeps the packages from that.
engines:
	@command -v redis-server >/dev/null && { command -v pg_ctl || ls /usr/lib/postgresql/*/bin/pg_ctl; } >/dev/null 2>&1 && exit; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -q && RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends redis-server postgresql; \
	else \
		echo 'The comparison needs redis-server, and pg_ctl of PostgreSQL. Install them' >&2; \
		echo '(Debian, Ubuntu: redis-server postgresql), or do without: go run -C benchmarks/benchcluster . -run nats' >&2; \
		exit 1; \
	fi

# ARGS is split as by a shell: ARGS='-listen 127.0.0.1:9000 -rate 100'.
demo-dashboard:
	go build -C benchmarks -buildvcs=false -o "$(CURDIR)/.bin/tasklab" ./cmd/tasklab
	.bin/tasklab demo $(ARGS)

# Without the race detector, under which replays are ten times slower; make test runs a part of them
# with it.
MEMORY ?= 1000000
lab-check:
	go test -count=1 -timeout=30m ./taskmanager/simulate -lab -memory=$(MEMORY)

# New processes, because the memory of a process under the race detector only grows. The
# slowest package starts first, and runs beside the others.
STRESS ?= 5
stress: cc
	@set -e; for run in $$(seq $(STRESS)); do echo "== $$run of $(STRESS)"; .ci/race -count=2 -cpu=1,4 -timeout=30m ./taskmanager ./...; done

# The soak has its own time limit.
SOAK ?= 60s
SEED ?= 0
soak: cc
	CGO_ENABLED=1 go test -race -count=1 -timeout=0 -run '^TestSoak$$' -v ./taskmanager -soak=$(SOAK) -soakseed=$(SEED)

alerts-check: $(PROMTOOL)
	$(PROMTOOL) check rules adapters/grafana/rules.yml
	$(PROMTOOL) test rules adapters/grafana/rules_test.yml

e2e: $(COLLECTOR) $(PROMETHEUS)
	cd benchmarks && go test -count=1 -v -run 'TestCollector|TestPrometheus' ./e2e \
		-collector="$(CURDIR)/$(COLLECTOR)" -prometheus="$(CURDIR)/$(PROMETHEUS)"

e2e-jaeger: $(JAEGER)
	cd benchmarks && go test -count=1 -v -run 'TestJaeger' ./e2e \
		-jaeger="$(CURDIR)/$(JAEGER)" -picture="$(CURDIR)/observe/trace.svg"

# CHROMIUM may be any browser of its family. axe-core is only for tests, so it is fetched.
CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome || echo /usr/bin/chromium)
AXE := .bin/npm/axe-core/axe.min.js
BROWSER_TEST := go test -C benchmarks/e2edashboard -count=1 -v

e2e-dashboard: $(AXE) chromium
	$(BROWSER_TEST) . -chromium="$(CHROMIUM)" -axe="$(CURDIR)/$(AXE)"

# A test that fails leaves its ledger and the logs of its processes in .bin/e2e-cluster.
CLUSTER_TEST := go test -C benchmarks/e2ecluster -count=1 -v . -processes -keep="$(CURDIR)/.bin/e2e-cluster"
e2e-cluster: $(COLLECTOR)
	$(CLUSTER_TEST) -timeout=10m -collector="$(CURDIR)/$(COLLECTOR)"

# The test has its own time limits.
CHAOS ?= 10m
SERVERS ?= 1
chaos:
	$(CLUSTER_TEST) -timeout=0 -run '^TestChaos$$' -chaos=$(CHAOS) -seed=$(SEED) -servers=$(SERVERS)

dashboard-screens: chromium
	$(BROWSER_TEST) -run '^TestScreens$$' . -chromium="$(CHROMIUM)" -screens="$(CURDIR)/adapters/dashboard"

# The program compares the packages with the hashes in its lock.
NPM_ASSETS := go run -C adapters/dashboard ./internal/npmassets
dashboard-assets:
	$(NPM_ASSETS)

$(AXE): benchmarks/e2edashboard/testdata/lock.json
	$(NPM_ASSETS) -dir "$(CURDIR)/.bin/npm" -lock "$(CURDIR)/$<"
	@touch $@

# On Debian, as root, a missing browser is installed; elsewhere the error says what to do.
chromium:
	@command -v "$(CHROMIUM)" >/dev/null && exit; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends chromium fonts-dejavu-core; \
	else \
		echo 'The test needs Chromium, and there is none. Install it, or give its path: make e2e-dashboard CHROMIUM=/path' >&2; \
		exit 1; \
	fi

# The builder writes the source of the program, and then fails to tidy its go.mod, because a
# test of the file exporter needs a module that cannot be downloaded. The program itself does not
# need that module.
$(COLLECTOR): internal/tools/collector/go.mod internal/tools/collector/manifest.yaml
	go build -C internal/tools/collector -buildvcs=false -o "$(CURDIR)/.bin/ocb" go.opentelemetry.io/collector/cmd/builder
	rm -rf .bin/otelcol.src
	-.bin/ocb --skip-compilation --config internal/tools/collector/manifest.yaml >.bin/ocb.log 2>&1
	cd .bin/otelcol.src && { go mod tidy -e && go build -buildvcs=false -o ../otelcol .; } >>../ocb.log 2>&1 || { cat ../ocb.log; exit 1; }
	rm -rf .bin/otelcol.src

# Debian's programs need only the C library, so they are unpacked, not installed.
$(PROMETHEUS) .bin/promtool &:
	rm -rf .bin/prometheus.deb && mkdir -p .bin/prometheus.deb
	cd .bin/prometheus.deb && { apt-get download -q prometheus || { apt-get update -q && apt-get download -q prometheus; }; } \
		&& dpkg -x prometheus_*.deb . && cp usr/bin/prometheus usr/bin/promtool ..
	rm -rf .bin/prometheus.deb

# Jaeger is built with the versions in its own go.mod. A program that requires it as a module
# would get others.
$(JAEGER):
	rm -rf .bin/jaeger.src && mkdir -p .bin/jaeger.src
	cd .bin/jaeger.src && dir=$$(go mod download -json github.com/jaegertracing/jaeger@$(JAEGER_VERSION) | sed -n 's/.*"Dir": "\(.*\)".*/\1/p') \
		&& install -m 644 "$$dir/go.mod" "$$dir/go.sum" . \
		&& go mod edit -module jaeger -require github.com/jaegertracing/jaeger@$(JAEGER_VERSION) \
		&& go build -mod=mod -buildvcs=false -o ../jaeger-$(JAEGER_VERSION) github.com/jaegertracing/jaeger/cmd/jaeger
	rm -rf .bin/jaeger.src

# Only the pinned version matters, so the binary gets the time of the build.
$(LINT): internal/tools/go.mod
	go build -C internal/tools -buildvcs=false -o "$(CURDIR)/$@" github.com/golangci/golangci-lint/v2/cmd/golangci-lint
	@touch $@

# The race detector needs cgo, and cgo needs a C compiler. On Debian, as root, a missing
# compiler is installed; elsewhere the error says what to install.
cc:
	@command -v $$(go env CC) >/dev/null && exit; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends gcc libc6-dev; \
	else \
		echo 'The race detector needs a C compiler, and there is none. Install gcc or clang' >&2; \
		echo '(Debian, Ubuntu: gcc libc6-dev; Fedora: gcc; Alpine: gcc musl-dev; macOS: xcode-select --install).' >&2; \
		exit 1; \
	fi
