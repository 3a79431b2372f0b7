//! For tests: what becomes of a cloud, in the words of a file.

use crate::model::{Cloud, apply};

/// A cloud after operations, in the words of a step.
pub(crate) fn after(cloud: &Cloud, operations: &str) -> Cloud {
    let read = super::read_operations(cloud, operations).unwrap_or_else(|problems| panic!("{problems}"));
    let mut cloud = cloud.clone();
    for operation in read {
        apply(&mut cloud, &operation.value).unwrap_or_else(|refusal| panic!("{operations}: {refusal}"));
    }
    cloud
}
