//! Contents of the crate as a registry gets it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Cargo writes down which files went into the library. Those of `build.rs` are made anew from the package.
fn built_from() -> Vec<PathBuf> {
    let test = std::env::current_exe().expect("this test");
    let made = test.ancestors().nth(2).expect("the folder of the profile");
    let list = made.join("libsglab.d");
    let text = std::fs::read_to_string(&list).unwrap_or_else(|error| panic!("{}: {error}", list.display()));
    let (_, files) = text.split_once(": ").expect("a target and its files");
    files.split_whitespace().map(PathBuf::from).filter(|file| !file.starts_with(made)).collect()
}

#[test]
fn every_file_that_the_library_is_built_from_is_in_the_package() {
    let output = Command::new(env!("CARGO"))
        .args(["package", "--list", "--allow-dirty", "--locked", "--offline", "--package", "sglab", "--manifest-path"])
        .arg(Path::new(ROOT).join("Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo package: {}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).expect("paths are text");
    let packed: BTreeSet<&Path> = listed.lines().map(Path::new).collect();
    let built_from = built_from();
    let own = built_from.iter().filter_map(|file| file.strip_prefix(ROOT).ok());
    let own: Vec<&Path> =
        own.filter(|file| !file.starts_with("macros") && Path::new(ROOT).join(file).is_file()).collect();
    assert!(own.iter().any(|file| file.ends_with("assets/index.html")), "the page is built in: {own:?}");
    let missing: Vec<&&Path> = own.iter().filter(|file| !packed.contains(**file)).collect();
    assert!(missing.is_empty(), "`include` in Cargo.toml leaves out {missing:?}");
}
