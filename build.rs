//! Lists the topologies and lessons of the checkout for the program to have them with it: `sglab list`, `example:NAME`, `sglab learn`.

use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("topologies");
    println!("cargo::rerun-if-changed=topologies");
    let mut files = Vec::new();
    collect(&root, &mut files)?;
    let named = files.iter().map(|file| Ok((file.strip_prefix(&root)?.with_extension(""), file)));
    let mut named: Vec<(PathBuf, &PathBuf)> = named.collect::<Result<_, Box<dyn Error>>>()?;
    named.sort_by_key(|(name, _)| (name.components().count(), name.clone()));
    let mut list = String::from("&[\n");
    for (name, file) in named {
        let (name, file) = (name.to_str().ok_or("a name is not text")?, file.to_str().ok_or("a path is not text")?);
        writeln!(list, "    ({name:?}, include_str!({file:?})),")?;
    }
    list.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("examples.rs"), list)?;
    lessons()
}

/// Lists the files of lessons: the folder, the stem of the file, its text. Folders are numbered in the order of teaching.
fn lessons() -> Result<(), Box<dyn Error>> {
    let root = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("lessons");
    println!("cargo::rerun-if-changed=lessons");
    let mut files = Vec::new();
    collect(&root, &mut files)?;
    files.sort();
    let mut list = String::from("&[\n");
    for file in files {
        let name = |path: Option<&std::ffi::OsStr>| path.and_then(|it| it.to_str()).map(str::to_owned);
        let folder = name(file.parent().and_then(Path::file_name)).ok_or("a name is not text")?;
        let stem = name(file.file_stem()).ok_or("a name is not text")?;
        let file = file.to_str().ok_or("a path is not text")?;
        writeln!(list, "    ({folder:?}, {stem:?}, include_str!({file:?})),")?;
    }
    list.push_str("]\n");
    fs::write(Path::new(&env::var("OUT_DIR")?).join("lessons.rs"), list)?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            println!("cargo::rerun-if-changed={}", path.display());
            collect(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    Ok(())
}
