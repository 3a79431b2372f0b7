//! Mounts of an instance at places of its own choice: `mounts:` of a topology file.

use std::fmt;
use std::sync::Arc;

/// A folder of every instance that is empty when the lab comes up, outlives its restarts, and goes with the lab.
pub const DATA_FOLDER: &str = "/run/data";

/// Paths that every instance has of its own: nothing else can be there or below.
const OWN: [&str; 5] = ["/proc", "/sys", "/dev", "/etc/hosts", "/etc/resolv.conf"];
/// Folder in which the lab makes ready what an instance sees; what lies above it stays the instance's own as well.
const LAB_FOLDER: &str = "/run/sglab";
/// Bytes of a path, as the kernel takes it.
const MAX_PATH: usize = 4095;
/// Bytes of a part of one.
const MAX_PART: usize = 255;

/// A place in an instance: an absolute path, without `.`, `..`, and slashes that say nothing.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MountPlace(Arc<str>);

/// The reason why a text is no place for a mount.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPlace {
    /// It does not begin with a slash.
    #[error("it does not begin with `/`")]
    Relative,
    /// It goes up, and where that leads depends on links.
    #[error("it has `..` in it")]
    GoesUp,
    /// It is the root itself.
    #[error("it is all that an instance sees")]
    Root,
    /// Every instance has that of its own.
    #[error("every instance has a `{0}` of its own")]
    Own(&'static str),
    /// It is no path at all: a control character, or too long.
    #[error("{0}")]
    Unfit(&'static str),
}

impl MountPlace {
    /// The place that a path means.
    ///
    /// # Errors
    /// [`NoPlace`].
    pub fn new(path: &str) -> Result<Self, NoPlace> {
        if let Some(why) = unfit_path(path) {
            return Err(NoPlace::Unfit(why));
        }
        if !path.starts_with('/') {
            return Err(NoPlace::Relative);
        }
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
        if parts.contains(&"..") {
            return Err(NoPlace::GoesUp);
        }
        if parts.is_empty() {
            return Err(NoPlace::Root);
        }
        let place = Self(format!("/{}", parts.join("/")).into());
        let is = |own: &str| place.as_str() == own;
        let has_own =
            |own: &&str| is(own) || place.rest_below(own).is_some() || own.starts_with(&format!("{}/", place.0));
        match OWN.into_iter().chain([LAB_FOLDER]).find(has_own) {
            Some(own) => Err(NoPlace::Own(own)),
            // Something may be put into this one.
            None if is(DATA_FOLDER) => Err(NoPlace::Own(DATA_FOLDER)),
            None => Ok(place),
        }
    }

    /// As a path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folders that it lies in, the nearest first.
    pub fn above(&self) -> impl Iterator<Item = &str> {
        self.0.rmatch_indices('/').map(|(at, _)| &self.0[..at]).filter(|above| !above.is_empty())
    }

    /// Returns the rest of the path below another place: `cache` of `/srv/cache` below `/srv`.
    pub fn below(&self, other: &Self) -> Option<&str> {
        self.rest_below(&other.0)
    }

    fn rest_below(&self, folder: &str) -> Option<&str> {
        self.0.strip_prefix(folder)?.strip_prefix('/')
    }
}

impl TryFrom<String> for MountPlace {
    type Error = NoPlace;

    fn try_from(path: String) -> Result<Self, NoPlace> {
        Self::new(&path)
    }
}

impl From<MountPlace> for String {
    fn from(place: MountPlace) -> Self {
        place.0.as_ref().to_owned()
    }
}

impl std::borrow::Borrow<str> for MountPlace {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MountPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for MountPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// The reason why a text is no path at all.
pub(crate) fn unfit_path(path: &str) -> Option<&'static str> {
    if path.chars().any(char::is_control) {
        return Some("there is a control character in it");
    }
    if path.len() > MAX_PATH || path.split('/').any(|part| part.len() > MAX_PART) {
        return Some("it is longer than a path can be");
    }
    None
}

/// Source of a mount.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MountSource {
    /// An empty folder in memory, which is gone with the instance's processes.
    Empty,
    /// A file or a folder of the host's, as the file says it: from the folder of the topology file, or absolute.
    Path(String, MountAccess),
}

/// Access of an instance to a file or a folder of the host's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MountAccess {
    /// Read.
    ReadOnly,
    /// Read and write.
    Writable,
}

impl MountAccess {
    /// The words for it behind a path.
    pub const WORDS: [(&'static str, Self); 2] = [("writable", Self::Writable), ("read-only", Self::ReadOnly)];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ReadOnly => "read-only",
            Self::Writable => "writable",
        }
    }

    /// The word that a text ends in, and what stands before it.
    pub fn behind(text: &str) -> Option<(&str, Self)> {
        let (path, last) = text.trim_end().rsplit_once(char::is_whitespace)?;
        let (_, access) = Self::WORDS.into_iter().find(|(word, _)| *word == last)?;
        Some((path.trim_end(), access))
    }
}

impl MountSource {
    /// The word for an empty folder.
    pub const EMPTY: &'static str = "empty";
}

/// As the file says it.
impl fmt::Display for MountSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str(Self::EMPTY),
            // What ends in a word of its own, or as docker writes options, is told from these by the word.
            Self::Path(path, MountAccess::ReadOnly) if !path.contains([' ', '\t', ':']) => f.write_str(path),
            Self::Path(path, access) => write!(f, "{path} {}", access.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_an_absolute_path_without_what_says_nothing() {
        for (path, place) in [
            ("/srv/www", "/srv/www"),
            ("//srv/./www/", "/srv/www"),
            ("/device", "/device"),
            ("/etc/hosts.d", "/etc/hosts.d"),
            ("/run/data/x", "/run/data/x"),
        ] {
            assert_eq!(MountPlace::new(path).map(|place| place.to_string()).as_deref(), Ok(place));
        }
        for (path, why) in [
            ("srv", NoPlace::Relative),
            ("./srv", NoPlace::Relative),
            ("", NoPlace::Relative),
            ("/", NoPlace::Root),
            ("//.", NoPlace::Root),
            ("/srv/../etc", NoPlace::GoesUp),
            ("/proc", NoPlace::Own("/proc")),
            ("/sys/fs", NoPlace::Own("/sys")),
            ("/dev//shm/", NoPlace::Own("/dev")),
            ("/etc/./hosts", NoPlace::Own("/etc/hosts")),
            ("/etc/resolv.conf", NoPlace::Own("/etc/resolv.conf")),
            ("/etc", NoPlace::Own("/etc/hosts")),
            ("/run", NoPlace::Own("/run/sglab")),
            ("/run/data/", NoPlace::Own("/run/data")),
        ] {
            assert_eq!(MountPlace::new(path), Err(why), "{path}");
        }
        for path in ["/srv/\u{7}", "/srv\n", &format!("/{}", "x".repeat(256)), &"/x".repeat(2048)] {
            assert!(matches!(MountPlace::new(path), Err(NoPlace::Unfit(_))), "{path}");
        }
    }

    #[test]
    fn what_is_below_is_told_from_what_only_begins_alike() {
        let place = |path| MountPlace::new(path).unwrap();
        assert_eq!(place("/srv/a/b").below(&place("/srv")), Some("a/b"));
        assert_eq!(place("/srv2").below(&place("/srv")), None);
        assert_eq!(place("/srv").below(&place("/srv")), None);
    }

    #[test]
    fn a_path_that_ends_in_a_word_for_the_access_is_said_with_one_more() {
        let said = |path: &str, access| MountSource::Path(path.to_owned(), access).to_string();
        assert_eq!(said("./a", MountAccess::ReadOnly), "./a");
        assert_eq!(said("./a ro", MountAccess::ReadOnly), "./a ro read-only");
        assert_eq!(said("./a b", MountAccess::Writable), "./a b writable");
        assert_eq!(said("./a writable", MountAccess::ReadOnly), "./a writable read-only");
        assert_eq!(said("./a:ro", MountAccess::ReadOnly), "./a:ro read-only");
        assert_eq!(MountAccess::behind("./a  writable "), Some(("./a", MountAccess::Writable)));
        assert_eq!(MountAccess::behind("writable"), None);
    }
}
