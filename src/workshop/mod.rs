//! The steps of a file as questions for a class: what is asked, and how predictions are graded. Lessons, and how what is handed in is graded.

pub mod grading;
pub mod lesson;
pub mod questions;
