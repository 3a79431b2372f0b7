//! Results as JUnit XML: a suite a run, a case a step.

use quick_junit::{NonSuccessKind, Property, Report, SerializeError, TestCase, TestCaseStatus, TestSuite};

use super::terminal;
use super::{Broken, Entry, Style, coverage, held_connections, text};
use crate::scenario::{RunResult, StepResult, StepStatus};

/// The results as one JUnit document. Wrong is a failure, inconclusive an error, not run is skipped.
///
/// # Errors
/// None is known: it is written to memory.
pub fn junit(entries: &[Entry]) -> Result<String, SerializeError> {
    let mut report = Report::new("sglab");
    for entry in entries {
        report.add_test_suite(match entry {
            Entry::Ran(result) => suite(result),
            Entry::Broken(broken) => broken_suite(broken),
        });
    }
    report.to_string()
}

fn suite(result: &RunResult) -> TestSuite {
    let head = &result.head;
    let mut suite = TestSuite::new(format!("{} (era {})", head.file, head.era));
    suite.set_time(result.took);
    suite.add_property(Property::new("era", head.era.as_str()));
    for claim in result.claims() {
        suite.add_property(Property::new("claim", claim));
    }
    for (index, step) in result.steps.iter().enumerate() {
        let earlier = result.steps.get(..index).unwrap_or_default();
        suite.add_test_case(case(result, earlier, step));
    }
    if let Some(it) = &result.coverage {
        coverage::junit(&mut suite, it, &format!("{}.{}", head.topology, head.era));
    }
    suite
}

fn case(result: &RunResult, earlier: &[StepResult], step: &StepResult) -> TestCase {
    let mut status = match step.status {
        StepStatus::Passed => TestCaseStatus::success(),
        StepStatus::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        StepStatus::Inconclusive => TestCaseStatus::non_success(NonSuccessKind::Error),
        StepStatus::NotRun => TestCaseStatus::skipped(),
    };
    if step.status != StepStatus::Passed {
        status.set_message(summary(step));
    }
    if matches!(step.status, StepStatus::Failed | StepStatus::Inconclusive) {
        // A reader of one case has not read the others, so nothing is left out as said before.
        let style = Style { verbose: true, ..Style::default() };
        status.set_description(terminal::step(&result.head, earlier, step, style));
    }
    let mut case = TestCase::new(format!("{} {}", step.number, step.name), status);
    case.set_classname(format!("{}.{}", result.head.topology, result.head.era));
    case.set_assertions(step.counts.cells);
    case.set_time(step.took);
    if !step.claims.is_empty() {
        case.set_system_out(step.claims.join("\n"));
    }
    case
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
    if let Some(check) = step.sections().find(|check| !check.is_passed()) {
        return check.to_string();
    }
    let unproved = step.cells().filter(|(check, _)| check.is_inconclusive()).count();
    match (step.findings.first(), step.counts.wrong) {
        (Some(finding), _) => finding.text.clone(),
        (None, 0) if unproved == 0 && step.probed.canaries_held => {
            let unproved = step.model.connections.not_compared.iter().find(|it| it.is_unproved());
            unproved.map_or_else(String::new, |it| format!("connection {} not proved: {}", it.name, it.reason))
        }
        (None, 0) if unproved == 0 => "the canaries did not hold".to_owned(),
        (None, 0) => format!("{unproved} of {} cells not proved", step.counts.cells),
        (None, wrong) => format!("{wrong} of {} cells wrong", step.counts.cells),
    }
}

fn broken_suite(broken: &Broken) -> TestSuite {
    let name = match broken.era {
        Some(era) => format!("{} (era {era})", broken.file),
        None => broken.file.to_string(),
    };
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
    status.set_message(&*broken.error);
    let mut suite = TestSuite::new(name);
    suite.add_test_case(TestCase::new("runs to the end", status));
    suite
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::testing;

    #[test]
    fn wrong_is_a_failure_inconclusive_an_error_and_not_run_is_skipped() {
        let mut failed = testing::failed();
        failed.steps.truncate(2);
        let all = [failed.into(), testing::inconclusive().into(), testing::refused().into(), testing::claimed().into()];
        insta::assert_snapshot!(junit(&all).unwrap());
    }
}
