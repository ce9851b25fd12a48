# Everything runs on this machine and listens on 127.0.0.1; only `deploy` and `publish` talk to AWS.
# Needed: rustup (it reads rust-toolchain.toml), Python 3.10 or later, make, a C compiler.

PYTHON ?= python3
SAM := .venv/sam/bin
JUDGE := .venv/judge/bin
BENCH := .venv/bench/bin
DENY := .venv/cargo-deny/bin/cargo-deny
CYCLONEDX := .venv/cargo-cyclonedx/bin/cargo-cyclonedx
export PATH := $(CURDIR)/$(SAM):$(PATH)
# SAM and the linters are started many times: what they import is compiled once.
unexport PYTHONDONTWRITEBYTECODE

# The crates that template.yaml deploys.
FUNCTIONS := $(shell sed -n 's|^ *CodeUri: crates/||p' template.yaml)

.DEFAULT_GOAL := help
SEEDS ?= 100000

.PHONY: help demo simulate test test-beside test-rust test-report test-python test-outside test-permissions \
        bench bench-startup bench-drain bench-tags bench-metrics fuzz check format lint dependencies features template scan size \
        guard rust sbom build deploy publish release-notes costs permissions venvs requirements clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: venvs rust ## all four functions at work before your eyes (the first time compiles for minutes)
	@$(JUDGE)/python tests/demo.py $(DEMO)

# What the tests from outside need.
OUTSIDE := venvs .venv/bench/stamp .venv/custodian/stamp rust

# Stacks wait most of their time, and their tests have deadlines: the crates' tests get what they leave of the processors.
test: $(OUTSIDE) ## all tests
	@$(MAKE) --no-print-directory --jobs=2 test-beside test-outside
	@$(MAKE) --no-print-directory test-permissions

# Without this make's job server, which cargo would look for in vain.
test-beside:
	@unset MAKEFLAGS MFLAGS; mkdir -p target; began=$$(date +%s); \
	echo "tests of the crates: beside the others, into target/test-rust.log"; \
	nice -n 19 sh -c '$(call RECORDED,$(TEST_CRATES) -- --show-output)' > target/test-rust.log 2>&1 || \
	  { echo "tests of the crates: FAILED; target/test-rust.log ends:"; tail -n 60 target/test-rust.log; exit 1; }; \
	grep -oE '^(a drain of|tag policy:|spot interruption:)[^{]*' target/test-rust.log; \
	passed=$$(awk '/^test result: ok/ { passed += $$4 } END { print passed }' target/test-rust.log); \
	echo "$$passed tests of the crates passed, $$(($$(date +%s) - began)) s"

# What the functions call is written down for tests/test_permissions.py, which runs their tests by itself otherwise.
RECORDED = rm -rf target/calls && RECORD_CALLS=$(CURDIR)/target/calls $(1) && touch target/calls/complete
TEST_CRATES = cargo test --workspace --locked

test-rust: ## tests of the crates, in virtual time
	$(call RECORDED,$(TEST_CRATES))

test-report: .venv/nextest/stamp ## the same tests of the crates with a report for machines, target/nextest/ci/junit.xml
	$(call RECORDED,PATH="$(CURDIR)/.venv/nextest/bin:$$PATH" cargo nextest run --workspace --locked --profile ci)

# Processes that test from outside, each with a stack of its own.
STACKS ?= 6

test-python: ## tests from outside: the deployed stack, the sample events, the fake; REPORT=FILE.xml for machines
	@$(MAKE) --no-print-directory test-outside
	@$(MAKE) --no-print-directory test-permissions

test-outside: $(OUTSIDE)
	$(JUDGE)/python -m pytest tests --ignore tests/test_permissions.py --numprocesses $(STACKS) --dist loadscope --no-loadscope-reorder $(if $(REPORT),--junitxml=$(REPORT))

# Judged by what was called on all stacks, and in the crates' tests.
test-permissions: venvs rust
	$(JUDGE)/python -m pytest tests/test_permissions.py --after-all $(if $(REPORT),--junitxml=$(REPORT:.xml=-permissions.xml))

bench: bench-startup bench-drain bench-tags bench-metrics ## all of these; docs/benchmarks.md has what they print

bench-startup: venvs .venv/bench/stamp rust ## what a cold start takes, beside boto3 and a function that does nothing
	$(BENCH)/python tests/bench_startup.py

bench-drain: venvs .venv/bench/stamp rust ## calls, invocations, delay and CPU of a drain, beside two boto3 drainers
	$(BENCH)/python tests/bench_drain.py

bench-tags: venvs .venv/bench/stamp .venv/custodian/stamp rust ## a run of the tag policy beside cloud-custodian: calls, CPU, memory, time
	$(BENCH)/python tests/bench_tags.py

bench-metrics: venvs .venv/bench/stamp rust ## a tick's CPU, calls and lateness, beside two boto3 writers: a quarter of an hour
	$(BENCH)/python tests/bench_metrics.py

# Compiles the crates once more with coverage, the SDKs not; see crates/fuzz/run.sh.
RUNS ?= 10000000
SEED ?= 1

fuzz: ## RUNS events that nobody would send, for every parser: about half an hour; SEED for other ones
	crates/fuzz/run.sh $(RUNS) $(SEED)

simulate: rust ## whole worlds with everything that can go wrong, SEEDS of them; goes on where it was interrupted
	target/debug/simulate --seeds $(SEEDS) --resume target/simulation.json --report docs/reliability.md

check: format lint dependencies template scan size guard features ## everything that can be wrong without running

format: ## is it formatted?
	cargo fmt --all --check

lint: .venv/judge/stamp ## clippy, and ruff for names that are not there; warnings are errors
	cargo clippy --workspace --all-targets --locked -- -D warnings
	$(JUDGE)/ruff check --quiet --no-cache --isolated --select E9,F,PLE tests examples

# Without the advisories, which would have to be fetched.
dependencies: $(DENY) ## licenses, banned crates and sources, by cargo-deny
	cargo fetch --quiet --locked
	$(DENY) --offline check --hide-inclusion-graph bans licenses sources

# Unoptimised: that compiles several times faster, and the check takes seconds all the same.
$(DENY):
	@began=$$(date +%s); printf 'install cargo-deny... '; \
	CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --debug --locked --version 0.20.2 --root .venv/cargo-deny cargo-deny && \
	echo "$$(($$(date +%s) - began)) s"

# Of a copy, since the tool writes beside each Cargo.toml. It goes by cargo's metadata, as the lock file does: some
# twenty more are listed than are compiled, optional dependencies such as ring, which `features` shows to be in no function.
sbom: $(CYCLONEDX) ## a bill of materials a function, from the lock file, in target/sbom (CycloneDX)
	@rm -rf target/sbom && mkdir -p target/sbom/source
	@cp -R Cargo.toml Cargo.lock crates target/sbom/source
	cargo fetch --quiet --locked
	cd target/sbom/source && CARGO_NET_OFFLINE=true $(CURDIR)/$(CYCLONEDX) cyclonedx --quiet --format json --spec-version 1.5 \
	  --target aarch64-unknown-linux-gnu
	@for function in $(FUNCTIONS); do mv target/sbom/source/crates/$$function/$$function.cdx.json target/sbom/; done
	@rm -rf target/sbom/source && ls target/sbom

# Unoptimised, as cargo-deny.
$(CYCLONEDX):
	@began=$$(date +%s); printf 'install cargo-cyclonedx... '; \
	CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --debug --locked --version 0.5.9 --root .venv/cargo-cyclonedx cargo-cyclonedx && \
	echo "$$(($$(date +%s) - began)) s"

features: ## one TLS stack, no CPU-jitter entropy, the same features for all functions
	tests/check_features.sh

template: .venv/sam/stamp ## lint the templates
	AWS_REGION=us-east-1 SAM_CLI_TELEMETRY=0 $(SAM)/sam validate --lint --template template.yaml
	$(SAM)/cfn-lint template.yaml pipeline.yaml examples/*.yaml

scan: .venv/scan/stamp .venv/sam/stamp ## the templates' security, by checkov; each finding is mended, or excused in its place
	@$(SAM)/python tests/scan.py

size: venvs ## the binaries are no larger than tests/build.py allows
	@$(JUDGE)/python tests/build.py

guard: size rust .venv/valgrind ## no more calls, and no more instructions to start and to decide, than there were
	cargo test --quiet --locked --workspace --test drains --test runs --test ticks --test notices -- calls:: scale::
	@$(JUDGE)/python tests/guard.py

# Where the machine has none: unpacked, and not installed, which needs no rights. Without it the guard says what to install.
.venv/valgrind:
	@mkdir -p $@ && cd $@ && { command -v valgrind > /dev/null || { apt-get -qq download valgrind && dpkg-deb -x valgrind_*.deb .; } || true; }

# All of it, whatever of it is wanted: with dev-dependencies cargo takes the features that test-rust has, and compiles nothing
# once more, the EC2 SDK's minutes least of all.
rust:
	cargo build --locked --workspace --all-targets
	@cargo fetch --quiet --locked

build: .venv/sam/stamp ## sam build for AWS, arm64 (cargo-lambda brings Zig, which links for it on any machine)
	rustup target add aarch64-unknown-linux-gnu
	$(SAM)/sam build

deploy: build ## sam build and sam deploy to the AWS account of your environment
	$(SAM)/sam deploy --guided

publish: build venvs ## sam publish to the Application Repository; BUCKET must let it read
	$(JUDGE)/python tests/release.py template .aws-sam/build/template.yaml > .aws-sam/build/published.yaml
	$(SAM)/sam package --template-file .aws-sam/build/published.yaml --s3-bucket $(BUCKET) --output-template-file published.yaml
	$(SAM)/sam publish --template published.yaml --fail-on-same-version

release-notes: venvs ## what CHANGELOG.md says of the version in Cargo.toml
	@$(JUDGE)/python tests/release.py notes

costs: ## docs/costs.md and docs/ecs-metrics-costs.md, as the program prints them
	cargo run --quiet --locked --bin costs -- --all --format markdown > docs/costs.md
	cargo run --quiet --locked --bin costs -- metrics --all --format markdown > docs/ecs-metrics-costs.md

permissions: venvs ## the table in docs/security.md: who may do what
	$(JUDGE)/python tests/permission_table.py

venvs: .venv/sam/stamp .venv/stack/stamp .venv/judge/stamp

# Several, because the emulator, SAM, moto and checkov pin different versions of common packages. Without --no-deps pip refuses
# dependencies with extras, although the lists are complete and hashed.
.venv/%/stamp: tests/requirements/%.txt
	@began=$$(date +%s); printf 'install %s... ' $<; rm -rf .venv/$*; \
	$(PYTHON) -m venv .venv/$* && \
	.venv/$*/bin/pip install --quiet --disable-pip-version-check --no-compile --no-deps --require-hashes --requirement $< && \
	touch $@ && echo "$$(($$(date +%s) - began)) s"

# Pins the newest of what tests/requirements/*.in asks for.
requirements: $(JUDGE)/uv
	for set in sam stack judge scan nextest bench custodian; do \
	  $(JUDGE)/uv pip compile --quiet --no-config --universal --python-version 3.10 --generate-hashes --no-annotate \
	    --no-emit-index-url --upgrade --custom-compile-command "make requirements" \
	    tests/requirements/$$set.in --output-file tests/requirements/$$set.txt; \
	done

$(JUDGE)/uv: .venv/judge/stamp

clean: ## remove everything that was made here
	rm -rf target .venv .aws-sam .local .cargo-home .pytest_cache tests/__pycache__ packaged.yaml published.yaml stages
