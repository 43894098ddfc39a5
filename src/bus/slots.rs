//! Which of a Redis Cluster's 16,384 slots a channel belongs to; pure.
//!
//! Source: the Redis Cluster specification, "Key distribution model": CRC-16/XMODEM of the text, or of what stands
//! between the first `{` and the next `}` when that is not empty.

/// How many slots a cluster has.
pub(super) const COUNT: u16 = 16_384;

/// The slot of a channel.
pub(super) fn slot(channel: &[u8]) -> u16 {
    crc16(tag(channel)) % COUNT
}

fn tag(channel: &[u8]) -> &[u8] {
    let Some(open) = channel.iter().position(|&b| b == b'{') else { return channel };
    let rest = channel.get(open + 1..).unwrap_or_default();
    match rest.iter().position(|&b| b == b'}') {
        Some(close) if close > 0 => rest.get(..close).unwrap_or(channel),
        _ => channel,
    }
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, &byte| {
        (0..8)
            .fold(crc ^ (u16::from(byte) << 8), |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_one_of_the_specification() {
        assert_eq!(crc16(b"123456789"), 0x31C3);
        assert_eq!(slot(b"foo"), 12_182);
        assert_eq!(slot(b""), 0);
    }

    #[test]
    fn only_a_filled_hash_tag_decides() {
        assert_eq!(slot(b"{user1000}.following"), slot(b"user1000"));
        assert_eq!(slot(b"foo{bar}{zap}"), slot(b"bar"));
        assert_eq!(slot(b"foo{{bar}}zap"), slot(b"{bar"));
        assert_eq!(slot(b"foo{}{bar}"), crc16(b"foo{}{bar}") % COUNT);
        assert_eq!(slot(b"foo{bar"), crc16(b"foo{bar") % COUNT);
    }
}
