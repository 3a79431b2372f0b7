//! Terraform's JSON.

use super::builder::Reader;
use super::tree::Node;

pub(super) fn read(_reader: &mut Reader<'_>, _root: Node<'_>) {}
