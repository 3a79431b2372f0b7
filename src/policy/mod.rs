//! What the documented semantics say of a new flow: the reading that never looks at the compiler. Pure.
