//! The HTTP server over the transport that sockets can be taken from.
//!
//! actix-web's own `HttpServer` cannot wrap the transport, so this does what it does: the application, with its
//! configuration mapped, behind `HttpService`, on `actix_server`.

use std::fmt;
use std::io;
use std::net::TcpListener;
use std::time::Duration;

use actix_http::body::MessageBody;
use actix_http::{HttpService, KeepAlive, Protocol, Request, Response};
use actix_server::Server;
use actix_service::{IntoServiceFactory, ServiceFactory, ServiceFactoryExt as _, fn_service, map_config};
use actix_web::dev::AppConfig;
use tokio::net::TcpStream;

use super::transport::Transport;

/// Settings of the HTTP server.
#[derive(Clone, Debug)]
pub struct ServeSettings {
    /// Worker threads: 1 to 64.
    pub workers: usize,
    /// HTTP connections per worker; taken ones do not count.
    pub max_connections: usize,
    /// How long a connection may idle between requests.
    pub keep_alive: Duration,
    /// How long a request's head may take.
    pub request_timeout: Duration,
    /// How long running requests may take when the server stops.
    pub shutdown_timeout: Duration,
}

impl Default for ServeSettings {
    fn default() -> Self {
        Self {
            workers: 2,
            max_connections: 25_000,
            keep_alive: Duration::from_secs(75),
            request_timeout: Duration::from_secs(10),
            shutdown_timeout: Duration::from_secs(30),
        }
    }
}

/// Builds the server; it runs when awaited. Signals are the caller's: stop it by its handle.
///
/// # Errors
/// When the listener cannot be used.
pub fn serve<F, I, S, B>(factory: F, listener: TcpListener, settings: &ServeSettings) -> io::Result<Server>
where
    F: Fn() -> I + Send + Clone + 'static,
    I: IntoServiceFactory<S, Request>,
    S: ServiceFactory<Request, Config = AppConfig> + 'static,
    S::Error: Into<actix_web::Error> + 'static,
    S::InitError: fmt::Debug,
    S::Response: Into<Response<B>> + 'static,
    <S::Service as actix_service::Service<Request>>::Future: 'static,
    S::Service: 'static,
    B: MessageBody + 'static,
{
    let address = listener.local_addr()?;
    let builder = Server::build()
        .workers(settings.workers.clamp(1, 64))
        .max_concurrent_connections(settings.max_connections.max(1))
        .shutdown_timeout(settings.shutdown_timeout.as_secs())
        .disable_signals();
    let stopping = builder.graceful_shutdown_signal();
    let settings = settings.clone();
    let builder = builder.listen("http", listener, move || {
        let stopping = stopping.clone();
        let app = factory().into_factory().map_err(|error| error.into().error_response());
        let http = HttpService::build()
            .keep_alive(KeepAlive::Timeout(settings.keep_alive))
            .client_request_timeout(settings.request_timeout)
            // Zero closes a finished connection at once; anything else was seen to leave it open for seconds.
            .client_disconnect_timeout(Duration::ZERO)
            // Or an aborted long poll goes unnoticed.
            .h1_allow_half_closed(false)
            .local_addr(address)
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .on_connect_ext(|transport: &Transport, data| {
                data.insert(transport.take_over());
            })
            .finish(map_config(app, |()| AppConfig::default()));
        fn_service(|stream: TcpStream| async move {
            // Nagle's algorithm holds small frames back for an acknowledgement.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "TCP_NODELAY was refused");
            }
            let peer = stream.peer_addr().ok();
            Ok((Transport::new(stream), Protocol::Http1, peer))
        })
        .and_then(http)
    })?;
    Ok(builder.run())
}
