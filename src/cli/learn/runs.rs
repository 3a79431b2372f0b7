//! Runs of the files of a lesson by the model.

use sglab::workshop::lesson::check::Checked;
use sglab::workshop::lesson::{Lesson, by_the_model};

/// Holds a lesson to its word by the model.
pub(super) fn check_by_the_model(lesson: &Lesson) -> Checked {
    let mut checked = Checked::of(lesson);
    for task in lesson.tasks() {
        checked.task(task, &by_the_model(&task.start), &by_the_model(&task.solution));
    }
    checked
}
