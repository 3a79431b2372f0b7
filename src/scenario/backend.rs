//! Interface of a running cloud to a scenario.

use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use super::results::Evidence;
use crate::lab::flow_log::FlowRecord;
use crate::lab::{
    Admissions, Captured, HealthOfAll, KernelSnapshot, Lab, LabError, Listeners, RuleHandles, RulePackets,
    ServiceResponse,
};
use crate::model::{Cloud, ConnectionName, Flow, InstanceName, Operation, Peers, Verdict, VpcService};
use crate::policy;
use crate::probe::{Batch, Held, Streams, Trace};

/// Interface of a lab to a scenario. Implemented by [`Lab`], and by a double in tests.
pub trait Backend {
    /// The state of the cloud now.
    fn cloud(&self) -> &Cloud;
    /// Kind of evidence that its results rest on. Default: packets.
    fn evidence(&self) -> Evidence {
        Evidence::Packets
    }
    /// Carries out an operation, and says how long it took until it was in force.
    fn apply(&mut self, operation: &Operation) -> impl Future<Output = Result<Duration, LabError>>;
    /// Probes flows, all at once.
    fn probe(&mut self, flows: &[Flow]) -> impl Future<Output = Result<Batch, LabError>>;
    /// Returns `true` if it was taken for granted what a program behind a load balancer does, of which nothing here knows.
    fn rests_on_a_program(&self, _: &Flow) -> bool {
        false
    }
    /// Probes one flow under a capture; nothing where there are no packets.
    fn probe_captured(&mut self, flow: &Flow) -> impl Future<Output = Result<Option<Captured>, LabError>>;
    /// Opens a connection and holds it.
    fn open(&mut self, name: &ConnectionName, flow: &Flow) -> impl Future<Output = Result<(), LabError>>;
    /// Has two ends send datagrams to each other from fixed ports until each hears the other, and holds that.
    fn meet(&mut self, name: &ConnectionName, peers: &Peers) -> impl Future<Output = Result<(), LabError>>;
    /// Admissions of a connection that is held, as far as they are known.
    fn admissions(&self, _: &ConnectionName) -> Option<&Admissions> {
        None
    }
    /// Closes a connection that is held.
    fn close(&mut self, name: &ConnectionName);
    /// Waits, in silence, until a connection is not tracked any more.
    fn idle(&mut self, name: &ConnectionName) -> impl Future<Output = Result<(), LabError>>;
    /// Finds out what becomes of what the server alone sends over a connection.
    fn examine_answer(&mut self, name: &ConnectionName) -> impl Future<Output = Result<Held, LabError>>;
    /// Finds out what has become of a connection that is held.
    fn examine(&mut self, name: &ConnectionName) -> impl Future<Output = Result<Held, LabError>>;
    /// Lets traffic flow, a stream for each flow.
    fn begin_traffic(&mut self, flows: &[Flow]) -> impl Future<Output = Result<Streams, LabError>>;
    /// Proves that what the traffic has sent up to now has arrived, if it ever does.
    fn settle_traffic(&mut self, traffic: &Streams) -> impl Future<Output = bool>;
    /// Ends traffic and says what became of each packet.
    fn end_traffic(&mut self, traffic: Streams) -> impl Future<Output = Trace>;
    /// Has an instance ask a service that groups never filter.
    fn ask_service(
        &mut self,
        from: &InstanceName,
        service: VpcService,
    ) -> impl Future<Output = Result<ServiceResponse, LabError>>;
    /// Keeps flow logs from now on, where there are packets.
    fn keep_flow_log(&mut self) -> impl Future<Output = Result<(), LabError>> {
        std::future::ready(Ok(()))
    }
    /// Notes what was recorded so far, before the cloud changes.
    fn note_flow_log(&mut self) -> impl Future<Output = Result<(), LabError>> {
        std::future::ready(Ok(()))
    }
    /// Returns the records since the last call; nothing where there are no packets.
    fn end_flow_log_window(&mut self) -> impl Future<Output = Result<Option<Vec<FlowRecord>>, LabError>> {
        std::future::ready(Ok(None))
    }
    /// Returns the health of each instance behind each load balancer, once the load balancer has made up its mind.
    fn health(&mut self) -> impl Future<Output = Result<HealthOfAll, LabError>>;
    /// Returns the predictor of its flows, where packets and predictions are to be held against each other.
    fn predictor(&self) -> Option<fn(&Cloud, &Flow) -> Verdict>;
    /// Reads what the kernel holds now: rulesets, and the tracked flows of some addresses.
    fn kernel_snapshot(&self, addresses: &[IpAddr]) -> impl Future<Output = Result<KernelSnapshot, LabError>>;
    /// Probes one flow in a lab of its own with this cloud.
    fn elsewhere(
        &self,
        cloud: &Cloud,
        listeners: Listeners,
        flow: &Flow,
    ) -> impl Future<Output = Result<Batch, LabError>>;
    /// The handles of every rule of every security group in the kernel.
    fn rule_handles(&self) -> impl Future<Output = Result<RuleHandles, LabError>>;
    /// Counts the packets that each rule matched that stands or stood; nothing where there are none.
    fn rule_packets(&self) -> impl Future<Output = Result<Option<RulePackets>, LabError>>;
}

impl Backend for Lab {
    fn cloud(&self) -> &Cloud {
        Self::cloud(self)
    }

    async fn apply(&mut self, operation: &Operation) -> Result<Duration, LabError> {
        Self::apply(self, operation).await
    }

    async fn probe(&mut self, flows: &[Flow]) -> Result<Batch, LabError> {
        Self::probe(self, flows).await
    }

    async fn probe_captured(&mut self, flow: &Flow) -> Result<Option<Captured>, LabError> {
        Self::probe_captured(self, flow).await.map(Some)
    }

    async fn open(&mut self, name: &ConnectionName, flow: &Flow) -> Result<(), LabError> {
        Self::open(self, name, flow).await
    }

    async fn meet(&mut self, name: &ConnectionName, peers: &Peers) -> Result<(), LabError> {
        Self::meet(self, name, peers).await
    }

    fn admissions(&self, name: &ConnectionName) -> Option<&Admissions> {
        Self::admissions(self, name)
    }

    fn close(&mut self, name: &ConnectionName) {
        Self::close(self, name);
    }

    async fn idle(&mut self, name: &ConnectionName) -> Result<(), LabError> {
        Self::idle(self, name).await
    }

    async fn examine_answer(&mut self, name: &ConnectionName) -> Result<Held, LabError> {
        Self::examine_answer(self, name).await
    }

    async fn examine(&mut self, name: &ConnectionName) -> Result<Held, LabError> {
        Self::examine(self, name).await
    }

    async fn begin_traffic(&mut self, flows: &[Flow]) -> Result<Streams, LabError> {
        Self::begin_traffic(self, flows).await
    }

    async fn settle_traffic(&mut self, traffic: &Streams) -> bool {
        Self::settle_traffic(self, traffic).await
    }

    async fn end_traffic(&mut self, traffic: Streams) -> Trace {
        Self::end_traffic(self, traffic).await
    }

    async fn ask_service(&mut self, from: &InstanceName, service: VpcService) -> Result<ServiceResponse, LabError> {
        Self::ask_service(self, from, service).await
    }

    async fn keep_flow_log(&mut self) -> Result<(), LabError> {
        Self::keep_flow_log(self).await
    }

    async fn note_flow_log(&mut self) -> Result<(), LabError> {
        Self::note_flow_log(self).await
    }

    async fn end_flow_log_window(&mut self) -> Result<Option<Vec<FlowRecord>>, LabError> {
        Self::end_flow_log_window(self).await.map(Some)
    }

    async fn health(&mut self) -> Result<HealthOfAll, LabError> {
        Self::health(self).await
    }

    fn predictor(&self) -> Option<fn(&Cloud, &Flow) -> Verdict> {
        Some(policy::judge)
    }

    async fn kernel_snapshot(&self, addresses: &[IpAddr]) -> Result<KernelSnapshot, LabError> {
        Self::kernel_snapshot(self, addresses).await
    }

    async fn elsewhere(&self, cloud: &Cloud, listeners: Listeners, flow: &Flow) -> Result<Batch, LabError> {
        Self::elsewhere(self, cloud.clone(), listeners, flow).await
    }

    async fn rule_handles(&self) -> Result<RuleHandles, LabError> {
        Self::rule_handles(self).await
    }

    async fn rule_packets(&self) -> Result<Option<RulePackets>, LabError> {
        Self::rule_packets(self).await.map(Some)
    }
}
