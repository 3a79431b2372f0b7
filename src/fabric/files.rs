//! Files and folders of a lab that its programs see. They go with the lab.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use nix::mount::{MsFlags, mount};

use super::error::FabricError;
use super::faults::Faults;
use crate::network::NodeName;

/// Size of one at the most: a quarter of the machine's memory, and so many files.
const VOLUME: &str = "mode=0755,size=25%,nr_inodes=100000";

/// Files and folders of a lab.
#[derive(Debug)]
pub struct LabFiles {
    folder: PathBuf,
    faults: Faults,
    /// Folders that have memory of their own.
    volumes: Mutex<HashSet<PathBuf>>,
    /// The hosts files, open for as long as the lab is there.
    hosts: Arc<Mutex<HashMap<NodeName, File>>>,
}

impl LabFiles {
    pub(super) fn new(folder: PathBuf, faults: Faults) -> Self {
        Self { folder, faults, volumes: Mutex::default(), hosts: Arc::default() }
    }

    /// The resolver's address for programs started in the instances behind a router, as their `/etc/resolv.conf`.
    pub fn resolver_file(&self, router: &NodeName) -> PathBuf {
        self.folder.join(format!("resolv-{router}"))
    }

    /// Writes that file.
    ///
    /// # Errors
    /// The OS error.
    pub fn write_resolver_file(&self, router: &NodeName, text: &str) -> io::Result<()> {
        self.faults.around(router, "write the resolver file", || std::fs::write(self.resolver_file(router), text))
    }

    /// The folder of the lab for something; it goes with the lab.
    ///
    /// # Errors
    /// [`FabricError::Folder`].
    fn folder_for(&self, what: &Path) -> Result<PathBuf, FabricError> {
        let folder = self.folder.join(what);
        let made = std::fs::create_dir_all(&folder);
        made.map_err(|source| FabricError::Folder { folder: folder.clone(), source })?;
        Ok(folder)
    }

    /// The names of the lab for programs started in the instances behind a router, as their `/etc/hosts`.
    pub fn hosts_file(&self, router: &NodeName) -> PathBuf {
        self.folder.join(format!("hosts-{router}"))
    }

    /// Writes that file, in place. It stays open for writing: nobody who sees it can take a lease on it then, and to open it anew would
    /// wait for that one.
    ///
    /// # Errors
    /// The OS error.
    pub async fn write_hosts_file(&self, router: &NodeName, text: String) -> io::Result<()> {
        let (faults, hosts) = (self.faults.clone(), Arc::clone(&self.hosts));
        let (path, router) = (self.hosts_file(router), router.clone());
        // A file system may take its time, and what waits for it is not to wait on the runtime's threads.
        let written = tokio::task::spawn_blocking(move || {
            faults.around(&router, "write the hosts file", || {
                let mut open = hosts.lock().unwrap_or_else(PoisonError::into_inner);
                let file = match open.entry(router.clone()) {
                    Entry::Occupied(known) => known.into_mut(),
                    Entry::Vacant(new) => new.insert(File::create(path)?),
                };
                file.set_len(0)?;
                file.write_all_at(text.as_bytes(), 0)
            })
        });
        written.await.map_err(io::Error::other)?
    }

    /// A folder of the lab for what somebody else fills: it has memory of its own, and when that is full nothing else is.
    ///
    /// # Errors
    /// [`FabricError::Folder`].
    pub fn volume_for(&self, what: &Path) -> Result<PathBuf, FabricError> {
        let folder = self.folder_for(what)?;
        if !self.volumes.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.clone()) {
            return Ok(folder);
        }
        let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV;
        let made = mount(Some("tmpfs"), &folder, Some("tmpfs"), flags, Some(VOLUME));
        made.map_err(|errno| FabricError::Folder { folder: folder.clone(), source: errno.into() })?;
        Ok(folder)
    }
}
