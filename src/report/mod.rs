//! Results as terminal text, JSON, JUnit and annotations. Pure.
