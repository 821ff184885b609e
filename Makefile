# `make run` builds Lunette and shows the demo camera; `make help` lists the rest.

CARGO ?= cargo
NPM ?= npm
# The C library goes into the binary, so that it runs on any Linux of its architecture.
STATIC := -C target-feature=+crt-static
WEB_SOURCES := $(shell find web -path web/node_modules -prune -o -path web/dist -prune -o -type f -print 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help build web run check

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

build: web ## target/release/lunette: one static binary with the pages in it
	RUSTFLAGS="$(STATIC)" $(CARGO) build --release --locked -p lunette

web: web/dist/index.html ## the pages alone, web/dist

web/dist/index.html: $(WEB_SOURCES)
	cd web && $(NPM) ci --no-audit --no-fund && $(NPM) run build
	@touch $@

run: build ## build, and show the demo camera at http://127.0.0.1:8083/
	target/release/lunette

check: ## what must be clean before a change lands: format, lints, documentation, unit tests
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked
	$(CARGO) test --workspace --locked
	cd web && $(NPM) ci --no-audit --no-fund && $(NPM) run check

include tests/tests.mk
