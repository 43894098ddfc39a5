//! A customer who watches one order over WebSocket and comes back, to any instance, whenever the connection breaks.

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{Error, Message};

/// How long a watcher waits before it tries again, so that a server that is down is not stormed.
const PACE: std::time::Duration = std::time::Duration::from_millis(20);

/// What a watcher has seen.
#[derive(Debug, Default)]
pub struct Seen {
    /// Every event, in the order of arrival.
    pub events: Vec<Value>,
    /// How often it had to connect.
    pub connections: usize,
}

impl Seen {
    fn seq(&self) -> i64 {
        self.events.last().map_or(0, |event| event["seq"].as_i64().expect("a seq"))
    }
}

/// Watches until the event that `end` names has come. Ends the test at the first event that is not the next one.
pub async fn watch_order(
    addresses: Vec<String>,
    first: usize,
    pass: String,
    end: watch::Receiver<Option<i64>>,
) -> Seen {
    let mut seen = Seen::default();
    let mut pace = tokio::time::interval(PACE);
    while end.borrow().is_none_or(|last| seen.seq() < last) {
        pace.tick().await;
        let address = &addresses[(first + seen.connections) % addresses.len()];
        seen.connections += 1;
        // A broken connection is what this is about: it only says that it is time for the next one.
        connection(address, &pass, end.clone(), &mut seen).await.ok();
    }
    seen
}

async fn connection(
    address: &str,
    pass: &str,
    mut end: watch::Receiver<Option<i64>>,
    seen: &mut Seen,
) -> Result<(), Error> {
    let mut request = format!("ws://{address}/live/ws").into_client_request()?;
    request.headers_mut().insert("Sec-WebSocket-Protocol", "ordercast.v1".parse().expect("a header"));
    let (mut socket, _) = tokio_tungstenite::connect_async(request).await?;
    let subscribe = json!({"type": "subscribe", "id": 1, "pass": pass, "since": seen.seq()});
    socket.send(Message::text(subscribe.to_string())).await?;
    while end.borrow().is_none_or(|last| seen.seq() < last) {
        let message = tokio::select! {
            message = socket.next() => message.unwrap_or(Err(Error::ConnectionClosed))?,
            changed = end.changed() => { changed.expect("the test goes on"); continue }
        };
        let Message::Text(text) = message else { continue };
        let message: Value = serde_json::from_str(&text).expect("JSON");
        match message["type"].as_str() {
            Some("event") => {
                let (had, event) = (seen.seq(), message["event"].clone());
                assert_eq!(event["seq"], had + 1, "the next event after {had} on {address}");
                seen.events.push(event);
            }
            // The server asks for another try, as when its database is away.
            Some("error") => return Ok(()),
            _ => {}
        }
    }
    Ok(())
}
