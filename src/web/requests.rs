//! What the page asks for beyond the stream: operations, explanations, steps.

#[cfg(test)]
mod tests;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::board::Board;
use super::by_address::ByAddress;
use super::forms::{self, Wanted};
use super::lab::LabClient;
use super::watch;
use crate::control::ClientError;
use crate::model::{Cloud, Flow, Operation, Peers, shown};
use crate::protocol::{ProbeDetails, Reply, Request, Revision, State};
use crate::report::live::{AppliedView, RefusedView};
use crate::report::{Style, events, replies};
use crate::scenario::cells;
use crate::topology::{Problem, Problems, TypedFlow};

/// An answer for the page.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "result", rename_all = "kebab-case")]
pub enum Answer {
    /// Operations are in force.
    Applied {
        /// Each with what it changed.
        done: Vec<AppliedView>,
        /// Operations that EC2 refused: a step may show that.
        refused: Vec<RefusedView>,
    },
    /// EC2 refused.
    Refused(RefusedView),
    /// Somebody else was first.
    Stale {
        /// Revision of the lab by now.
        revision: Revision,
    },
    /// The words mean nothing.
    Invalid {
        /// Problems, each with the words that it is about: a form has fields and no lines.
        problems: Vec<InWords>,
    },
    /// It could not be done.
    Failed {
        /// Reason, in words.
        why: String,
    },
    /// Flows explained and probed.
    Explained {
        /// As `sglab explain --format json` has them.
        flows: Vec<Value>,
    },
    /// It is done.
    Done,
}

/// A problem of what somebody has typed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InWords {
    message: String,
    help: Option<String>,
    /// All that was typed into the field.
    words: String,
    /// Characters before the place that is meant.
    before: u32,
    /// Characters that are meant.
    width: u32,
}

impl Answer {
    fn invalid(problems: &Problems) -> Self {
        let one = |problem: &Problem| InWords {
            message: shown(problem.message()).into_owned(),
            help: problem.help().map(|help| shown(help).into_owned()),
            words: problems.line_of(problem).unwrap_or_default().to_owned(),
            before: problem.place().column.saturating_sub(1),
            width: problem.width(),
        };
        Self::Invalid { problems: problems.iter().map(one).collect() }
    }

    fn failed(why: impl ToString) -> Self {
        Self::Failed { why: why.to_string() }
    }

    fn unexpected(reply: Reply) -> Self {
        match reply {
            Reply::Unfit(unfit) => Self::failed(replies::unfit(&unfit)),
            Reply::Partly { done, failed, why } => Self::failed(replies::partly(&done, failed.as_deref(), &why)),
            Reply::Failed(failure) => Self::failed(failure),
            Reply::Stale(revision) => Self::Stale { revision },
            _ => Self::failed(replies::UNEXPECTED),
        }
    }
}

impl From<ClientError> for Answer {
    fn from(error: ClientError) -> Self {
        Self::failed(error)
    }
}

/// An operation, and the revision that whoever asks for it has seen.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationRequest {
    at: Revision,
    wanted: Wanted,
}

/// The next step of the file, and the number of steps that were done then.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepRequest {
    at: Revision,
    done: usize,
}

/// A cell by its index in the table of a revision.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CellAt {
    cell: usize,
    at: Revision,
}

/// A flow to be explained.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum ExplainRequest {
    /// That of a cell.
    Cell(CellAt),
    /// In the words of a file: `web1 -> db1:3306`.
    Flow(String),
}

/// How much is to be shown.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum ViewRequest {
    /// Rows by these addresses: `usual`, `public`, `ipv6`, `dns`.
    By(Vec<ByAddress>),
    /// Takes classes of this title apart, or puts them together again.
    Toggle(String),
}

/// Carries out an operation, if the lab is where the page has seen it.
pub async fn operate(board: &Board, client: &LabClient, OperationRequest { at, wanted }: OperationRequest) -> Answer {
    let state = board.state();
    let operations = match &wanted {
        Wanted::Form(form) => forms::operations(form, &state.cloud),
        Wanted::Remedy(words) => match board.offered(words) {
            Some(operations) => Ok(operations),
            None => return Answer::failed("that was not offered as a remedy: ask for the explanation again"),
        },
    };
    if state.revision != at {
        return Answer::Stale { revision: state.revision };
    }
    match operations {
        Ok(operations) => {
            let answer = apply(client, operations, Some(at), &state.cloud).await;
            look_again(board, client, answer).await
        }
        Err(problems) => Answer::invalid(&problems),
    }
}

/// Shows what an operation has led to before it is answered: whoever acts again at once has seen it.
async fn look_again(board: &Board, client: &LabClient, answer: Answer) -> Answer {
    if matches!(answer, Answer::Applied { .. }) {
        match watch::state(client).await {
            Ok(state) => board.show(state),
            Err(why) => return Answer::failed(why),
        }
    }
    answer
}

async fn apply(client: &LabClient, operations: Vec<Operation>, at: Option<Revision>, cloud: &Cloud) -> Answer {
    match client.ask(Request::Apply { operations, at }).await {
        Ok(Reply::Applied(done)) => {
            Answer::Applied { done: done.iter().map(AppliedView::of).collect(), refused: Vec::new() }
        }
        Ok(Reply::Refused { operation, refusal }) => Answer::Refused(RefusedView::of(&operation, &refusal, cloud)),
        Ok(other) => Answer::unexpected(other),
        Err(error) => error.into(),
    }
}

/// Carries out the operations of the next step: each call all or nothing, and one that EC2 refuses is passed over, as in a file.
pub async fn step(board: &Board, client: &LabClient, StepRequest { at, done }: StepRequest) -> Answer {
    let Some(script) = board.script() else { return Answer::failed("the lab was not booted from a file with steps") };
    let state = board.state();
    if script.done() != done || state.revision != at {
        return Answer::Stale { revision: state.revision };
    }
    let Some(step) = script.next() else { return Answer::failed("all steps are done") };
    let (mut all, mut refused) = (Vec::new(), Vec::new());
    let mut at = Some(at);
    for call in &step.calls {
        match apply(client, call.clone(), at.take(), &state.cloud).await {
            Answer::Applied { done, .. } => all.extend(done),
            Answer::Refused(view) => refused.push(view),
            other => return other,
        }
    }
    let answer = look_again(board, client, Answer::Applied { done: all, refused }).await;
    board.advance(done);
    answer
}

/// Flows to be explained.
struct Question<'c> {
    flows: Vec<Flow>,
    /// Pairs of which both ends send.
    peers: Vec<Peers>,
    /// The cloud of the state, with the hosts that the words alone name.
    cloud: Cow<'c, Cloud>,
}

/// A subject of a question, whatever state the lab is in.
enum Asked {
    /// A cell is one flow. In words a host would be each of its addresses.
    Cell(Flow),
    Words(Box<TypedFlow>),
}

impl Asked {
    /// Finds the flow of a cell in the table that the page has shown.
    fn of(board: &Board, request: &ExplainRequest) -> Result<Self, Box<Answer>> {
        match request {
            ExplainRequest::Cell(CellAt { cell, at }) => {
                let flow = board.flow(*cell, *at).map(Self::Cell);
                flow.ok_or_else(|| Box::new(Answer::failed("the table has changed since: choose the cell again")))
            }
            ExplainRequest::Flow(words) => Ok(Self::Words(Box::new(TypedFlow::new(words)))),
        }
    }

    /// Finds the flows that are meant in a state of the board.
    fn read<'c>(&self, state: &'c State) -> Result<Question<'c>, Box<Answer>> {
        match self {
            Self::Cell(flow) => {
                let cloud = Cow::Borrowed(state.cloud.as_ref());
                Ok(Question { flows: vec![flow.clone()], peers: Vec::new(), cloud })
            }
            Self::Words(flow) => {
                let cloud = flow.with_synthetic_hosts(&state.cloud);
                let pattern = flow.question(&cloud).map_err(|problems| Answer::invalid(&problems))?;
                let flows = cells::meant(&pattern, None, &cloud).map_err(Answer::failed)?;
                let peers = cells::peers(&pattern, &cloud).unwrap_or_default();
                Ok(Question { flows, peers, cloud })
            }
        }
    }
}

/// Explains a flow, and probes it.
pub async fn explain(board: &Board, client: &LabClient, request: ExplainRequest) -> Answer {
    let asked = match Asked::of(board, &request) {
        Ok(asked) => asked,
        Err(answer) => return *answer,
    };
    loop {
        let state = board.state();
        let Question { flows, peers, cloud } = match asked.read(&state) {
            Ok(question) => question,
            Err(answer) => return *answer,
        };
        let probe = Request::Probe { flows, details: ProbeDetails::Records, at: Some(state.revision) };
        match client.ask(probe).await {
            Ok(Reply::Probed(all)) => {
                let state = State { cloud: cloud.into_owned().into(), ..State::clone(&state) };
                let told = events::explained(&state, &all, &peers, Style::default());
                board.offer(told.iter().flat_map(|one| one.offers()).cloned());
                return Answer::Explained { flows: told.iter().map(|one| json!(one)).collect() };
            }
            // The board has not heard of it yet.
            Ok(Reply::Stale(_)) => match watch::state(client).await {
                Ok(state) => board.show(state),
                Err(why) => return Answer::failed(why),
            },
            Ok(other) => return Answer::unexpected(other),
            Err(error) => return error.into(),
        }
    }
}

/// What the room is to do.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub enum RoomRequest {
    /// To predict the flow of a cell.
    Ask(CellAt),
    /// To see what packets have shown.
    Reveal,
    /// To forget the question.
    Withdraw,
}

/// Asks the room, or shows it the outcome.
pub fn room(board: &Board, request: RoomRequest) -> Answer {
    match request {
        RoomRequest::Ask(cell) if board.ask_room(cell.cell, cell.at) => Answer::Done,
        RoomRequest::Ask(_) => Answer::failed("there is no audience (`sglab ui --audience`), or no such cell any more"),
        RoomRequest::Reveal if board.reveal() => Answer::Done,
        RoomRequest::Reveal => Answer::failed(
            "packets have not proved it: wait until the cell is solid. If one end does not run any more, withdraw the question",
        ),
        RoomRequest::Withdraw => {
            board.withdraw();
            Answer::Done
        }
    }
}

/// Changes how much is shown.
pub fn view(board: &Board, request: ViewRequest) -> Answer {
    match request {
        ViewRequest::By(all) if all.is_empty() => return Answer::failed("rows go by at least one address"),
        ViewRequest::By(all) => board.change_shown(|shown| shown.vias = all.into_iter().map(Into::into).collect()),
        ViewRequest::Toggle(title) => board.change_shown(|shown| {
            if !shown.open.remove(&title) {
                shown.open.insert(title);
            }
        }),
    }
    Answer::Done
}
