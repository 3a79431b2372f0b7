//! Labs of a class. They are held by one thread, which the requests of all browsers reach by messages.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::{LocalSet, spawn_local};

use crate::lab::Lab;
use crate::model::{Cloud, Era, Flow};
use crate::scenario::{self, Options, RunError, RunResult, StepResult, Stepper};
use crate::topology::Topology;

/// Orders that wait for the thread, at most.
const MAX_WAITING: usize = 256;
/// A lab of which nobody wants anything for so long is given up; it comes up again where it was.
const IDLE: Duration = Duration::from_secs(600);
/// A boot, a step or a file is given up after it.
const TIME_LIMIT: Duration = Duration::from_secs(30);

/// Reason why a lab did not do what it was to do, in words.
pub type LabFailure = String;

/// Orders for labs.
#[derive(Clone, Debug)]
pub struct Labs {
    orders: mpsc::Sender<Order>,
}

/// Labs of a class, for the thread that holds them.
#[derive(Debug)]
pub struct LabThread {
    orders: mpsc::Receiver<Order>,
    turns: Arc<Semaphore>,
}

#[derive(Debug)]
enum Order {
    Walk { topology: Arc<Topology>, era: Era, steps: mpsc::Receiver<StepOrder> },
    Run { topology: Arc<Topology>, reply: oneshot::Sender<Result<Vec<RunResult>, LabFailure>> },
}

#[derive(Debug)]
struct StepOrder {
    asked: Vec<Flow>,
    reply: oneshot::Sender<Result<TakenStep, LabFailure>>,
}

/// A step that was taken, and the cloud after it.
#[derive(Clone, Debug)]
pub struct TakenStep {
    /// Result of the step.
    pub result: StepResult,
    /// The cloud after it.
    pub cloud: Cloud,
}

/// A lab that goes through the steps of a file, one at a time. It goes down where this is dropped.
#[derive(Debug)]
pub struct Walk {
    steps: mpsc::Sender<StepOrder>,
    /// Steps that it has taken.
    pub taken: usize,
}

/// Labs of which so many work at the same time; the others wait for their turn.
pub fn labs(at_once: usize) -> (Labs, LabThread) {
    let (send, orders) = mpsc::channel(MAX_WAITING);
    (Labs { orders: send }, LabThread { orders, turns: Arc::new(Semaphore::new(at_once)) })
}

impl Labs {
    /// Begins to walk a file; its lab boots with the first step.
    pub async fn walk(&self, topology: Arc<Topology>, era: Era) -> Walk {
        let (send, steps) = mpsc::channel(1);
        // Where nobody takes orders any more, the first step says so.
        drop(self.orders.send(Order::Walk { topology, era, steps }).await);
        Walk { steps: send, taken: 0 }
    }

    /// Runs a file under each of its eras, in a lab of its own each.
    ///
    /// # Errors
    /// [`LabFailure`].
    pub async fn run(&self, topology: Arc<Topology>) -> Result<Vec<RunResult>, LabFailure> {
        let (reply, answer) = oneshot::channel();
        drop(self.orders.send(Order::Run { topology, reply }).await);
        answer.await.unwrap_or_else(|_| Err(ENDING.to_owned()))
    }
}

const ENDING: &str = "the class is over";

impl Walk {
    /// Takes the next step, and tells besides what became of these flows.
    ///
    /// # Errors
    /// [`LabFailure`]; the lab is gone then.
    pub async fn step(&mut self, asked: Vec<Flow>) -> Result<TakenStep, LabFailure> {
        let (reply, answer) = oneshot::channel();
        drop(self.steps.send(StepOrder { asked, reply }).await);
        let taken = answer.await.unwrap_or_else(|_| Err(ENDING.to_owned()))?;
        self.taken += 1;
        Ok(taken)
    }

    /// True once its lab was given up.
    pub fn is_over(&self) -> bool {
        self.steps.is_closed()
    }
}

impl LabThread {
    /// Holds labs until nobody can order any more.
    pub async fn hold(mut self) {
        let local = LocalSet::new();
        let turns = Arc::clone(&self.turns);
        local
            .run_until(async move {
                while let Some(order) = self.orders.recv().await {
                    let turns = Arc::clone(&turns);
                    match order {
                        Order::Walk { topology, era, steps } => drop(spawn_local(walk(topology, era, steps, turns))),
                        Order::Run { topology, reply } => drop(spawn_local(run(topology, reply, turns))),
                    }
                }
            })
            .await;
    }
}

async fn run(
    topology: Arc<Topology>,
    reply: oneshot::Sender<Result<Vec<RunResult>, LabFailure>>,
    turns: Arc<Semaphore>,
) {
    let _turn = turns.acquire().await;
    let result = limited(scenario::run_eras(&topology)).await;
    // Whoever wanted it may have left.
    drop(reply.send(result));
}

async fn walk(topology: Arc<Topology>, era: Era, mut steps: mpsc::Receiver<StepOrder>, turns: Arc<Semaphore>) {
    let Some(first) = next(&mut steps).await else { return };
    let booted = {
        let _turn = turns.acquire().await;
        limited(scenario::boot(&topology, era)).await
    };
    let (mut lab, boot): (Lab, Duration) = match booted {
        Ok(booted) => booted,
        Err(why) => return drop(first.reply.send(Err(why))),
    };
    let mut stepper = Stepper::new(&mut lab, &topology, boot, Options::default());
    let mut order = Some(first);
    while let Some(StepOrder { asked, reply }) = order {
        let taken = {
            let _turn = turns.acquire().await;
            limited(stepper.take(&asked)).await.map(|result| result.cloned())
        };
        let taken = taken.and_then(|result| match result {
            Some(result) => Ok(TakenStep { result, cloud: stepper.cloud().clone() }),
            None => Err("there is no step left".to_owned()),
        });
        let is_over = taken.is_err();
        drop(reply.send(taken));
        if is_over {
            return;
        }
        order = next(&mut steps).await;
    }
}

/// The next order, if it comes before the lab has been idle for too long.
async fn next(steps: &mut mpsc::Receiver<StepOrder>) -> Option<StepOrder> {
    tokio::time::timeout(IDLE, steps.recv()).await.ok().flatten()
}

async fn limited<T>(work: impl Future<Output = Result<T, RunError>>) -> Result<T, LabFailure> {
    match tokio::time::timeout(TIME_LIMIT, work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("it was not done after {} s, and was given up", TIME_LIMIT.as_secs())),
    }
}
