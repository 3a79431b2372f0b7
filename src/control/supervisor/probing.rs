//! Probes on a lab that is up.

use super::supervised::Supervised;
use crate::lab::Lab;
use crate::model::Flow;
use crate::network::record::Record;
use crate::policy;
use crate::policy::behind::listener;
use crate::probe::{Batch, Logged, Observation, RunningBalancer};
use crate::protocol::{EventKind, Failure, ProbeDetails, Reply};
use crate::scenario::agreement::compare_all;
use crate::scenario::results::reason::Reason;
use crate::scenario::{Agreement, PacketVerdict, ProbeRecords, ProbedFlow, explain, health};

impl Supervised {
    /// Probes flows, and tells whoever follows the events.
    pub(super) async fn probe(&mut self, flows: &[Flow], details: ProbeDetails) -> Reply {
        let synthetic = match self.lab.add_hosts(flows).await {
            Ok(synthetic) => synthetic,
            Err(error) => return Reply::Failed(Failure::NothingSent { why: error.to_string() }),
        };
        let probed = self.lab.probe(flows).await.map(|batch| self.probed(&batch, details));
        if let Err(error) = self.lab.remove_hosts(&synthetic).await {
            return Reply::Failed(Failure::of(&error));
        }
        let all = match probed {
            Ok(all) => all,
            Err(error) => return Reply::Failed(Failure::of(&error)),
        };
        self.hear_all();
        all.iter().for_each(|probed| self.events.tell(EventKind::Probe(Box::new(probed.clone()))));
        Reply::Probed(all)
    }

    fn probed(&self, batch: &Batch, details: ProbeDetails) -> Vec<ProbedFlow> {
        let cloud = self.lab.cloud();
        let at_work = self.lab.balancers_at_work();
        let standings = |name: &_| at_work.get(name).map(RunningBalancer::standings).unwrap_or_default();
        let one = |seen: &Observation| {
            let mut probed = explain::probed(seen, cloud);
            if let Some(Reason::Closed { failed, .. }) = &mut probed.reason {
                failed.extend(health::observed_failures(cloud, &seen.flow, standings));
            }
            if details == ProbeDetails::Records {
                let met = seen.records.iter().map(|logged| verdict(&self.lab, logged)).collect();
                probed.records = Some(ProbeRecords { agreement: self.agreement(seen), met });
            }
            probed
        };
        batch.observations.iter().map(one).collect()
    }

    /// Tells if a probe came out as predicted. Programs that this lab knows nothing of may listen behind a load balancer.
    fn agreement(&self, seen: &Observation) -> Agreement {
        let cloud = self.lab.cloud();
        let verdict = policy::judge(cloud, &seen.flow);
        let balancer = seen.flow.to.load_balancer().and_then(|name| cloud.load_balancers.get(name));
        let behind = balancer.and_then(|it| listener(cloud, it, seen.flow.service.tcp_port()?, &health::ears(cloud)));
        compare_all(&verdict, behind.as_ref(), seen)
    }
}

/// A filter's record with what the cloud knows of it.
pub(super) fn verdict(lab: &Lab, logged: &Logged) -> PacketVerdict {
    let (record, tuple) = (logged.record, logged.tuple);
    let interface = lab.packet_endpoints(logged).judged_by(record);
    let id = if let Record::Accept(_, id) = record { Some(id) } else { None };
    let rule = id.and_then(|id| lab.cloud().rule(id));
    PacketVerdict {
        record,
        interface: interface.map(|it| it.id.clone()),
        groups: interface.into_iter().flat_map(|it| &it.groups).cloned().collect(),
        rule: rule.map(|(group, rule)| explain::of_group(group, rule)),
        filter: logged.node.to_string(),
        protocol: tuple.protocol,
        source: tuple.source,
        source_port: tuple.source_port,
        destination: tuple.destination,
        destination_port: tuple.destination_port,
        icmp: logged.icmp,
    }
}
