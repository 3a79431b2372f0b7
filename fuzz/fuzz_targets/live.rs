#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| assert!(sglab::scenario::readers::read("live", bytes)));
