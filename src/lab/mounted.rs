//! Files of the host that instances see: where they are meant from, which of them instances may write to, and whose they are.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use super::unfit::UnmountableReason;
use super::{sources, unfit};
use crate::model::{Cloud, MountAccess, MountSource};
use crate::sandbox::machine::{links, owners};

/// Knowledge of a lab about its mounts.
#[derive(Debug, Default)]
pub(super) struct Mounted {
    /// The folder from which the paths of `mounts` are meant, if that is known.
    folder: Option<PathBuf>,
    /// Folders that instances may write to, or might once: whoever looks a path up there may be led anywhere.
    written: BTreeSet<PathBuf>,
    /// User and group of what instances mount, by its named path, as it was when it was met first.
    owners: HashMap<PathBuf, (u32, u32)>,
}

impl Mounted {
    /// Of a lab whose paths are meant from this folder.
    pub fn from_folder(folder: Option<PathBuf>) -> Self {
        Self { folder, ..Self::default() }
    }

    /// From now on paths are meant from this folder.
    pub fn find_from(&mut self, folder: &Path) {
        self.folder = Some(std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned()));
    }

    /// The folder from which paths are meant, if it is known.
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }

    /// Lists what instances may write to, or might once.
    pub fn written(&self) -> impl Iterator<Item = &PathBuf> {
        self.written.iter()
    }

    /// Finds a file or a folder that the topology file names, and its owner; else says why it cannot be shown.
    pub fn found(&self, path: &str, access: MountAccess) -> Result<(PathBuf, Option<(u32, u32)>), String> {
        let named = self.host_path(path)?;
        let host = self.untampered(&named)?.path;
        sources::find(&named, access, self.folder.as_deref()).map_err(|unfit| match unfit {
            UnmountableReason::Missing if self.owners.contains_key(&named) => {
                format!("{} is not there: put it back", named.display())
            }
            UnmountableReason::Missing => format!("{} is not there", named.display()),
            unfit => unfit.to_string(),
        })?;
        let owner = self.owner(&named, &host)?;
        Ok((host, owner))
    }

    /// Finds the owner, which is root in the instance. An instance may have moved something else there: so that is decided when the lab meets it
    /// first, and what lies in what instances write to belongs to whom all of that does.
    fn owner(&self, named: &Path, host: &Path) -> Result<Option<(u32, u32)>, String> {
        let of = |path: &Path| owners::owner_of(path).map_err(|error| format!("{}: {error}", path.display()));
        let Some(owner) = of(host)? else { return Ok(None) };
        let in_words = |(user, group): (u32, u32)| format!("user {user}, group {group}");
        if let Some(first) = self.owners.get(named).filter(|first| **first != owner) {
            return Err(format!(
                "{} belongs to {} now, and belonged to {} when this lab met it first",
                host.display(),
                in_words(owner),
                in_words(*first)
            ));
        }
        for around in self.written.iter().filter(|around| host.starts_with(around) && host != **around) {
            if let Ok(Some(other)) = owners::owner_of(around).map(|it| it.filter(|other| other.0 != owner.0)) {
                return Err(format!(
                    "{} belongs to user {}, and lies in {}, which instances may write to and which is of user {}: they may have \
                     moved it there",
                    host.display(),
                    owner.0,
                    around.display(),
                    other.0
                ));
            }
        }
        Ok(Some(owner))
    }

    fn host_path(&self, path: &str) -> Result<PathBuf, String> {
        match (Path::new(path), &self.folder) {
            (path, _) if path.is_absolute() => Ok(path.to_owned()),
            (path, Some(folder)) => Ok(sources::named_from(folder, path)),
            (_, None) => Err("it is meant from the folder of a file, and this cloud is of none".to_owned()),
        }
    }

    /// Follows a path to where it leads, if no link on the way is one that an instance may have put there.
    pub fn untampered(&self, path: &Path) -> Result<links::ResolvedPath, String> {
        let followed = links::follow(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let written = |link: &links::Link| {
            self.written.iter().find(|folder| link.path.starts_with(folder)).zip(Some(link.path.clone()))
        };
        if let Some((folder, link)) = followed.links.iter().find_map(written) {
            return Err(format!(
                "{} is a link, and instances may write to {}: no link there is followed",
                link.display(),
                folder.display()
            ));
        }
        unfit::judge(&followed, self.folder.as_deref()).map_err(|unfit| unfit.to_string())?;
        Ok(followed)
    }

    /// Learns what instances may write to, and whose everything is that they mount.
    pub fn learn(&mut self, cloud: &Cloud) {
        for source in cloud.instances.values().flat_map(|instance| instance.mounts.values()) {
            let MountSource::Path(path, access) = source else { continue };
            let Ok(named) = self.host_path(path) else { continue };
            let Ok(followed) = links::follow(&named) else { continue };
            if let Ok(Some(owner)) = owners::owner_of(&followed.path) {
                self.owners.entry(named).or_insert(owner);
            }
            if *access == MountAccess::Writable {
                self.written.insert(followed.path);
            }
        }
    }
}
