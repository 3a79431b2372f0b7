//! Contents of the crate as a registry gets it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The compiler writes down which files went into the library. Those that `build.rs` makes are made anew from the package.
fn built_from() -> Vec<PathBuf> {
    let test = std::env::current_exe().expect("this test");
    let (deps, profile) =
        (test.parent().expect("its folder"), test.ancestors().nth(2).expect("the folder of the profile"));
    let lists =
        std::fs::read_dir(deps).expect("the folder of what was built").map(|entry| entry.expect("an entry").path());
    let lists = lists.filter(|path| path.extension().is_some_and(|it| it == "d"));
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a list of files");
        let of_library = |line: &&str| line.contains("/libsglab-") && line.contains(".rlib: ");
        let line = text.lines().find(of_library)?.to_owned();
        Some((path.metadata().and_then(|it| it.modified()).expect("a time"), line))
    };
    let (_, line) = lists.filter_map(read).max().expect("the library was built");
    // A space within a path stands behind a backslash.
    let line = line.replace("\\ ", "\0");
    let (_, files) = line.split_once(": ").expect("a target and its files");
    let files = files.split_whitespace().filter_map(|file| root().join(file.replace('\0', " ")).canonicalize().ok());
    // Clippy as the compiler reads its own settings, too.
    files.filter(|file| !file.starts_with(profile) && !file.ends_with(".clippy.toml")).collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).canonicalize().expect("the checkout")
}

#[test]
fn every_file_that_the_library_is_built_from_is_in_the_package() {
    let output = Command::new(env!("CARGO"))
        .args(["package", "--list", "--allow-dirty", "--locked", "--offline", "--package", "sglab", "--manifest-path"])
        .arg(root().join("Cargo.toml"))
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "cargo package: {}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).expect("paths are text");
    let packed: BTreeSet<&Path> = listed.lines().map(Path::new).collect();
    let built_from = built_from();
    let own = built_from.iter().filter_map(|file| file.strip_prefix(root()).ok());
    let own: Vec<&Path> = own.filter(|file| !file.starts_with("macros")).collect();
    assert!(own.iter().any(|file| file.ends_with("assets/index.html")), "the page is built in: {own:?}");
    let missing: Vec<&&Path> = own.iter().filter(|file| !packed.contains(**file)).collect();
    assert!(missing.is_empty(), "`include` in Cargo.toml leaves out {missing:?}");
}
