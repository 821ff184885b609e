#!/usr/bin/env bash
# Benchmarks: the crates' own (criterion), then the whole binary. `run.sh load idle` runs only those parts.
# Figures are for comparing within one run: the product has core 0, cameras and load have core 1.
set -euo pipefail
cd "$(dirname "$0")"
cargo build --release --quiet --manifest-path ../load/Cargo.toml
if [ $# = 0 ]; then
  mkdir -p ../.work
  cargo bench --workspace --manifest-path ../../Cargo.toml 2>&1 | tee ../.work/criterion.log | grep -E 'time: ' || true
fi
exec node bench.mjs "$@"
