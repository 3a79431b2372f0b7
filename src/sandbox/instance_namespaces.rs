//! The namespaces of an instance, and who writes their id maps: the namespace itself where each has one id, else somebody outside.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};

use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use nix::unistd::pipe2;

use super::ids::Maps;
use super::raw::{self, InstanceNamespaces, MapsBy};

/// Makes a user namespace with a network namespace in it, and gives their descriptors.
pub(crate) fn fenced_namespaces(maps: &Maps) -> io::Result<InstanceNamespaces> {
    let (uids, gids) = maps.texts();
    if maps.are_single() {
        return Ok(raw::fenced_namespaces(&MapsBy::itself(&uids, &gids)?)?);
    }
    // The namespace's own process may not, and the thread that makes it is suspended meanwhile.
    let (told, tell) = pipe2(OFlag::O_CLOEXEC)?;
    let (answered, answer) = pipe2(OFlag::O_CLOEXEC)?;
    std::thread::scope(|scope| {
        let (uids, gids) = (&uids, &gids);
        let writing = std::thread::Builder::new().spawn_scoped(scope, move || write_maps(told, answer, uids, gids))?;
        let made = raw::fenced_namespaces(&MapsBy::Other { tell: tell.as_raw_fd(), answered: answered.as_raw_fd() });
        // If nothing was told, nothing will be.
        drop(tell);
        let written = writing.join().unwrap_or_else(|_| Err(io::Error::other("the thread that maps ids panicked")));
        let made = made?;
        written.map(|()| made)
    })
}

/// Waits for the namespace's folder of `/proc`, writes its maps, and says so.
fn write_maps(told: OwnedFd, answer: OwnedFd, uids: &str, gids: &str) -> io::Result<()> {
    let mut folder = [0; size_of::<RawFd>()];
    File::from(told).read_exact(&mut folder)?;
    let folder = raw::borrowed(RawFd::from_ne_bytes(folder));
    let written = write(folder, "uid_map", uids).and_then(|()| write(folder, "gid_map", gids));
    File::from(answer).write_all(&[u8::from(written.is_ok())])?;
    written
}

fn write(folder: BorrowedFd<'_>, file: &str, text: &str) -> io::Result<()> {
    File::from(openat(folder, file, OFlag::O_WRONLY | OFlag::O_CLOEXEC, Mode::empty())?).write_all(text.as_bytes())
}
