#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sglab::protocol::read_any(bytes));
