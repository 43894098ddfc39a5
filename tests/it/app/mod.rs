//! What the tests run against: the app itself, servers, browsers and peers, all real and all their own.

mod guarded;
mod postgres;
pub mod redis;
