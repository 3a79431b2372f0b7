//! The words of sglab's own are few, in order, and in use.

use std::collections::HashSet;
use std::path::Path;

/// More words than these are a language that somebody would have to learn.
const MOST: usize = 30;

fn read(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn words_of_our_own_are_few_in_order_and_in_use() {
    let glossary = read("docs/glossary.md");
    let rows = glossary.lines().filter_map(|line| line.strip_prefix("| ")).skip(1);
    let words: Vec<&str> = rows.filter_map(|row| row.split(" |").next()).collect();
    assert!((10..=MOST).contains(&words.len()), "{} words, and {MOST} are the most", words.len());
    assert!(words.is_sorted(), "{words:?}");
    let pages =
        ["README.md", "docs/architecture.md", "docs/cli.md", "docs/output.md", "docs/topology.md", "docs/lessons.md"];
    let pages: String = pages.map(read).concat().to_lowercase();
    let used: HashSet<&str> = pages.split(|c: char| !c.is_alphanumeric()).collect();
    let is_used =
        |word: &&str| word.split(' ').all(|part| used.contains(part) || used.contains(format!("{part}s").as_str()));
    let unused = words.iter().flat_map(|words| words.split(", ")).filter(|word| !is_used(word));
    assert_eq!(unused.collect::<Vec<_>>(), Vec::<&str>::new());
}
