//! A watching customer or console: a real WebSocket client that notes what it is told.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, Stream, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// Longer than anything but a bug takes.
const PATIENCE: Duration = Duration::from_secs(30);

/// One connection to `/live/ws`.
pub struct Watcher {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Watcher {
    /// Connects; `query` is what follows the path, as `?token=…`.
    pub async fn connect(url: &str, query: &str) -> Self {
        Self::try_connect(url, query, &[]).await.expect("an upgrade")
    }

    /// Connects with further headers; the HTTP status when the upgrade is refused.
    pub async fn try_connect(url: &str, query: &str, headers: &[(&'static str, &str)]) -> Result<Self, u16> {
        let address = format!("{}/live/ws{query}", url.replacen("http", "ws", 1));
        let mut request = address.into_client_request().expect("an address");
        request.headers_mut().insert("sec-websocket-protocol", "ordercast.v1".parse().expect("a value"));
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a value"));
        }
        match connect_async(request).await {
            Ok((socket, answer)) => {
                assert_eq!(answer.headers().get("sec-websocket-protocol").expect("a subprotocol"), "ordercast.v1");
                Ok(Self { socket })
            }
            Err(tokio_tungstenite::tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(other) => panic!("no upgrade: {other}"),
        }
    }

    /// Connects, says one `subscribe` and passes over the welcome. Returns with the answer.
    pub async fn subscribe(url: &str, query: &str, what: &Value) -> (Self, Value) {
        let mut watcher = Self::connect(url, query).await;
        let mut message = json!({"type": "subscribe", "id": 1});
        message.as_object_mut().expect("an object").extend(what.as_object().expect("an object").clone());
        watcher.say(&message).await;
        assert_eq!(watcher.next().await["type"], "welcome");
        let answer = watcher.next().await;
        (watcher, answer)
    }

    /// Sends JSON.
    pub async fn say(&mut self, message: &Value) {
        self.send(Message::text(message.to_string())).await;
    }

    /// Sends anything.
    pub async fn send(&mut self, message: Message) {
        self.socket.send(message).await.expect("sent");
    }

    /// The next frame of any kind.
    pub async fn frame(&mut self) -> Option<Message> {
        let next = tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a frame in time");
        next.and_then(Result::ok)
    }

    /// The next JSON message; pings and pongs are passed over.
    pub async fn next(&mut self) -> Value {
        loop {
            match self.frame().await.expect("an open connection") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("a message, not {other:?}"),
            }
        }
    }

    /// The next message of this type; others are passed over.
    pub async fn next_of(&mut self, kind: &str) -> Value {
        loop {
            let message = self.next().await;
            if message["type"] == kind {
                return message;
            }
        }
    }

    /// The next events' `seq`, so many of them, checking that nothing else comes between.
    pub async fn seqs(&mut self, count: usize) -> Vec<i64> {
        let mut seqs = Vec::new();
        while seqs.len() < count {
            let message = self.next().await;
            assert_eq!(message["type"], "event", "{message}");
            assert_eq!(message["seq"], message["event"]["seq"], "{message}");
            seqs.push(message["seq"].as_i64().expect("a number"));
        }
        seqs
    }

    /// The close code, whatever is said before it.
    pub async fn closed(&mut self) -> u16 {
        loop {
            match self.frame().await {
                Some(Message::Close(Some(frame))) => return frame.code.into(),
                Some(Message::Close(None)) | None => return 0,
                Some(_) => {}
            }
        }
    }

    /// Ends the connection without a word.
    pub fn vanish(self) {
        drop(self);
    }

    /// Says goodbye and waits for the answer.
    pub async fn leave(mut self) {
        self.socket.close(None).await.expect("a goodbye");
        while let Some(Ok(_)) = self.socket.next().await {}
    }
}

/// A raw connection after its upgrade; `early` is sent together with the request.
pub async fn upgraded(url: &str, early: &[u8]) -> TcpStream {
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.expect("connected");
    let head = format!(
        "GET /live/ws HTTP/1.1\r\nHost: {address}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(&[head.as_bytes(), early].concat()).await.expect("written");
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        answer.push(stream.read_u8().await.expect("a byte"));
    }
    assert!(answer.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&answer));
    stream
}

/// The frames of an SSE stream: event, id, data.
pub struct Frames {
    bytes: Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>,
    text: String,
}

impl Frames {
    /// The frames of an answer.
    pub fn of(answer: reqwest::Response) -> Self {
        Self { bytes: Box::pin(answer.bytes_stream()), text: String::new() }
    }

    /// The next frame that is no comment.
    pub async fn next(&mut self) -> (String, String, Value) {
        loop {
            if let Some((frame, rest)) = self.text.split_once("\n\n") {
                let (frame, rest) = (frame.to_owned(), rest.to_owned());
                self.text = rest;
                if frame.starts_with(':') {
                    continue;
                }
                let field =
                    |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)).expect("a field").to_owned();
                let data = serde_json::from_str(&field("data: ")).expect("JSON");
                return (field("event: "), field("id: "), data);
            }
            let bytes = self.bytes.next().await.expect("an open stream").expect("bytes");
            self.text.push_str(std::str::from_utf8(&bytes).expect("UTF-8"));
        }
    }

    /// Reads to the end, which must come.
    pub async fn rest(mut self) {
        while let Some(bytes) = self.bytes.next().await {
            bytes.expect("an orderly end");
        }
    }
}
