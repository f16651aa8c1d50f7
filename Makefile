# The two commands of the README, and what they are made of. `make help` lists them.

# A dev build, not a release. Measured on two cores, from nothing: dev about 300 processor seconds (under three minutes),
# release with its link-time optimization more than 800 (over seven). What runs in it (HTTP, SQL, copying) waits for
# ffmpeg, which is not ours to optimize; hashing, unbearable unoptimized, is optimized in the dev profile too
# (Cargo.toml). PROFILE=release builds the other one.
PROFILE ?= dev

# Statements are checked against the committed query data (.sqlx), whatever DATABASE_URL says. `make sqlx` renews it.
export SQLX_OFFLINE ?= true

CARGO_BUILD = cargo build --locked --profile $(PROFILE)
WEB_SOURCES := $(shell find frontend/src frontend/public frontend/scripts -type f 2>/dev/null) \
	$(wildcard frontend/*.ts frontend/*.html frontend/*.json)
NODE_MODULES := frontend/node_modules/.package-lock.json
WEB := frontend/dist/index.html

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 16

.PHONY: up
up: deps $(WEB) ## Install what is missing, build, and start everything on http://127.0.0.1:8080
	@cargo run --locked --profile $(PROFILE) --bin millrace -- up

.PHONY: dev
dev: deps $(NODE_MODULES) ## Serve the web application with reload, for a stack that `make up` has started
	@cd frontend && npm run dev

.PHONY: build
build: deps $(WEB) ## Build the programs and the web application
	@$(CARGO_BUILD) --bins

.PHONY: test
test: deps-tests lint $(WEB) ## Everything that CI runs: lints, unit, database, end-to-end, fault and browser tests
	cd frontend && npm test
	$(CARGO_BUILD) --bins
	deploy/with-postgres.sh cargo test --locked --workspace --profile $(PROFILE)
	cargo test --locked --package millrace-faults --features mutants --profile $(PROFILE)

# POINTS=200 make soak; SEED=... repeats a run.
.PHONY: soak
soak: deps ## Kill, freeze and cut everything at 200 random points while videos are made
	$(CARGO_BUILD) --bins
	MILLRACE_POINTS=$${POINTS:-200} MILLRACE_SEED=$${SEED:-} \
		cargo test --locked --workspace --profile $(PROFILE) --test e2e interruption -- --nocapture

# SEEDS=500 ONLY=storm make faults; a run goes on where the last one stopped. Mutants: ONLY=mutants.
.PHONY: faults
faults: deps ## Prove that the engine loses nothing, by all faults and mutants, and append to tests/faults/RESULTS.md
	cargo build --locked --package millrace-faults --features mutants --profile $(PROFILE)
	$${CARGO_TARGET_DIR:-target}/$(if $(filter dev,$(PROFILE)),debug,$(PROFILE))/faults --seeds $${SEEDS:-5} \
		$${ONLY:+--only $$ONLY} --table tests/faults/RESULTS.md

# A release build, since that is what runs in production. About half an hour on two cores; RUNS=1 and IDS=first_playable
# take less. Leave the machine alone meanwhile.
.PHONY: bench-media
bench-media: deps ## Measure the pipeline beside plain ffmpeg, as JSON lines
	cargo build --locked --release --bins
	$${CARGO_TARGET_DIR:-target}/release/bench_media --runs $${RUNS:-3} $${IDS:-}

# The engine beside plain SQL, Graphile Worker and apalis-postgres; tests/bench/README.md says what each figure means.
# Half an hour; RUNS=1, ONLY=drain and QUICK=1 take less. Leave the machine alone meanwhile.
.PHONY: bench-queue
bench-queue: deps ## Measure the job engine beside plain SQL and its peers, as JSON lines
	cargo build --locked --release --package millrace-bench
	$${CARGO_TARGET_DIR:-target}/release/bench_queue $(if $(RUNS),--runs $(RUNS)) $(if $(QUICK),--quick) $(ONLY)

# A quarter of an hour; EXAMPLES=100 takes longer, ONLY="get_video list_jobs" less. SEED=... repeats a run.
.PHONY: check-api
check-api: ## Ask for every operation in every way the document allows, and some it does not (schemathesis)
	@deploy/install-deps.sh --schemathesis
	$(CARGO_BUILD) --bins
	deploy/with-postgres.sh cargo run --locked --profile $(PROFILE) --package millrace-tests --bin check_api -- \
		--examples $${EXAMPLES:-25} $${SEED:+--seed $$SEED} $${ONLY:-}

# Ten minutes.
.PHONY: check-pages
check-pages: deps-tests $(WEB) ## Look at every page with axe: two languages, light and dark, wide and narrow
	$(CARGO_BUILD) --bins
	ACCESS=en,zh-TW deploy/with-postgres.sh cargo run --locked --profile $(PROFILE) --package millrace-tests --bin stage -- \
		npm --prefix frontend run e2e -- access

LIGHTHOUSE := frontend/lighthouse/node_modules/.package-lock.json
$(LIGHTHOUSE): frontend/lighthouse/package.json frontend/lighthouse/package-lock.json
	cd frontend/lighthouse && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# About five minutes; RUNS=1 is faster and less sure. Leave the machine alone meanwhile.
.PHONY: lighthouse
lighthouse: deps-tests $(WEB) $(LIGHTHOUSE) ## Measure home, video and upload page: performance >= 90, accessibility >= 95
	$(CARGO_BUILD) --bins
	deploy/with-postgres.sh cargo run --locked --profile $(PROFILE) --package millrace-tests --bin stage -- \
		node frontend/lighthouse/run.mjs

# A million videos, made once in FOLDER (some ten minutes, 4 GB). VIDEOS=20000 is quick; IDS=search_chinese asks less.
.PHONY: bench-search
bench-search: deps ## Measure search, suggestions and lists among a million videos, as JSON lines
	cargo build --locked --release --package millrace-tests --bin bench_search
	$${CARGO_TARGET_DIR:-target}/release/bench_search $(if $(VIDEOS),--videos $(VIDEOS)) $(if $(RUNS),--runs $(RUNS)) \
		$(if $(FOLDER),--folder $(FOLDER)) $${IDS:-}

# Needs an account: deploy/mediaconvert.md. Without its settings it says in one line which are missing.
.PHONY: smoke-aws
smoke-aws: deps ## Send a short clip through a real AWS MediaConvert and read what comes back
	@cargo run --locked --quiet --profile $(PROFILE) --package millrace-tests --bin smoke_aws

# Needs the key of a test account: deploy/stripe.md. It refuses any other, and pays nothing.
.PHONY: smoke-stripe
smoke-stripe: deps ## Open, read and close a page to pay on at a real Stripe test account
	@cargo run --locked --quiet --profile $(PROFILE) --package millrace-tests --bin smoke_stripe

.PHONY: lint
lint: $(NODE_MODULES) ## Formatting and lints of Rust and the web application
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- -D warnings
	cargo clippy --locked --package millrace-faults --features mutants --all-targets -- -D warnings
	cd frontend && npm run lint && npm run typecheck

.PHONY: fmt
fmt: ## Format the Rust code
	cargo fmt --all

.PHONY: sqlx
sqlx: ## Renew the committed query data after a statement or a migration changed
	SQLX_OFFLINE=false deploy/with-postgres.sh --schema cargo sqlx prepare --workspace -- --all-targets

.PHONY: check-release
check-release: ## What only a release must be sure of: query data, licences, sources
	SQLX_OFFLINE=false deploy/with-postgres.sh --schema cargo sqlx prepare --check --workspace -- --all-targets
	cargo deny --all-features check licenses bans sources

.PHONY: deps
deps:
	@deploy/install-deps.sh

.PHONY: deps-tests
deps-tests:
	@deploy/install-deps.sh --tests

$(NODE_MODULES): frontend/package.json frontend/package-lock.json
	cd frontend && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(WEB): $(NODE_MODULES) $(WEB_SOURCES)
	cd frontend && npm run build
	@touch $@
