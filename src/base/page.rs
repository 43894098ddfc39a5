//! Cursor pages of a list that is ordered newest first.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use uuid::Uuid;

use super::error::{Error, Result};

/// One page and the way to the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows of this page.
    pub data: Vec<T>,
    /// Where the next page begins, or `None` at the end.
    pub next: Option<Cursor>,
}

/// A place in a list ordered by (time, id), both descending: the last row already seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// The time of the last row seen.
    pub at: Timestamp,
    /// Its id, for rows of the same time.
    pub id: Uuid,
}

impl Cursor {
    /// The cursor as the opaque text callers send back in `after`.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = [0; 24];
        bytes[..8].copy_from_slice(&self.at.as_microsecond().to_be_bytes());
        bytes[8..].copy_from_slice(self.id.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Reads a cursor a caller sent back.
    ///
    /// # Errors
    /// `Invalid` when the text is not a cursor of ours.
    pub fn decode(text: &str) -> Result<Self> {
        let refuse = || {
            Error::invalid_field(
                "after",
                "bad_cursor",
                "`after` must be a cursor taken from the `next` of an earlier page",
            )
        };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| refuse())?;
        let (at, id) = bytes.split_at_checked(8).ok_or_else(refuse)?;
        let micros = i64::from_be_bytes(at.try_into().map_err(|_| refuse())?);
        Ok(Self {
            at: Timestamp::from_microsecond(micros).map_err(|_| refuse())?,
            id: Uuid::from_slice(id).map_err(|_| refuse())?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_survives_the_round_trip_and_nonsense_is_refused() {
        let cursor = Cursor { at: Timestamp::from_microsecond(1_700_000_000_123_456).unwrap(), id: Uuid::now_v7() };
        assert_eq!(Cursor::decode(&cursor.encode()).unwrap(), cursor);
        for nonsense in ["", "x", "????", "AAAA"] {
            assert!(Cursor::decode(nonsense).is_err(), "{nonsense}");
        }
    }
}
