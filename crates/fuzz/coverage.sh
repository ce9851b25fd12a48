#!/bin/sh
# Cargo's RUSTC_WORKSPACE_WRAPPER: compiles the workspace's own crates so that libFuzzer sees which of their branches an
# input takes, as cargo-fuzz does, by flags that are all stable. Since only members of the workspace go through this, the
# SDKs (minutes) are those of the ordinary build. The fuzz target itself is not what is looked at. A panic ends the run
# anyway: without unwinding there are no branches for it that nothing ever takes.
case " $* " in
  *" --crate-name fuzz "*)
    exec "$@" -Copt-level=2 -Cdebug-assertions=on -Cpanic=abort ;;
  *)
    exec "$@" -Copt-level=2 -Cdebug-assertions=on -Cpanic=abort -Ccodegen-units=1 \
      -Cpasses=sancov-module \
      -Cllvm-args=-sanitizer-coverage-level=4 \
      -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
      -Cllvm-args=-sanitizer-coverage-pc-table \
      -Cllvm-args=-sanitizer-coverage-trace-compares ;;
esac
