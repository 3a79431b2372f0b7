//! Requests of the page, against a board without a lab.

use std::sync::Arc;

use indexmap::{IndexMap, IndexSet};

use super::*;
use crate::model::{Endpoint, Era, InstanceName, LoadBalancerName};
use crate::report::explain::Offer;
use crate::topology::{Topology, read_operations};

/// A board as it is before the first packet.
fn board_of(text: &str) -> Board {
    let topology = Topology::parse_cloud("t.yaml", text.as_bytes()).unwrap_or_else(|problems| panic!("{problems}"));
    let state = State {
        lab: "t".to_owned(),
        file: "t.yaml".to_owned(),
        folder: None,
        pid: 1,
        uptime: 0.0,
        revision: Revision(3),
        cloud: Arc::new(topology.initial_cloud(Era::Vpc).unwrap()),
        running: IndexMap::new(),
        pending: Vec::new(),
        processes: IndexMap::new(),
        health: IndexMap::new(),
    };
    Board::new(state, None, None, 0.0)
}

const OFFICE: &str = "sglab: 1
era: vpc
hosts: {office: [203.0.113.10, 203.0.113.11, '2001:db8:77::9']}
vpcs: {main: {cidr: 10.0.0.0/16, ipv6: yes}}
groups: {web: [tcp 80 from 203.0.113.10]}
instances: {web1: {groups: web, listens: tcp 80}, web2: {groups: web, listens: tcp 80}}
";

/// Flows that a request means; nothing where it is refused.
fn meant(board: &Board, request: &ExplainRequest) -> Option<Vec<Flow>> {
    Asked::of(board, request).ok()?.read(&board.state()).ok().map(|question| question.flows)
}

#[test]
fn a_cell_is_explained_as_its_own_flow_and_by_no_other_address_of_its_host() {
    let board = board_of(OFFICE);
    let at = Revision(3);
    let cells: Vec<(usize, Flow)> = (0..200).filter_map(|cell| Some((cell, board.flow(cell, at)?))).collect();
    for address in ["203.0.113.10", "203.0.113.11", "2001:db8:77::9"] {
        let is_of = |flow: &Flow| matches!(&flow.from, Endpoint::Host(_, own) if own.to_string() == address);
        assert!(cells.iter().any(|(_, flow)| is_of(flow)), "no row of {address}");
    }
    for (cell, flow) in cells {
        let asked = meant(&board, &ExplainRequest::Cell(CellAt { cell, at }));
        assert_eq!(asked, Some(vec![flow.clone()]), "{cell}: {flow}");
    }
    let by_name = meant(&board, &ExplainRequest::Flow("office -> web1:80".to_owned()));
    assert_eq!(by_name.map(|flows| flows.len()), Some(3), "the words mean each of its addresses");
}

#[test]
fn a_cell_of_a_table_of_another_revision_is_refused() {
    let board = board_of(OFFICE);
    let cell = (0..200).find(|cell| board.flow(*cell, Revision(3)).is_some()).expect("a cell");
    for at in [Revision(2), Revision(4)] {
        assert_eq!(meant(&board, &ExplainRequest::Cell(CellAt { cell, at })), None);
    }
}

#[test]
fn a_cell_that_was_chosen_is_explained_also_where_the_lab_has_changed_since() {
    let board = board_of(OFFICE);
    let (cell, flow) = (0..200).find_map(|cell| Some((cell, board.flow(cell, Revision(3))?))).expect("a cell");
    let Ok(asked) = Asked::of(&board, &ExplainRequest::Cell(CellAt { cell, at: Revision(3) })) else {
        panic!("its flow")
    };
    let later = State { revision: Revision(4), ..State::clone(&board.state()) };
    assert_eq!(asked.read(&later).ok().map(|question| question.flows), Some(vec![flow]));
}

#[test]
fn a_remedy_is_the_operation_that_was_offered_and_its_words_are_not_read_again() {
    let board = board_of(OFFICE);
    let register = |instance: &str| {
        Operation::RegisterInstances(LoadBalancerName::new("site"), IndexSet::from([InstanceName::new(instance)]))
    };
    let offer = Offer::from(register("web1"));
    let text = format!("- {}", offer.words);
    assert!(read_operations(&board.state().cloud, &text).is_err(), "no file says `{text}`");
    let words = std::slice::from_ref(&offer.words);
    assert_eq!(board.offered(words), None);
    board.offer([offer.clone()]);
    assert_eq!(board.offered(words), Some(vec![register("web1")]));
    board.offer([Offer::from(register("web2"))]);
    assert_eq!(board.offered(words), Some(vec![register("web2")]), "the last one by these words");
    assert_eq!(board.offered(&[offer.words.clone(), "stop: web1".to_owned()]), None, "one of them was not offered");
    assert_eq!(board.offered(&[]), None, "nothing is no remedy");
    let others = (0..1000).map(|number| Offer::from(Operation::Start(InstanceName::new(format!("web{number}")))));
    board.offer(others);
    assert_eq!(board.offered(words), None, "it gave way to later ones");
}
