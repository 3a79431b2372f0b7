use super::*;
use crate::report::testing;
use insta::assert_snapshot;

fn plain(result: &RunResult) -> String {
    run(result, Style::default())
}

#[test]
fn a_passing_file_shows_its_steps_and_the_grid_once() {
    assert_snapshot!(plain(&testing::passed()));
}

#[test]
fn a_failing_file_shows_what_is_wrong_the_rule_and_the_expectation() {
    assert_snapshot!(plain(&testing::failed()));
}

#[test]
fn what_is_not_proved_is_told_with_what_is_missing() {
    assert_snapshot!(plain(&testing::inconclusive()));
}

#[test]
fn a_refused_operation_is_told_in_the_words_of_ec2_and_the_rest_is_not_run() {
    assert_snapshot!(plain(&testing::refused()));
}

#[test]
fn a_claim_of_the_article_is_labelled() {
    assert_snapshot!(plain(&testing::claimed()));
}

#[test]
fn of_several_files_a_passing_one_is_a_line() {
    let broken = crate::report::Broken {
        file: "gone.yaml".into(),
        era: None,
        place: None,
        error: "no such file".to_owned(),
        exit_code: crate::report::BAD_INPUT,
    };
    let all = [testing::passed().into(), testing::refused().into(), testing::claimed().into(), Entry::Broken(broken)];
    assert_snapshot!(entries(&all, Style::default()));
}

#[test]
fn everything_is_told_on_request() {
    let all = Style { grid: true, verbose: true, ..Style::default() };
    assert_snapshot!(run(&testing::failed(), all));
}

#[test]
fn a_grid_of_many_instances_is_left_out_unless_asked_for() {
    let mut result = testing::passed();
    let grid = &mut result.steps[0].probed.grid;
    grid.targets =
        (0..13).map(|n| crate::model::Endpoint::Instance(crate::model::InstanceName::new(format!("i{n}")))).collect();
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
