//! By which links the packets of a flow go, and which addresses they have there.

use std::net::IpAddr;

use super::booted::Lab;
use super::paths::{has, inside};
use crate::compile::names;
use crate::model::{Endpoint, Flow, Forwarding, Interface, InterfaceHolder, PrivateIp, PublicIp, Service, Via};
use crate::probe::{Ends, LinkPosition, Private, Receiver, Route};

impl Lab {
    /// The addresses of the appliances that the sender's route table may send a flow through.
    pub(super) fn appliances(&self, flow: &Flow) -> Vec<IpAddr> {
        let sender = flow.from.interface().and_then(|id| self.state.cloud().interface(&id));
        let vpc = sender.and_then(|sender| Some((sender, self.state.cloud().vpcs.get(&sender.vpc)?)));
        let routes = vpc.and_then(|(sender, vpc)| vpc.routes.get(&sender.subnet));
        let targets = routes.into_iter().flatten().filter_map(|route| self.state.cloud().attached(&route.target));
        let addresses = |target: &Interface| {
            [target.private.map(|private| private.0.into()), target.public.map(|public| public.0.into())]
        };
        targets.flat_map(addresses).flatten().collect()
    }

    /// The way of what the sender of a flow sends, `asked` being its own address and the one that it asks. `public` is its public address.
    pub(super) fn way_there(&self, flow: &Flow, asked: Ends, public: Option<IpAddr>) -> Route {
        let (source, destination) = asked;
        let led_through = self.led_through(&flow.from);
        let nat = || led_through.iter().copied().filter(|target| self.forwarding(target) == Forwarding::Nat);
        let privates = nat().filter_map(|target| target.private.map(|PrivateIp(own)| IpAddr::V4(own)));
        let sources: Vec<IpAddr> = std::iter::once(source).chain(privates).collect();
        let passed_on = led_through.iter().filter_map(|target| {
            let own = target.private.map(|PrivateIp(own)| IpAddr::V4(own));
            // It passes on as it is a packet that is no question, as other appliances do every packet.
            let translates = self.forwarding(target) == Forwarding::Nat && !matches!(flow.service, Service::Icmp(_));
            let sources = sources.iter().filter(|source| !translates || Some(**source) == own);
            self.place_of(target, sources.map(|source| (*source, destination)).collect())
        });
        let passed_on: Vec<LinkPosition> = passed_on.collect();
        let sent = self.holder(&self.leaves_by(&flow.from), flow.via).ok().flatten();
        let sent = sent.map(|own| place(&own, vec![asked]));
        let receiver = self.receiver(flow).ok().flatten();
        let is_outside = |end: &Endpoint| matches!(end, Endpoint::Host(..));
        // Another address may be that of somebody else in the VPC, whose public one it then gets.
        let is_forged = self.is_forged(flow);
        let arrive: Vec<IpAddr> = if is_forged {
            Vec::new()
        } else if source.is_ipv6() || is_outside(&flow.from) {
            vec![source]
        } else if receiver.as_ref().is_some_and(|receiver| receiver.address == destination) && !is_outside(&flow.to) {
            // Nothing has translated it: by private address.
            sources
        } else {
            let publics = nat().filter_map(|target| target.public.map(|PublicIp(own)| IpAddr::V4(own)));
            public.into_iter().chain(publics).collect()
        };
        let arrives =
            receiver.into_iter().flat_map(|receiver| arrive.iter().map(move |from| (*from, receiver.address)));
        let private = self.private_of(&flow.to, &flow.from, flow.via);
        Route { sent, passed_on, arrives: arrives.collect(), private }
    }

    /// Private address of an end, and where it is that end's. Where it is asked for it goes by the routers of the VPC that asks.
    fn private_of(&self, end: &Endpoint, other: &Endpoint, via: Via) -> Option<Private> {
        let vpc = |end: &Endpoint| self.state.cloud().interface(&end.interface()?).map(|interface| &interface.vpc);
        let own = self.state.cloud().interface(&end.interface()?).filter(|_| !via.is_ipv6())?;
        let address = inside(own, end, via)?;
        let asks = vpc(other).filter(|_| matches!(via, Via::Private | Via::Secondary(_) | Via::Dns));
        let at = vpc(end).into_iter().chain(asks).flat_map(|vpc| [names::router(vpc), names::gateway(vpc)]);
        // A name leads out of another VPC even where it means the private address.
        let outside = (via == Via::Dns).then(names::internet);
        Some(Private { address, at: at.chain(outside).collect() })
    }

    /// The way of what the receiver of a flow answers.
    pub(super) fn way_back(&self, flow: &Flow, destination: IpAddr, there: &Route) -> Route {
        let Some(receiver) = self.receiver(flow).ok().flatten() else { return Route::default() };
        let arrives = there.arrives.iter().map(|(from, to)| (*to, *from)).collect::<Vec<Ends>>();
        let sent = (!arrives.is_empty()).then(|| place(&receiver, arrives));
        // Whoever has passed it on as its own gets what answers it, and gives it back the addresses that it had.
        let known = there.sent.iter().chain(&there.passed_on).flat_map(|place| &place.ends).chain(&there.arrives);
        let known: Vec<IpAddr> = known.map(|(from, _)| *from).collect();
        let ends = |from: IpAddr| known.iter().map(move |to| (from, *to));
        let ends: Vec<Ends> = ends(destination).chain(ends(receiver.address)).collect();
        let mut by = self.led_through(&flow.to);
        let on_the_way = self.led_through(&flow.from).into_iter();
        by.extend(on_the_way.filter(|target| self.forwarding(target) == Forwarding::Nat));
        let passed_on = by.into_iter().filter_map(|target| self.place_of(target, ends.clone())).collect();
        let private = self.private_of(&flow.from, &flow.to, flow.via);
        Route { sent, passed_on, arrives: Vec::new(), private }
    }

    fn place_of(&self, target: &Interface, ends: Vec<Ends>) -> Option<LinkPosition> {
        let at = target.id.attachment()?.clone();
        let holder = self.holder(&Endpoint::Interface(at), Via::Private).ok().flatten()?;
        Some(place(&holder, ends))
    }

    fn forwarding(&self, target: &Interface) -> Forwarding {
        let instance = target.id.instance().and_then(|name| self.state.cloud().instances.get(name));
        instance.map_or(Forwarding::None, |instance| instance.forwarding)
    }

    /// The interfaces of appliances, each as a route names it, that what an end sends may be led through: an appliance's own may be led
    /// through another.
    fn led_through(&self, end: &Endpoint) -> Vec<&Interface> {
        let mut found: Vec<&Interface> = Vec::new();
        let mut senders: Vec<InterfaceHolder> = end.holder().into_iter().collect();
        let mut asked = senders.clone();
        while let Some(sender) = senders.pop() {
            let routes = self
                .interfaces_of(&sender)
                .filter_map(|own| self.state.cloud().vpcs.get(&own.vpc)?.routes.get(&own.subnet));
            for target in routes.flatten().filter_map(|route| self.state.cloud().attached(&route.target)) {
                if !found.iter().any(|known| known.id == target.id) {
                    found.push(target);
                }
                let holder = target.id.holder();
                if !asked.contains(&holder) {
                    asked.push(holder.clone());
                    senders.push(holder);
                }
            }
        }
        found
    }

    /// The end that a packet leaves by: what has the address of another interface of the sender's leaves by that one.
    fn leaves_by(&self, from: &Endpoint) -> Endpoint {
        let Endpoint::Forged(id, source) = from else { return from.clone() };
        let holder = InterfaceHolder::from(&id.instance);
        let own = self.interfaces_of(&holder).find(|own| has(own, *source));
        own.and_then(|own| own.id.attachment()).map_or_else(|| from.clone(), |at| Endpoint::Interface(at.clone()))
    }
}

fn place(holder: &Receiver, ends: Vec<Ends>) -> LinkPosition {
    LinkPosition { node: holder.node.clone(), link: holder.at_router(), ends }
}
