//! Templates read into accounts.
