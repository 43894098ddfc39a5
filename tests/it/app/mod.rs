//! What the tests run against: the app itself, servers, browsers and peers, all real and all their own.

pub mod chromium;
pub mod customer;
pub mod cutter;
pub mod applicants;
pub mod caller;
pub mod crew;
pub mod certificates;
pub mod folder;
pub mod guarded;
pub mod instance;
pub mod journal;
pub mod leaks;
pub mod merchant;
pub mod people;
pub mod post_office;
pub mod postgres;
pub mod redis;
pub mod relay;
mod test_app;
pub mod watcher;

pub use test_app::{Stack, TestApp};

/// Where `tests/run` puts what is no Debian package.
pub fn tools() -> std::path::PathBuf {
    let own = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools");
    std::env::var_os("ORDERCAST_TOOLS").map_or(own, std::path::PathBuf::from)
}
