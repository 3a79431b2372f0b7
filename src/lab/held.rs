//! Connections that are held open while the cloud changes.

use super::booted::Lab;
use super::connections::{Admission, Admissions, AdmittedBy};
use super::error::LabError;
use crate::model::{ConnectionName, Flow, InstanceState, Peers, Service};
use crate::network::NodeName;
use crate::network::record::Record;
use crate::probe::{Ask, Connection, Held, Logged, NotMet, Receiver};

fn not_opened(name: &ConnectionName, flow: &impl std::fmt::Display, why: String) -> LabError {
    LabError::NotOpened { name: name.clone(), flow: flow.to_string(), why }
}

impl Lab {
    /// Opens a connection and holds it; the receiver asked for has answered when this returns.
    ///
    /// # Errors
    /// [`LabError::Broken`]; [`LabError::NotOpened`] with the reason if the flow does not come about; [`LabError::NotProved`] where nothing proves
    /// that it is not for one of its ends.
    pub async fn open(&mut self, name: &ConnectionName, flow: &Flow) -> Result<(), LabError> {
        let (ask, client) = self.ends(name, flow).await?;
        let state = &self.state;
        let interface_by_index = |node: &NodeName, index| state.interface_by_index(node, index);
        let connection = Connection::open(&mut self.prober, ask, client, &interface_by_index).await;
        self.hold(name, vec![flow.clone()], flow, connection)
    }

    /// Has the two ends of a flow send datagrams to each other, each to the port that the other sends from, and holds that; each has
    /// heard the other when this returns. No rule has to admit what comes.
    ///
    /// # Errors
    /// As for [`Lab::open`].
    pub async fn meet(&mut self, name: &ConnectionName, peers: &Peers) -> Result<(), LabError> {
        let (flow, Some(port)) = (&peers.there, peers.port()) else {
            return Err(not_opened(name, peers, "only datagrams are sent from both ends".to_owned()));
        };
        let (ask, client) = self.ends(name, flow).await?;
        self.free_to_send(&client, peers).await?.map_err(|why| not_opened(name, peers, why))?;
        if let Some((other, _)) = self.connections.open().find(|(_, held)| held.is_between(&ask, port)) {
            return Err(not_opened(name, peers, format!("{other} is held between the same ports")));
        }
        let connection = Connection::meet(&mut self.prober, ask, client, port).await;
        self.hold(name, vec![peers.there.clone(), peers.back.clone()], peers, connection)
    }

    /// Makes sure that the first of two peers can send from its port, which nothing but the harness may hold; else says why not, in words.
    async fn free_to_send(&mut self, client: &Receiver, peers: &Peers) -> Result<Result<(), String>, LabError> {
        let (from, service) = (&peers.there.from, peers.back.service);
        let held = |holder: &str| format!("{holder} holds {service} of {from}, from which it is to send");
        if from.instance().is_some_and(|from| self.processes.hold(self.state.cloud(), from, service)) {
            return Ok(Err(held("a service")));
        }
        let namespace = std::sync::Arc::clone(self.state.fabric().node(&client.node)?);
        let listens = self.prober.listen_too(&namespace, service).await?;
        Ok(if listens { Ok(()) } else { Err(held("a program")) })
    }

    fn hold(
        &mut self,
        name: &ConnectionName,
        flows: Vec<Flow>,
        flow: &impl std::fmt::Display,
        connection: Result<Connection, NotMet>,
    ) -> Result<(), LabError> {
        let connection = connection.map_err(|not_met| match not_met {
            NotMet::Apart(why) => not_opened(name, flow, why),
            NotMet::Unproved(why) => LabError::NotProved { name: name.clone(), flow: flow.to_string(), why },
        })?;
        let admissions = Admissions { flows, ends: Vec::new() };
        self.connections.hold(name, connection, admissions);
        self.note_admissions(name);
        Ok(())
    }

    /// Takes note of what records say by which a connection was let pass; rules that have gone by later are still known now.
    fn note_admissions(&mut self, name: &ConnectionName) {
        let records = self.connections.take_records(name);
        let new: Vec<_> = records.iter().filter_map(|logged| self.admission(logged)).collect();
        self.connections.admit(name, new);
    }

    /// Admissions of a connection that is held, as far as filters have recorded them.
    pub fn admissions(&self, name: &ConnectionName) -> Option<&Admissions> {
        self.connections.admissions(name)
    }

    /// Finds the question of a flow and its client, and has the harness listen at the receiver.
    async fn ends(&mut self, name: &ConnectionName, flow: &Flow) -> Result<(Ask, Receiver), LabError> {
        self.refuse_broken()?;
        let not_opened = |why: String| not_opened(name, flow, why);
        let resolved = self.resolve(std::slice::from_ref(flow)).await;
        let ask = self.ask(flow, &resolved).map_err(|why| not_opened(why.to_string()))?;
        let client = self.client(flow).map_err(|why| not_opened(why.to_string()))?;
        if flow.to.instance().is_some_and(|to| self.processes.hold(self.state.cloud(), to, flow.service)) {
            return Err(not_opened("a service holds the port, and what is held are connections to the harness".into()));
        }
        if let Some(receiver) = ask.receiver.as_ref().filter(|receiver| !self.is_deaf(&receiver.node, flow.service)) {
            // Its end of the connection is the harness's. The port stays so until the instance stops.
            let namespace = std::sync::Arc::clone(self.state.fabric().node(&receiver.node)?);
            if !self.prober.listen_too(&namespace, flow.service).await? {
                return Err(not_opened(
                    "a program holds the port, and what is held are connections to the harness".into(),
                ));
            }
        }
        Ok((ask, client))
    }

    /// Returns `true` if nothing is to listen at a port, or nothing runs there.
    fn is_deaf(&self, node: &NodeName, service: Service) -> bool {
        let cloud = self.state.cloud();
        let instance = cloud.instances.get_key_value(node.0.as_str());
        !self.listening.answers_for_all()
            || instance.is_some_and(|(name, instance)| {
                instance.state != InstanceState::Running || self.listening.is_deaf(cloud, &name.into(), service)
            })
    }

    /// Closes a connection that is held.
    pub fn close(&mut self, name: &ConnectionName) {
        self.connections.close(name);
    }

    /// Waits, in silence, until no router and no gateway remembers a connection.
    ///
    /// # Errors
    /// [`LabError::Broken`]; [`LabError::NotForgotten`].
    pub async fn idle(&mut self, name: &ConnectionName) -> Result<(), LabError> {
        self.refuse_broken()?;
        let Some(connection) = self.connections.find(name) else { return Ok(()) };
        let tracking = self.prober.tracking();
        let not_forgotten = |why| LabError::NotForgotten { name: name.clone(), why };
        let sentence = || format!("waiting until the connection {name} is tracked no more");
        self.telling(sentence, connection.until_forgotten(tracking)).await.map_err(not_forgotten)
    }

    /// Finds out what becomes of what the server alone sends over a connection that is held.
    ///
    /// # Errors
    /// [`LabError::Broken`].
    pub async fn examine_answer(&mut self, name: &ConnectionName) -> Result<Held, LabError> {
        self.refuse_broken()?;
        let connection = match self.connections.examined(name) {
            Ok(connection) => connection,
            Err(why) => return Ok(Held::Gone { why }),
        };
        let state = &self.state;
        let interface_by_index = |node: &NodeName, index| state.interface_by_index(node, index);
        Ok(connection.examine_answer(&mut self.prober, &interface_by_index).await)
    }

    /// Finds out what has become of a connection that is held.
    ///
    /// # Errors
    /// [`LabError::Broken`].
    pub async fn examine(&mut self, name: &ConnectionName) -> Result<Held, LabError> {
        self.refuse_broken()?;
        let connection = match self.connections.examined(name) {
            Ok(connection) => connection,
            Err(why) => return Ok(Held::Gone { why }),
        };
        let state = &self.state;
        let interface_by_index = |node: &NodeName, index| state.interface_by_index(node, index);
        let found = connection.examine(&mut self.prober, &interface_by_index).await;
        self.note_admissions(name);
        Ok(found)
    }

    /// Reads the admission from a record of an end that has let a packet pass.
    fn admission(&self, logged: &Logged) -> Option<Admission> {
        let (at, by) = match logged.record {
            Record::Accept(at, id) => {
                let (group, rule) = self.state.cloud().rule(id)?;
                (at, AdmittedBy::Rule { id, group: group.clone(), written: rule.written.clone() })
            }
            Record::Pass(at) => (at, AdmittedBy::Everything),
            Record::Remembered(at) => (at, AdmittedBy::Memory),
            _ => return None,
        };
        let interface = self.packet_endpoints(logged).judged_by(logged.record)?.id.clone();
        Some(Admission { at, interface, by })
    }
}
