//! The system calls that no program of an instance may make: of no use to what people run there, and a way into the kernel.

use std::collections::BTreeMap;
use std::io;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    TargetArch, sock_filter,
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

/// Families of sockets that are allowed: what they reach is bounded by the instance's network namespace, or its files. Those of
/// hypervisors, of the kernel's ciphers and of modems (`AF_VSOCK`, `AF_ALG`, `AF_QIPCRTR`) know no network namespaces.
const FAMILIES: [i32; 5] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK, libc::AF_PACKET];

/// Bit of a system call's number by which x86-64 tells the calls of x32, which no list above names.
const X32: u32 = 0x4000_0000;

/// Number that a tracer writes to have no call made.
const NO_CALL: u32 = u32::MAX;

/// From now on, for this process and what it starts. No program gains rights by being started, either (`no_new_privs`): files of the
/// host's that would give some do not anyway, as their owner is nobody in the instance.
///
/// # Errors
/// The OS error, or that there are no filters for this kind of machine.
pub(super) fn refuse() -> io::Result<()> {
    let mut programs = vec![calls()?, families()?, flags_unseen()?];
    if cfg!(target_arch = "x86_64") {
        programs.push(x32());
    }
    programs.iter().try_for_each(|program| seccompiler::apply_filter(program).map_err(io::Error::other))
}

/// Refuses the calls of the list, and namespaces of control groups: root of one may mount the control groups from its own on down, and
/// would kill, freeze or unbound the group that the lab runs in.
fn calls() -> io::Result<BpfProgram> {
    let mut rules: BTreeMap<i64, Vec<_>> = REFUSED.into_iter().map(|call| (call, Vec::new())).collect();
    let flag = libc::CLONE_NEWCGROUP.unsigned_abs().into();
    for call in [libc::SYS_unshare, libc::SYS_clone] {
        let has_flag = condition(SeccompCmpOp::MaskedEq(flag), flag)?;
        rules.insert(call, vec![SeccompRule::new(vec![has_flag]).map_err(io::Error::other)?]);
    }
    program(rules, libc::EPERM)
}

/// Families of sockets that are not there, as on a kernel without them: programs that look for one go on.
fn families() -> io::Result<BpfProgram> {
    let others = || {
        let conditions = FAMILIES.into_iter().map(|family| condition(SeccompCmpOp::Ne, family.unsigned_abs().into()));
        SeccompRule::new(conditions.collect::<io::Result<_>>()?).map_err(io::Error::other)
    };
    let rules = [libc::SYS_socket, libc::SYS_socketpair].map(|call| others().map(|rule| (call, vec![rule])));
    program(rules.into_iter().collect::<io::Result<_>>()?, libc::EAFNOSUPPORT)
}

/// Says that there is no `clone3`, whose flags lie in memory where no filter sees them. The C library makes threads and processes by
/// `clone` then.
fn flags_unseen() -> io::Result<BpfProgram> {
    program(BTreeMap::from([(libc::SYS_clone3, Vec::new())]), libc::ENOSYS)
}

/// Refuses the calls of x32. The other programs have seen to it that the call is of x86-64 (`AUDIT_ARCH_X86_64`), which x32 is too.
fn x32() -> BpfProgram {
    let instruction = |code: u32, jt, jf, k| sock_filter { code: code as u16, jt, jf, k };
    let give = |k| instruction(libc::BPF_RET | libc::BPF_K, 0, 0, k);
    vec![
        // The number stands first in `seccomp_data`.
        instruction(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        instruction(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 1, 0, NO_CALL),
        instruction(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 1, 0, X32),
        give(libc::SECCOMP_RET_ALLOW),
        give(libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs()),
    ]
}

/// A condition on the first argument, which is an `int` or has its flags in the lower half.
fn condition(operator: SeccompCmpOp, value: u64) -> io::Result<SeccompCondition> {
    SeccompCondition::new(0, SeccompCmpArgLen::Dword, operator, value).map_err(io::Error::other)
}

/// A program that answers what fits a rule with an error.
fn program(rules: BTreeMap<i64, Vec<SeccompRule>>, errno: i32) -> io::Result<BpfProgram> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(io::Error::other)?;
    let refused = SeccompAction::Errno(errno.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refused, arch).map_err(io::Error::other)?;
    BpfProgram::try_from(filter).map_err(io::Error::other)
}

/// An error, and at what.
pub(super) type Failed = (String, io::Error);

/// Says at what an error was.
pub(super) fn at<E: Into<io::Error>>(attempt: impl Into<String>) -> impl FnOnce(E) -> Failed {
    let attempt = attempt.into();
    move |error| (attempt, error.into())
}
