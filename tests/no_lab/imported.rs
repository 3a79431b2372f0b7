//! Sources of one's own cloud that are kept: each is read to an end, and what is read holds together.

use std::fs;

use crate::import_any::import_any;

#[test]
fn every_source_that_is_kept_is_read_and_holds_together() {
    let mut read = 0;
    for folder in ["fuzz/corpus/import", "examples/terraform"] {
        let folder = format!("{}/{folder}", env!("CARGO_MANIFEST_DIR"));
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(import_any(&fs::read(&path).unwrap()), None, "{}", path.display());
            read += 1;
        }
    }
    assert!(read >= 5, "{read} sources");
}
