//! libFuzzer's target. `make fuzz` builds and runs it.
#![no_main]

use std::sync::LazyLock;

use fuzz::check;
use fuzz::mutate::Mutator;
use fuzz::samples::Samples;
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

static MUTATOR: LazyLock<Mutator> = LazyLock::new(|| Mutator::new(Samples::read()));

fuzz_target!(|data: &[u8]| {
    if let Err(violation) = check::input(data) {
        panic!("{violation}");
    }
});

// Three of four mutations know that the input is JSON with JSON inside; the fourth is libFuzzer's own, of bytes.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let bytes = data.get(..size).unwrap_or_default();
    let mutated = if seed.is_multiple_of(4) { None } else { MUTATOR.bytes(bytes, seed.into()) };
    match mutated.as_deref().and_then(|mutated| Some((mutated, data.get_mut(..mutated.len())?))) {
        Some((mutated, room)) if mutated.len() <= max_size => {
            room.copy_from_slice(mutated);
            mutated.len()
        }
        _ => fuzzer_mutate(data, size, max_size),
    }
});
