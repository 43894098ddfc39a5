//! The HTTP edge: requests and sockets in, verbs called, replies out. The route table is here, one line per endpoint.
//!
//! What is here: extractors, shapes of requests and replies, status codes. What is not: rules; a handler calls one verb.

pub mod auth;
pub mod error;
