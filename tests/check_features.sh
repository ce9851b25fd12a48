#!/usr/bin/env bash
# Three decisions that rot silently: one TLS stack, no CPU-jitter entropy in it, and the same features for all functions. Run
# after a build.
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

# A crate that one function has with other features than another is compiled twice, and so is all that builds on it.
features() {
  local function
  for function in $(sed -n 's|^ *CodeUri: crates/||p' template.yaml); do
    cargo tree --locked --package "$function" --edges normal,build --prefix none --format '{p} {f}' | sed 's/ (\*)$//'
  done
}
differ=$(features | sort -u | awk '{ print $1, $2 }' | uniq -d)
[ -z "$differ" ] || fail "functions have these with different features; see Cargo.toml, aws-runtime:"$'\n'"$differ"

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
echo "one TLS stack; the same features for all functions; no jitter entropy in $said builds of aws-lc-sys"
