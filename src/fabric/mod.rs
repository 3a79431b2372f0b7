//! Changes namespaces' networks: links, routes, rulesets, tracked flows. Carries out the phases of a plan ([`network`](crate::network)), and
//! takes them back where one fails.

mod apply;
pub mod capture;
mod change;
pub mod conntrack;
pub mod counted;
pub mod doctor;
mod error;
#[doc(hidden)]
pub mod faults;
mod files;
mod inside;
mod kernel;
pub mod kernel_records;
pub mod links;
pub mod listening;
mod namespace;
mod netlink;
pub mod nflog;
pub mod nft;
pub mod packet;
mod program;
#[cfg(any(test, fuzzing))]
pub mod readers;
mod receive_buffer;
pub mod remembered;
mod settle;
mod sysctl;
pub mod tap;
mod wiring;
mod work;

pub use apply::Fabric;
pub use error::FabricError;
pub use files::LabFiles;
pub use inside::{Ending, Inside, Task};
pub use namespace::Namespace;

/// Reports whether there is room for the threads that a change needs.
pub fn has_room() -> bool {
    const THREADS: usize = 8;
    let threads: Vec<_> = (0..THREADS).map(|_| std::thread::Builder::new().spawn(std::thread::yield_now)).collect();
    let all = threads.iter().all(Result::is_ok);
    threads.into_iter().flatten().for_each(|thread| drop(thread.join()));
    all
}
