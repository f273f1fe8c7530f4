# Thin verbs only: the logic is in the command line and in the tests.
PARTYWALL = cargo run --quiet --locked --package partywall --
.DEFAULT_GOAL := help

.PHONY: help
help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: check
check: ## Judge the reference layout from its files: no Docker, no cluster
	$(PARTYWALL) check

.PHONY: e2e
e2e: ## The main job: set up what is missing, bring up, test, run the mutants, tear down
	$(PARTYWALL) e2e --run 'cargo test --locked --package partywall-scenarios --test conformance'

.PHONY: test
test: ## Unit tests and everything that needs no cluster
	$(PARTYWALL) images build kustomize helm sops
	cargo test --locked --workspace
	cd kind-config/modules/git-server && go test .

.PHONY: lint
lint: ## Formatting, lints, workflows
	cargo fmt --all --check
	cargo clippy --locked --workspace --all-targets -- --deny warnings
	go run github.com/rhysd/actionlint/cmd/actionlint@v1.7.12

.PHONY: bundle
bundle: ## Build the images bundle (30 to 45 minutes from nothing, seconds when cached)
	$(PARTYWALL) images build

.PHONY: up
up: ## Build a cluster and let Flux apply the reference layout
	$(PARTYWALL) up

.PHONY: conformance
conformance: ## Judge every claim on the session's cluster
	$(PARTYWALL) test

.PHONY: mutants
mutants: ## Show on the session's cluster that every claim can go red
	$(PARTYWALL) mutants

.PHONY: mutate
mutate: ## Generate mutants of the reference layout: all by the files, a covering set on the session's cluster
	$(PARTYWALL) mutate

.PHONY: watch
watch: ## Show for how many milliseconds walls are open while something changes, on the session's cluster
	$(PARTYWALL) watch

.PHONY: agree
agree: ## Hold the files' answers against the session's cluster: every layout, every mutant, 300 generated policies
	$(PARTYWALL) agree --all
	PARTYWALL_LIVE=1 cargo test --locked --package partywall --test evaluator

.PHONY: fuzz
fuzz: ## Feed every loader hostile input, a minute each
	cd fuzz && for target in contract scenario sops layout; do \
		cargo run --release --locked --bin $$target -- -create_missing_dirs=1 -artifact_prefix=artifacts/ -max_len=65536 \
			-timeout=10 -rss_limit_mb=1024 -max_total_time=60 corpus/$$target ../fixtures/deployments ../fixtures/layouts ../scenarios \
			|| exit 1; \
	done

.PHONY: live
live: ## Longer: interrupted, foreign and broken clusters; a cluster made from a registry
	PARTYWALL_LIVE=1 cargo test --locked --package partywall --test live --test registry

.PHONY: down
down: ## Remove everything that `up` made
	$(PARTYWALL) down

.PHONY: bench
bench: ## Print one line for every budget
	$(PARTYWALL) bench

.PHONY: doctor
doctor: ## Say what this machine lacks
	$(PARTYWALL) doctor
