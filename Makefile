# The everyday commands. Each calls a script or Cargo, so none of it needs make.

.PHONY: help check test format lint docs bench load fuzz serve image up api replicas deployment clean

help: ## What there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' Makefile

check: ## Everything that must hold before a change lands
	.ci/run

test: ## The tests
	.ci/run tests

format: ## Formats what `make check` would refuse
	cargo fmt
	cd benches/load && cargo fmt
	cd fuzz && cargo fmt
	cd benches/peers && cargo fmt

lint: ## Format and lints of all packages, and of each feature alone
	.ci/run format lint features

docs: ## The documentation, in target/doc
	.ci/run docs

bench: ## Throughput and latency of the library
	cargo bench --all-features

load: ## The service under load, beside a reference; benches/README.md has the other figures
	cargo run --release --package framesign-load -- requests

fuzz: ## Each fuzz target for ten seconds; FUZZ_SECONDS says how long
	.ci/run fuzz

serve: secrets ## The service on 127.0.0.1:8080, with the secrets in secrets/
	SECRET_FILE=secrets/secret FRAMESIGN_CALLERS=secrets/callers.toml \
		cargo run --release -p framesign-cli -- serve

secrets: ## Secrets to try the service with, once
	scripts/new-secrets secrets

image: ## The image without Docker, built and tried
	.ci/run image

up: secrets ## The service as compose.yaml has it
	docker compose up --build --detach

api: ## Holds the service to its OpenAPI document, with schemathesis
	.ci/run api

replicas: ## Three replicas behind HAProxy, one killed and one drained
	.ci/run replicas

deployment: ## Checks the scripts, the workflows and the manifests
	.ci/run shell workflows manifests

clean: ## Removes what was built
	cargo clean
