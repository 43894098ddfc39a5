//! Commands of an operator, one file each.

pub mod admin;
pub mod audit;
pub mod demo;
pub mod token;
pub mod wallet;

use ordercast::base::{Error, Result};
use ordercast::config::Config;
use ordercast::telemetry::{self, Format};

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

/// Starts the log: for people in development, one JSON object a line in production.
pub fn start_logging(config: &Config) -> Result<()> {
    let format = if config.is_production() { Format::Json } else { Format::Pretty };
    telemetry::start(format, &config.log)
}

/// Tells the operator where the server is. It serves on when nobody listens any more: `println!` would end the process.
pub fn announce(news: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    if let Err(error) = out.write_all(news.as_bytes()).and_then(|()| out.flush()) {
        tracing::debug!(%error, "nobody reads the standard output");
    }
}
