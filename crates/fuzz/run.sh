#!/usr/bin/env bash
# make fuzz: so many inputs for the envelope and the event parsers, the samples first, then what libFuzzer makes of them.
#
# It prints totals and inputs a second as it goes; all of its words are in target/fuzz/log. Inputs that took a new
# branch stay in target/fuzz/corpus, and the next run goes on from there. One that breaks a promise ends the run; it is
# kept as target/fuzz/crash-*, and `target/debug/fuzz FILE` tries it again.
set -euo pipefail
cd "$(dirname "$0")/../.."
runs=$1 seed=$2

RUSTC_WORKSPACE_WRAPPER="$PWD/crates/fuzz/coverage.sh" \
  cargo build --locked --workspace --bin fuzz --features fuzz/libfuzzer
mkdir -p target/fuzz/corpus

# libFuzzer tells every branch that it finds; here a line every ten seconds is enough.
progress() {
  local line told=0
  while IFS= read -r line; do
    case $line in
      WARNING* | *NEW_FUNC* | *dictionary* | *'# Uses'*) continue ;;
      '#'*NEW* | '#'*REDUCE* | '#'*RELOAD* | '#'*pulse*)
        if ((SECONDS - told < 10)); then continue; fi
        told=$SECONDS
        line=${line%% L: *}
        ;;
    esac
    printf '%s\n' "$line"
  done
}

# Inputs of up to 16 KiB (the largest sample has 11); none may take 5 s, nor all together 1 GiB.
target/debug/fuzz target/fuzz/corpus events -runs="$runs" -seed="$seed" -max_len=16384 -timeout=5 -rss_limit_mb=1024 \
  -artifact_prefix=target/fuzz/ -print_final_stats=1 2>&1 | tee target/fuzz/log | progress
