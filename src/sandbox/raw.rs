//! The one module with `unsafe`: work before `main`, forking before there are threads, and making namespaces from a child
//! that shares this process's memory and descriptors. Everything here is small enough to be checked by eye.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;

use nix::sched::CloneFlags;
use nix::unistd::{ForkResult, Pid};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Has the C library call functions before `main`, when the process has one thread: the last moment at which a process that was
/// started for a test of a library's user can enter a sandbox.
// SAFETY: the loader calls what stands in `.init_array`, functions of the C calling convention; this one takes none of the
// arguments that it is given. It never unwinds: `extern "C"` aborts instead.
macro_rules! before_main {
    ($($answer:path),+ $(,)?) => {
        #[allow(unsafe_code)]
        #[used]
        #[unsafe(link_section = ".init_array")]
        static BEFORE_MAIN: extern "C" fn() = {
            extern "C" fn before_main() {
                $($answer();)+
            }
            before_main
        };
    };
}
pub(super) use before_main;

/// Takes a variable out of the environment, so that programs started from here do not find it.
pub(super) fn forget_variable(name: &str) {
    // SAFETY: called before `main` only, where no other thread exists that could read the environment.
    unsafe { std::env::remove_var(name) };
}

/// Forks. The caller must still be single-threaded: the child may then do whatever the parent could.
pub(super) fn fork_single_threaded() -> nix::Result<ForkResult> {
    // SAFETY: sandbox::enter has checked that no other thread exists, so no lock can be left held in the child.
    unsafe { nix::unistd::fork() }
}

/// A descriptor of a process, by its number, which must not have been reaped. It can be read once the process has ended.
pub(super) fn process(number: u32) -> nix::Result<OwnedFd> {
    // SAFETY: a system call with two numbers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, number, 0) };
    let fd = RawFd::try_from(Errno::result(fd)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel opened it for us, close-on-exec, and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Returns the number of packets that a packet socket had no place for since the last call. (Each packet could carry the count, `SO_RXQ_OVFL`, but a
/// kernel built to check its copies kills the thread that reads it.)
pub(crate) fn packets_missed(socket: BorrowedFd<'_>) -> nix::Result<u32> {
    let mut counts = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
    let mut length = libc::socklen_t::try_from(size_of_val(&counts)).map_err(|_| Errno::EINVAL)?;
    // SAFETY: the kernel writes at most `length` bytes, the size of `counts`, which two numbers of any value fill.
    let asked = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            (&raw mut counts).cast(),
            &raw mut length,
        )
    };
    Errno::result(asked).map(|_| counts.tp_drops)
}

/// Kills a process, by its descriptor. One that has ended already hears nothing.
pub(super) fn kill(process: BorrowedFd<'_>) -> nix::Result<()> {
    let nothing: *const libc::siginfo_t = std::ptr::null();
    // SAFETY: a system call with a descriptor, two numbers and no structure.
    let done = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), libc::SIGKILL, nothing, 0) };
    match Errno::result(done) {
        Ok(_) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(errno),
    }
}

/// Has a packet socket, which takes nothing yet, take what passes one interface of this namespace, both ways and of every protocol.
pub(crate) fn watch_interface(socket: BorrowedFd<'_>, index: u32) -> nix::Result<()> {
    let address = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: (libc::ETH_P_ALL as u16).to_be(),
        sll_ifindex: i32::try_from(index).map_err(|_| Errno::EINVAL)?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    let length = libc::socklen_t::try_from(size_of_val(&address)).map_err(|_| Errno::EINVAL)?;
    // SAFETY: the kernel reads `length` bytes, the size of `address`.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    Errno::result(bound).map(drop)
}

/// Waits for the end of a process, by its descriptor.
pub(super) async fn ended(process: OwnedFd) -> io::Result<()> {
    // SAFETY: the descriptor is open for as long as it is waited for, since its owner is inside.
    let process = unsafe { AsyncFd::register_with_interest(process, Interest::READABLE) }?;
    process.readable().await.map(drop)
}

/// Receives bytes over a socket, as many as there is room for, and every descriptor beside them, however many, so that none is left open unseen.
pub(super) fn receive(socket: BorrowedFd<'_>, bytes: &mut [u8]) -> nix::Result<(usize, Vec<OwnedFd>)> {
    /// The kernel passes on no more at once.
    const MAX_DESCRIPTORS: usize = 253;
    // As numbers, so that the kernel's structure lies well in them.
    let mut space = [0u64; (size_of::<libc::cmsghdr>() + MAX_DESCRIPTORS * size_of::<RawFd>()).div_ceil(8) + 1];
    let mut into = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    // SAFETY: a structure of numbers and pointers, for which nothing is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut into;
    message.msg_iovlen = 1;
    message.msg_control = space.as_mut_ptr().cast();
    message.msg_controllen = size_of_val(&space) as _;
    // SAFETY: the kernel writes to `bytes` and `space`, no more than their lengths, and both outlive the call.
    let read = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) };
    let read = usize::try_from(Errno::result(read)?).map_err(|_| Errno::EIO)?;
    let mut received = Vec::new();
    // SAFETY: `message` is what the kernel has filled in; the macros stay within `msg_controllen`. Each number is of a descriptor that
    // was opened for us, of which nobody else knows. What was cut off the kernel has closed itself.
    unsafe {
        let mut header = libc::CMSG_FIRSTHDR(&raw const message);
        while !header.is_null() {
            if ((*header).cmsg_level, (*header).cmsg_type) == (libc::SOL_SOCKET, libc::SCM_RIGHTS) {
                let length = (*header).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
                let data = libc::CMSG_DATA(header).cast::<RawFd>();
                for place in 0..length / size_of::<RawFd>() {
                    received.push(OwnedFd::from_raw_fd(data.add(place).read_unaligned()));
                }
            }
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
    }
    Ok((read, received))
}

/// Closes everything but standard input, output and errors. For a process that uses nothing else until its end.
pub(super) fn close_descriptors() {
    // SAFETY: a system call with three numbers. Whoever owned one of them never runs again.
    let _ = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, 0) };
}

/// Closes what the process was started with, but for standard input, output and errors: all that would stay open where a program is
/// started. What it has opened itself since is closed there.
pub(super) fn close_inherited() -> io::Result<()> {
    let numbers = std::fs::read_dir("/proc/self/fd")?.flatten();
    let numbers: Vec<RawFd> = numbers.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    for number in numbers.into_iter().filter(|number| *number > libc::STDERR_FILENO) {
        // SAFETY: a system call with numbers. One that is not open, as that of the folder above, is an error.
        let flags = unsafe { libc::fcntl(number, libc::F_GETFD) };
        if flags >= 0 && flags & libc::FD_CLOEXEC == 0 {
            // SAFETY: nobody in this process has opened it, so that nobody owns it.
            unsafe { libc::close(number) };
        }
    }
    Ok(())
}

/// Makes a mount read-only and without devices, and every mount below it. Needs Linux 5.12.
pub(super) fn restrict_mounts(place: &Path) -> nix::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NODEV,
        attr_clr: 0,
        propagation: 0,
        userns_fd: 0,
    };
    set_mount_attributes(libc::AT_FDCWD, &c_path(place)?, libc::AT_RECURSIVE, &attributes)
}

/// A copy of what is mounted at a file or a folder, and below: it is nowhere yet.
pub(crate) fn copy_of_mounts(what: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    let flags = libc::OPEN_TREE_CLONE
        | libc::OPEN_TREE_CLOEXEC
        | libc::AT_RECURSIVE.unsigned_abs()
        | libc::AT_EMPTY_PATH.unsigned_abs();
    // SAFETY: a system call with a descriptor, a terminated string and a number.
    let tree = unsafe { libc::syscall(libc::SYS_open_tree, what.as_raw_fd(), c"".as_ptr(), flags) };
    let tree = RawFd::try_from(Errno::result(tree)?).map_err(|_| Errno::EBADF)?;
    // SAFETY: the kernel opened it for us, and nobody else knows its number.
    Ok(unsafe { OwnedFd::from_raw_fd(tree) })
}

/// Makes no file of such a copy a device, or a program that gives rights, and all of it read-only where that is asked. Needs Linux 5.12.
pub(super) fn disarm_mounts(tree: BorrowedFd<'_>, read_only: bool) -> nix::Result<()> {
    let set = libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOSUID;
    let attr_set = if read_only { set | libc::MOUNT_ATTR_RDONLY } else { set };
    let attributes = libc::mount_attr { attr_set, attr_clr: 0, propagation: 0, userns_fd: 0 };
    set_mount_attributes(tree.as_raw_fd(), c"", libc::AT_EMPTY_PATH | libc::AT_RECURSIVE, &attributes)
}

/// Makes one mount read-only, without devices and programs that give rights, and leaves alone what is mounted below. Needs Linux 5.12.
pub(super) fn restrict_one(mount: BorrowedFd<'_>) -> nix::Result<()> {
    let attr_set = libc::MOUNT_ATTR_RDONLY | libc::MOUNT_ATTR_NODEV | libc::MOUNT_ATTR_NOSUID;
    let attributes = libc::mount_attr { attr_set, attr_clr: 0, propagation: 0, userns_fd: 0 };
    set_mount_attributes(mount.as_raw_fd(), c"", libc::AT_EMPTY_PATH, &attributes)
}

/// Shows such a copy with the ids of a user namespace: what belongs to one of its ids belongs to whom that is outside. Needs Linux 5.12,
/// and a file system that can.
pub(super) fn give_ids(tree: BorrowedFd<'_>, user: BorrowedFd<'_>) -> nix::Result<()> {
    let attributes = libc::mount_attr {
        attr_set: libc::MOUNT_ATTR_IDMAP,
        attr_clr: 0,
        propagation: 0,
        userns_fd: u64::try_from(user.as_raw_fd()).map_err(|_| Errno::EBADF)?,
    };
    set_mount_attributes(tree.as_raw_fd(), c"", libc::AT_EMPTY_PATH | libc::AT_RECURSIVE, &attributes)
}

/// Puts such a copy, or a mount that is somewhere already, at a place: by descriptors, also on a link.
pub(crate) fn put_mounts(tree: BorrowedFd<'_>, place: BorrowedFd<'_>) -> nix::Result<()> {
    // SAFETY: a system call with two descriptors, two terminated strings and a number.
    let moved = unsafe {
        libc::syscall(
            libc::SYS_move_mount,
            tree.as_raw_fd(),
            c"".as_ptr(),
            place.as_raw_fd(),
            c"".as_ptr(),
            libc::MOVE_MOUNT_F_EMPTY_PATH | libc::MOVE_MOUNT_T_EMPTY_PATH,
        )
    };
    Errno::result(moved).map(drop)
}

fn c_path(path: &Path) -> nix::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(|_| Errno::EINVAL)
}

fn set_mount_attributes(folder: RawFd, path: &CStr, flags: i32, attributes: &libc::mount_attr) -> nix::Result<()> {
    // SAFETY: the kernel reads a terminated string, and `attributes` of the size that is said.
    let done = unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            folder,
            path.as_ptr(),
            flags,
            std::ptr::from_ref(attributes),
            size_of_val(attributes),
        )
    };
    Errno::result(done).map(drop)
}

/// Makes standard input the terminal of this process's session, which it must lead.
pub(super) fn take_terminal() -> nix::Result<()> {
    // SAFETY: a system call with two numbers.
    Errno::result(unsafe { libc::ioctl(libc::STDIN_FILENO, libc::TIOCSCTTY, 0) }).map(drop)
}

/// Returns the size of a terminal's window.
pub(super) fn window(terminal: BorrowedFd<'_>) -> nix::Result<libc::winsize> {
    let mut size = libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: the kernel fills `size`, which four numbers of any value fill.
    Errno::result(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGWINSZ, &raw mut size) }).map(|_| size)
}

/// Changes a terminal's window; its programs are told.
pub(super) fn set_window(terminal: BorrowedFd<'_>, size: &libc::winsize) -> nix::Result<()> {
    // SAFETY: the kernel reads `size`.
    Errno::result(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const *size) }).map(drop)
}

/// The end for programs of a terminal that was opened by its other end, which is unlocked for that. No path is looked up, so it is that
/// terminal's whatever is mounted where.
pub(super) fn end_for_programs(terminal: BorrowedFd<'_>) -> nix::Result<OwnedFd> {
    let (locked, flags) = (0, libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC);
    // SAFETY: the kernel reads `locked`.
    Errno::result(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSPTLCK, &raw const locked) })?;
    // SAFETY: a system call with numbers; the descriptor that it gives is new, and nobody else's.
    let opened = Errno::result(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCGPTPEER, flags) })?;
    // SAFETY: as above.
    Ok(unsafe { OwnedFd::from_raw_fd(opened) })
}

/// Signals do what they do by default, as a program expects that begins.
pub(super) fn default_signals() {
    for signal in nix::sys::signal::Signal::iterator() {
        // SAFETY: no handler of ours is in the way, and none is installed. For those that cannot be changed this fails.
        let _ = unsafe { nix::sys::signal::signal(signal, nix::sys::signal::SigHandler::SigDfl) };
    }
}

/// The namespaces of an instance: a user namespace of its own, and the network namespace that it owns.
pub(crate) struct InstanceNamespaces {
    pub user: OwnedFd,
    pub net: OwnedFd,
}

/// Report of the child of [`fenced_namespaces`], through the shared memory.
#[repr(C)]
struct Report {
    user: RawFd,
    net: RawFd,
    errno: i32,
}

/// Writer of the id maps of new namespaces.
pub(super) enum MapsBy {
    /// Their own process: each map has one id, the caller's.
    Itself { uids: CString, gids: CString },
    /// Another one, which is told the namespace's folder of `/proc`, a descriptor, and answers with one byte that is not 0.
    Other { tell: RawFd, answered: RawFd },
}

impl MapsBy {
    pub(super) fn itself(uids: &str, gids: &str) -> nix::Result<Self> {
        let text = |text: &str| CString::new(text).map_err(|_| Errno::EINVAL);
        Ok(Self::Itself { uids: text(uids)?, gids: text(gids)? })
    }
}

/// A descriptor that another process of the same table has opened.
pub(super) fn borrowed<'a>(number: RawFd) -> BorrowedFd<'a> {
    // SAFETY: the child of [`fenced_namespaces`] has opened it, and closes it only when it is answered.
    unsafe { BorrowedFd::borrow_raw(number) }
}

/// Makes a user namespace with a network namespace in it, and gives their descriptors.
///
/// Threads cannot unshare a user namespace, so a child does it. The child shares memory and the descriptor table
/// (`CLONE_VM | CLONE_FILES`), writes its own id maps or has them written, opens its namespaces and leaves; the caller's
/// thread waits (`CLONE_VFORK`). So no page table is copied, however large the process.
pub(super) fn fenced_namespaces(maps: &MapsBy) -> nix::Result<InstanceNamespaces> {
    let mut report = Report { user: -1, net: -1, errno: 0 };
    let mut stack = vec![0u8; 64 * 1024];
    let shared: *mut Report = &raw mut report;
    let child = Box::new(|| {
        // SAFETY: `report` outlives the child, since the parent is suspended until the child is gone.
        let report = unsafe { &mut *shared };
        match fill(report, maps) {
            Ok(()) => 0,
            Err(errno) => {
                report.errno = errno as i32;
                1
            }
        }
    });
    let flags = CloneFlags::CLONE_VM
        | CloneFlags::CLONE_VFORK
        | CloneFlags::CLONE_FILES
        | CloneFlags::CLONE_NEWUSER
        | CloneFlags::CLONE_NEWNET;
    // SAFETY: the child runs `fill` only, which makes system calls and neither allocates nor panics; it has a stack
    // of its own, and with CLONE_VFORK nothing that it borrows moves before it has ended. No exit signal is sent, so
    // nobody else's wait can meet it.
    let pid: Pid = unsafe { nix::sched::clone(child, &mut stack, flags, None)? };
    nix::sys::wait::waitpid(pid, Some(nix::sys::wait::WaitPidFlag::__WALL))?;
    if report.errno != 0 {
        for fd in [report.user, report.net] {
            if fd >= 0 {
                // SAFETY: the child opened it for us and nobody else knows its number.
                drop(unsafe { OwnedFd::from_raw_fd(fd) });
            }
        }
        return Err(Errno::from_raw(report.errno));
    }
    // SAFETY: both were opened by the child in our descriptor table, and nobody else knows their numbers.
    unsafe { Ok(InstanceNamespaces { user: OwnedFd::from_raw_fd(report.user), net: OwnedFd::from_raw_fd(report.net) }) }
}

/// Runs in the child: system calls only.
fn fill(report: &mut Report, maps: &MapsBy) -> Result<(), Errno> {
    match maps {
        MapsBy::Itself { uids, gids } => {
            write_file(c"/proc/self/setgroups", c"deny")?;
            write_file(c"/proc/self/uid_map", uids)?;
            write_file(c"/proc/self/gid_map", gids)?;
        }
        MapsBy::Other { tell, answered } => have_maps_written(*tell, *answered)?,
    }
    report.user = open_file(c"/proc/self/ns/user", libc::O_RDONLY)?;
    report.net = open_file(c"/proc/self/ns/net", libc::O_RDONLY)?;
    Ok(())
}

fn have_maps_written(tell: RawFd, answered: RawFd) -> Result<(), Errno> {
    let folder = open_file(c"/proc/self", libc::O_RDONLY | libc::O_DIRECTORY)?;
    let told = folder.to_ne_bytes();
    let mut answer = 0u8;
    // SAFETY: system calls on descriptors of the caller's, each with a buffer of its own and its length.
    let heard = unsafe {
        libc::write(tell, told.as_ptr().cast(), told.len()) == told.len() as isize
            && libc::read(answered, (&raw mut answer).cast(), 1) == 1
    };
    // SAFETY: closes the descriptor opened above, once.
    unsafe { libc::close(folder) };
    if heard && answer != 0 { Ok(()) } else { Err(Errno::EPERM) }
}

fn open_file(path: &CStr, mode: i32) -> Result<RawFd, Errno> {
    // SAFETY: a system call with a terminated string.
    let fd = unsafe { libc::open(path.as_ptr(), mode | libc::O_CLOEXEC) };
    if fd < 0 { Err(Errno::last()) } else { Ok(fd) }
}

fn write_file(path: &CStr, text: &CStr) -> Result<(), Errno> {
    let fd = open_file(path, libc::O_WRONLY)?;
    let bytes = text.to_bytes();
    // SAFETY: a system call on a descriptor of ours, with a buffer and its length.
    let written = unsafe { libc::write(fd, bytes.as_ptr().cast(), bytes.len()) };
    let errno = Errno::last();
    // SAFETY: closes the descriptor opened above, once.
    unsafe { libc::close(fd) };
    if written < 0 { Err(errno) } else { Ok(()) }
}
