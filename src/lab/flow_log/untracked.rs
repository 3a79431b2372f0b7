//! Traffic of protocols that connection tracking does not know: counted by what each interface remembers of it.

use std::collections::HashMap;
use std::sync::Arc;

use super::records::{Action, Eni, Side, Traffic, eni, minus, rule};
use crate::fabric::counted::Amount;
use crate::fabric::packet::Tuple;
use crate::lab::packet_endpoints::PacketEndpoints;
use crate::model::{Direction, Interface, InterfaceId, RuleId};
use crate::network::remembered::Remembered;
use crate::probe::Logged;

/// Count of each kind of such traffic, at each interface.
#[derive(Debug, Default)]
pub(super) struct Untracked(HashMap<(InterfaceId, Traffic), Known>);

#[derive(Debug)]
struct Known {
    eni: Arc<Eni>,
    rule: Option<RuleId>,
    /// In a window already.
    told: Amount,
}

impl Untracked {
    /// A filter recorded that an end admits it.
    pub fn admitted(&mut self, logged: &Logged, at: PacketEndpoints<'_>) {
        let Some(interface) = at.judged_by(logged.record) else { return };
        let direction =
            if at.from.is_some_and(|from| from.id == interface.id) { Direction::Egress } else { Direction::Ingress };
        let known = self.known(interface, Traffic { direction, tuple: logged.tuple, action: Action::Accept });
        known.rule = rule(logged.record).or(known.rule);
    }

    /// Counts what an interface remembers; `amount` has passed since it was first remembered. Returns the end, the tuple, and how much of that is
    /// new. `ended`: it is forgotten now.
    pub fn remembered(
        &mut self,
        interface: &Interface,
        packet: &Remembered,
        amount: Amount,
        ended: bool,
    ) -> (Side, Tuple, Amount) {
        let (source, destination) = match packet.direction {
            Direction::Egress => (packet.own, packet.other),
            Direction::Ingress => (packet.other, packet.own),
        };
        let tuple = Tuple {
            protocol: packet.protocol,
            source: source.0,
            source_port: source.1,
            destination: destination.0,
            destination_port: destination.1,
        };
        let traffic = Traffic { direction: packet.direction, tuple, action: Action::Accept };
        let known = self.known(interface, traffic);
        // A count that is smaller than before is of something that was forgotten and remembered anew.
        let new = if amount.packets < known.told.packets { amount } else { minus(amount, known.told) };
        known.told = amount;
        let side = Side { eni: Arc::clone(&known.eni), rule: known.rule, refused: Amount::default() };
        if ended {
            self.0.remove(&(interface.id.clone(), traffic));
        }
        (side, tuple, new)
    }

    fn known(&mut self, interface: &Interface, traffic: Traffic) -> &mut Known {
        let known = || Known { eni: eni(interface), rule: None, told: Amount::default() };
        self.0.entry((interface.id.clone(), traffic)).or_insert_with(known)
    }
}
