#!/usr/bin/env bash
# Two decisions that rot silently: one TLS stack, and no CPU-jitter entropy in it. Run after a build.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { echo "FAIL: $1" >&2; exit 1; }

# An SDK crate with its default features brings a second TLS stack, on ring: megabytes, and minutes of compiling.
for edges in normal all; do
  # Found: its dependents. Not found: nothing, or an error that says so, depending on Cargo.lock. Any other error is one.
  if ! found=$(cargo tree --workspace --locked --edges "$edges" --target all --invert ring 2>&1); then
    grep -q 'did not match any packages' <<<"$found" || fail "cargo tree: $found"
  elif grep -q '^ring v' <<<"$found"; then
    fail "ring is back ($edges dependencies):"$'\n'"$found"
  fi
done

# Jitter entropy makes the first random number of a cold start a slow one.
grep -q '^AWS_LC_SYS_NO_JITTER_ENTROPY = "1"' .cargo/config.toml || fail ".cargo/config.toml no longer switches jitter off"

# The build script says which settings it has found, and where it has put the library.
shopt -s nullglob
outputs=(target/*/build/aws-lc-sys-*/output target/*/*/build/aws-lc-sys-*/output)
said=0
for output in "${outputs[@]}"; do
  grep -q '^cargo:root\|^cargo:rustc-link-lib' "$output" || continue # another script of the same package
  grep -q "AWS_LC_SYS_NO_JITTER_ENTROPY'*: '*1" "$output" || fail "jitter is not switched off in $output"
  said=$((said + 1))
done
[ "$said" -gt 0 ] || fail "no build of aws-lc-sys to look at; build first"
echo "one TLS stack; no jitter entropy in $said builds of aws-lc-sys"
