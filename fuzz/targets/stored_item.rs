#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| shared::table::fuzzing::stored_item(input));
