//! From the files of a lesson to a lesson.

use super::document::{LessonDocument, Stage as StageDocument, Which};
use super::limits::{EDITED, Limits, MEMBERS};
use super::task::{Kind, Task};
use crate::model::{Era, suggest};
use crate::topology::document::shape::{Field, One, Span};
use crate::topology::document::words::Text;
use crate::topology::reading;
use crate::topology::{Diagnostic, EXAMPLES, Problems, Sections, Source, Topology, quote};

/// Keys of a group that a learner is given without its rules, and those that are given without an entry.
const KEPT: (&[&str], &[&str]) = (&["vpc"], &["egress"]);
/// Prefix of a built-in topology.
const EXAMPLE: &str = "example:";

/// The files of a lesson as they were read.
#[derive(Clone, Debug)]
pub struct LessonFiles<'t> {
    /// Folder of the lesson as the user named it.
    pub folder: &'t str,
    /// `lesson.yaml`.
    pub lesson: &'t [u8],
    /// `start.yaml`: the sections of the solution that the learner has otherwise.
    pub start: Option<&'t [u8]>,
    /// `solution.yaml`: a topology whose scenario is the goal.
    pub solution: &'t [u8],
}

/// A lesson.
#[derive(Clone, Debug)]
pub struct Lesson {
    /// Its name: that of the folder, without the number before it.
    pub name: String,
    /// A few words.
    pub title: String,
    /// Heading under which it is listed.
    pub theme: String,
    /// What most people do not expect.
    pub surprise: String,
    /// Time that it takes.
    pub minutes: Option<u32>,
    /// Lessons that come before it.
    pub needs: Vec<String>,
    /// Its stages, in order.
    pub stages: Vec<Stage>,
    /// The file that reaches the goal.
    pub solution: Topology,
    /// The file that the learner begins with, if the lesson has one.
    pub start: Option<Topology>,
}

/// A stage of a lesson.
#[derive(Clone, Debug)]
pub enum Stage {
    /// A topology is predicted, run and revealed step by step.
    Predict(Box<Topology>),
    /// The rules of a file of the lesson are asked for.
    Investigate(Which),
    /// A goal must be reached.
    Task(Box<Task>),
}

impl Stage {
    /// The word for it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Predict(_) => "predict",
            Self::Investigate(_) => "investigate",
            Self::Task(task) => task.kind.as_str(),
        }
    }
}

impl Lesson {
    /// The era under which a topology of the lesson is told: that of the solution, where it has it.
    pub fn era_of(&self, topology: &Topology) -> Era {
        let own = self.solution.eras.iter().find(|era| topology.eras.contains(era));
        own.or(topology.eras.first()).copied().unwrap_or(Era::Vpc)
    }
}

/// Name of the lesson in a folder: `self-trust` of `lessons/02-self-trust`.
pub fn name_of(folder: &str) -> &str {
    let name = folder.trim_end_matches('/').rsplit('/').next().unwrap_or(folder);
    let rest = name.trim_start_matches(|c: char| c.is_ascii_digit());
    rest.strip_prefix('-').filter(|rest| rest.len() < name.len() && !rest.is_empty()).unwrap_or(name)
}

/// Reads a lesson. `known` are the names of lessons that it may need.
///
/// # Errors
/// Everything that is wrong with its files, each with its place.
pub fn read(files: &LessonFiles<'_>, known: &[&str]) -> Result<Lesson, Vec<Problems>> {
    let name = name_of(files.folder).to_owned();
    let file = |stem: &str| format!("{}/{stem}.yaml", files.folder.trim_end_matches('/'));
    let mut faults = Vec::new();
    let solution = noted(&mut faults, Topology::parse(&file("solution"), files.solution));
    let sections = noted(&mut faults, Sections::of(&file("solution"), files.solution));
    let given = files.start.and_then(|bytes| noted(&mut faults, start_sections(&file("start"), bytes)));
    let text = match reading::text(files.lesson) {
        Ok(text) => text,
        Err(draft) => {
            faults.push(Problems::new(&Source::new(&file("lesson"), ""), vec![draft]));
            return Err(faults);
        }
    };
    let mut told = Vec::new();
    let document = reading::document::<LessonDocument>(text, "docs/lessons.md says what a lesson is", &mut told);
    let reader = Reader { name: &name, files, known, sections, given, solution };
    let lesson = document.and_then(|document| reader.lesson(&document, &mut told, &mut faults));
    if !told.is_empty() {
        faults.insert(0, Problems::new(&Source::new(&file("lesson"), text), told));
    }
    match lesson {
        Some(lesson) if faults.is_empty() => Ok(lesson),
        _ => Err(faults),
    }
}

fn noted<T>(faults: &mut Vec<Problems>, read: Result<T, Problems>) -> Option<T> {
    read.map_err(|problems| faults.push(problems)).ok()
}

/// The start file, which has only what differs from the solution.
fn start_sections(file: &str, bytes: &[u8]) -> Result<Sections, Problems> {
    let sections = Sections::of(file, bytes)?;
    sections.check_only(
        &[EDITED, MEMBERS],
        "a start file has `groups:` and perhaps `instances:`; the rest is the solution's",
    )?;
    Ok(sections)
}

struct Reader<'r> {
    name: &'r str,
    files: &'r LessonFiles<'r>,
    known: &'r [&'r str],
    sections: Option<Sections>,
    given: Option<Sections>,
    solution: Option<Topology>,
}

impl Reader<'_> {
    fn lesson(
        self,
        document: &LessonDocument,
        told: &mut Vec<Diagnostic>,
        faults: &mut Vec<Problems>,
    ) -> Option<Lesson> {
        let said = |field: &Field<Text>, key: &str, told: &mut Vec<Diagnostic>| {
            if !field.is_there() {
                told.push(Diagnostic::new(document.at.span.beginning(), format!("`{key}` is missing")));
            }
            field.get().map(|text| text.text().to_owned())
        };
        if !document.lesson.is_there() {
            let draft = Diagnostic::new(document.at.span.beginning(), "the file does not say which version it has");
            told.push(draft.help("it begins with `lesson: 1`"));
        }
        let title = said(&document.title, "title", told);
        let theme = said(&document.theme, "theme", told);
        let surprise = said(&document.surprise, "surprise", told);
        let needs = document.needs.get().map_or(&[][..], |needs| &needs.items);
        for need in needs.iter().filter(|need| !self.known.contains(&need.text())) {
            let draft = Diagnostic::new(need.span, format!("there is no lesson {}", quote(need.text())));
            told.push(draft.maybe_help(suggest(need.text(), self.known.iter().copied())));
        }
        let needs = needs.iter().map(|need| need.text().to_owned()).collect();
        let start = self.start(Kind::Fix).and_then(|text| self.topology(Kind::Fix, &text, faults));
        let stages = match document.stages.get() {
            Some(list) if list.items.is_empty() && !list.unread => {
                told.push(Diagnostic::new(list.span, "a lesson has at least one stage"));
                Vec::new()
            }
            Some(list) => {
                let stages = list.items.iter().flat_map(|one| self.stage(one, start.as_ref(), told, faults));
                stages.collect()
            }
            None => {
                if !document.stages.is_there() {
                    told.push(Diagnostic::new(document.at.span.beginning(), "`stages` is missing"));
                }
                Vec::new()
            }
        };
        Some(Lesson {
            name: self.name.to_owned(),
            title: title?,
            theme: theme?,
            surprise: surprise?,
            minutes: document.minutes.get().map(|minutes| minutes.value),
            needs,
            stages,
            solution: self.solution?,
            start,
        })
    }

    /// The text that a stage begins with.
    fn start(&self, kind: Kind) -> Option<String> {
        let solution = self.sections.as_ref()?;
        let text = match (kind, &self.given) {
            (Kind::Fix, Some(given)) => {
                let sections: Vec<(&str, &str)> =
                    given.keys().filter_map(|key| Some((key, given.text_of(key)?))).collect();
                solution.with(&sections)
            }
            (Kind::Fix, None) => return None,
            (Kind::Make, _) => solution.with(&[(EDITED, &solution.emptied(EDITED, KEPT.0, KEPT.1))]),
        };
        Some(text)
    }

    fn file(&self, kind: Kind) -> String {
        format!("{}-{}.yaml", self.name, kind.as_str())
    }

    fn topology(&self, kind: Kind, text: &str, faults: &mut Vec<Problems>) -> Option<Topology> {
        // A fault of the solution is one here too, and has been reported.
        self.solution.as_ref()?;
        noted(faults, Topology::parse(&self.file(kind), text.as_bytes()))
    }

    fn stage(
        &self,
        one: &One<StageDocument>,
        start: Option<&Topology>,
        told: &mut Vec<Diagnostic>,
        faults: &mut Vec<Problems>,
    ) -> Option<Stage> {
        let [(span, stage)] = one.all.as_slice() else {
            return None;
        };
        match stage {
            StageDocument::Predict(text) => self.predicted(text, start, told).map(|it| Stage::Predict(Box::new(it))),
            StageDocument::Investigate(which) => {
                if which.value == Which::Start && self.files.start.is_none() {
                    told.push(without_start(which.span));
                }
                Some(Stage::Investigate(which.value))
            }
            StageDocument::Fix(limits) => self.task(Kind::Fix, *span, limits, told, faults),
            StageDocument::Make(limits) => self.task(Kind::Make, *span, limits, told, faults),
        }
    }

    fn predicted(&self, text: &Text, start: Option<&Topology>, told: &mut Vec<Diagnostic>) -> Option<Topology> {
        match text.text() {
            "start" => {
                if self.files.start.is_none() {
                    told.push(without_start(text.span));
                }
                start.cloned()
            }
            "solution" => self.solution.clone(),
            name => {
                let known =
                    name.strip_prefix(EXAMPLE).and_then(|name| EXAMPLES.iter().find(|(known, _)| *known == name));
                let Some((_, example)) = known else {
                    let all = EXAMPLES.iter().map(|(known, _)| format!("{EXAMPLE}{known}")).collect::<Vec<_>>();
                    let help = suggest(name, all.iter().map(String::as_str));
                    let draft = Diagnostic::new(text.span, format!("there is no built-in topology {}", quote(name)));
                    told.push(draft.help(help.unwrap_or_else(|| {
                        "`start`, `solution`, or `example:NAME` as `sglab list` has them".to_owned()
                    })));
                    return None;
                };
                Topology::parse(name, example.as_bytes()).ok()
            }
        }
    }

    fn task(
        &self,
        kind: Kind,
        span: Span,
        limits: &super::document::LimitsDocument,
        told: &mut Vec<Diagnostic>,
        faults: &mut Vec<Problems>,
    ) -> Option<Stage> {
        if kind == Kind::Fix && self.files.start.is_none() {
            told.push(without_start(span));
        }
        let solution = self.solution.as_ref()?;
        let cloud = solution.initial_cloud(*solution.eras.first()?).ok()?;
        for name in limits.groups.get().map_or(&[][..], |groups| &groups.items) {
            if !cloud.groups.keys().any(|group| group.as_str() == name.text()) {
                let draft = Diagnostic::new(name.span, format!("unknown security group {}", quote(name.text())));
                told.push(draft.maybe_help(suggest(name.text(), cloud.groups.keys().map(|group| group.as_str()))));
            }
        }
        let text = self.start(kind)?;
        let topology = self.topology(kind, &text, faults)?;
        let given = String::from_utf8_lossy(self.files.solution).into_owned();
        let task = Task::new(self.name, kind, Limits::of(limits), (text, topology), (given, solution.clone()));
        Some(Stage::Task(Box::new(task)))
    }
}

fn without_start(span: Span) -> Diagnostic {
    Diagnostic::new(span, "there is no `start.yaml` beside this lesson")
        .help("it has the `groups:` that the learner begins with")
}
