//! One reader of outside text, which the variable `READER` names: a program for all of them is linked once.
#![no_main]

mod import_any;
mod lesson_any;

use std::sync::LazyLock;

use sglab::{protocol, scenario::readers};

static READER: LazyLock<String> = LazyLock::new(|| std::env::var("READER").expect("READER names a reader of fuzz/corpus"));

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| match READER.as_str() {
    "request" => protocol::read_any(bytes),
    "import" => drop(import_any::import_any(bytes)),
    "lesson" => drop(lesson_any::lesson_any(bytes)),
    reader => assert!(readers::read(reader, bytes), "there is no reader {reader}"),
});
