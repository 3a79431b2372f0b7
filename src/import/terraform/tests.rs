//! Plans and states as Terraform writes them, read into accounts.

mod support;

mod documents;
mod eks;
mod inline;
mod interfaces;
mod left_out;
mod modules;
mod not_known;
mod public_modules;
mod references;
mod services;
