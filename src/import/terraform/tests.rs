//! Plans and states as Terraform writes them, read into accounts.

mod support;

mod references;
