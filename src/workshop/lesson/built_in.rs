//! The lessons that are built in.

use super::read::{Lesson, LessonFiles, name_of, read};
use crate::topology::Problems;

/// Every lesson below `lessons`, as its folder, the stem of a file in it, and that file's text; in the order of teaching.
const FILES: &[(&str, &str, &str)] = include!(concat!(env!("OUT_DIR"), "/lessons.rs"));

/// Folders of the built-in lessons, in the order of teaching.
pub fn folders() -> Vec<&'static str> {
    let mut all: Vec<&str> = FILES.iter().map(|(folder, ..)| *folder).collect();
    all.dedup();
    all
}

/// Their names, in the same order.
pub fn names() -> Vec<&'static str> {
    folders().into_iter().map(name_of).collect()
}

/// The text of a file of a built-in lesson, by its stem.
pub fn text(folder: &str, stem: &str) -> Option<&'static str> {
    FILES.iter().find(|(it, name, _)| *it == folder && *name == stem).map(|(.., text)| *text)
}

/// Reads a built-in lesson.
///
/// # Errors
/// As [`read`].
pub fn lesson(folder: &str) -> Result<Lesson, Vec<Problems>> {
    let bytes = |stem| text(folder, stem).map(str::as_bytes);
    let files = LessonFiles {
        folder,
        lesson: bytes("lesson").unwrap_or_default(),
        start: bytes("start"),
        solution: bytes("solution").unwrap_or_default(),
    };
    read(&files, &names())
}
