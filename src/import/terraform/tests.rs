//! Plans and states as Terraform writes them, read into accounts.

mod support;

mod documents;
mod eks;
mod interfaces;
mod modules;
mod not_known;
mod references;
