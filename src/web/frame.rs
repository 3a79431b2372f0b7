//! Parts of the board as browsers are sent them.

use std::sync::Arc;

use serde::Serialize;

/// A part of the board, as it is sent.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Kind of part.
    pub name: FrameName,
    /// Number of the frame, for whoever comes back.
    pub number: u64,
    /// JSON. One text for all browsers.
    pub data: Arc<str>,
}

/// Kind of frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameName {
    /// All of the board.
    Board,
    /// Cells that have changed.
    Cells,
    /// The picture alone.
    Picture,
    /// New events.
    Log,
    /// The room that predicts.
    Room,
    /// The lab has gone down.
    Gone,
}

impl FrameName {
    /// The name of the server-sent event.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Board => "board",
            Self::Cells => "cells",
            Self::Picture => "picture",
            Self::Log => "log",
            Self::Room => "room",
            Self::Gone => "gone",
        }
    }
}

/// Views have text keys and numbers only, so that this cannot fail.
pub(super) fn json(data: &impl Serialize) -> Arc<str> {
    serde_json::to_string(data).unwrap_or_else(|error| format!("{:?}", error.to_string())).into()
}
