//! Lessons by name or folder.

use std::path::Path;

use anyhow::bail;
use sglab::model::closest;
use sglab::topology::Problems;
use sglab::workshop::lesson::built_in::{self, folders, names};
use sglab::workshop::lesson::{Lesson, LessonFiles, name_of, read};

use crate::cli::common::told;
use crate::cli::sources;

/// Every lesson that is built in, in the order of teaching.
pub(super) fn all() -> anyhow::Result<Vec<Lesson>> {
    let mut all = Vec::new();
    for folder in folders() {
        match built_in::lesson(folder) {
            Ok(lesson) => all.push(lesson),
            Err(problems) => {
                sources::tell(&problems);
                bail!("the built-in lesson {} cannot be read", name_of(folder));
            }
        }
    }
    Ok(all)
}

/// One lesson; nothing if something is wrong with its files, which has been told then.
pub(in crate::cli) fn one(name: &str) -> anyhow::Result<Option<Lesson>> {
    let path = Path::new(name);
    let folder = if path.is_file() {
        path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."))
    } else {
        path
    };
    let read = if name.contains('/') || path.exists() { from_folder(folder)? } else { built_in::lesson(named(name)?) };
    Ok(read.map_err(|problems| sources::tell(&problems)).ok())
}

fn named(name: &str) -> anyhow::Result<&'static str> {
    let all = folders();
    if let Some(exact) = all.iter().find(|folder| name_of(folder) == name || **folder == name) {
        return Ok(exact);
    }
    let begin: Vec<&str> = all.iter().copied().filter(|it| !name.is_empty() && name_of(it).starts_with(name)).collect();
    match begin.as_slice() {
        [one] => Ok(one),
        [] => {
            let meant = closest(name, names());
            let meant = meant.map_or_else(String::new, |it| format!("; did you mean `{it}`?"));
            bail!("there is no lesson {}{meant}: `sglab learn` lists them", told(name))
        }
        several => {
            let names: Vec<&str> = several.iter().map(|folder| name_of(folder)).collect();
            bail!("{} is the beginning of {}", told(name), names.join(", "))
        }
    }
}

fn from_folder(folder: &Path) -> anyhow::Result<Result<Lesson, Vec<Problems>>> {
    let file = |stem: &str| folder.join(stem).with_extension("yaml");
    if !folder.is_dir() {
        bail!("{} is no folder; a lesson is one with `lesson.yaml` and `solution.yaml`", told(folder));
    }
    let lesson = sources::read_file(&file("lesson"))?;
    let solution = sources::read_file(&file("solution"))?;
    let start = if file("start").exists() { Some(sources::read_file(&file("start"))?) } else { None };
    // Those beside it may be needed too.
    let beside = folder.canonicalize().ok().and_then(|it| it.parent().map(Path::to_owned));
    let beside = beside.and_then(|it| std::fs::read_dir(it).ok()).into_iter().flatten().flatten();
    let beside: Vec<String> = beside.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    let known: Vec<&str> = names().into_iter().chain(beside.iter().map(|it| name_of(it))).collect();
    let shown = folder.display().to_string();
    Ok(read(&LessonFiles { folder: &shown, lesson: &lesson, start: start.as_deref(), solution: &solution }, &known))
}
