//! The system calls that no program of an instance may make: of no use to what people run there, and a way into the kernel.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule, TargetArch,
};

/// Each is refused with `EPERM`. What the programs of docs/architecture.md ("what an instance can and cannot do") need is allowed.
///
/// Programs for the kernel, modules and other kernels; keys, which belong to the user and not to the instance; files by handle, past what
/// is mounted; the clock, the machine and its swap; and interfaces with a history of holes that servers do without.
const REFUSED: [i64; 26] = [
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_open_by_handle_at,
    libc::SYS_name_to_handle_at,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_settimeofday,
    libc::SYS_adjtimex,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_syslog,
];

/// Families of sockets that know no network namespaces: hypervisors and their guests, and the kernel's ciphers.
const REFUSED_FAMILIES: [i32; 2] = [libc::AF_VSOCK, libc::AF_ALG];

/// From now on, for this process and what it starts. No program gains rights by being started, either (`no_new_privs`): files of the
/// host's that would give some do not anyway, as their owner is nobody in the instance.
///
/// # Errors
/// The system's word, or that there are no filters for this kind of machine.
pub(super) fn refuse() -> io::Result<()> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    let mut rules: BTreeMap<i64, Vec<_>> = REFUSED.into_iter().map(|call| (call, Vec::new())).collect();
    let refused_families = REFUSED_FAMILIES.into_iter().map(|family| {
        let is = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, family.unsigned_abs().into());
        is.and_then(|is| SeccompRule::new(vec![is])).map_err(io::Error::other)
    });
    rules.insert(libc::SYS_socket, refused_families.collect::<io::Result<_>>()?);
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refused, arch).map_err(io::Error::other)?;
    let program = BpfProgram::try_from(filter).map_err(io::Error::other)?;
    seccompiler::apply_filter(&program).map_err(io::Error::other)
}

/// An error, and at what.
pub(super) type Failed = (String, io::Error);

/// Says at what an error was.
pub(super) fn at<E: Into<io::Error>>(attempt: impl Into<String>) -> impl FnOnce(E) -> Failed {
    let attempt = attempt.into();
    move |error| (attempt, error.into())
}
