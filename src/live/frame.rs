//! WebSocket frames (RFC 6455 section 5): bytes in, messages out, and the reverse; pure.
//!
//! Lengths are judged as soon as the header is there, so that an announced giant is refused before a byte of it is kept.
//! No extensions are negotiated, so the reserved bits must be zero.

use bytes::{BufMut, Bytes, BytesMut};

const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// What a client said, as one whole message.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    /// A text message.
    Text(String),
    /// A binary message; its content is of no use here.
    Binary,
    /// A ping with its payload, to be answered by a pong with the same.
    Ping(Vec<u8>),
    /// The answer to our ping.
    Pong,
    /// The client closes, with its code when it gave one.
    Close(Option<u16>),
}

/// How a client broke the framing; the connection is closed with [`Violation::code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    /// Masking, reserved bits, opcodes, fragments or control frames against the RFC.
    Protocol,
    /// Text that is not UTF-8.
    Utf8,
    /// A message above the size limit.
    TooBig,
}

impl Violation {
    /// The close code of RFC 6455 section 7.4.1.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Protocol => 1002,
            Self::Utf8 => 1007,
            Self::TooBig => 1009,
        }
    }
}

/// Reassembles frames and fragments of one client. Holds memory only while something is incomplete.
#[derive(Debug, Default)]
pub struct Decoder {
    partial: Vec<u8>,
    message: Vec<u8>,
    opcode: u8,
    /// How much of a fragmented text is known to be UTF-8.
    checked: u32,
}

struct Header {
    fin: bool,
    opcode: u8,
    mask: [u8; 4],
    start: usize,
    end: usize,
}

impl Decoder {
    /// Takes what arrived and appends every message it completes to `out`.
    ///
    /// # Errors
    /// The first violation; nothing more must be fed after one. Messages before it are in `out`.
    pub fn feed(&mut self, input: &mut [u8], max: usize, out: &mut Vec<Heard>) -> Result<(), Violation> {
        if self.partial.is_empty() {
            let used = self.frames(input, max, out)?;
            self.partial.extend_from_slice(input.get(used..).unwrap_or_default());
        } else {
            let mut whole = std::mem::take(&mut self.partial);
            whole.extend_from_slice(input);
            let used = self.frames(&mut whole, max, out)?;
            if used < whole.len() {
                whole.drain(..used);
                self.partial = whole;
            }
        }
        Ok(())
    }

    fn frames(&mut self, input: &mut [u8], max: usize, out: &mut Vec<Heard>) -> Result<usize, Violation> {
        let mut used = 0;
        while let Some(rest) = input.get_mut(used..) {
            let Some(header) = header(rest, max)? else { break };
            let Some(payload) = rest.get_mut(header.start..header.end) else { break };
            for (byte, key) in payload.iter_mut().zip(header.mask.iter().cycle()) {
                *byte ^= key;
            }
            self.frame(header.fin, header.opcode, payload, max, out)?;
            used += header.end;
        }
        Ok(used)
    }

    fn frame(
        &mut self,
        fin: bool,
        opcode: u8,
        payload: &[u8],
        max: usize,
        out: &mut Vec<Heard>,
    ) -> Result<(), Violation> {
        match opcode {
            PING => out.push(Heard::Ping(payload.to_vec())),
            PONG => out.push(Heard::Pong),
            CLOSE => out.push(Heard::Close(close_code(payload)?)),
            TEXT | BINARY if self.opcode != 0 => return Err(Violation::Protocol),
            0 if self.opcode == 0 => return Err(Violation::Protocol),
            _ => {
                if opcode != 0 {
                    self.opcode = opcode;
                }
                if self.message.len() + payload.len() > max {
                    return Err(Violation::TooBig);
                }
                self.message.extend_from_slice(payload);
                if fin {
                    self.checked = 0;
                    let message = std::mem::take(&mut self.message);
                    out.push(match std::mem::take(&mut self.opcode) {
                        TEXT => Heard::Text(String::from_utf8(message).map_err(|_| Violation::Utf8)?),
                        _ => Heard::Binary,
                    });
                } else if self.opcode == TEXT {
                    self.check_text()?;
                }
            }
        }
        Ok(())
    }

    /// What came so far of a text must be able to become one: nobody waits for the rest of what is spoilt already. A
    /// character may still be cut in two.
    fn check_text(&mut self) -> Result<(), Violation> {
        let checked = self.checked as usize;
        let fresh = self.message.get(checked..).unwrap_or_default();
        let good = match std::str::from_utf8(fresh) {
            Ok(_) => fresh.len(),
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            Err(_) => return Err(Violation::Utf8),
        };
        self.checked = u32::try_from(checked + good).unwrap_or(u32::MAX);
        Ok(())
    }
}

/// Reads one frame header; `None` while it is incomplete.
fn header(input: &[u8], max: usize) -> Result<Option<Header>, Violation> {
    let [first, second, ..] = *input else { return Ok(None) };
    let (fin, opcode) = (first & 0x80 != 0, first & 0x0F);
    let control = opcode >= CLOSE;
    let known = matches!(opcode, 0 | TEXT | BINARY | CLOSE | PING | PONG);
    if first & 0x70 != 0 || second & 0x80 == 0 || !known || (control && !fin) {
        return Err(Violation::Protocol);
    }
    let (length, at) = match second & 0x7F {
        126 => match input.get(2..4) {
            Some(bytes) => (u64::from(bytes[0]) << 8 | u64::from(bytes[1]), 4),
            None => return Ok(None),
        },
        127 => match input.get(2..10) {
            Some(bytes) => (bytes.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)), 10),
            None => return Ok(None),
        },
        short => (u64::from(short), 2),
    };
    if control && length > 125 || length >> 63 != 0 {
        return Err(Violation::Protocol);
    }
    let Ok(length) = usize::try_from(length) else { return Err(Violation::TooBig) };
    if length > max.max(125) {
        return Err(Violation::TooBig);
    }
    let Some(mask) = input.get(at..at + 4).and_then(|mask| mask.try_into().ok()) else { return Ok(None) };
    Ok(Some(Header { fin, opcode, mask, start: at + 4, end: at + 4 + length }))
}

/// The code of a close frame's payload, checked as RFC 6455 sections 5.5.1 and 7.4 ask.
fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    match payload {
        [] => Ok(None),
        [_] => Err(Violation::Protocol),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                return Err(Violation::Protocol);
            }
            std::str::from_utf8(reason).map_err(|_| Violation::Utf8)?;
            Ok(Some(code))
        }
    }
}

fn build(opcode: u8, parts: &[&[u8]]) -> Bytes {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut frame = BytesMut::with_capacity(length + 10);
    frame.put_u8(0x80 | opcode);
    if let Ok(short @ 0..=125) = u8::try_from(length) {
        frame.put_u8(short);
    } else if let Ok(medium) = u16::try_from(length) {
        frame.put_u8(126);
        frame.put_u16(medium);
    } else {
        frame.put_u8(127);
        frame.put_u64(length as u64);
    }
    for part in parts {
        frame.put_slice(part);
    }
    frame.freeze()
}

/// A text message as one frame. Servers do not mask, so the same bytes serve every client.
#[must_use]
pub fn text(payload: &str) -> Bytes {
    build(TEXT, &[payload.as_bytes()])
}

/// An empty ping.
#[must_use]
pub fn ping() -> Bytes {
    Bytes::from_static(&[0x80 | PING, 0])
}

/// The pong to a ping with this payload.
#[must_use]
pub fn pong(payload: &[u8]) -> Bytes {
    build(PONG, &[payload])
}

/// A close frame with a code and a reason of at most 123 bytes.
#[must_use]
pub fn close(code: u16, reason: &str) -> Bytes {
    let cut = reason.floor_char_boundary(123);
    build(CLOSE, &[&code.to_be_bytes(), &reason.as_bytes()[..cut]])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = build(first & 0x0F, &[payload]).to_vec();
        frame[0] = first;
        frame[1] |= 0x80;
        let at = frame.len() - payload.len();
        let mask = [1, 2, 3, 4];
        for (i, byte) in frame[at..].iter_mut().enumerate() {
            *byte ^= mask[i % 4];
        }
        frame.splice(at..at, mask);
        frame
    }

    fn feed(bytes: &[u8]) -> Result<Vec<Heard>, Violation> {
        let mut out = Vec::new();
        Decoder::default().feed(&mut bytes.to_vec(), 1000, &mut out).map(|()| out)
    }

    #[test]
    fn fragments_are_joined_and_control_frames_may_come_between() {
        let bytes = [masked(0x01, b"he"), masked(0x89, b"p"), masked(0x80, b"llo")].concat();
        assert_eq!(feed(&bytes).unwrap(), [Heard::Ping(b"p".to_vec()), Heard::Text("hello".into())]);
    }

    #[test]
    fn every_break_of_the_framing_is_told_apart() {
        let unmasked = text("x").to_vec();
        assert_eq!(feed(&unmasked), Err(Violation::Protocol));
        assert_eq!(feed(&masked(0xC1, b"x")), Err(Violation::Protocol), "reserved bit");
        assert_eq!(feed(&masked(0x83, b"x")), Err(Violation::Protocol), "unknown opcode");
        assert_eq!(feed(&masked(0x09, b"x")), Err(Violation::Protocol), "fragmented ping");
        assert_eq!(feed(&masked(0x89, &[0; 126])), Err(Violation::Protocol), "long ping");
        assert_eq!(feed(&masked(0x80, b"x")), Err(Violation::Protocol), "continuation of nothing");
        assert_eq!(feed(&[masked(0x01, b"a"), masked(0x81, b"b")].concat()), Err(Violation::Protocol), "two starts");
        assert_eq!(feed(&masked(0x88, &[3])), Err(Violation::Protocol), "half a close code");
        assert_eq!(feed(&masked(0x88, &999_u16.to_be_bytes())), Err(Violation::Protocol), "undefined close code");
        assert_eq!(feed(&masked(0x81, &[0xFF])), Err(Violation::Utf8));
        assert_eq!(feed(&masked(0x88, &[0x03, 0xE8, 0xFF])), Err(Violation::Utf8));
        assert_eq!(feed(&masked(0x01, b"a\xFF")), Err(Violation::Utf8), "spoilt before its end");
        assert_eq!(feed(&masked(0x01, b"a\xC3")), Ok(vec![]), "a character may go on in the next fragment");
        assert_eq!(feed(&masked(0x81, &[b'x'; 1001])), Err(Violation::TooBig));
        assert_eq!(feed(&masked(0x01, &[b'x'; 600])[..8]), Ok(vec![]), "an incomplete header or payload waits");
        let giant = [0x81, 0xFF, 0, 0, 0, 1, 0, 0, 0, 0];
        assert_eq!(feed(&giant), Err(Violation::TooBig), "refused before its payload is sent");
        let two = [masked(0x01, &[b'x'; 600]), masked(0x80, &[b'x'; 600])].concat();
        assert_eq!(feed(&two), Err(Violation::TooBig), "the sum of the fragments counts");
    }

    #[test]
    fn a_close_reason_is_cut_at_a_character() {
        assert_eq!(close(4100, &"é".repeat(80)).len(), 2 + 2 + 122);
        assert_eq!(&close(1012, "bye")[..], b"\x88\x05\x03\xF4bye");
    }

    proptest! {
        #[test]
        fn messages_survive_any_cutting(texts in prop::collection::vec(".{0,300}", 0..6), cut in 1_usize..40) {
            let bytes: Vec<u8> = texts.iter().flat_map(|text| masked(0x81, text.as_bytes())).collect();
            let (mut decoder, mut out) = (Decoder::default(), Vec::new());
            for piece in bytes.chunks(cut) {
                decoder.feed(&mut piece.to_vec(), 2000, &mut out).unwrap();
            }
            prop_assert_eq!(out, texts.into_iter().map(Heard::Text).collect::<Vec<_>>());
            prop_assert!(decoder.partial.is_empty() && decoder.message.is_empty());
        }

        #[test]
        fn texts_survive_any_fragmenting(text in ".{1,300}", cut in 1_usize..40) {
            let pieces: Vec<&[u8]> = text.as_bytes().chunks(cut).collect();
            let first = |at: usize| u8::from(at == 0) | if at + 1 == pieces.len() { 0x80 } else { 0 };
            let bytes: Vec<u8> = pieces.iter().enumerate().flat_map(|(at, piece)| masked(first(at), piece)).collect();
            let (mut decoder, mut out) = (Decoder::default(), Vec::new());
            decoder.feed(&mut bytes.clone(), 2000, &mut out).unwrap();
            prop_assert_eq!((out, decoder.checked), (vec![Heard::Text(text)], 0));
        }

        #[test]
        fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut out = Vec::new();
            let outcome = Decoder::default().feed(&mut noise.clone(), 1000, &mut out);
            prop_assert!(outcome.is_ok() || outcome.is_err_and(|broken| broken.code() >= 1002));
        }
    }
}
