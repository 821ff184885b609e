#!/usr/bin/env bash
# Runs every fuzz target for a while (default 60 s each), from the seeds in tests/fuzz/seeds/TARGET.
# Without a sanitizer, stable Rust does; panics, hangs and runaway memory are what is looked for.
set -euo pipefail
seconds=${1:-60}
cd "$(dirname "$0")/fuzz"
cargo fuzz --version >/dev/null 2>&1 || cargo install cargo-fuzz --locked --quiet

# `cargo fuzz` wants to be called beside the fuzz folder.
cd ..
for target in $(cargo fuzz list --fuzz-dir fuzz); do
  echo "== $target, $seconds s"
  mkdir -p "fuzz/corpus/$target"
  seeds=()
  [ -d "fuzz/seeds/$target" ] && seeds=("fuzz/seeds/$target")
  log=fuzz/target/$target.log
  mkdir -p fuzz/target
  status=0
  cargo fuzz run --fuzz-dir fuzz -s none "$target" "fuzz/corpus/$target" "${seeds[@]}" -- \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=1 >"$log" 2>&1 || status=$?
  grep -E 'stat::(number_of_executed_units|average_exec_per_sec|peak_rss_mb)' "$log" || true
  if [ $status != 0 ]; then
    tail -30 "$log"
    exit 1
  fi
done
