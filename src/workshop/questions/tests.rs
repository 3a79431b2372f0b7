use super::*;
use crate::scenario::Options;
use crate::scenario::predict::predict;
use crate::topology::EXAMPLES;

fn example(name: &str) -> Topology {
    let (_, text) = EXAMPLES.iter().find(|(known, _)| *known == name).expect("a built-in topology");
    Topology::parse(&format!("{name}.yaml"), text.as_bytes()).expect("a valid topology")
}

fn asked(name: &str, era: Era) -> Vec<String> {
    let all = of(&example(name), era).expect("a cloud");
    let line = |step: usize, puzzle: &Puzzle| {
        let trap = puzzle.trap.map_or_else(String::new, |trap| format!("   {trap:?}"));
        format!("{step} {}{trap}", puzzle.subject.words())
    };
    all.iter().flat_map(|it| it.puzzles.iter().map(move |puzzle| line(it.step, puzzle))).collect()
}

#[test]
fn examples_are_asked_about_these() {
    let of = |name, era: Era| format!("{name}, {era}\n{}", asked(name, era).join("\n"));
    let all = Era::ALL.map(|era| of("self-trust", era)).into_iter().chain([of("two-tier", Era::Article)]);
    insta::assert_snapshot!(all.collect::<Vec<_>>().join("\n\n"));
}

#[test]
fn a_session_that_outlives_its_rule_is_asked_about_by_its_name() {
    let all = asked("gotchas/case-16-a-tracked-session-outlives-its-rule", Era::Vpc);
    assert!(all.iter().any(|line| line.contains("connection ")), "{all:#?}");
}

#[test]
fn every_question_of_the_library_is_about_a_cell_of_its_step_and_a_step_asks_for_few() {
    for (name, _) in EXAMPLES {
        let topology = example(name);
        for &era in &topology.eras {
            let mut cloud = topology.initial_cloud(era).expect("a cloud");
            for puzzles in of(&topology, era).expect("a cloud") {
                let step = &topology.steps[puzzles.step - 1];
                cloud = step.cloud_after(&cloud);
                let extent = demand::extent(&topology, &cloud);
                let demands = demand::demands(&topology, &Expected::of(step).cells, &cloud).demands;
                let mut cells: IndexSet<Flow> = demands.into_iter().map(|demand| demand.flow).collect();
                if !extent.is_empty() {
                    cells.extend(extent.grid(&cloud, &topology.columns));
                }
                assert!(puzzles.puzzles.len() <= MAX_QUESTIONS, "{name}, {era}: {puzzles:?}");
                let mut once = IndexSet::new();
                for puzzle in &puzzles.puzzles {
                    assert!(once.insert(&puzzle.subject), "{name}, {era}: asked twice in {puzzles:?}");
                    if let Subject::Flow(flow) = &puzzle.subject {
                        assert!(cells.contains(flow), "{name}, {era}: {flow} is no cell of step {}", puzzles.step);
                    }
                }
            }
        }
    }
}

/// A load balancer that closes what it takes is asked about by no word.
#[test]
fn every_question_of_the_library_about_a_flow_has_an_answer_that_can_be_given() {
    for (name, _) in EXAMPLES {
        let topology = example(name);
        for &era in &topology.eras {
            let result = predict(&topology, era, &Options::default(), &mut |_| {}).expect("a prediction");
            for puzzles in of(&topology, era).expect("a cloud") {
                let step = result.steps.iter().find(|it| it.number == puzzles.step).expect("a step");
                for puzzle in &puzzles.puzzles {
                    let Subject::Flow(flow) = &puzzle.subject else { continue };
                    let Some(class) = step.probed.observed.get(flow) else { continue };
                    assert!(answer(*class).is_some(), "{name}, {era}, step {}: {flow} is {class:?}", puzzles.step);
                }
            }
        }
    }
}

#[test]
fn a_step_that_names_a_flow_which_surprises_asks_about_one() {
    for (name, _) in EXAMPLES {
        let topology = example(name);
        for &era in &topology.eras {
            let mut cloud = topology.initial_cloud(era).expect("a cloud");
            for puzzles in of(&topology, era).expect("a cloud") {
                let step = &topology.steps[puzzles.step - 1];
                let before = cloud.clone();
                cloud = step.cloud_after(&cloud);
                let outcomes = Outcomes::of(&topology);
                let paper = Paper::new((&topology, &outcomes), step, &before, &cloud);
                let demands = demand::demands(&topology, &Expected::of(step).cells, &cloud).demands;
                let own = demands.iter().filter(|demand| demand.by == CellSource::Step);
                let surprises = own.filter(|demand| paper.candidate(&demand.flow, true).trap.is_some()).count();
                let full = puzzles.puzzles.iter().all(|it| matches!(it.subject, Subject::Connection(_)));
                let asked = puzzles.puzzles.iter().filter(|it| it.trap.is_some()).count();
                assert!(surprises == 0 || full || asked > 0, "{name}, {era}, step {}", puzzles.step);
            }
        }
    }
}

#[test]
fn what_cannot_be_launched_has_no_questions() {
    let (refusal, _) = of(&example("gotchas/case-21-no-egress-no-way-out"), Era::Classic).expect_err("egress rules");
    assert_eq!(refusal.code.as_str(), "InvalidParameterValue");
}

#[test]
fn a_description_changes_no_packet_and_so_touches_nothing() {
    let touched_by = |does: &str| {
        let text = format!(
            "sglab: 1\nera: vpc\nhosts: {{o: 203.0.113.10}}\ngroups: {{g: [tcp 22 from o]}}\n\
             instances: {{a: {{groups: g}}}}\nscenario: [{{step: s, do: [{does}], expect: {{dropped: ['o -> a:80']}}}}]\n"
        );
        let topology = Topology::parse("t.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
        let (instances, groups) = touched(&topology.steps[0]);
        (instances.len(), groups.len())
    };
    assert_eq!(
        touched_by("{update-description: {g: [{protocol: tcp, port: 22, from: o, description: admins}]}}"),
        (0, 0)
    );
    assert_eq!(touched_by("{revoke: {g: [tcp 22 from o]}}"), (0, 1));
}
