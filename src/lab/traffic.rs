//! Traffic that flows while the cloud changes.

use super::booted::Lab;
use super::error::LabError;
use crate::model::Flow;
use crate::network::NodeName;
use crate::probe::{Course, NotMet, Streams, Trace, Unaskable};

impl Lab {
    /// Lets traffic flow, a stream for each flow, until [`Lab::end_traffic`]. When this returns, something of every stream
    /// is on its way.
    ///
    /// # Errors
    /// [`LabError::Broken`]; [`LabError::NoTraffic`] with the reason why a stream cannot flow; [`LabError::UnprovedTraffic`] where what flows would
    /// prove nothing.
    pub async fn begin_traffic(&mut self, flows: &[Flow]) -> Result<Streams, LabError> {
        self.refuse_broken()?;
        let resolved = self.resolve(flows).await;
        let mut courses = Vec::new();
        for flow in flows {
            let none = |why: Unaskable| LabError::NoTraffic { flow: flow.to_string(), why: why.to_string() };
            let ask = self.ask(flow, &resolved).map_err(none)?;
            courses.push(Course { ask, client: self.client(flow).map_err(none)? });
        }
        // Records of earlier flows from the same ports say nothing about these.
        let known = self.known_paths()?;
        self.prober.settles(&known).await;
        let all = flows.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        Streams::start(&mut self.prober, courses).await.map_err(|not_met| match not_met {
            NotMet::Apart(why) => LabError::NoTraffic { flow: all, why },
            NotMet::Unproved(why) => LabError::UnprovedTraffic { flow: all, why },
        })
    }

    /// Proves that what the traffic has sent up to now has arrived, if it ever does.
    pub async fn settle_traffic(&mut self, traffic: &Streams) -> bool {
        traffic.settle(&mut self.prober).await.is_ok()
    }

    /// Ends traffic and says what became of each packet.
    pub async fn end_traffic(&mut self, traffic: Streams) -> Trace {
        let state = &self.state;
        let interface_by_index = |node: &NodeName, index| state.interface_by_index(node, index);
        traffic.finish(&mut self.prober, &interface_by_index).await
    }
}
