# `make run` builds Lunette and shows the demo camera; `make help` lists the rest.

CARGO ?= cargo
NPM ?= npm
# The C library goes into the binary, so that it runs on any Linux of its architecture. Into the last step
# alone: procedural macros can't be built that way.
STATIC := -C target-feature=+crt-static
WEB_SOURCES := $(shell find web \( -name node_modules -o -name dist \) -prune -o -type f -print)

.DEFAULT_GOAL := help
.PHONY: help build web run check clip tools image image-context

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

build: tools web ## target/release/lunette: one static binary with the pages in it
	$(CARGO) rustc --release --locked -p lunette --bin lunette -- $(STATIC)

web: web/dist/index.html ## the pages alone, web/dist

web/dist/index.html: web/node_modules/.package-lock.json $(WEB_SOURCES)
	cd web && $(NPM) run build
	@touch $@

web/node_modules/.package-lock.json: web/package-lock.json
	cd web && $(NPM) ci --no-audit --no-fund
	@touch $@

run: build ## build, and show the demo camera at http://127.0.0.1:8083/
	target/release/lunette

check: tools web/node_modules/.package-lock.json ## what must be clean before a change lands: format, lints, docs, unit tests
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --locked
	$(CARGO) test --workspace --locked
	cd web && $(NPM) run check

# Whatever builds images here: `make image CONTAINERS=docker`.
CONTAINERS ?= $(firstword $(foreach tool,podman docker buildah,$(if $(shell command -v $(tool)),$(tool))))
IMAGE ?= lunette
# The binary that goes in; it must be static.
IMAGE_BINARY ?= target/release/lunette
# The OCI format knows no HEALTHCHECK; docker has no other format and no such flag.
IMAGE_FORMAT ?= $(if $(filter docker,$(notdir $(CONTAINERS))),,--format docker)
CA_CERTIFICATES ?= /etc/ssl/certs/ca-certificates.crt

image: build image-context ## a container image of target/release/lunette, as IMAGE (lunette)
	@test -n "$(CONTAINERS)" || { echo "podman, docker or buildah is needed to build an image" >&2; exit 1; }
	$(CONTAINERS) build $(IMAGE_FORMAT) --tag $(IMAGE) --file config/Containerfile target/image

# What the image is made of.
image-context:
	@test -r $(CA_CERTIFICATES) || { echo "$(CA_CERTIFICATES) is missing: install ca-certificates, or set CA_CERTIFICATES" >&2; exit 1; }
	@! readelf --program-headers $(IMAGE_BINARY) | grep -q INTERP || { echo "$(IMAGE_BINARY) is not static; make build makes one that is" >&2; exit 1; }
	rm -rf target/image && mkdir -p target/image
	install -m 755 $(IMAGE_BINARY) target/image/lunette
	install -m 644 $(CA_CERTIFICATES) target/image/ca-certificates.crt

clip: ## the demo camera's clip anew, with ffmpeg
	crates/demo-camera/clip/make.sh

tools:
	@command -v $(CARGO) >/dev/null || { echo "cargo is missing; see \"From source\" in README.md" >&2; exit 1; }
	@command -v $(NPM) >/dev/null || { echo "npm is missing; see \"From source\" in README.md" >&2; exit 1; }
	@node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major > 20 || (major == 20 && minor >= 19) ? 0 : 1)' || { echo "Node 20.19 or newer is needed; see \"From source\" in README.md" >&2; exit 1; }
	@command -v cc >/dev/null || { echo "a C compiler is missing; see \"From source\" in README.md" >&2; exit 1; }

include tests/tests.mk
