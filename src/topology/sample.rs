//! For tests: what becomes of a cloud, in the words of a file.

use crate::model::{Cloud, apply};

/// A cloud after operations, in the words of a step.
pub(crate) fn after(cloud: &Cloud, operations: &str) -> Cloud {
    let read = super::read_operations(cloud, operations).unwrap_or_else(|problems| panic!("{problems}"));
    read.iter().fold(cloud.clone(), |cloud, operation| {
        apply(&cloud, &operation.value).unwrap_or_else(|refusal| panic!("{operations}: {refusal}"))
    })
}
