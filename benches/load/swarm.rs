//! Thousands of connections on one thread: watchers over WebSocket, posters over HTTP, bare readers of the raw loop.
//!
//! Every watcher checks what it is told: each event must be the one after the last. What is lost, doubled or out of
//! order is counted, never passed over.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};

use super::wire::{self, Said};

/// Something that happened on a connection, and when it was read.
#[derive(Clone, Copy, Debug)]
pub struct Happened {
    /// The connection.
    pub who: usize,
    /// What.
    pub what: What,
    /// When.
    pub at: Instant,
}

/// What happened.
#[derive(Clone, Copy, Debug)]
pub enum What {
    /// A watcher's subscription stands at this position.
    Subscribed,
    /// An event came.
    Event(i64),
    /// A request was answered with this status.
    Replied,
    /// The connection ended; with this close code, if one was told.
    Closed(Option<u16>),
}

enum Kind {
    Watcher { subscribe: Vec<u8>, is_open: bool, close_code: Option<u16> },
    Poster,
    Bare,
}

struct Conn {
    stream: TcpStream,
    kind: Kind,
    unsent: Vec<u8>,
    unread: Vec<u8>,
    /// The last event a watcher got; `None` until it knows where it stands.
    seq: Option<i64>,
    is_paused: bool,
}

/// What the watchers have found wrong so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Events that were passed over.
    pub lost: u64,
    /// Events that came again, or late.
    pub repeated: u64,
    /// Errors the server told, and replies other than 200.
    pub refused: u64,
}

/// The connections.
pub struct Swarm {
    poll: Poll,
    events: Events,
    conns: Vec<Option<Conn>>,
    buffer: Vec<u8>,
    happened: Vec<Happened>,
    /// What went wrong.
    pub faults: Faults,
    /// The first refusal, for the message.
    pub first_refusal: Option<String>,
    /// Frames of the raw loop read so far: bytes of bare readers.
    pub bare_bytes: u64,
    /// Length of the last event's frame.
    pub frame_length: usize,
    /// Looks for news all the time instead of being woken by it: waking a sleeping core costs the sender, and how often
    /// it sleeps depends on how far apart the sends are. Between a raw loop and a server that would compare the pauses.
    pub is_sleepless: bool,
}

impl Swarm {
    /// An empty swarm.
    pub fn new() -> Result<Self> {
        Ok(Self {
            poll: Poll::new()?,
            events: Events::with_capacity(4096),
            conns: Vec::new(),
            buffer: vec![0; 64 * 1024],
            happened: Vec::new(),
            faults: Faults::default(),
            first_refusal: None,
            bare_bytes: 0,
            frame_length: 0,
            is_sleepless: false,
        })
    }

    /// Connects a watcher, which subscribes with this pass as soon as it may.
    pub fn watch(&mut self, server: SocketAddr, pass: &str, since: Option<i64>) -> Result<usize> {
        let since_field = since.map(|since| format!(r#","since":{since}"#)).unwrap_or_default();
        let subscribe = format!(r#"{{"type":"subscribe","id":1,"pass":"{pass}"{since_field}}}"#);
        let subscribe = wire::client_frame(1, subscribe.as_bytes());
        let kind = Kind::Watcher { subscribe, is_open: false, close_code: None };
        let hello = "GET /live/ws HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
            Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        self.connect(server, kind, hello.as_bytes().to_vec(), since)
    }

    /// Connects a poster.
    pub fn poster(&mut self, server: SocketAddr) -> Result<usize> {
        self.connect(server, Kind::Poster, Vec::new(), None)
    }

    /// Connects a reader that only counts bytes.
    pub fn bare(&mut self, server: SocketAddr) -> Result<usize> {
        self.connect(server, Kind::Bare, Vec::new(), None)
    }

    fn connect(&mut self, server: SocketAddr, kind: Kind, unsent: Vec<u8>, seq: Option<i64>) -> Result<usize> {
        let who = self.conns.len();
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        // One address has too few ports for all of them.
        let [.., last] = (2 + who % 8).to_be_bytes();
        socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0)).into())?;
        match socket.connect(&server.into()) {
            Err(error) if error.kind() != ErrorKind::WouldBlock && error.raw_os_error() != Some(115) => {
                return Err(error).context("connecting");
            }
            _ => {}
        }
        let mut stream = TcpStream::from_std(std::net::TcpStream::from(socket));
        self.poll.registry().register(&mut stream, Token(who), Interest::READABLE | Interest::WRITABLE)?;
        self.conns.push(Some(Conn { stream, kind, unsent, unread: Vec::new(), seq, is_paused: false }));
        Ok(who)
    }

    /// Sends a request; its poster must not have another one under way.
    pub fn post(&mut self, who: usize, request: &[u8]) -> Result<()> {
        let conn = self.conn(who)?;
        conn.unsent.extend_from_slice(request);
        flush(conn)
    }

    /// The position of a watcher.
    pub fn position(&self, who: usize) -> Option<i64> {
        self.conns.get(who)?.as_ref()?.seq
    }

    /// Stops reading from a connection, or goes on.
    pub fn pause(&mut self, who: usize, is_paused: bool) -> Result<()> {
        let conn = self.conns.get_mut(who).and_then(Option::as_mut).context("no such connection")?;
        conn.is_paused = is_paused;
        // Anew, or the edge that came meanwhile would be missed.
        let all = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().reregister(&mut conn.stream, Token(who), all)?;
        Ok(())
    }

    /// Cuts connections without a goodbye.
    pub fn cut(&mut self, who: impl IntoIterator<Item = usize>) {
        for who in who {
            self.conns.get_mut(who).and_then(Option::take);
        }
    }

    fn conn(&mut self, who: usize) -> Result<&mut Conn> {
        self.conns.get_mut(who).and_then(Option::as_mut).context("no such connection")
    }

    /// Waits at most so long, reads what is there, and says what happened.
    pub fn turn(&mut self, wait: Duration) -> Result<Vec<Happened>> {
        self.wait(wait)?;
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            let who = event.token().0;
            let Some(mut conn) = self.conns.get_mut(who).and_then(Option::take) else { continue };
            if event.is_writable() && !conn.unsent.is_empty() {
                flush(&mut conn)?;
            }
            let is_over =
                event.is_readable() && !conn.is_paused && self.read(who, &mut conn, event.is_read_closed())?;
            if is_over {
                let code = if let Kind::Watcher { close_code, .. } = conn.kind { close_code } else { None };
                self.happened.push(Happened { who, what: What::Closed(code), at: Instant::now() });
            } else if let Some(place) = self.conns.get_mut(who) {
                *place = Some(conn);
            }
        }
        self.events = events;
        Ok(std::mem::take(&mut self.happened))
    }

    fn wait(&mut self, wait: Duration) -> Result<()> {
        let end = Instant::now() + wait;
        let nap = if self.is_sleepless { Duration::ZERO } else { wait };
        loop {
            match self.poll.poll(&mut self.events, Some(nap)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error.into()),
                _ if !self.is_sleepless || !self.events.is_empty() || Instant::now() >= end => return Ok(()),
                _ => {}
            }
        }
    }

    /// Reads all there is; `true` when the connection is over.
    fn read(&mut self, who: usize, conn: &mut Conn, to_the_end: bool) -> Result<bool> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let mut is_over = false;
        loop {
            match conn.stream.read(&mut buffer) {
                Ok(0) => is_over = true,
                Ok(size) => {
                    self.take(who, conn, &buffer[..size])?;
                    // A short read has emptied the socket.
                    if size == buffer.len() || to_the_end {
                        continue;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(_) => is_over = true,
            }
            break;
        }
        self.buffer = buffer;
        Ok(is_over)
    }

    fn take(&mut self, who: usize, conn: &mut Conn, input: &[u8]) -> Result<()> {
        if matches!(conn.kind, Kind::Bare) {
            self.bare_bytes += input.len() as u64;
            return Ok(());
        }
        if conn.unread.is_empty() {
            let taken = self.understand(who, conn, input)?;
            conn.unread.extend_from_slice(&input[taken..]);
        } else {
            let mut all = std::mem::take(&mut conn.unread);
            all.extend_from_slice(input);
            let taken = self.understand(who, conn, &all)?;
            conn.unread.extend_from_slice(&all[taken..]);
        }
        Ok(())
    }

    /// Reads whole messages; says how many bytes they took.
    fn understand(&mut self, who: usize, conn: &mut Conn, input: &[u8]) -> Result<usize> {
        let mut taken = 0;
        if matches!(conn.kind, Kind::Poster) {
            while let Some((status, length)) = wire::reply(&input[taken..]) {
                if status != 200 {
                    self.refuse(&input[taken..taken + length]);
                }
                taken += length;
                self.happened.push(Happened { who, what: What::Replied, at: Instant::now() });
            }
            return Ok(taken);
        }
        if let Kind::Watcher { subscribe, is_open, .. } = &mut conn.kind
            && !*is_open
        {
            let Some(end) = wire::head_end(input) else { return Ok(0) };
            if !input.starts_with(b"HTTP/1.1 101") {
                bail!("no upgrade: {}", String::from_utf8_lossy(&input[..end]));
            }
            *is_open = true;
            conn.unsent = std::mem::take(subscribe);
            flush(conn)?;
            taken = end;
        }
        while let Some(frame) = wire::frame(&input[taken..]) {
            taken += frame.length;
            self.hear(who, conn, &frame)?;
        }
        Ok(taken)
    }

    fn hear(&mut self, who: usize, conn: &mut Conn, frame: &wire::Frame<'_>) -> Result<()> {
        let at = Instant::now();
        match (frame.opcode, &mut conn.kind) {
            (1, _) => match wire::said(frame.payload) {
                Said::Event(seq) => {
                    self.frame_length = frame.length;
                    self.check(conn, seq);
                    self.happened.push(Happened { who, what: What::Event(seq), at });
                }
                Said::Subscribed(seq) => {
                    conn.seq = conn.seq.or(Some(seq));
                    self.happened.push(Happened { who, what: What::Subscribed, at });
                }
                Said::Trouble => self.refuse(frame.payload),
                Said::Other => {}
            },
            (8, Kind::Watcher { close_code, .. }) => {
                *close_code = frame.payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
            }
            (9, _) => {
                conn.unsent.extend_from_slice(&wire::client_frame(10, frame.payload));
                flush(conn)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn check(&mut self, conn: &mut Conn, seq: i64) {
        let last = conn.seq.unwrap_or(seq - 1);
        if seq <= last {
            self.faults.repeated += 1;
        } else {
            self.faults.lost += (seq - last - 1).unsigned_abs();
            conn.seq = Some(seq);
        }
    }

    fn refuse(&mut self, said: &[u8]) {
        self.faults.refused += 1;
        self.first_refusal.get_or_insert_with(|| String::from_utf8_lossy(said).into_owned());
    }
}

fn flush(conn: &mut Conn) -> Result<()> {
    while !conn.unsent.is_empty() {
        match conn.stream.write(&conn.unsent) {
            Ok(sent) => drop(conn.unsent.drain(..sent)),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::NotConnected) => return Ok(()),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("sending"),
        }
    }
    Ok(())
}
