//! Programs beside the lab's namespaces, in its sandbox.

use std::io;
use std::path::Path;

use super::apply::Fabric;
use super::inside::show;
use crate::network::NodeName;

impl Fabric {
    /// Shows the lab's names, as they are behind this router, to every program of the sandbox as its `/etc/hosts`, where there is
    /// one; later changes show by themselves.
    ///
    /// # Errors
    /// The OS error.
    pub fn publish_hosts_file(&self, router: &NodeName) -> io::Result<()> {
        show(&self.files().hosts_file(router), Path::new("/etc/hosts"))
    }
}
