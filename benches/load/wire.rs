//! The two wire formats the load program speaks, as much of each as it needs: WebSocket frames and HTTP replies; pure.

/// One frame of a server, whose length is known.
pub struct Frame<'a> {
    /// The opcode: 1 text, 8 close, 9 ping.
    pub opcode: u8,
    /// What it carries; servers do not mask.
    pub payload: &'a [u8],
    /// Bytes of the frame in all.
    pub length: usize,
}

/// The first whole frame of the input, if it holds one.
pub fn frame(input: &[u8]) -> Option<Frame<'_>> {
    let opcode = input.first()? & 0x0f;
    let (start, size) = match *input.get(1)? & 0x7f {
        126 => (4, usize::from(u16::from_be_bytes(input.get(2..4)?.try_into().ok()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(input.get(2..10)?.try_into().ok()?)).ok()?),
        short => (2, usize::from(short)),
    };
    let length = start + size;
    Some(Frame { opcode, payload: input.get(start..length)?, length })
}

/// A client's frame. The mask is zero, which leaves the payload as it is.
pub fn client_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x80 | opcode];
    match u16::try_from(payload.len()) {
        Ok(short) if short < 126 => out.push(0x80 | short.to_be_bytes()[1]),
        Ok(long) => {
            out.push(0x80 | 126);
            out.extend_from_slice(&long.to_be_bytes());
        }
        Err(_) => {
            out.push(0x80 | 127);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(payload);
    out
}

/// What a frame's JSON says, as far as the load program cares.
#[derive(Debug, PartialEq, Eq)]
pub enum Said {
    /// An event of the watched order.
    Event(i64),
    /// The answer to `subscribe`: the position, and how many events follow.
    Subscribed(i64),
    /// An error, or anything else that must not come.
    Trouble,
    /// Anything that may be passed over.
    Other,
}

/// Reads a text frame without parsing all of it: the load program must not be slower than the server.
pub fn said(payload: &[u8]) -> Said {
    if payload.starts_with(br#"{"type":"event""#) {
        // The order's id stands between; it has a fixed length.
        return number_after(payload.get(60..).unwrap_or_default(), br#""seq":"#).map_or(Said::Trouble, Said::Event);
    }
    if payload.starts_with(br#"{"type":"subscribed""#) {
        let at = payload.windows(12).rposition(|part| part == br#","replayed":"#);
        let before = at.and_then(|at| payload.get(..at)).unwrap_or_default();
        let digits = before.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
        let text = std::str::from_utf8(&before[before.len() - digits..]).ok();
        return text.and_then(|text| text.parse().ok()).map_or(Said::Trouble, Said::Subscribed);
    }
    if payload.starts_with(br#"{"type":"error""#) { Said::Trouble } else { Said::Other }
}

fn number_after(text: &[u8], key: &[u8]) -> Option<i64> {
    let at = text.windows(key.len()).position(|part| part == key)? + key.len();
    let rest = text.get(at..)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

/// Where the head of an HTTP message ends.
pub fn head_end(input: &[u8]) -> Option<usize> {
    input.windows(4).position(|part| part == b"\r\n\r\n").map(|at| at + 4)
}

/// The status of a whole reply and its bytes in all, if the input holds one. Replies have a `content-length`.
pub fn reply(input: &[u8]) -> Option<(u16, usize)> {
    let head = head_end(input)?;
    let text = std::str::from_utf8(&input[..head]).ok()?;
    let status = text.get(9..12)?.parse().ok()?;
    let is_length = |line: &&str| line.get(..15).is_some_and(|name| name.eq_ignore_ascii_case("content-length:"));
    let length = text.lines().find(is_length).and_then(|line| line.get(15..)?.trim().parse().ok());
    let end = head + length.unwrap_or(0);
    (input.len() >= end).then_some((status, end))
}
