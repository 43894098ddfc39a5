//! Plain values every other module stands on: no I/O, and nothing of ours is imported here.
//!
//! What is here: identifiers, errors by meaning, time, the acting party, money, pages of a list, secrets.
//! What is not: settings (`config`), anything that needs a connection or a socket.

pub mod actor;
pub mod clock;
pub mod error;
pub mod id;
pub mod keys;
pub mod money;
pub mod page;
pub mod secret;

pub use actor::{Actor, Asker};
pub use clock::Clock;
pub use error::{Error, Result};
pub use keys::Keys;
pub use money::Money;
pub use secret::Secret;
