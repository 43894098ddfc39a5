//! Whatever bytes a client sends: frames, messages and the session must answer or refuse, never panic, and the outcome must
//! not depend on how the network cuts the bytes.
//!
//! `cargo +nightly fuzz run live_protocol`

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use ordercast::live::LiveSettings;
use ordercast::live::frame::{Decoder, Heard, Violation};
use ordercast::live::session::Session;

const MAX: usize = 1024;

fn decode(bytes: &[u8], cut: usize) -> (Vec<Heard>, Result<(), Violation>) {
    let (mut decoder, mut heard) = (Decoder::default(), Vec::new());
    let outcome = bytes.chunks(cut).try_for_each(|piece| decoder.feed(&mut piece.to_vec(), MAX, &mut heard));
    (heard, outcome)
}

fuzz_target!(|bytes: &[u8]| {
    let Some((cut, bytes)) = bytes.split_first() else { return };
    let whole = decode(bytes, bytes.len().max(1));
    assert_eq!(whole, decode(bytes, usize::from(*cut).max(1)));
    let settings = LiveSettings::default();
    let mut session = Session::new(&settings, Duration::ZERO);
    for message in whole.0 {
        if let Heard::Text(text) = message {
            assert!(!session.hear(Some(&text), &settings, Duration::ZERO).is_empty());
        }
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        assert!(!session.hear(Some(text), &settings, Duration::ZERO).is_empty());
    }
});
