//! Text reports for the terminal.

mod grid;
mod step;

use super::text::{self, Tone};
use super::{Entry, Style, TopologyOrigin, coverage, held_connections};
use crate::scenario::{Evidence, Head, NotAsked, RunResult, RunVerdict, StepResult, StepStatus};
use crate::topology::write;

pub(super) use grid::NO_CELL;
pub use step::{status, step};

/// All files: a passing one is a line and any other is told in full, unless there is but one.
pub fn entries(entries: &[Entry], style: Style) -> String {
    if let [Entry::Ran(result)] = entries {
        return run(result, style);
    }
    let mut out: String = entries.iter().map(|one| entry(one, style)).collect();
    out.push_str(&total(entries, style));
    out
}

/// One of several: a passing run is a line, any other is told in full.
pub fn entry(entry: &Entry, style: Style) -> String {
    match entry {
        Entry::Ran(result) if result.verdict == RunVerdict::Passed && !style.verbose => line(result, style),
        Entry::Ran(result) => run(result, style),
        Entry::Broken(broken) => {
            let place =
                broken.place.as_ref().map_or_else(|| text::shown(&broken.file).into_owned(), ToString::to_string);
            let era = broken.era.map_or_else(String::new, |era| format!("   era {era}"));
            let mut out = format!("{}  {place}{era}\n", style.paint(Tone::Bad, "ERROR"));
            for line in broken.error.lines() {
                out.push_str(&format!("       {}\n", text::shown_line(line)));
            }
            out
        }
    }
}

/// One of a few that are each told in full.
pub fn whole(entry: &Entry, style: Style) -> String {
    match entry {
        Entry::Ran(result) => run(result, style),
        broken @ Entry::Broken(_) => self::entry(broken, style),
    }
}

/// A whole run: head, steps, foot.
pub fn run(result: &RunResult, style: Style) -> String {
    let mut out = head(&result.head, style);
    for (index, one) in result.steps.iter().enumerate() {
        out.push_str(&step(&result.head, result.steps.get(..index).unwrap_or_default(), one, style));
    }
    out.push_str(&foot(result, style));
    out
}

/// Renders the head of a run, before the first step.
pub fn head(head: &Head, style: Style) -> String {
    let up = match head.evidence {
        Evidence::Packets => format!("up in {}", text::duration(head.boot)),
        Evidence::Prediction => "predicted".to_owned(),
    };
    style.fit(&format!(
        "{}   era {}   {}, {} outside address{}, {}, {}    {up}\n",
        style.paint(Tone::Strong, &text::shown_line(&head.topology)),
        head.era,
        text::count(head.instances, "instance"),
        text::number(head.addresses()),
        if head.addresses() == 1 { "" } else { "es" },
        text::count(head.groups, "group"),
        text::count(head.rules, "rule")
    ))
}

/// Says what tables leave out: ` (not asked: 40 to outside hosts, 12 to other addresses)`.
fn not_asked(cells: NotAsked) -> String {
    let NotAsked { hosts, other_addresses, itself, forged } = cells;
    let parts = [
        (hosts, "to outside hosts"),
        (other_addresses, "to other addresses"),
        (itself, "to oneself by public address"),
        (forged, "in others' names"),
    ];
    let parts = parts.into_iter().filter(|(cells, _)| *cells > 0);
    let parts: Vec<String> = parts.map(|(cells, what)| format!("{} {what}", text::number(cells))).collect();
    if parts.is_empty() { String::new() } else { format!(" (not asked: {})", parts.join(", ")) }
}

/// The verdict, and where to go from there.
pub fn foot(result: &RunResult, style: Style) -> String {
    let RunResult { head, steps, counts, took, verdict, coverage } = result;
    let rules = coverage.as_ref().map_or_else(String::new, |it| coverage::section(it, style));
    let unexercised = coverage.as_ref().filter(|it| it.is_wanting());
    let not_asked = not_asked(counts.not_asked);
    let cells = text::count(counts.cells, "cell");
    let with = |wanted: StepStatus| steps.iter().filter(|step| step.status == wanted).count();
    let canaries =
        if steps.iter().all(|step| step.probed.canaries_held) { "canaries held" } else { "CANARIES DID NOT HOLD" };
    let timed_out = match counts.timed_out {
        0 => String::new(),
        cells => format!(", {} by timeout alone", text::number(cells)),
    };
    let evidence = match (head.evidence, counts.cells) {
        (Evidence::Prediction, _) => "predicted only, no packet was sent".to_owned(),
        (Evidence::Packets, 0) => format!("{}{}", without_cells(steps), held_connections::foot(steps)),
        (Evidence::Packets, _) => format!(
            "{} inconclusive{timed_out}, {canaries}{}",
            text::number(counts.inconclusive),
            held_connections::foot(steps)
        ),
    };
    let took = match head.evidence {
        Evidence::Packets => format!("    {}", text::duration(*took)),
        Evidence::Prediction => String::new(),
    };
    let (told, next) = match verdict {
        RunVerdict::Passed if steps.is_empty() && head.evidence == Evidence::Prediction => {
            (format!("{}  {}\n", style.paint(Tone::Unsure, "NOTHING TO PREDICT"), without_steps(head)), String::new())
        }
        RunVerdict::Passed => (
            format!(
                "{rules}{}  {}, {cells}{not_asked}, {evidence}{took}\n",
                style.paint(Tone::Good, "PASSED"),
                text::count(steps.len(), "step")
            ),
            String::new(),
        ),
        RunVerdict::Failed => {
            let not_run = match with(StepStatus::NotRun) {
                0 => String::new(),
                number => format!(", {number} not run"),
            };
            let wrong = match (counts.cells, counts.wrong) {
                (0, _) => String::new(),
                (_, wrong) => format!(", {} of {cells} wrong", text::number(wrong)),
            };
            let unexercised = unexercised.map_or_else(String::new, |it| {
                format!(", {} unexercised", text::count(it.unexercised().len(), "rule"))
            });
            (
                format!(
                    "{rules}{}  {} of {}{not_run}{wrong}{not_asked}{unexercised}, {evidence}{took}    exit code {}\n",
                    style.paint(Tone::Bad, "FAILED"),
                    with(StepStatus::Failed),
                    text::count(steps.len(), "step"),
                    super::DIFFERS
                ),
                look(head, steps, StepStatus::Failed, style),
            )
        }
        RunVerdict::Inconclusive => (
            format!(
                "{rules}{}  {} of {}, {cells}{}{not_asked}, {evidence}{took}    exit code {}\n",
                style.paint(Tone::Unsure, "INCONCLUSIVE"),
                with(StepStatus::Inconclusive),
                text::count(steps.len(), "step"),
                others_unproved(steps),
                super::INCONCLUSIVE
            ),
            look(head, steps, StepStatus::Inconclusive, style),
        ),
    };
    // What is to be typed is not broken, since it is copied.
    style.fit(&told) + &next
}

/// Says why there is no step.
fn without_steps(head: &Head) -> &'static str {
    match head.steps {
        0 => "the file has no scenario",
        _ => "none of the file's steps is asked for",
    }
}

/// Says how many expectations beside cells, such as of connections, nothing proves.
fn others_unproved(steps: &[StepResult]) -> String {
    match steps.iter().flat_map(StepResult::sections).filter(|check| check.is_inconclusive()).count() {
        0 => String::new(),
        others => format!(", {} not proved", text::count(others, "other expectation")),
    }
}

/// Says what was examined where no cell was.
fn without_cells(steps: &[StepResult]) -> String {
    match steps.iter().map(|step| step.sections().count()).sum() {
        0 => "nothing probed".to_owned(),
        others => format!("no cells, {} examined", text::count(others, "other expectation")),
    }
}

/// Suggests the commands to explain the first such step's flow, and to get a shell at the end of that step.
fn look(head: &Head, steps: &[StepResult], status: StepStatus, style: Style) -> String {
    if style.topology == TopologyOrigin::Import {
        return String::new();
    }
    let Some(step) = steps.iter().find(|step| step.status == status) else { return String::new() };
    let era = if head.era == head.first_era { String::new() } else { format!(" --era {}", head.era) };
    let at = format!("{} --step {}{era}", text::shown(&head.file), step.number);
    let disagreeing = step.model.flows.iter().map(|it| &it.flow);
    let flow = disagreeing.chain(step.wrong().map(|(_, cell)| &cell.flow)).next();
    let why = flow.map(|flow| format!("  why:  sglab explain {at} '{}'\n", write::flow(flow)));
    format!("{}  look: sglab shell {at}\n", why.unwrap_or_default())
}

/// A passing run as one line.
pub fn line(result: &RunResult, style: Style) -> String {
    let word = match result.verdict {
        RunVerdict::Passed => style.paint(Tone::Good, "ok"),
        RunVerdict::Failed => style.paint(Tone::Bad, "FAILED"),
        RunVerdict::Inconclusive => style.paint(Tone::Unsure, "INCONCLUSIVE"),
    };
    let mut out = style.fit(&format!(
        "{word}  {:<40} era {:<8} {:>9} {:>13}    {}\n",
        text::shown(&result.head.file),
        result.head.era,
        text::count(result.steps.len(), "step"),
        text::count(result.counts.cells, "cell"),
        text::duration(result.took)
    ));
    for claim in result.claims() {
        out.push_str(&step::lines(claim, style));
    }
    out
}

/// Renders the total of all files.
pub fn total(entries: &[Entry], style: Style) -> String {
    let ran = || entries.iter().filter_map(|entry| if let Entry::Ran(result) = entry { Some(result) } else { None });
    let with = |wanted| ran().filter(|result| result.verdict == wanted).count();
    let (failed, unsure) = (with(RunVerdict::Failed), with(RunVerdict::Inconclusive));
    let broken = entries.len() - ran().count();
    let cells: usize = ran().map(|result| result.counts.cells).sum();
    let mut parts = vec![format!("{} passed", with(RunVerdict::Passed))];
    let others = [(failed, "failed"), (unsure, "inconclusive"), (broken, "not run to the end")];
    parts.extend(others.iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{count} {word}")));
    let tone = match (failed + broken, unsure) {
        (0, 0) => Tone::Good,
        (0, _) => Tone::Unsure,
        _ => Tone::Bad,
    };
    let code = match super::exit_code(entries) {
        super::PASSED => String::new(),
        code => format!("    exit code {code}"),
    };
    style.fit(&format!(
        "{}  {}{code}\n",
        style.paint(tone, &text::count(entries.len(), "run")),
        format_args!("{}    {}", parts.join(", "), text::count(cells, "cell"))
    ))
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::report::testing;

    fn plain(result: &RunResult) -> String {
        run(result, Style::default())
    }

    fn a_passing_file_shows_its_steps_and_the_grid_once() -> String {
        plain(&testing::passed())
    }

    fn a_failing_file_shows_what_is_wrong_the_rule_and_the_expectation() -> String {
        plain(&testing::failed())
    }

    fn what_is_not_proved_is_told_with_what_is_missing() -> String {
        plain(&testing::inconclusive())
    }

    fn a_refused_operation_is_told_in_the_words_of_ec2_and_the_rest_is_not_run() -> String {
        plain(&testing::refused())
    }

    fn a_claim_of_the_article_is_labelled() -> String {
        plain(&testing::claimed())
    }

    fn of_several_files_a_passing_one_is_a_line() -> String {
        let broken = crate::report::Broken {
            file: "gone.yaml".into(),
            era: None,
            place: None,
            error: "no such file".to_owned(),
            exit_code: crate::report::BAD_INPUT,
        };
        let all =
            [testing::passed().into(), testing::refused().into(), testing::claimed().into(), Entry::Broken(broken)];
        entries(&all, Style::default())
    }

    fn everything_is_told_on_request() -> String {
        let all = Style { grid: true, verbose: true, ..Style::default() };
        run(&testing::failed(), all)
    }

    /// Each of them, with what is to be seen above it.
    #[test]
    fn runs_read_like_this() {
        let all = [
            ("a passing file shows its steps and the grid once", a_passing_file_shows_its_steps_and_the_grid_once()),
            (
                "a failing file shows what is wrong the rule and the expectation",
                a_failing_file_shows_what_is_wrong_the_rule_and_the_expectation(),
            ),
            ("what is not proved is told with what is missing", what_is_not_proved_is_told_with_what_is_missing()),
            (
                "a refused operation is told in the words of ec2 and the rest is not run",
                a_refused_operation_is_told_in_the_words_of_ec2_and_the_rest_is_not_run(),
            ),
            ("a claim of the article is labelled", a_claim_of_the_article_is_labelled()),
            ("of several files a passing one is a line", of_several_files_a_passing_one_is_a_line()),
            ("everything is told on request", everything_is_told_on_request()),
        ];
        insta::assert_snapshot!(testing::sections(&all));
    }

    #[test]
    fn a_grid_of_many_instances_is_left_out_unless_asked_for() {
        let mut result = testing::passed();
        let grid = &mut result.steps[0].probed.grid;
        grid.targets = (0..13)
            .map(|n| crate::model::Endpoint::Instance(crate::model::InstanceName::new(format!("i{n}"))))
            .collect();
        for row in &mut grid.rows {
            row.blocks = vec![row.blocks[0].clone(); 13];
        }
        assert!(plain(&result).contains("a grid of 13 instances; --grid shows it"));
        assert!(run(&result, Style { grid: true, ..Style::default() }).contains("i12"));
    }

    #[test]
    fn colours_change_nothing_but_the_colours() {
        let coloured = run(&testing::failed(), Style { color: true, ..Style::default() });
        let mut bare = String::new();
        let mut parts = coloured.split('\u{1b}');
        bare.push_str(parts.next().unwrap_or_default());
        for part in parts {
            bare.push_str(part.split_once('m').expect("a colour ends").1);
        }
        assert_eq!(bare, plain(&testing::failed()));
    }
}
