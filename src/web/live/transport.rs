//! The transport under the HTTP server: a TCP stream that can be taken away from it.
//!
//! actix-http keeps about 13 KiB of buffers for as long as it serves a connection. A WebSocket needs none of them, so
//! once the answer `101 Switching Protocols` is flushed the stream itself is handed to a lean task, and the server is
//! told that the connection has ended: it then frees everything. This rests on two behaviours of actix-http, both held
//! by tests: it polls a response body only after its head is in the write buffer, and it flushes the transport only once
//! its write buffer is empty. So the first flush after the body was first polled comes when the client has the whole head.
//!
//! The server asks a body for more only while its write buffer has room, and waits for a stalled reader without end. So
//! the owner of a body that streams can also [break](TakeOver::cut) the connection below the server, and leave something
//! [until all is written](TakeOver::keep_until_flushed).

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use futures_util::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What goes on with a stream that was taken. Runs on the same worker thread.
type Heir = Box<dyn FnOnce(TcpStream)>;

struct Shared {
    heir: RefCell<Option<Heir>>,
    armed: Cell<bool>,
    body: RefCell<Option<Waker>>,
    gone: Cell<bool>,
    cut: Cell<bool>,
    /// Whom a reader that reads again would wake.
    writer: RefCell<Option<Waker>>,
    /// Wanted of the socket with its next write; zero when it is as it should be.
    send_buffer: Cell<usize>,
    kept: RefCell<Option<Box<dyn Any>>>,
}

impl Shared {
    /// Lets go of what was kept; outside of the borrow, for it may look back here.
    fn release(&self) {
        let kept = self.kept.borrow_mut().take();
        drop(kept);
    }

    /// # Errors
    /// `ConnectionAborted` once the connection was cut.
    fn still_whole(&self) -> io::Result<()> {
        if self.cut.get() { Err(io::ErrorKind::ConnectionAborted.into()) } else { Ok(()) }
    }
}

/// Tells the kernel how much it may hold for a reader that stalls; zero leaves the system's choice.
pub(super) fn limit_send_buffer(stream: &TcpStream, bytes: usize) {
    if bytes > 0
        && let Err(error) = socket2::SockRef::from(stream).set_send_buffer_size(bytes)
    {
        tracing::debug!(%error, "SO_SNDBUF was refused");
    }
}

/// A TCP stream served by actix-http until somebody takes it.
pub struct Transport {
    stream: Option<TcpStream>,
    shared: Rc<Shared>,
}

/// The right to take the stream of the connection a request came on, or to break it; found in the connection's data.
#[derive(Clone)]
pub struct TakeOver(Rc<Shared>);

impl Transport {
    /// Wraps a fresh connection.
    #[must_use]
    pub fn new(stream: TcpStream) -> Self {
        let shared = Shared {
            heir: RefCell::new(None),
            armed: Cell::new(false),
            body: RefCell::new(None),
            gone: Cell::new(false),
            cut: Cell::new(false),
            writer: RefCell::new(None),
            send_buffer: Cell::new(0),
            kept: RefCell::new(None),
        };
        Self { stream: Some(stream), shared: Rc::new(shared) }
    }

    /// The right to take this connection's stream.
    #[must_use]
    pub fn take_over(&self) -> TakeOver {
        TakeOver(Rc::clone(&self.shared))
    }

    fn hand_over(&mut self) -> bool {
        if !self.shared.armed.get() {
            return false;
        }
        let heir = self.shared.heir.borrow_mut().take();
        let (Some(heir), Some(stream)) = (heir, self.stream.take()) else { return false };
        heir(stream);
        true
    }

    fn io(&mut self) -> Option<Pin<&mut TcpStream>> {
        self.stream.as_mut().map(Pin::new)
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        // The connection ended before it could be taken: whoever waits for it must not wait for ever.
        self.shared.heir.borrow_mut().take();
        self.shared.gone.set(true);
        self.shared.release();
        if let Some(waker) = self.shared.body.borrow_mut().take() {
            waker.wake();
        }
    }
}

impl AsyncRead for Transport {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.io() {
            Some(stream) => stream.poll_read(cx, buf),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.shared.still_whole()?;
        let wanted = self.shared.send_buffer.take();
        let Some(mut stream) = self.io() else { return Poll::Ready(Ok(bytes.len())) };
        limit_send_buffer(&stream, wanted);
        let written = stream.as_mut().poll_write(cx, bytes);
        if written.is_pending() {
            let mut writer = self.shared.writer.borrow_mut();
            if !writer.as_ref().is_some_and(|writer| writer.will_wake(cx.waker())) {
                *writer = Some(cx.waker().clone());
            }
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.still_whole()?;
        self.shared.release();
        if self.hand_over() {
            // The server must look once more, to find the connection at its end.
            cx.waker().wake_by_ref();
        }
        match self.io() {
            Some(stream) => stream.poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.io() {
            Some(stream) => stream.poll_shutdown(cx),
            None => Poll::Ready(Ok(())),
        }
    }
}

/// The body of a `101` answer: it has no bytes; it waits until its connection is taken or gone. A client that talks
/// before it could read the `101` breaks RFC 6455 section 4.1, and its bytes would be lost in the server's buffers: the
/// connection is then closed instead of taken.
pub struct Handover<P> {
    take_over: TakeOver,
    request: P,
}

impl TakeOver {
    /// The body that hands the stream over to `heir` once the head is out. `request` is the request's payload.
    pub fn body<P>(&self, request: P, heir: impl FnOnce(TcpStream) + 'static) -> Handover<P> {
        *self.0.heir.borrow_mut() = Some(Box::new(heir));
        Handover { take_over: self.clone(), request }
    }

    /// The kernel shall hold so many bytes for a stalled reader of this connection; zero leaves the system's choice.
    pub fn limit_send_buffer(&self, bytes: usize) {
        self.0.send_buffer.set(bytes);
    }

    /// Breaks the connection: whatever the server still has to write fails, and it lets go of everything.
    pub fn cut(&self) {
        self.0.cut.set(true);
        let writer = self.0.writer.borrow_mut().take();
        if let Some(writer) = writer {
            writer.wake();
        }
    }

    /// Keeps `what` until all that was written so far is with the kernel, or the connection is gone. For the owner of a
    /// body that has ended, who must see whether the end arrives.
    pub fn keep_until_flushed(&self, what: Box<dyn Any>) {
        if !self.0.gone.get() {
            *self.0.kept.borrow_mut() = Some(what);
        }
    }
}

impl<P, E> MessageBody for Handover<P>
where
    P: Stream<Item = Result<Bytes, E>> + Unpin,
{
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = self.get_mut();
        let shared = &this.take_over.0;
        let talked_early = Pin::new(&mut this.request).poll_next(cx).is_ready();
        if shared.gone.get() || (talked_early && shared.heir.borrow().is_some()) {
            shared.heir.borrow_mut().take();
            return Poll::Ready(None);
        }
        shared.armed.set(true);
        *shared.body.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use actix_web::http::StatusCode;
    use actix_web::{App, HttpRequest, HttpResponse, web};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::oneshot;

    use super::super::serve::{ServeSettings, serve};
    use super::*;

    /// A request's payload that tells when the server lets go of it.
    struct Told<P>(P, Option<oneshot::Sender<()>>);

    impl<P: Stream + Unpin> Stream for Told<P> {
        type Item = P::Item;

        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<P::Item>> {
            Pin::new(&mut self.0).poll_next(cx)
        }
    }

    impl<P> Drop for Told<P> {
        fn drop(&mut self) {
            if let Some(told) = self.1.take() {
                told.send(()).ok();
            }
        }
    }

    #[derive(Clone)]
    struct Wanted {
        header: usize,
        let_go: Arc<Mutex<Option<oneshot::Sender<()>>>>,
    }

    async fn upgrade(request: HttpRequest, payload: web::Payload, wanted: web::Data<Wanted>) -> HttpResponse {
        let let_go = wanted.let_go.lock().unwrap().take();
        let heir = |stream: TcpStream| {
            // Written at the earliest moment: were the head not out yet, it would come first or in between.
            assert_eq!(stream.try_write(b"taken").unwrap(), 5);
            actix_web::rt::spawn(async move {
                let mut stream = stream;
                while stream.read_u8().await.is_ok_and(|byte| byte != b'.') {}
            });
        };
        let body = request.conn_data::<TakeOver>().unwrap().body(Told(payload, let_go), heir);
        HttpResponse::build(StatusCode::SWITCHING_PROTOCOLS)
            .upgrade("websocket")
            .insert_header(("x-padding", "~".repeat(wanted.header)))
            .body(body)
    }

    /// A client that reads its answer to an upgrade only when the server can write no more at once.
    async fn take(header: usize) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (let_go, gone) = oneshot::channel();
        let wanted = Wanted { header, let_go: Arc::new(Mutex::new(Some(let_go))) };
        let factory = move || App::new().app_data(web::Data::new(wanted.clone())).route("/", web::get().to(upgrade));
        let server = serve(factory, listener, &ServeSettings { workers: 1, ..ServeSettings::default() }).unwrap();
        let handle = server.handle();
        let running = tokio::spawn(server);
        let mut client = TcpStream::connect(address).await.unwrap();
        client
            .write_all(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
            .await
            .unwrap();
        let mut heard = Vec::new();
        while !heard.ends_with(b"taken") {
            assert_ne!(client.read_buf(&mut heard).await.unwrap(), 0, "closed early");
        }
        let head = heard.len() - b"taken".len();
        assert!(heard.starts_with(b"HTTP/1.1 101 Switching Protocols\r\n"));
        assert_eq!(
            heard[..head].windows(4).position(|bytes| bytes == b"\r\n\r\n"),
            Some(head - 4),
            "the whole head first"
        );
        assert_eq!(heard[..head].iter().filter(|byte| **byte == b'~').count(), header, "and all of it");
        // The socket is open and taken, and yet the server has let go of the connection and its buffers.
        gone.await.unwrap();
        client.write_all(b".").await.unwrap();
        assert_eq!(client.read(&mut [0; 1]).await.unwrap(), 0, "the heir alone held it");
        handle.stop(false).await;
        running.await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_stream_is_taken_after_the_whole_head_is_out_and_the_server_then_lets_go() {
        take(10).await;
    }

    #[tokio::test]
    async fn a_head_that_does_not_fit_into_the_socket_at_once_is_not_cut() {
        take(16 << 20).await;
    }
}
