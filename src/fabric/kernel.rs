//! Requests to the kernel in a namespace, and which of its refusals are none.
//!
//! Where programs of a user's have run, nothing need be as the lab has left it: they are root there. What they did costs the
//! instance, and is no error of an operation on it.

use std::sync::Arc;

use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::constants::NETLINK_ROUTE;
use nix::net::if_::if_nametoindex;

use super::error::FabricError;
use super::namespace::Namespace;
use super::netlink::{self, Excuse, Refused, Request};
use super::wiring;
use crate::network::NodeName;

/// Treatment of "it is so already", as an answer or an error: an undo meets what was never done.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tolerance {
    Strict,
    AlreadySo,
}

/// Sends requests in a namespace.
pub(super) async fn kernel(
    node: Arc<Namespace>,
    requests: Vec<Request<RouteNetlinkMessage>>,
    tolerance: Tolerance,
) -> Result<(), FabricError> {
    let was_entered = node.was_entered();
    let excused = |request: Request<_>| if was_entered { request.excused(Excuse::Anything) } else { request };
    let requests: Vec<_> =
        requests.into_iter().map(|request| excused(request.counted(&node.faults, &node.name))).collect();
    let done = node
        .run(move || match tolerance {
            Tolerance::Strict => netlink::request(NETLINK_ROUTE, requests),
            Tolerance::AlreadySo => requests.into_iter().try_for_each(|request| {
                netlink::request(NETLINK_ROUTE, vec![request]).or_else(|refused| {
                    let so = [libc::EEXIST, libc::ENOENT, libc::ESRCH, libc::ENODEV, libc::EADDRNOTAVAIL];
                    let already = refused.source.raw_os_error().is_some_and(|errno| so.contains(&errno));
                    if already { Ok(()) } else { Err(refused) }
                })
            }),
        })
        .await?;
    done.map_err(|refused| in_node(&node.name, refused))
}

/// Takes away what has the index or the name of an interface that is to be made, of a namespace where programs have run. `lo`
/// cannot be taken away; it gets another name.
pub(super) async fn make_room(node: Arc<Namespace>, interfaces: Vec<(u32, String)>) -> Result<(), FabricError> {
    let making = move || {
        for (index, name) in interfaces {
            let named = if_nametoindex(name.as_str()).ok();
            for taken in named.into_iter().chain([index]) {
                // What is not there need not go.
                let _ = netlink::request(NETLINK_ROUTE, vec![wiring::remove_interface(taken, &name)]);
            }
            // If one stays all the same, making the interface fails and says so.
            if let Ok(left) = if_nametoindex(name.as_str()) {
                let _ = netlink::request(NETLINK_ROUTE, wiring::rename_interface(left));
            }
        }
    };
    node.run(making).await
}

pub(super) fn in_node(node: &NodeName, Refused { attempt, source }: Refused) -> FabricError {
    FabricError::Kernel { attempt, node: node.clone(), source }
}
