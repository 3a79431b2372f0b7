//! Results as cases: a case a step, and one for whatever else can fail a run. A format of test results, such as JUnit, lists them.

use super::{Broken, Entry, Style, coverage, held_connections, terminal, text};
use crate::scenario::{Coverage, RunResult, StepResult, StepStatus};

/// A case.
#[derive(Clone, Debug)]
pub(super) struct Case<'a> {
    /// Its name, each once in an entry.
    pub name: String,
    /// The topology and its era, if it got that far.
    pub class: Option<String>,
    /// Its result. A file that could not be run is inconclusive.
    pub status: StepStatus,
    /// The reason in one line, unless it passed.
    pub message: Option<String>,
    /// Number of what it holds: cells, or rules.
    pub assertions: Option<usize>,
    /// Subject of it.
    pub subject: Subject<'a>,
}

/// Subject of a case.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject<'a> {
    /// A step.
    Step {
        /// Its run.
        result: &'a RunResult,
        /// The steps before it.
        earlier: &'a [StepResult],
        /// Itself.
        step: &'a StepResult,
    },
    /// Coverage of the rules, where it is required.
    Coverage(&'a Coverage),
    /// A file that could not be run to its end.
    Broken,
}

/// Names an entry: its file and its era.
pub(super) fn title(entry: &Entry) -> String {
    let (file, era) = match entry {
        Entry::Ran(result) => (&result.head.file, Some(result.head.era)),
        Entry::Broken(broken) => (&broken.file, broken.era),
    };
    era.map_or_else(|| file.to_string(), |era| format!("{file} (era {era})"))
}

/// Gives the cases of an entry, in order.
pub(super) fn cases(entry: &Entry) -> Vec<Case<'_>> {
    match entry {
        Entry::Ran(result) => {
            let steps = result.steps.iter().enumerate().map(|(index, step)| of_step(result, index, step));
            let coverage = result.coverage.as_ref().filter(|it| it.required);
            steps.chain(coverage.map(|it| of_coverage(result, it))).collect()
        }
        Entry::Broken(broken) => vec![of_broken(broken)],
    }
}

impl Case<'_> {
    /// Tells the whole of a case that failed, or of which something is not proved.
    pub(super) fn details(&self) -> Option<String> {
        match self.status {
            StepStatus::Passed | StepStatus::NotRun => return None,
            StepStatus::Failed | StepStatus::Inconclusive => {}
        }
        match self.subject {
            Subject::Step { result, earlier, step } => {
                // A reader of one case has not read the others, so nothing is left out as said before.
                let style = Style { verbose: true, ..Style::default() };
                Some(terminal::step(&result.head, earlier, step, style))
            }
            Subject::Coverage(coverage) => Some(coverage::section(coverage, Style::default())),
            Subject::Broken => None,
        }
    }
}

fn class(result: &RunResult) -> Option<String> {
    Some(format!("{}.{}", result.head.topology, result.head.era))
}

fn of_step<'a>(result: &'a RunResult, index: usize, step: &'a StepResult) -> Case<'a> {
    Case {
        name: format!("{} {}", step.number, step.name),
        class: class(result),
        status: step.status,
        message: (step.status != StepStatus::Passed).then(|| summary(step)),
        assertions: Some(step.counts.cells),
        subject: Subject::Step { result, earlier: result.steps.get(..index).unwrap_or_default(), step },
    }
}

fn of_coverage<'a>(result: &'a RunResult, coverage: &'a Coverage) -> Case<'a> {
    let status = match (coverage.is_wanting(), coverage.is_unproved()) {
        (true, _) => StepStatus::Failed,
        (false, true) => StepStatus::Inconclusive,
        (false, false) => StepStatus::Passed,
    };
    Case {
        name: "every rule is exercised".to_owned(),
        class: class(result),
        status,
        message: (status != StepStatus::Passed).then(|| coverage::summary(coverage)),
        assertions: Some(coverage.rules.len()),
        subject: Subject::Coverage(coverage),
    }
}

fn of_broken(broken: &Broken) -> Case<'_> {
    Case {
        name: "runs to the end".to_owned(),
        class: None,
        status: StepStatus::Inconclusive,
        message: Some(broken.error.clone()),
        assertions: None,
        subject: Subject::Broken,
    }
}

/// A step's failure in one line.
fn summary(step: &StepResult) -> String {
    if let Some(first) = step.model.flows.first() {
        let count = text::count(step.model.flows.len(), "cell");
        return format!("model and kernel disagree about {count}, such as {}", first.flow);
    }
    if let Some(first) = step.model.connections.disagreements.first() {
        return format!("model and kernel disagree about a {}", held_connections::sentence(first));
    }
    if let Some(check) = step.sections().find(|check| check.is_failed()) {
        return check.to_string();
    }
    let unproved = step.cells().filter(|(check, _)| check.is_inconclusive()).count();
    let inconclusive = step.sections().find(|check| !check.is_passed());
    match (step.findings.first(), step.counts.wrong) {
        (Some(finding), _) => finding.text.clone(),
        (None, 0) if inconclusive.is_some() => inconclusive.map_or_else(String::new, ToString::to_string),
        (None, 0) if unproved == 0 && step.probed.canaries_held => {
            let unproved = step.model.connections.not_compared.iter().find(|it| it.is_unproved());
            unproved.map_or_else(String::new, |it| format!("connection {} not proved: {}", it.name, it.reason))
        }
        (None, 0) if unproved == 0 => "the canaries did not hold".to_owned(),
        (None, 0) => format!("{unproved} of {} cells not proved", step.counts.cells),
        (None, wrong) => format!("{wrong} of {} cells wrong", step.counts.cells),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::{BAD_INPUT, testing};

    fn listed(entry: &Entry) -> Vec<(String, StepStatus, bool)> {
        let all = cases(entry);
        all.iter().map(|it| (it.name.clone(), it.status, it.details().is_some())).collect()
    }

    #[test]
    fn required_coverage_and_a_broken_file_are_a_case_each() {
        let named = |name: &str, status, told| (name.to_owned(), status, told);
        let step = named("1 as launched", StepStatus::Passed, false);
        let rules = named("every rule is exercised", StepStatus::Failed, true);
        assert_eq!(listed(&testing::unexercised(true).into()), [step.clone(), rules]);
        assert_eq!(listed(&testing::unexercised(false).into()), [step]);
        let error = "no such file".to_owned();
        let broken = Broken { file: "gone.yaml".into(), era: None, place: None, error, exit_code: BAD_INPUT };
        let broken = Entry::Broken(broken);
        assert_eq!(listed(&broken), [named("runs to the end", StepStatus::Inconclusive, false)]);
        assert_eq!(
            (title(&broken), cases(&broken)[0].message.as_deref()),
            ("gone.yaml".to_owned(), Some("no such file"))
        );
    }

    #[test]
    fn whatever_did_not_pass_has_a_reason() {
        for result in [testing::failed(), testing::inconclusive(), testing::refused(), testing::disagreeing()] {
            let entry = result.into();
            let all = cases(&entry);
            assert!(all.iter().any(|it| it.message.is_some()));
            for case in all {
                let has_reason = case.message.as_ref().is_some_and(|it| !it.is_empty());
                assert_eq!(has_reason, case.status != StepStatus::Passed, "{case:?}");
            }
        }
    }
}
