//! Commands of an operator, one file each.

pub mod demo;
pub mod token;

use ordercast::base::Error;

/// An error with all its causes, for the person at the terminal.
pub fn explain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text} ({cause})");
        source = cause.source();
    }
    text
}
