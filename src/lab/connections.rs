//! The connections that a lab holds open, and by what their packets were let out and in, as filters have recorded them.

use indexmap::IndexMap;
use ipnet::IpNet;

use crate::model::{ConnectionName, Direction, Flow, GroupName, InterfaceId, RuleId};
use crate::network::NodeName;
use crate::probe::{Connection, Logged};

/// State of a connection that is held under a name.
#[derive(Debug)]
enum Holding {
    /// A connection whose ends live.
    Open(Box<Connection>, Admissions),
    /// One that an end of has gone. Its sockets are closed: they would keep a namespace alive that has been given up.
    Over(String),
}

/// Connections by their names.
#[derive(Debug, Default)]
pub(super) struct Connections(IndexMap<ConnectionName, Holding>);

impl Connections {
    /// Holds one.
    pub fn hold(&mut self, name: &ConnectionName, connection: Connection, admissions: Admissions) {
        self.0.insert(name.clone(), Holding::Open(Box::new(connection), admissions));
    }

    /// Those whose ends live.
    pub fn open(&self) -> impl Iterator<Item = (&ConnectionName, &Connection)> {
        self.0.iter().filter_map(|(name, holding)| match holding {
            Holding::Open(connection, _) => Some((name, &**connection)),
            Holding::Over(_) => None,
        })
    }

    /// One whose ends live.
    pub fn find(&self, name: &ConnectionName) -> Option<&Connection> {
        match self.0.get(name)? {
            Holding::Open(connection, _) => Some(&**connection),
            Holding::Over(_) => None,
        }
    }

    /// One that is held; else why it is gone.
    pub fn examined(&mut self, name: &ConnectionName) -> Result<&mut Connection, String> {
        match self.0.get_mut(name) {
            Some(Holding::Open(connection, _)) => Ok(connection),
            Some(Holding::Over(why)) => Err(why.clone()),
            None => Err("it was closed".to_owned()),
        }
    }

    /// Takes the records that filters have made of one since the last call.
    pub fn take_records(&mut self, name: &ConnectionName) -> Vec<Logged> {
        match self.0.get_mut(name) {
            Some(Holding::Open(connection, _)) => connection.take_records(),
            Some(Holding::Over(_)) | None => Vec::new(),
        }
    }

    /// Takes note of what one was let pass by.
    pub fn admit(&mut self, name: &ConnectionName, new: Vec<Admission>) {
        if let Some(Holding::Open(_, admissions)) = self.0.get_mut(name) {
            new.into_iter().for_each(|admission| admissions.add(admission));
        }
    }

    /// Admissions of one whose ends live.
    pub fn admissions(&self, name: &ConnectionName) -> Option<&Admissions> {
        match self.0.get(name)? {
            Holding::Open(_, admissions) => Some(admissions),
            Holding::Over(_) => None,
        }
    }

    /// Closes one.
    pub fn close(&mut self, name: &ConnectionName) {
        self.0.shift_remove(name);
    }

    /// Routers have been told to forget the flows of a block.
    pub fn forget(&mut self, block: IpNet) {
        for holding in self.0.values_mut() {
            if let Holding::Open(connection, _) = holding {
                connection.forget(block);
            }
        }
    }

    /// Ends those of a namespace that is given up, or whose programs have ended.
    pub fn end(&mut self, node: &NodeName, why: &str) {
        for holding in self.0.values_mut() {
            if matches!(holding, Holding::Open(connection, _) if connection.ends().contains(&node)) {
                *holding = Holding::Over(format!("{node}: {why}"));
            }
        }
    }
}

/// Admissions of a connection at both ends.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admissions {
    /// Flows of the connection: one, or of two ends that send to each other what each sends.
    pub flows: Vec<Flow>,
    /// In the order of its packets.
    pub ends: Vec<Admission>,
}

/// Admission, by an end, of something that was new to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admission {
    /// End that admitted it.
    pub at: Direction,
    /// Interface whose groups let it pass.
    pub interface: InterfaceId,
    /// Rule or memory that admitted it.
    pub by: AdmittedBy,
}

/// Reason for which an end lets something pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdmittedBy {
    /// A rule, which may have gone since.
    Rule {
        /// Its identifier.
        id: RuleId,
        /// Group of the rule.
        group: GroupName,
        /// In the words of the file.
        written: String,
    },
    /// The interface has sent to that end before.
    Memory,
    /// Nobody judges at this end in this era.
    Everything,
}

impl Admissions {
    /// Takes note of what has been let pass; what is known of the same end is over.
    pub(super) fn add(&mut self, admission: Admission) {
        match self.ends.iter_mut().find(|it| it.at == admission.at && it.interface == admission.interface) {
            Some(known) => *known = admission,
            None => self.ends.push(admission),
        }
    }

    /// Returns `true` if the receiver's end is among them, where the receiver has one.
    pub fn are_whole(&self) -> bool {
        let Some(flow) = self.flows.first() else { return false };
        let ingress = self.ends.iter().any(|end| end.at == Direction::Ingress);
        ingress || flow.to.interface().is_none() && !self.ends.is_empty()
    }
}
