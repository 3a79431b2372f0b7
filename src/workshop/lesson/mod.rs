//! Lessons: a title and stages beside a file that solves them. What can be derived from that file is: what the learner begins with,
//! the goal, questions, answers, hints and marks.

pub mod assess;
pub mod built_in;
pub mod check;
mod document;
mod fates;
pub mod goal;
pub mod grade;
pub mod hints;
pub mod investigate;
mod limits;
mod read;
mod remedy;
mod task;

pub use document::{Memberships, Which};
pub use fates::{by_the_model, moments};
pub use limits::{Addresses, BrokenLimit, Limits};
pub use read::{Lesson, LessonFiles, Stage, name_of, read};
pub use task::{Kind, Submission, Task};
