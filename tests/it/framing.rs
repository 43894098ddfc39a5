//! Our WebSocket framing against RFC 6455, byte by byte over a real socket: a table for each of the groups that the
//! Autobahn test suite sorts such cases into (payload lengths, pings, reserved bits, opcodes, fragments, UTF-8, closing,
//! limits).
//!
//! What Autobahn asks an echo for is asked with the protocol's own `ping`, padded as needed: it is answered exactly when
//! it arrived whole.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::app::TestApp;
use crate::app::watcher::upgraded;

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;
/// The first, a middle and the last fragment of a text.
const FIRST: u8 = 0x01;
const MORE: u8 = 0x00;
const LAST: u8 = 0x80;

/// The largest message that is taken.
const MOST: usize = 64 * 1024;

/// Only a broken server is silent for so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a client must hear.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    /// A JSON message of this type; the welcome is passed over.
    Says(String),
    /// A pong with this payload.
    Pong(Vec<u8>),
    /// A close with this code.
    Close(u16),
    /// The end of the connection.
    End,
}

use Heard::{Close, End, Pong};

/// One conversation.
struct Case {
    name: String,
    /// The pieces that are sent, each by itself.
    sent: Vec<Vec<u8>>,
    heard: Vec<Heard>,
}

fn case(name: impl Into<String>, sent: &[Vec<u8>], heard: Vec<Heard>) -> Case {
    Case { name: name.into(), sent: sent.to_vec(), heard }
}

/// Frames that must end the connection with a code.
fn broken(name: impl Into<String>, sent: &[Vec<u8>], code: u16) -> Case {
    case(name, sent, vec![Close(code), End])
}

fn says(kind: &str) -> Heard {
    Heard::Says(kind.to_owned())
}

/// A masked frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..=125 => frame.push(0x80 | u8::try_from(short).expect("short")),
        medium @ 126..=0xFFFF => {
            frame.push(0x80 | 126);
            frame.extend(u16::try_from(medium).expect("medium").to_be_bytes());
        }
        long => {
            frame.push(0x80 | 127);
            frame.extend((long as u64).to_be_bytes());
        }
    }
    let mask = [0x37, 0xFA, 0x21, 0x3D];
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// A message that is answered by `pong`, so many bytes long.
fn ask(length: usize) -> Vec<u8> {
    let padding = length - r#"{"type":"ping","x":""}"#.len();
    format!(r#"{{"type":"ping","x":"{}"}}"#, "*".repeat(padding)).into_bytes()
}

/// A message that is answered by `pong` and holds these bytes in a text.
fn ask_with(bytes: &[u8]) -> Vec<u8> {
    [br#"{"type":"ping","x":""#, bytes, b"\"}"].concat()
}

/// A goodbye with a code.
fn goodbye(code: u16) -> Vec<u8> {
    frame(CLOSE, &code.to_be_bytes())
}

fn octets(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.iter().map(|byte| vec![*byte]).collect()
}

/// A text in fragments of so many bytes.
fn fragments(text: &[u8], size: usize) -> Vec<Vec<u8>> {
    let pieces: Vec<&[u8]> = text.chunks(size).collect();
    let last = pieces.len() - 1;
    let first = |at: usize| u8::from(at == 0) | if at == last { LAST } else { MORE };
    pieces.iter().enumerate().map(|(at, piece)| frame(first(at), piece)).collect()
}

/// The next thing the server says.
async fn hear(stream: &mut TcpStream) -> Heard {
    loop {
        let Ok(first) = stream.read_u8().await else { return End };
        let length = match stream.read_u8().await.expect("a length") {
            126 => stream.read_u16().await.expect("a length").into(),
            127 => usize::try_from(stream.read_u64().await.expect("a length")).expect("a length"),
            short => short.into(),
        };
        let mut payload = vec![0; length];
        stream.read_exact(&mut payload).await.expect("a payload");
        match first {
            TEXT => {
                let message: Value = serde_json::from_slice(&payload).expect("JSON");
                match message["type"].as_str().expect("a type") {
                    "welcome" => {}
                    kind => return says(kind),
                }
            }
            PONG => return Pong(payload),
            PING => {}
            CLOSE => return Close(u16::from_be_bytes(payload[..2].try_into().expect("a code"))),
            other => panic!("no frame of ours begins with {other:#x}"),
        }
    }
}

/// Has each conversation on a connection of its own, which must then still be good, or ended as it should be.
async fn converse(cases: Vec<Case>) {
    let app = TestApp::start().await;
    assert!(cases.len() > 3);
    for Case { name, sent, mut heard } in cases {
        let mut stream = upgraded(&app.url, b"").await;
        stream.set_nodelay(true).expect("at once");
        for piece in sent {
            // A server that has heard enough may be gone already.
            if stream.write_all(&piece).await.is_err() {
                break;
            }
        }
        if heard.last() != Some(&End) {
            stream.write_all(&goodbye(1000)).await.unwrap_or_else(|error| panic!("{name}: {error}"));
            heard.extend([Close(1000), End]);
        }
        for expected in heard {
            let next = tokio::time::timeout(PATIENCE, hear(&mut stream)).await;
            assert_eq!(next.unwrap_or_else(|_| panic!("{name}: silence")), expected, "{name}");
        }
    }
}

#[tokio::test]
async fn payloads_of_every_length_class_arrive_however_they_are_cut() {
    let mut cases = Vec::new();
    for length in [22, 125, 126, 127, 128, 0xFFFF, MOST] {
        cases.push(case(format!("text of {length}"), &[frame(TEXT, &ask(length))], vec![says("pong")]));
    }
    for length in [0, 1, 125, 126, 127, 128, 0xFFFF, MOST] {
        cases.push(case(format!("binary of {length}"), &[frame(BINARY, &vec![0xFE; length])], vec![says("error")]));
    }
    cases.push(case("an empty text", &[frame(TEXT, b"")], vec![says("error")]));
    cases.push(case("a text in single octets", &octets(&frame(TEXT, &ask(200))), vec![says("pong")]));
    let long = frame(TEXT, &ask(MOST));
    let pieces: Vec<_> = long.chunks(997).map(<[u8]>::to_vec).collect();
    cases.push(case("a long text in pieces of 997 octets", &pieces, vec![says("pong")]));
    let three = [frame(TEXT, &ask(30)), frame(TEXT, &ask(300)), frame(TEXT, &ask(30))].concat();
    cases.push(case("three texts in one piece", &[three], vec![says("pong"), says("pong"), says("pong")]));
    let padded = [&[TEXT, 0x80 | 126, 0, 22][..], &frame(TEXT, &ask(22))[2..]].concat();
    cases.push(case("a length told in more octets than it needs", &[padded], vec![says("pong")]));
    converse(cases).await;
}

#[tokio::test]
async fn every_ping_gets_its_pong_and_pongs_nobody_asked_for_are_passed_over() {
    let noise: Vec<u8> = (0..125).map(|byte| byte ^ 0xFF).collect();
    let ten: Vec<Vec<u8>> = (0..10).map(|nth| frame(PING, &[nth; 5])).collect();
    let pongs = || (0..10).map(|nth| Pong(vec![nth; 5])).collect::<Vec<_>>();
    converse(vec![
        case("without a payload", &[frame(PING, b"")], vec![Pong(vec![])]),
        case("with words", &[frame(PING, b"Hello, world!")], vec![Pong(b"Hello, world!".to_vec())]),
        case("with octets that are no text", &[frame(PING, &noise[..6])], vec![Pong(noise[..6].to_vec())]),
        case("with as many as there may be", &[frame(PING, &noise)], vec![Pong(noise.clone())]),
        broken("with one more", &[frame(PING, &[0xFE; 126])], 1002),
        case("in single octets", &octets(&frame(PING, &noise)), vec![Pong(noise)]),
        case("a pong unasked", &[frame(PONG, b"")], vec![]),
        case("a pong unasked with a payload", &[frame(PONG, b"x"), frame(PING, b"y")], vec![Pong(b"y".to_vec())]),
        case("ten pings", &ten, pongs()),
        case("ten pings in single octets", &octets(&ten.concat()), pongs()),
    ])
    .await;
}

#[tokio::test]
async fn reserved_bits_and_opcodes_and_bare_frames_end_the_connection() {
    let mut cases = Vec::new();
    for bits in 1..8 {
        let reserved = bits << 4;
        for (what, first) in [("text", TEXT), ("binary", BINARY), ("ping", PING), ("close", CLOSE)] {
            cases.push(broken(format!("{what} with reserved bits {bits:03b}"), &[frame(first | reserved, b"x")], 1002));
        }
        let after = [frame(TEXT, &ask(30)), frame(TEXT | reserved, b"{}"), frame(PING, b"")];
        cases.push(case(format!("bits {bits:03b} after a text"), &after, vec![says("pong"), Close(1002), End]));
    }
    for opcode in [3, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        for payload in [&b""[..], b"x"] {
            let name = format!("opcode {opcode} with {} octets", payload.len());
            cases.push(broken(name.clone(), &[frame(0x80 | opcode, payload)], 1002));
            let after = [frame(TEXT, &ask(30)), frame(0x80 | opcode, payload), frame(PING, b"")].concat();
            cases.push(case(format!("{name} after a text"), &[after], vec![says("pong"), Close(1002), End]));
        }
    }
    cases.push(broken("a text without a mask", &[b"\x81\x02{}".to_vec()], 1002));
    cases.push(broken("a ping without a mask", &[b"\x89\x00".to_vec()], 1002));
    converse(cases).await;
}

#[tokio::test]
async fn fragments_are_joined_in_order_and_nothing_but_control_frames_comes_between() {
    let text = ask(100);
    let (one, two) = text.split_at(40);
    let (first, last) = (frame(FIRST, one), frame(LAST, two));
    let ping = frame(PING, b"between");
    let between = || Pong(b"between".to_vec());
    let mut mixed: Vec<Vec<u8>> = fragments(&text, 20).into_iter().flat_map(|piece| [piece, ping.clone()]).collect();
    // A pong may overtake the answer to a message; there is none to come after this one.
    mixed.pop();
    let mut heard: Vec<Heard> = (0..4).map(|_| between()).collect();
    heard.push(says("pong"));
    converse(vec![
        broken("a ping in fragments", &[frame(0x09, b"a"), frame(LAST, b"b")], 1002),
        broken("a pong in fragments", &[frame(0x0A, b"a"), frame(LAST, b"b")], 1002),
        broken("a close in fragments", &[frame(0x08, b"\x03\xE8"), frame(LAST, b"b")], 1002),
        case("a text in two", &[first.clone(), last.clone()], vec![says("pong")]),
        case("a text in two in one piece", &[[first.clone(), last.clone()].concat()], vec![says("pong")]),
        case("a text in two in single octets", &octets(&[first.clone(), last.clone()].concat()), vec![says("pong")]),
        case("a ping between", &[first.clone(), ping.clone(), last.clone()], vec![between(), says("pong")]),
        case("a ping between all", &mixed, heard),
        case("a pong between", &[first.clone(), frame(PONG, b"x"), last.clone()], vec![says("pong")]),
        case(
            "empty ones before and after",
            &[frame(FIRST, b""), frame(MORE, &text), frame(LAST, b"")],
            vec![says("pong")],
        ),
        case("nothing in three", &[frame(FIRST, b""), frame(MORE, b""), frame(LAST, b"")], vec![says("error")]),
        case("binary in two", &[frame(0x02, b"\xFF"), frame(LAST, b"\xFE")], vec![says("error")]),
        case("one octet each", &fragments(&text, 1), vec![says("pong")]),
        case(
            "two texts in fragments",
            &[fragments(&text, 30), fragments(&text, 70)].concat(),
            vec![says("pong"), says("pong")],
        ),
        broken("an end of nothing", std::slice::from_ref(&last), 1002),
        broken("a middle of nothing", &[frame(MORE, b"x"), last.clone()], 1002),
        broken("a text inside a text", &[first.clone(), frame(TEXT, &text)], 1002),
        broken("the start of another", &[first.clone(), first.clone(), last.clone()], 1002),
        case(
            "an end after a whole text",
            &[frame(TEXT, &text), last.clone(), ping],
            vec![says("pong"), Close(1002), End],
        ),
        case("the largest in fragments of 1300", &fragments(&ask(MOST), 1300), vec![says("pong")]),
        case("a goodbye between ends it", &[first, goodbye(1000), last], vec![Close(1000), End]),
    ])
    .await;
}

/// Octets that are no UTF-8: lone and missing continuations, overlong forms, surrogates, beyond the last character.
const NOT_UTF8: [&[u8]; 26] = [
    b"\x80",
    b"\xBF",
    b"\x80\xBF\x80",
    b"\xC0 ",
    b"\xDF ",
    b"\xE0 ",
    b"\xEF ",
    b"\xF0 ",
    b"\xF7 ",
    b"\xE0\x80 ",
    b"\xF0\x80\x80 ",
    b"\xFE",
    b"\xFF",
    b"\xFE\xFE\xFF\xFF",
    b"\xC0\xAF",
    b"\xE0\x80\xAF",
    b"\xF0\x80\x80\xAF",
    b"\xF8\x80\x80\x80\xAF",
    b"\xFC\x80\x80\x80\x80\xAF",
    b"\xC1\xBF",
    b"\xE0\x9F\xBF",
    b"\xED\xA0\x80",
    b"\xED\xBF\xBF",
    b"\xF4\x90\x80\x80",
    b"\xF8\x88\x80\x80\x80",
    b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80",
];

#[tokio::test]
async fn texts_must_be_utf8_and_spoilt_ones_are_not_waited_for() {
    let words = "Hello-µ@ßöäüàá-UTF-8!! κόσμε \u{FFFD}\u{FFFF}\u{10000}\u{10FFFF}";
    let text = ask_with(words.as_bytes());
    let mut cases = vec![
        case("words of many scripts", &[frame(TEXT, &text)], vec![says("pong")]),
        case("cut into octets on the wire", &octets(&frame(TEXT, &text)), vec![says("pong")]),
    ];
    for size in 1..8 {
        cases.push(case(format!("in fragments of {size}"), &fragments(&text, size), vec![says("pong")]));
    }
    for bytes in NOT_UTF8 {
        let text = ask_with(bytes);
        cases.push(broken(format!("{bytes:x?}"), &[frame(TEXT, &text)], 1007));
        // The last fragment never comes, and need not.
        cases.push(broken(format!("{bytes:x?} in a first fragment"), &[frame(FIRST, &text)], 1007));
        let later = [frame(FIRST, &text[..20]), frame(MORE, &text[20..])];
        cases.push(broken(format!("{bytes:x?} in a second fragment"), &later, 1007));
    }
    cases.push(broken("a character that breaks off", &[frame(TEXT, b"\"\xCE")], 1007));
    cases.push(broken(
        "one that breaks off with the last fragment",
        &[frame(FIRST, b"\""), frame(LAST, b"\xE1\xBD")],
        1007,
    ));
    converse(cases).await;
}

#[tokio::test]
async fn a_goodbye_is_answered_with_its_code_if_there_is_such_a_code() {
    let with_reason = |reason: &[u8]| frame(CLOSE, &[&1000_u16.to_be_bytes()[..], reason].concat());
    let after = [goodbye(1000), frame(TEXT, &ask(30)), frame(PING, b"x"), goodbye(1001)];
    let mut cases = vec![
        case("without a code", &[frame(CLOSE, b"")], vec![Close(1000), End]),
        broken("with half a code", &[frame(CLOSE, b"\x03")], 1002),
        case("with a reason", &[with_reason("Auf Wiedersehen, ciào".as_bytes())], vec![Close(1000), End]),
        case("with the longest reason", &[with_reason(&[b'*'; 123])], vec![Close(1000), End]),
        broken("with a longer one", &[with_reason(&[b'*'; 124])], 1002),
        broken("with a reason that is no text", &[with_reason(b"\xCE\xBA\xE1\xBD\xB9\xED\xA0\x80")], 1007),
        case("and nothing after it counts", &after, vec![Close(1000), End]),
        case("and nothing in the same piece", &[after.concat()], vec![Close(1000), End]),
        case("after a text", &[frame(TEXT, &ask(30)), goodbye(1001)], vec![says("pong"), Close(1001), End]),
        case("in single octets", &octets(&goodbye(3000)), vec![Close(3000), End]),
    ];
    for code in [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999] {
        cases.push(case(format!("with {code}"), &[goodbye(code)], vec![Close(code), End]));
    }
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
        cases.push(broken(format!("with {code}, which nobody may send"), &[goodbye(code)], 1002));
    }
    converse(cases).await;
}

#[tokio::test]
async fn what_is_too_large_is_refused_as_soon_as_its_length_is_known() {
    let half = vec![b'x'; MOST / 2 + 1];
    let announced = |first: u8, length: u64| [&[first, 0xFF][..], &length.to_be_bytes(), &[0; 4]].concat();
    converse(vec![
        broken("one octet too many", &[frame(TEXT, &ask(MOST + 1))], 1009),
        broken("a giant that is only announced", &[announced(TEXT, 1 << 32)], 1009),
        broken("binary does not differ", &[announced(BINARY, 1 << 62)], 1009),
        broken("a length with its highest bit set", &[announced(TEXT, 1 << 63)], 1002),
        broken("a ping with a long length", &[announced(PING, 126)], 1002),
        broken("fragments whose sum is too large", &[frame(FIRST, &half), frame(LAST, &half)], 1009),
        broken("and before their end", &[frame(FIRST, &half), frame(MORE, &half)], 1009),
    ])
    .await;
}
