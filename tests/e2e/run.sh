#!/usr/bin/env bash
# Runs the end-to-end tests: all, or those named (`tests/e2e/run.sh slow secrets`).
# One file at a time: the browsers and encoders of several starve each other on two cores.
set -euo pipefail
cd "$(dirname "$0")"
rm -rf ../.work/logs ../.work/media ../.work/config-*
files=()
for name in "${@:-*}"; do files+=($name.test.mjs); done
exec node --test --test-force-exit --test-concurrency=1 --test-reporter=spec "${files[@]}"
