# The targets that prove and measure; included by the Makefile at the root.

.PHONY: test install-tests check-load e2e fuzz bench

FUZZ_SECONDS ?= 60

test: install-tests ## install what the tests need, then check, build and run all of them
	$(MAKE) check check-load
	$(MAKE) build
	$(MAKE) e2e

install-tests: ## install what the tests need from Debian and npm
	tests/install.sh

# In the product's folder of builds, whose cryptography would take minutes to compile again.
check-load: ## the load tools are clean too
	cd tests/load && cargo fmt -- --check && cargo clippy --all-targets --locked --target-dir ../../target -- -D warnings && cargo test --locked --quiet --target-dir ../../target

deny: ## licences and origins of all dependencies, against deny.toml
	tests/deny.sh

e2e: ## end-to-end tests against target/release/lunette (LUNETTE_BIN= for another)
	tests/e2e/run.sh

fuzz: ## every fuzz target for FUZZ_SECONDS (60)
	tests/fuzz.sh $(FUZZ_SECONDS)

bench: install-tests build ## benchmarks: micro, load, first picture, latency, idle
	tests/bench/run.sh
