//! Who reaches whom in an account.
