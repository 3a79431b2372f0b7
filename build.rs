//! Lists the topologies of the checkout for the program to have them with it: `sglab list`, `example:NAME`.

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
