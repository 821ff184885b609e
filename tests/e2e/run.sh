#!/usr/bin/env bash
# Runs the end-to-end tests: all, or those named (`tests/e2e/run.sh slow secrets`).
# Two files at a time, of which only one watches browsers for minutes: several of those starve each other on two cores.
set -euo pipefail
cd "$(dirname "$0")"
rm -rf ../.work/logs ../.work/media ../.work/config-*
mkdir -p ../.work/logs
watching=' browsers fallthrough halves hls resume webrtc '
watched=() others=()
for name in "${@:-*}"; do
  for file in $name.test.mjs; do
    case $watching in
      *" ${file%.test.mjs} "*) watched+=("$file") ;;
      *) others+=("$file") ;;
    esac
  done
done

run() { node --test --test-force-exit --test-concurrency=1 --test-reporter=spec "$@"; }

if [ ${#watched[@]} = 0 ]; then run "${others[@]}"; exit; fi
if [ ${#others[@]} = 0 ]; then run "${watched[@]}"; exit; fi
# What the one prints is shown when the other is done, so that the two don't mix.
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
run "${others[@]}" >../.work/logs/others.txt 2>&1 &
beside=$!
status=0
run "${watched[@]}" || status=$?
wait "$beside" || status=$?
cat ../.work/logs/others.txt
exit "$status"
