//! The steps of a file as questions for a class: what is asked, and how predictions are graded.

pub mod grading;
pub mod questions;
