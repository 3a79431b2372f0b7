//! Programs of the system, found by their names.

use std::path::PathBuf;
use std::sync::OnceLock;

/// Returns the path of nft: on the path, or where Debian keeps it from ordinary users.
pub fn nft() -> Option<&'static PathBuf> {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    PROGRAM.get_or_init(|| find_program("nft")).as_ref()
}

/// A program on the path, or in the places for administrators.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from));
    places.map(|place| place.join(name)).find(|candidate| candidate.is_file())
}
