//! Places of a user's labs on this machine: for each a lock, a socket and a log, in a folder that is the user's alone.
//!
//! Whether a lab lives is a fact of its lock, which its processes hold and the kernel lets go with the last of them: a socket
//! beside a free lock is stale. A lab that ends in its own time writes a word into the lock; where there is none, it has died.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill as signal};
use nix::unistd::{Pid, geteuid};

use crate::lab::folder_of_labs;

/// Whoever asks for a place has its answer by then.
const ASK_TIMEOUT: Duration = Duration::from_secs(1);
/// A lab that was killed is gone by then.
const EXIT_TIMEOUT: Duration = Duration::from_secs(10);

/// The name of a lab that stays up: letters, digits, `-` and `_`, at most 63.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabName(String);

impl LabName {
    /// The name, if it is one.
    pub fn new(name: &str) -> Option<Self> {
        let spelled = name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        let begins = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        (spelled && begins && name.len() <= 63).then(|| Self(name.to_owned()))
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for LabName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

/// Error for which a place is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum LabDirError {
    /// The folder is not there or not ours.
    #[error("failed to use the folder of labs {}: {why}; SGLAB_RUNTIME_DIR=FOLDER names another", folder.display())]
    Folder {
        /// Folder of the labs.
        folder: PathBuf,
        /// Reason, in words.
        why: String,
    },
    /// A lab of that name is up.
    #[error("a lab named `{0}` is up already")]
    Up(LabName),
    /// A file of the place failed.
    #[error("failed to {attempt} {}: {source}", path.display())]
    File {
        /// Verb of the attempt, such as `write`.
        attempt: &'static str,
        /// Path of the file.
        path: PathBuf,
        /// The OS error.
        source: io::Error,
    },
}

/// The place of one lab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LabDir {
    /// Name of its lab.
    pub name: LabName,
    folder: PathBuf,
}

/// A place that a lab holds, as long as the lock's descriptor is open anywhere.
#[derive(Debug)]
pub struct LockedLabDir {
    /// Place that is held.
    pub place: LabDir,
    lock: File,
}

/// State of a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LabDirState {
    /// A lab.
    Up,
    /// No lab; the last one has ended as it should.
    None,
    /// Remains of a lab that was killed. It stays until its place is taken or cleared.
    Died,
}

/// Bytes that a lab writes into its lock when it ends.
const ENDED: &[u8] = b"ended\n";

impl LabDir {
    /// The place of a name, in the user's folder, which is made if it is not there.
    ///
    /// # Errors
    /// [`LabDirError::Folder`] if it cannot be made, or others could write in it.
    pub fn of(name: LabName) -> Result<Self, LabDirError> {
        Ok(Self { name, folder: folder()? })
    }

    /// The socket.
    pub fn socket(&self) -> PathBuf {
        self.file("sock")
    }

    /// Returns the path of the log: what the lab's supervisor said.
    pub fn log(&self) -> PathBuf {
        self.file("log")
    }

    /// Returns the path of what a page of the lab keeps: the token of its browsers.
    pub fn page(&self) -> PathBuf {
        self.file("page")
    }

    /// Returns the path of the file by which a browser is led to the page.
    pub fn opener(&self) -> PathBuf {
        self.file("html")
    }

    fn lock(&self) -> PathBuf {
        self.file("lock")
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.folder.join(format!("{}.{ending}", self.name))
    }

    /// Takes the place for a lab, and clears what a dead one has left.
    ///
    /// # Errors
    /// [`LabDirError::Up`] if a lab lives there.
    pub fn take(&self) -> Result<LockedLabDir, LabDirError> {
        let begun = Instant::now();
        loop {
            let lock = self.open_lock()?;
            match lock.try_lock() {
                Ok(()) => {}
                // No lab shares its lock, so somebody asks for the place at this moment, and lets go at once. To wait in the kernel would be to
                // wait for a lab, too, that takes it meanwhile.
                Err(TryLockError::WouldBlock) if begun.elapsed() < ASK_TIMEOUT && lock.try_lock_shared().is_ok() => {
                    drop(lock);
                    std::thread::sleep(Duration::from_millis(1));
                    continue;
                }
                Err(TryLockError::WouldBlock) => return Err(LabDirError::Up(self.name.clone())),
                Err(TryLockError::Error(source)) => return Err(self.failed("lock", self.lock(), source)),
            }
            // Somebody may have cleared the place between opening and locking: then the lock is nobody's file.
            if self.is_current(&lock) {
                remove(&self.socket());
                remove(&self.page());
                remove(&self.opener());
                return Ok(LockedLabDir { place: self.clone(), lock });
            }
        }
    }

    /// Takes it for a lab that is to live here: that one has not ended.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub fn begin(&self) -> Result<LockedLabDir, LabDirError> {
        let taken = self.take()?;
        taken.lock.set_len(0).map_err(|source| self.failed("write", self.lock(), source))?;
        Ok(taken)
    }

    /// Returns the state of the place. Clears what a lab has left that has ended, but for its log.
    ///
    /// # Errors
    /// The OS error.
    pub fn life(&self) -> Result<LabDirState, LabDirError> {
        match self.look()? {
            LabDirState::None if self.lock().exists() => match self.take() {
                Ok(taken) if taken.has_ended() => {
                    taken.clear();
                    Ok(LabDirState::None)
                }
                Ok(_) => Ok(LabDirState::Died),
                Err(LabDirError::Up(_)) => Ok(LabDirState::Up),
                Err(error) => Err(error),
            },
            life => Ok(life),
        }
    }

    /// The same, and clears nothing. Those who ask share the lock, so that none takes another for a lab.
    fn look(&self) -> Result<LabDirState, LabDirError> {
        loop {
            if !self.lock().exists() {
                return Ok(LabDirState::None);
            }
            let lock = self.open_lock()?;
            match lock.try_lock_shared() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(LabDirState::Up),
                Err(TryLockError::Error(source)) => return Err(self.failed("lock", self.lock(), source)),
            }
            if self.is_current(&lock) {
                return Ok(if has_ended(&lock) { LabDirState::None } else { LabDirState::Died });
            }
        }
    }

    /// Returns `true` if a lab lives here.
    ///
    /// # Errors
    /// The OS error.
    pub fn is_up(&self) -> Result<bool, LabDirError> {
        Ok(self.life()? == LabDirState::Up)
    }

    /// Clears what a lab has left that is not up any more, but for its log.
    ///
    /// # Errors
    /// [`LabDirError::Up`] if one lives here.
    pub fn clear(&self) -> Result<(), LabDirError> {
        if self.lock().exists() {
            self.take()?.clear();
        }
        Ok(())
    }

    /// The process of the lab here that is stopped by a signal, if one is: it answers nothing, and does not end.
    pub fn stopped(&self) -> Option<i32> {
        let lock = self.lock().metadata().ok()?;
        stopped((lock.dev(), lock.ino()))
    }

    /// Kills the lab that lives here, whatever it does at the moment, and waits until nothing of it is left.
    ///
    /// # Errors
    /// The OS error; and where it is still there after a while.
    pub fn end_by_force(&self) -> Result<(), LabDirError> {
        let begun = Instant::now();
        while self.is_up()? {
            let held = self.lock().metadata().map(|found| (found.dev(), found.ino()));
            held.map(kill).map_err(|source| self.failed("look at", self.lock(), source))?;
            if begun.elapsed() > EXIT_TIMEOUT {
                let source = io::Error::other("its processes have been killed, and still hold it");
                return Err(self.failed("wait for", self.lock(), source));
            }
            // Look again: a process may have been started meanwhile that holds it, too.
            std::thread::sleep(Duration::from_millis(10));
        }
        self.clear()
    }

    /// Waits until no lab lives here any more, and says how it ended; what it has left is cleared if it ended as it should.
    ///
    /// # Errors
    /// The OS error.
    pub fn wait_until_down(&self) -> Result<LabDirState, LabDirError> {
        if !self.lock().exists() {
            return Ok(LabDirState::None);
        }
        let lock = self.open_lock()?;
        lock.lock().map_err(|source| self.failed("wait for", self.lock(), source))?;
        if !self.is_current(&lock) {
            return Ok(LabDirState::None);
        }
        let taken = LockedLabDir { place: self.clone(), lock };
        if !taken.has_ended() {
            return Ok(LabDirState::Died);
        }
        taken.clear();
        Ok(LabDirState::None)
    }

    fn open_lock(&self) -> Result<File, LabDirError> {
        let path = self.lock();
        let mut options = OpenOptions::new();
        // Of a pipe that somebody has put there, nobody waits for the other end.
        options
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .mode(0o600)
            .custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW);
        let opened = options.open(&path).and_then(|file| match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::other("it is no file")),
        });
        opened.map_err(|source| self.failed("open", path, source))
    }

    fn is_current(&self, lock: &File) -> bool {
        let (Ok(held), Ok(named)) = (lock.metadata(), fs::metadata(self.lock())) else { return false };
        held.ino() == named.ino() && held.dev() == named.dev()
    }

    fn failed(&self, attempt: &'static str, path: PathBuf, source: io::Error) -> LabDirError {
        LabDirError::File { attempt, path, source }
    }
}

impl LockedLabDir {
    /// Notes that the lab here ends in its own time. Whoever cannot note it is told as dead, which is no worse.
    pub fn note_end(&self) {
        drop((&self.lock).write_all(ENDED));
    }

    fn has_ended(&self) -> bool {
        has_ended(&self.lock)
    }

    /// Removes what is there, but for the log.
    fn clear(self) {
        remove(&self.place.socket());
        remove(&self.place.page());
        remove(&self.place.opener());
        remove(&self.place.lock());
    }
}

/// Reports whether the lab that held a lock has noted its end there.
fn has_ended(mut lock: &File) -> bool {
    let mut word = Vec::new();
    let begun = lock.rewind();
    begun.and_then(|()| lock.take(64).read_to_end(&mut word)).is_ok_and(|_| word == ENDED)
}

/// Removes a file. What is not there is as good as removed; what cannot be removed is found stale next time.
fn remove(path: &Path) {
    drop(fs::remove_file(path));
}

/// Every place of the user where a lab lives, by name.
///
/// # Errors
/// The OS error.
pub fn all() -> Result<Vec<LabDir>, LabDirError> {
    Ok(found()?.into_iter().filter(|(_, life)| *life == LabDirState::Up).map(|(place, _)| place).collect())
}

/// Every place of the user where a lab has died, by name.
///
/// # Errors
/// The OS error.
pub fn died() -> Result<Vec<LabDir>, LabDirError> {
    Ok(found()?.into_iter().filter(|(_, life)| *life == LabDirState::Died).map(|(place, _)| place).collect())
}

fn found() -> Result<Vec<(LabDir, LabDirState)>, LabDirError> {
    let folder = folder()?;
    let failed = |source: io::Error| LabDirError::Folder { folder: folder.clone(), why: source.to_string() };
    let mut places = Vec::new();
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.extension().is_none_or(|ending| ending != "lock") {
            continue;
        }
        let Some(name) = path.file_stem().and_then(|stem| stem.to_str()).and_then(LabName::new) else { continue };
        let place = LabDir { name, folder: folder.clone() };
        // Pass over a file that cannot be opened or locked: it is no lab of this user's, and must hide no other.
        match place.life() {
            Ok(life @ (LabDirState::Up | LabDirState::Died)) => places.push((place, life)),
            Ok(LabDirState::None) | Err(_) => {}
        }
    }
    places.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
    Ok(places)
}

/// The user's folder of labs, made where it is not there.
fn folder() -> Result<PathBuf, LabDirError> {
    let folder = folder_of_labs();
    let user = geteuid();
    let failed = |why: String| LabDirError::Folder { folder: folder.clone(), why };
    match DirBuilder::new().mode(0o700).create(&folder) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error.to_string())),
    }
    // Below /tmp anybody could have made it first.
    let found = fs::symlink_metadata(&folder).map_err(|error| failed(error.to_string()))?;
    if !found.is_dir() {
        return Err(failed("it is no folder".to_owned()));
    }
    if found.uid() != user.as_raw() || found.mode() & 0o022 != 0 {
        return Err(failed("it is not this user's alone".to_owned()));
    }
    Ok(folder)
}

/// Kills every process that holds the lock on a file, by its device and number: those of a lab, all with the same open file.
/// Leaves alone processes that have the file open without the lock: they only ask whether a lab lives.
pub(super) fn kill(file: (u64, u64)) {
    for pid in numbers(file) {
        // It may have gone a moment ago.
        let _ = signal(Pid::from_raw(pid), Signal::SIGKILL);
    }
}

/// One of them that is stopped by a signal, if one is.
pub(super) fn stopped(file: (u64, u64)) -> Option<i32> {
    numbers(file).find(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        // Behind the name, which is in parentheses and may have anything in it.
        stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['T', 't']))
    })
}

fn numbers(file: (u64, u64)) -> impl Iterator<Item = i32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    numbers.filter(move |pid| holds(*pid, file))
}

fn holds(pid: i32, file: (u64, u64)) -> bool {
    let process = Path::new("/proc").join(pid.to_string());
    let open = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    open.map(|entry| entry.file_name()).any(|number| {
        let found = fs::metadata(process.join("fd").join(&number));
        let is_it = found.is_ok_and(|found| (found.dev(), found.ino()) == file);
        is_it && fs::read_to_string(process.join("fdinfo").join(&number)).is_ok_and(|text| text.contains("\nlock:"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_the_place_of_a_dead_lab_is_taken_for_no_lab_by_others() {
        let folder = tempfile::tempdir().unwrap();
        let place = LabDir { name: LabName::new("dead").unwrap(), folder: folder.path().to_owned() };
        drop(place.begin().unwrap());
        let asking = place.open_lock().unwrap();
        asking.try_lock_shared().unwrap();
        assert_eq!(place.life().unwrap(), LabDirState::Died);
        // A lab that is to live there waits for the answer of who asks.
        std::thread::scope(|scope| {
            let taking = scope.spawn(|| place.begin());
            drop(asking);
            let taken = taking.join().unwrap().unwrap();
            assert_eq!(place.life().unwrap(), LabDirState::Up);
            taken.note_end();
        });
        assert_eq!(place.life().unwrap(), LabDirState::None);
        assert!(!place.lock().exists(), "what a lab has left that has ended is cleared");
    }
}
