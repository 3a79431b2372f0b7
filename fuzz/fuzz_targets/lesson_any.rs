//! Files of lessons: any bytes are read to an end, as `lesson.yaml` and as a file that a learner hands in.

use sglab::topology::Problems;
use sglab::workshop::lesson::{Lesson, LessonFiles, Submission, built_in, read};

/// The lesson whose other files stand beside the bytes.
const FOLDER: &str = "03-self-trust";

/// Reads bytes as the description of a lesson, and as a file that is handed in to one. Gives what was read of either.
pub fn lesson_any(bytes: &[u8]) -> (Option<Lesson>, Option<Submission>) {
    let own = |stem| built_in::text(FOLDER, stem).map(str::as_bytes);
    let solution = own("solution").expect("a lesson has a solution");
    let files = LessonFiles { folder: FOLDER, lesson: bytes, start: own("start"), solution };
    let lesson = read(&files, &built_in::names()).map_err(|all| all.iter().for_each(told)).ok();
    let given = built_in::lesson(FOLDER).expect("a lesson that is built in");
    let task = given.tasks().next().expect("a task");
    let submission = task.read("fuzz.yaml", bytes).map_err(|problems| told(&problems)).ok();
    (lesson, submission)
}

fn told(problems: &Problems) {
    let told = problems.to_string();
    assert!(told.starts_with("error: "), "{told}");
}
