//! The bounded queue in front of one connection: write at once when nothing waits, keep what does not fit, never more
//! than the limits allow.
//!
//! Two classes of messages. *Events* are refused once `queue_frames` frames or half of `queue_bytes` wait: the reader
//! is then *behind* and later reads the log from the last event it was given, so nothing already queued is ever taken
//! back and no frame is cut in half. *Control* messages (answers, pings, the close) are always taken, until
//! `queue_bytes` cut the connection.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::rc::Rc;

use bytes::{Buf, Bytes};
use tokio::time::Instant;

/// Where the bytes go. Two real ones: a TCP socket taken over from the HTTP server, and the body of an HTTP answer.
pub trait Sink {
    /// Writes what fits now and says how many bytes; `WouldBlock` when nothing fits.
    fn try_write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize>;

    /// Something waits in the queue, or the state of the link changed: the connection's task must look.
    fn wake(&self);

    /// The connection was given up. For ways out that hold bytes of their own, which would wait for a stalled reader.
    fn cut(&self) {}
}

/// What became of a pushed message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// Written or queued: it will arrive, in order, unless the connection dies.
    Taken,
    /// Not taken: too much waits already. The reader is behind.
    Full,
    /// The connection is closed or closing.
    Dead,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// The last message is queued; nothing is taken any more.
    Closing,
    /// Cut: what is queued is lost.
    Dead,
}

/// Limits of a link's queue.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Frames from which on no more events are taken.
    pub frames: u32,
    /// Bytes from which on the connection is cut.
    pub bytes: u32,
}

/// The queue and its way out.
pub struct Link {
    sink: Rc<dyn Sink>,
    queue: RefCell<VecDeque<Bytes>>,
    queued: Cell<usize>,
    state: Cell<State>,
    behind: Cell<Option<Instant>>,
    bounds: Bounds,
}

/// Most frames and bytes that leave in one write.
const WRITE_FRAMES: usize = 64;
const WRITE_BYTES: usize = 64 * 1024;

impl Link {
    /// A link to `sink` with these bounds.
    #[must_use]
    pub fn new(sink: Rc<dyn Sink>, bounds: Bounds) -> Self {
        Self {
            sink,
            queue: RefCell::default(),
            queued: Cell::new(0),
            state: Cell::new(State::Open),
            behind: Cell::new(None),
            bounds,
        }
    }

    /// An event. Refused when the reader is behind.
    pub fn push_event(&self, frame: &Bytes) -> Pushed {
        if self.state.get() != State::Open {
            return Pushed::Dead;
        }
        if self.queued.get() == 0 {
            return self.write_now(frame);
        }
        // Half of the bytes stay free for answers: a long history must wait for its reader, not cut it off.
        let bytes = self.queued.get() + frame.len();
        if self.queue.borrow().len() >= self.bounds.frames as usize || bytes > self.bounds.bytes as usize / 2 {
            if self.behind.get().is_none() {
                self.behind.set(Some(Instant::now()));
            }
            return Pushed::Full;
        }
        self.enqueue(frame.clone())
    }

    /// An answer, ping or notice: taken even when the reader is behind.
    pub fn push_control(&self, frame: &Bytes) -> Pushed {
        if self.state.get() != State::Open {
            return Pushed::Dead;
        }
        if self.queued.get() == 0 {
            return self.write_now(frame);
        }
        self.enqueue(frame.clone())
    }

    fn write_now(&self, frame: &Bytes) -> Pushed {
        match self.sink.try_write(&[IoSlice::new(frame)]) {
            Ok(written) if written >= frame.len() => Pushed::Taken,
            Ok(written) => self.enqueue(frame.slice(written..)),
            Err(blocked) if blocked.kind() == io::ErrorKind::WouldBlock => self.enqueue(frame.clone()),
            Err(_) => {
                self.cut();
                Pushed::Dead
            }
        }
    }

    fn enqueue(&self, frame: Bytes) -> Pushed {
        if self.queued.get() + frame.len() > self.bounds.bytes as usize {
            self.cut();
            return Pushed::Dead;
        }
        self.queued.set(self.queued.get() + frame.len());
        self.queue.borrow_mut().push_back(frame);
        self.sink.wake();
        Pushed::Taken
    }

    /// Writes what is queued until it blocks. `true` when nothing is left.
    ///
    /// # Errors
    /// The socket's own error; the link is then dead.
    pub fn flush(&self) -> io::Result<bool> {
        while self.queued.get() > 0 {
            let written = {
                let queue = self.queue.borrow();
                let mut total = 0;
                let mut parts = [IoSlice::new(&[]); WRITE_FRAMES];
                let mut used = 0;
                for (part, frame) in parts.iter_mut().zip(queue.iter()) {
                    *part = IoSlice::new(frame);
                    used += 1;
                    total += frame.len();
                    if total >= WRITE_BYTES {
                        break;
                    }
                }
                match self.sink.try_write(parts.get(..used).unwrap_or_default()) {
                    Ok(0) => return Err(self.fail(io::ErrorKind::WriteZero.into())),
                    Ok(written) => written,
                    Err(blocked) if blocked.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                    Err(broken) => return Err(self.fail(broken)),
                }
            };
            self.advance(written);
        }
        // A queue that once grew gives its memory back: most connections never need it again.
        *self.queue.borrow_mut() = VecDeque::new();
        self.behind.set(None);
        Ok(true)
    }

    /// Takes the next queued piece, for sinks that are asked for bytes instead of written to.
    pub fn pull(&self) -> Option<Bytes> {
        let frame = self.queue.borrow_mut().pop_front()?;
        self.queued.set(self.queued.get().saturating_sub(frame.len()));
        if self.queued.get() == 0 {
            self.behind.set(None);
        }
        Some(frame)
    }

    fn fail(&self, error: io::Error) -> io::Error {
        self.cut();
        error
    }

    fn advance(&self, mut written: usize) {
        self.queued.set(self.queued.get().saturating_sub(written));
        let mut queue = self.queue.borrow_mut();
        while let Some(front) = queue.front_mut() {
            if written < front.len() {
                front.advance(written);
                break;
            }
            written -= front.len();
            queue.pop_front();
        }
    }

    /// Takes `last` as the final message; the connection ends once it is written.
    pub fn close(&self, last: &Bytes) {
        if self.push_control(last) != Pushed::Dead {
            self.state.set(State::Closing);
            self.sink.wake();
        }
    }

    /// Gives the connection up at once.
    pub fn cut(&self) {
        self.state.set(State::Dead);
        self.queued.set(0);
        *self.queue.borrow_mut() = VecDeque::new();
        self.sink.cut();
        self.sink.wake();
    }

    /// Whether anything waits to be written.
    #[must_use]
    pub fn is_drained(&self) -> bool {
        self.queued.get() == 0
    }

    /// Whether messages are still taken.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.state.get() == State::Open
    }

    /// Whether the connection was given up.
    #[must_use]
    pub fn is_dead(&self) -> bool {
        self.state.get() == State::Dead
    }

    /// Since when the reader is behind.
    #[must_use]
    pub fn behind_since(&self) -> Option<Instant> {
        self.behind.get()
    }

    /// Wakes the connection's task without a message.
    pub fn nudge(&self) {
        self.sink.wake();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A socket of limited capacity that tests drain by hand.
    #[derive(Default)]
    pub(crate) struct Pipe {
        pub(crate) written: RefCell<Vec<u8>>,
        pub(crate) room: Cell<usize>,
        pub(crate) wakes: Cell<usize>,
        pub(crate) broken: Cell<bool>,
    }

    impl Sink for Pipe {
        fn try_write(&self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
            if self.broken.get() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            if self.room.get() == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            let before = self.room.get();
            for part in parts {
                let n = part.len().min(self.room.get());
                self.written.borrow_mut().extend_from_slice(&part[..n]);
                self.room.set(self.room.get() - n);
            }
            Ok(before - self.room.get())
        }

        fn wake(&self) {
            self.wakes.set(self.wakes.get() + 1);
        }
    }

    fn link(room: usize) -> (Rc<Pipe>, Link) {
        let pipe = Rc::new(Pipe { room: Cell::new(room), ..Pipe::default() });
        (Rc::clone(&pipe), Link::new(pipe, Bounds { frames: 3, bytes: 100 }))
    }

    #[test]
    fn bytes_arrive_whole_and_in_order_however_the_socket_cuts_them() {
        let (pipe, link) = link(4);
        for frame in [&b"first"[..], b"second", b"third"] {
            assert_eq!(link.push_event(&Bytes::copy_from_slice(frame)), Pushed::Taken);
        }
        while !link.flush().unwrap() {
            pipe.room.set(3);
        }
        assert_eq!(&pipe.written.borrow()[..], b"firstsecondthird");
        assert!(link.is_drained() && link.queue.borrow().capacity() == 0);
    }

    #[test]
    fn a_full_queue_refuses_events_but_takes_answers_and_recovers_when_drained() {
        let (pipe, link) = link(0);
        let frame = Bytes::from_static(b"event");
        assert_eq!(
            [(); 4].map(|()| link.push_event(&frame)),
            [Pushed::Taken, Pushed::Taken, Pushed::Taken, Pushed::Full]
        );
        assert!(link.behind_since().is_some());
        assert_eq!(link.push_control(&Bytes::from_static(b"pong")), Pushed::Taken);
        pipe.room.set(1000);
        assert!(link.flush().unwrap());
        assert_eq!(&pipe.written.borrow()[..], b"eventeventeventpong");
        assert_eq!((link.behind_since(), link.push_event(&frame)), (None, Pushed::Taken));
    }

    #[test]
    fn a_long_history_waits_for_its_reader_and_leaves_room_for_answers() {
        let (pipe, link) = link(0);
        let piece = Bytes::from_static(&[b'h'; 30]);
        assert_eq!([(); 3].map(|()| link.push_event(&piece)), [Pushed::Taken, Pushed::Full, Pushed::Full]);
        assert_eq!(link.push_control(&Bytes::from_static(&[b'a'; 60])), Pushed::Taken);
        pipe.room.set(1000);
        assert!(link.flush().unwrap());
        assert_eq!(link.push_event(&piece), Pushed::Taken);
    }

    #[test]
    fn a_reader_that_lets_answers_pile_up_is_cut() {
        let (_pipe, link) = link(0);
        let answer = Bytes::from_static(&[b'x'; 40]);
        assert_eq!([(); 3].map(|()| link.push_control(&answer)), [Pushed::Taken, Pushed::Taken, Pushed::Dead]);
        assert!(link.is_dead() && link.is_drained());
    }

    #[test]
    fn after_the_close_nothing_is_taken_and_a_broken_socket_is_dead() {
        let (pipe, first) = link(1000);
        first.close(&Bytes::from_static(b"bye"));
        assert_eq!(
            (first.push_event(&Bytes::from_static(b"x")), &pipe.written.borrow()[..]),
            (Pushed::Dead, &b"bye"[..])
        );
        let (pipe, second) = link(1000);
        pipe.broken.set(true);
        assert_eq!(second.push_control(&Bytes::from_static(b"x")), Pushed::Dead);
        assert!(second.is_dead());
    }
}
