#!/usr/bin/env bash
# Runs the end-to-end tests: all, or those named (`tests/e2e/run.sh slow secrets`).
# Two files at a time: more browsers and encoders than that starve each other on two cores.
set -euo pipefail
cd "$(dirname "$0")"
rm -rf ../.work/logs ../.work/media ../.work/config-*
files=()
for name in "${@:-*}"; do files+=($name.test.mjs); done
exec node --test --test-force-exit --test-concurrency=2 --test-reporter=spec "${files[@]}"
