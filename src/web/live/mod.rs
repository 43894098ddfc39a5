//! The live transports: WebSocket, server-sent events and long poll over the same hub, and the server they run on.
//!
//! [`outlet`] alone knows how bytes reach a connection, [`transport`] how a socket is taken from the HTTP server. Who
//! may watch and what is sent is decided in `crate::live`.

mod outlet;
mod poll;
mod problem;
pub mod serve;
mod sse;
pub mod transport;
mod ws;

use actix_web::web::{Data, QueryConfig, ServiceConfig};

use super::methods::endpoint;
use crate::live::{Live, Worker};

pub use serve::{ServeSettings, serve};

/// Starts this thread's worker and adds the routes. Call it where the application is made: once per worker thread.
pub fn configure(live: &Live, cfg: &mut ServiceConfig) {
    cfg.app_data(Data::new(Worker::start(live)))
        .app_data(QueryConfig::default().error_handler(|error, _| problem::bad_query(&error)))
        .service(endpoint!("/live/ws" => get: ws::open_socket))
        .service(endpoint!("/live/sse" => get: sse::open_stream))
        .service(endpoint!("/live/poll" => get: poll::poll_order));
}
