# The everyday commands. Each calls a script or Cargo, so none of it needs make.

.PHONY: help check test format lint docs bench load fuzz serve image up api replicas deployment clean

help: ## Lists these commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' Makefile

check: ## Runs everything that must hold before a change lands
	.ci/run

test: ## Runs the tests
	.ci/run tests

format: ## Formats the code
	cargo fmt
	cd benches/load && cargo fmt
	cd fuzz && cargo fmt
	cd benches/peers && cargo fmt

lint: ## Checks format and lints of all packages, and of each feature alone
	.ci/run format lint features

docs: ## Builds the documentation in target/doc
	.ci/run docs

bench: ## Measures throughput and latency of the library
	cargo bench --all-features

load: ## Measures the service under load, beside a reference; benches/README.md has the other figures
	cargo run --release --package framesign-load -- requests

fuzz: ## Runs each fuzz target for five seconds, or for FUZZ_SECONDS
	.ci/run fuzz

serve: secrets ## Runs the service on 127.0.0.1:8080, with the secrets in secrets/
	SECRET_FILE=secrets/secret FRAMESIGN_CALLERS=secrets/callers.toml \
		cargo run --release -p framesign-cli -- serve

secrets: ## Makes secrets to try the service with, once
	scripts/new-secrets secrets

image: ## Builds and tries the image without Docker
	.ci/run image

up: secrets ## Runs the service by compose.yaml
	docker compose up --build --detach

api: ## Compares the service with its OpenAPI document, with schemathesis
	.ci/run api

replicas: ## Runs three replicas behind HAProxy, kills one and drains one
	.ci/run replicas

deployment: ## Checks the scripts, the workflows and the manifests
	.ci/run shell workflows manifests

clean: ## Removes what was built
	cargo clean
