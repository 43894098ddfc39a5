//! Bytes to one connection, and the only place that knows how: a taken TCP socket, or the body of an HTTP answer.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;
use futures_util::future::LocalBoxFuture;
use tokio::net::TcpStream;

use super::transport::{TakeOver, limit_send_buffer};
use crate::live::Worker;
use crate::live::conn::Conn;
use crate::live::frame::{self, Decoder, Heard, Violation};
use crate::live::link::Sink;
use crate::live::session::Step;

/// A taken socket.
pub struct Tcp {
    stream: TcpStream,
    waker: RefCell<Option<Waker>>,
}

impl Tcp {
    /// Wraps a stream; `send_buffer` is what the kernel may hold for a stalled reader, zero for its own choice.
    #[must_use]
    pub fn new(stream: TcpStream, send_buffer: usize) -> Rc<Self> {
        limit_send_buffer(&stream, send_buffer);
        Rc::new(Self { stream, waker: RefCell::new(None) })
    }
}

impl Sink for Tcp {
    fn try_write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match parts {
            [one] => self.stream.try_write(one),
            many => self.stream.try_write_vectored(many),
        }
    }

    fn wake(&self) {
        ring(&self.waker);
    }
}

/// Takes nothing itself: whoever reads the connection's queue is woken.
#[derive(Default)]
pub struct Bell {
    waker: RefCell<Option<Waker>>,
    /// The connection that is broken with the link: only while a stream goes out on it, for afterwards it is not ours.
    under: RefCell<Option<TakeOver>>,
}

impl Bell {
    /// Names whom to wake.
    pub fn listen(&self, waker: &Waker) {
        *self.waker.borrow_mut() = Some(waker.clone());
    }
}

impl Sink for Bell {
    fn try_write(&self, _: &[IoSlice<'_>]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn wake(&self) {
        ring(&self.waker);
    }

    fn cut(&self) {
        let under = self.under.borrow_mut().take();
        if let Some(under) = under {
            under.cut();
        }
    }
}

fn ring(waker: &RefCell<Option<Waker>>) {
    if let Some(waker) = &*waker.borrow() {
        waker.wake_by_ref();
    }
}

/// A connection that is forgotten by its worker when its owner goes, however it goes.
pub struct Held {
    /// The connection.
    pub conn: Rc<Conn>,
    /// Its worker.
    pub worker: Rc<Worker>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.conn.link.cut();
        self.worker.forget(&self.conn);
    }
}

/// The lean task of a taken WebSocket: writes what is queued, reads what comes, does one request at a time.
pub struct Socket {
    held: Held,
    tcp: Rc<Tcp>,
    decoder: Decoder,
    steps: VecDeque<Step>,
    asked: Option<LocalBoxFuture<'static, ()>>,
    last: Option<Last>,
    ended: bool,
}

/// What a client ends a connection with. What it said before is served first: it may well have been heard together with
/// it, as when a page tells what was seen and closes.
enum Last {
    Goodbye(u16),
    Broken(Violation),
}

impl Last {
    fn answer(&self) -> (u16, &'static str) {
        match self {
            Self::Goodbye(code) => (*code, ""),
            Self::Broken(violation @ Violation::Protocol) => (violation.code(), "protocol error"),
            Self::Broken(violation @ Violation::Utf8) => (violation.code(), "text is not UTF-8"),
            Self::Broken(violation @ Violation::TooBig) => (violation.code(), "message too big"),
        }
    }
}

impl Socket {
    /// The task for a connection over this socket.
    #[must_use]
    pub fn new(held: Held, tcp: Rc<Tcp>) -> Self {
        Self { held, tcp, decoder: Decoder::default(), steps: VecDeque::new(), asked: None, last: None, ended: false }
    }

    fn conn(&self) -> &Rc<Conn> {
        &self.held.conn
    }

    /// `Ready` when the connection is over.
    fn poll_write(&self, cx: &mut Context<'_>) -> Poll<()> {
        let link = &self.conn().link;
        while !link.is_drained() {
            match self.tcp.stream.poll_write_ready(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Ready(Ok(())) => match link.flush() {
                    Ok(true) => self.held.worker.drained(self.conn()),
                    // The socket is full again; asking once more registers for the next change.
                    Ok(false) => {}
                    Err(_) => return Poll::Ready(()),
                },
            }
        }
        if link.is_dead() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Does what was asked, in order. `true` when nothing is left to do and more may be read.
    fn poll_steps(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            if let Some(asked) = &mut self.asked {
                if asked.as_mut().poll(cx).is_pending() {
                    return false;
                }
                self.asked = None;
                self.conn().busy.set(false);
            }
            // Whoever does not read its answers gets no more work done.
            if !self.steps.is_empty() && !self.conn().link.is_drained() {
                return false;
            }
            let (worker, conn) = (&self.held.worker, &self.held.conn);
            match self.steps.pop_front() {
                None => break,
                Some(Step::Greet) => worker.greet(conn),
                Some(Step::Say(text)) => conn.say(&text),
                Some(Step::Close(why, reason)) => worker.end(conn, why, reason),
                Some(Step::Ask(asked)) => {
                    let (worker, conn) = (Rc::clone(worker), Rc::clone(conn));
                    conn.busy.set(true);
                    self.asked = Some(Box::pin(async move { worker.ask(&conn, asked).await }));
                }
            }
        }
        self.steps = VecDeque::new();
        true
    }

    /// Reads once. `Ready(false)` when the connection is over, `Ready(true)` when something was read.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        loop {
            match self.tcp.stream.poll_read_ready(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Err(_)) => return Poll::Ready(false),
                Poll::Ready(Ok(())) => {}
            }
            let worker = Rc::clone(&self.held.worker);
            let mut buffer = worker.read_buffer.borrow_mut();
            match self.tcp.stream.try_read(&mut buffer) {
                Ok(0) => return Poll::Ready(false),
                Ok(read) => {
                    self.hear(buffer.get_mut(..read).unwrap_or_default());
                    return Poll::Ready(true);
                }
                Err(blocked) if blocked.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return Poll::Ready(false),
            }
        }
    }

    fn hear(&mut self, input: &mut [u8]) {
        let max = self.held.worker.live().settings().max_message;
        let mut heard = Vec::new();
        let outcome = self.decoder.feed(input, max, &mut heard);
        self.conn().heard.set(true);
        for message in heard {
            self.take(message);
        }
        if let (Err(violation), None) = (outcome, &self.last) {
            self.last = Some(Last::Broken(violation));
        }
    }

    fn take(&mut self, message: Heard) {
        if self.last.is_some() {
            return;
        }
        let conn = Rc::clone(self.conn());
        if !conn.link.is_open() {
            // Our close frame is out: only the client's own ends it.
            self.ended |= matches!(message, Heard::Close(_));
            return;
        }
        match message {
            Heard::Text(text) => self.steps.extend(self.held.worker.hear(&conn, Some(&text))),
            Heard::Binary => self.steps.extend(self.held.worker.hear(&conn, None)),
            Heard::Ping(payload) => {
                conn.link.push_control(&frame::pong(&payload));
            }
            Heard::Pong => {}
            Heard::Close(code) => self.last = Some(Last::Goodbye(code.unwrap_or(1000))),
        }
    }
}

impl Future for Socket {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        *this.tcp.waker.borrow_mut() = Some(cx.waker().clone());
        loop {
            let is_idle = this.poll_steps(cx);
            if let Some(last) = this.last.take_if(|_| is_idle) {
                let (code, reason) = last.answer();
                this.conn().close_with(code, reason);
                this.ended = true;
            }
            if this.poll_write(cx).is_ready() {
                return Poll::Ready(());
            }
            // A closed connection ends when its last message is out and the client has said goodbye, or is gone.
            if this.ended && this.conn().link.is_drained() {
                return Poll::Ready(());
            }
            if !is_idle {
                if this.asked.is_none() && this.conn().link.is_drained() {
                    continue;
                }
                return Poll::Pending;
            }
            match this.poll_read(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(false) => return Poll::Ready(()),
                Poll::Ready(true) => {}
            }
        }
    }
}

/// The body of an SSE stream: what is queued, as it comes.
pub struct StreamBody {
    streamed: Option<Streamed>,
    under: Option<TakeOver>,
}

/// A connection that is streamed, until the last of it is written.
struct Streamed {
    bell: Rc<Bell>,
    held: Held,
}

impl Drop for Streamed {
    fn drop(&mut self) {
        // In order or not, the stream is over; what else goes over the same connection must not be broken with it.
        self.bell.under.take();
    }
}

impl StreamBody {
    /// The body for a connection behind this bell; `under` is what its bytes go over, broken when it is cut.
    #[must_use]
    pub fn new(held: Held, bell: Rc<Bell>, under: Option<TakeOver>) -> Self {
        if let Some(under) = &under {
            under.limit_send_buffer(held.worker.live().settings().send_buffer);
        }
        bell.under.replace(under.clone());
        Self { streamed: Some(Streamed { bell, held }), under }
    }
}

impl MessageBody for StreamBody {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let this = &mut *self;
        let Some(Streamed { bell, held }) = &this.streamed else { return Poll::Ready(None) };
        bell.listen(cx.waker());
        let link = &held.conn.link;
        while let Some(bytes) = link.pull() {
            if link.is_drained() && link.is_open() {
                held.worker.drained(&held.conn);
            }
            // An empty chunk would end the chunked encoding.
            if !bytes.is_empty() {
                return Poll::Ready(Some(Ok(bytes)));
            }
        }
        if link.is_open() {
            return Poll::Pending;
        }
        // It still counts as a connection until its end is written, so that a reader who stalls now is cut in time.
        if let (Some(under), Some(streamed)) = (&this.under, this.streamed.take()) {
            under.keep_until_flushed(Box::new(streamed));
        }
        Poll::Ready(None)
    }
}
