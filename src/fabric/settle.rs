//! Waiting until links carry packets.
//!
//! The kernel gives the side of a veth that was up first its queue later, by a worker of its own, and drops what is sent
//! before without a word. Newer kernels do that before they answer a question about the link; older ones only tell of it
//! once it is done. So the answer is looked at, and the news is waited for.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::Ipv6Addr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::link::{LinkAttribute, LinkExtentMask, LinkMessage, State};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::constants::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::{TimeVal, TimeValLike};
use rtnetlink::LinkUnspec;

use super::error::FabricError;
use super::faults;
use super::kernel::in_node;
use super::namespace::Namespace;
use super::netlink::{Refused, refusal};

/// The kernel's group of news about links (`RTNLGRP_LINK`).
const NEWS_OF_LINKS: u32 = 1;
/// The kernel's group of news about IPv6 routes (`RTNLGRP_IPV6_ROUTE`).
const NEWS_OF_IPV6_ROUTES: u32 = 11;
/// Time that a link may take before something is wrong with it. The kernel's worker waits for its turn on a busy machine: 5 s were
/// too few where namespaces came and went beside other work.
const SETTLE_TIMEOUT: Duration = Duration::from_secs(30);
/// The same where programs of the user's may keep it down for ever: nobody is answered meanwhile.
const ENTERED_TIMEOUT: Duration = Duration::from_secs(5);
/// So many questions before their answers are read: these must fit the receive buffer.
const MAX_PIPELINED: usize = 32;

/// State of the lower ends of links.
#[derive(Clone, Copy, Debug)]
pub(super) enum LowerEnds {
    /// No program of the user's has run there.
    AsMade,
    /// Programs of the user's run there, and may have taken the links down, or away.
    Entered,
}

impl LowerEnds {
    fn timeout(self) -> Duration {
        match self {
            Self::AsMade => SETTLE_TIMEOUT,
            Self::Entered => ENTERED_TIMEOUT,
        }
    }
}

/// Waits until links of a namespace, by their indexes and names, are up. Where programs of the user's can keep them from that, those that do not
/// come up are no error.
pub(super) async fn settled(
    node: Arc<Namespace>,
    links: Vec<(u32, String)>,
    lower: LowerEnds,
) -> Result<(), FabricError> {
    let fault = node.faults.step(&node.name, "see its links come up");
    let done = node.run(move || settle(&links, lower.timeout())).await?;
    let done = match (fault, lower) {
        (None, LowerEnds::AsMade) => done,
        (None, LowerEnds::Entered) => Ok(()),
        (Some(_), _) => Err(Refused { attempt: "see its links come up".to_owned(), source: faults::error() }),
    };
    done.map_err(|refused| in_node(&node.name, refused))
}

/// Waits until packets for these IPv6 addresses come up in a namespace, as [`settled`] waits for links.
pub(super) async fn deliverable(node: Arc<Namespace>, addresses: Vec<Ipv6Addr>) -> Result<(), FabricError> {
    let ends = if node.was_entered() { LowerEnds::Entered } else { LowerEnds::AsMade };
    let done = node.run(move || are_local(&addresses, ends.timeout())).await?;
    match ends {
        LowerEnds::AsMade => done.map_err(|refused| in_node(&node.name, refused)),
        // Whoever has been at work there may have taken them off, or IPv6 as a whole.
        LowerEnds::Entered => Ok(()),
    }
}

/// Waits until links, by their indexes and names, are up. Runs on a thread inside the namespace.
fn settle(links: &[(u32, String)], timeout: Duration) -> Result<(), Refused> {
    for links in links.chunks(MAX_PIPELINED) {
        let mut waiting: HashMap<u32, &str> = links.iter().map(|(index, name)| (*index, name.as_str())).collect();
        let settled = wait(&mut waiting, timeout);
        settled.map_err(|source| {
            let mut names: Vec<&str> = waiting.into_values().collect();
            names.sort_unstable();
            Refused { attempt: format!("see the links {} come up", names.join(", ")), source }
        })?;
    }
    Ok(())
}

fn wait(waiting: &mut HashMap<u32, &str>, timeout: Duration) -> io::Result<()> {
    let questions = waiting.keys().map(|index| {
        let mut question = LinkUnspec::new_with_index(*index).build();
        question.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
        (RouteNetlinkMessage::GetLink(question), NLM_F_REQUEST)
    });
    until((NEWS_OF_LINKS, timeout), &questions.collect::<Vec<_>>(), |news| {
        match news {
            Some(RouteNetlinkMessage::NewLink(link)) if is_up(&link) => drop(waiting.remove(&link.header.index)),
            _ => {}
        }
        waiting.is_empty()
    })
}

/// Waits until packets for these IPv6 addresses come up: the kernel makes their local routes by a worker, once the link
/// carries. Until then what is sent there is lost without a word. Runs on a thread inside the namespace.
fn are_local(addresses: &[Ipv6Addr], timeout: Duration) -> Result<(), Refused> {
    let mut waiting: HashSet<Ipv6Addr> = addresses.iter().copied().collect();
    wait_local(&mut waiting, timeout).map_err(|source| {
        let mut addresses: Vec<String> = waiting.iter().map(ToString::to_string).collect();
        addresses.sort_unstable();
        Refused { attempt: format!("see the addresses {} come into use", addresses.join(", ")), source }
    })
}

fn wait_local(waiting: &mut HashSet<Ipv6Addr>, timeout: Duration) -> io::Result<()> {
    // All routes at once: a question for one address would be answered by whatever leads there.
    let mut question = RouteMessage::default();
    question.header.address_family = AddressFamily::Inet6;
    let question = (RouteNetlinkMessage::GetRoute(question), NLM_F_REQUEST | NLM_F_DUMP);
    until((NEWS_OF_IPV6_ROUTES, timeout), &[question], |news| {
        if let Some(RouteNetlinkMessage::NewRoute(route)) = news
            && let Some(address) = local_address(&route)
        {
            waiting.remove(&address);
        }
        waiting.is_empty()
    })
}

/// Asks, and shows every answer and all later news of a group until one is enough. First it shows nothing: there may be
/// nothing to wait for.
fn until(
    (group, timeout): (u32, Duration),
    questions: &[(RouteNetlinkMessage, u16)],
    mut is_enough: impl FnMut(Option<RouteNetlinkMessage>) -> bool,
) -> io::Result<()> {
    // One for all rounds: root in an instance can have news without end.
    let deadline = Instant::now() + timeout;
    again_if_overrun(deadline, || listen(group, questions, deadline, &mut is_enough))
}

/// Tries again where the kernel had more to tell than a socket's buffer holds, as it has where many links come up while this
/// thread waits for its turn: what was lost is asked for once more.
fn again_if_overrun(deadline: Instant, mut attempt: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    loop {
        match attempt() {
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) && Instant::now() < deadline => {}
            other => return other,
        }
    }
}

fn listen(
    group: u32,
    questions: &[(RouteNetlinkMessage, u16)],
    deadline: Instant,
    is_enough: &mut impl FnMut(Option<RouteNetlinkMessage>) -> bool,
) -> io::Result<()> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    // The news first and then the question: what happens in between is not missed.
    socket.add_membership(group)?;
    let mut bytes = Vec::new();
    for (question, flags) in questions {
        let mut message = NetlinkMessage::from(question.clone());
        message.header.flags = *flags;
        message.finalize();
        let start = bytes.len();
        bytes.resize(start + message.buffer_len().next_multiple_of(4), 0);
        message.serialize(&mut bytes[start..]);
    }
    socket.send(&bytes, 0)?;
    let receive = |left: Duration| {
        let left = TimeVal::microseconds(i64::try_from(left.as_micros()).unwrap_or(i64::MAX));
        setsockopt(&socket.as_fd(), sockopt::ReceiveTimeout, &left)?;
        socket.recv_from_full().map(|(buffer, _)| buffer)
    };
    read_until(deadline, receive, is_enough)
}

/// Shows what is received until it is enough, or the time is over, however much still comes.
fn read_until(
    deadline: Instant,
    mut receive: impl FnMut(Duration) -> io::Result<Vec<u8>>,
    is_enough: &mut impl FnMut(Option<RouteNetlinkMessage>) -> bool,
) -> io::Result<()> {
    let mut enough = is_enough(None);
    while !enough {
        let left = deadline.saturating_duration_since(Instant::now());
        // The kernel would wait for ever for less than a microsecond.
        if left.as_micros() == 0 {
            return Err(io::Error::from_raw_os_error(libc::ETIMEDOUT));
        }
        let buffer = match receive(left) {
            // The next round finds that the time is over.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            received => received?,
        };
        let mut rest = &buffer[..];
        while !rest.is_empty() {
            let answer = NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest).map_err(io::Error::other)?;
            let length = (answer.header.length as usize).next_multiple_of(4).max(16).min(rest.len());
            rest = &rest[length..];
            match answer.payload {
                NetlinkPayload::InnerMessage(message) => enough = is_enough(Some(message)),
                NetlinkPayload::Error(error) if error.code.is_some() => return Err(refusal(&error)),
                _ => {}
            }
        }
    }
    Ok(())
}

/// The address that a local route is of.
fn local_address(route: &RouteMessage) -> Option<Ipv6Addr> {
    route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(RouteAddress::Inet6(address)) if route.header.kind == RouteType::Local => {
            Some(*address)
        }
        _ => None,
    })
}

fn is_up(link: &LinkMessage) -> bool {
    link.attributes.iter().any(|attribute| matches!(attribute, LinkAttribute::OperState(State::Up)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seen where 200 instances boot on a busy machine.
    #[test]
    fn what_the_kernel_could_not_tell_is_asked_for_again_and_any_other_error_is_passed_on() {
        let mut answers = vec![Ok(()), Err(libc::ENOBUFS), Err(libc::ENOBUFS)];
        let far = Instant::now() + SETTLE_TIMEOUT;
        again_if_overrun(far, || answers.pop().expect("an answer").map_err(io::Error::from_raw_os_error)).unwrap();
        let refused = again_if_overrun(far, || Err(io::Error::from_raw_os_error(libc::EPERM))).unwrap_err();
        assert_eq!(refused.raw_os_error(), Some(libc::EPERM));
        let overrun = || Err(io::Error::from_raw_os_error(libc::ENOBUFS));
        assert!(again_if_overrun(Instant::now(), overrun).is_err(), "not for ever");
    }

    /// Root in an instance can have the kernel tell of links and routes for as long as it likes.
    #[test]
    fn news_without_end_of_other_links_are_not_waited_for_beyond_the_deadline() {
        let mut news = NetlinkMessage::from(RouteNetlinkMessage::NewLink(LinkUnspec::new_with_index(7).build()));
        news.finalize();
        let mut bytes = vec![0; news.buffer_len()];
        news.serialize(&mut bytes);
        let mut heard = 0;
        let deadline = Instant::now() + Duration::from_millis(50);
        let mut never = |news: Option<RouteNetlinkMessage>| {
            heard += u32::from(news.is_some());
            false
        };
        let late = read_until(deadline, |_| Ok(bytes.clone()), &mut never).unwrap_err();
        assert_eq!(late.raw_os_error(), Some(libc::ETIMEDOUT));
        assert!(heard > 0);
    }
}
