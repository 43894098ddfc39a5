//! Every number of the live part, with its default; the composition root fills it from the configuration.

use std::time::Duration;

/// Limits and intervals of the live part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiveSettings {
    /// Interval of WebSocket pings. Well under the 60 s after which proxies cut a silent connection.
    pub heartbeat: Duration,
    /// How long a pong may take before the peer counts as dead.
    pub pong_timeout: Duration,
    /// Interval of the comment lines that keep an SSE stream open.
    pub sse_comment: Duration,
    /// A WebSocket that has not said anything after this time is closed.
    pub first_message: Duration,
    /// A reader that stays behind for this long is closed with 4100.
    pub slow_close: Duration,
    /// From this many queued frames on no more events are queued: the reader skips to the log.
    pub queue_frames: usize,
    /// Hard limit of queued bytes per connection, control messages included; beyond it the connection is cut.
    pub queue_bytes: usize,
    /// Largest inbound message in bytes.
    pub max_message: usize,
    /// Subscriptions per connection.
    pub max_subscriptions: usize,
    /// Inbound messages per minute and connection.
    pub messages_per_minute: u32,
    /// Inbound messages a connection may send at once before the rate above applies; room for subscribing to many.
    pub message_burst: u32,
    /// `SO_SNDBUF` of a taken socket: what the kernel holds for a stalled reader. Zero leaves the system's choice.
    pub send_buffer: usize,
    /// Live connections of this instance (all transports); one more is answered 503.
    pub max_connections: usize,
    /// How often every watched room's position is compared with the log.
    pub check_every: Duration,
    /// How long an update waits for the instances' receipts.
    pub reach_wait: Duration,
    /// How long after its last watcher an instance leaves an order's topic.
    pub leave_after: Duration,
    /// Window inside which connections are closed at random times on shutdown.
    pub drain_window: Duration,
    /// Watcher counts and receipts are gathered for this long before they are sent.
    pub presence_batch: Duration,
    /// How often an instance says that it lives.
    pub instance_heartbeat: Duration,
    /// An instance not heard for this long no longer counts.
    pub instance_dead: Duration,
    /// How often revoked credentials are looked for.
    pub revocation_poll: Duration,
    /// Told to clients: they wait a random time up to this before they reconnect.
    pub reconnect_jitter_max: Duration,
    /// Pushes that may wait for one worker; beyond it they are dropped and the worker compares with the log.
    pub mailbox: usize,
    /// Origins, beside the server's own, whose pages may open a WebSocket: `https://shop.example`.
    pub allowed_origins: Vec<String>,
}

impl Default for LiveSettings {
    fn default() -> Self {
        Self {
            heartbeat: Duration::from_secs(25),
            pong_timeout: Duration::from_secs(8),
            sse_comment: Duration::from_secs(20),
            first_message: Duration::from_secs(45),
            slow_close: Duration::from_secs(30),
            queue_frames: 16,
            queue_bytes: 256 * 1024,
            max_message: 64 * 1024,
            max_subscriptions: 128,
            messages_per_minute: 100,
            message_burst: 200,
            send_buffer: 32 * 1024,
            max_connections: 100_000,
            check_every: Duration::from_secs(5),
            reach_wait: Duration::from_millis(300),
            leave_after: Duration::from_secs(1),
            drain_window: Duration::from_secs(10),
            presence_batch: Duration::from_millis(250),
            instance_heartbeat: Duration::from_secs(5),
            instance_dead: Duration::from_secs(15),
            revocation_poll: Duration::from_millis(500),
            reconnect_jitter_max: Duration::from_secs(5),
            mailbox: 16 * 1024,
            allowed_origins: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revocation_that_one_look_just_misses_is_found_by_the_next_within_a_second() {
        assert!(2 * LiveSettings::default().revocation_poll <= Duration::from_secs(1));
    }
}
