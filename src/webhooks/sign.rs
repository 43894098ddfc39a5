//! Signatures of webhooks: make and verify. Pure.
//!
//! Every comparison takes the same time wherever the first difference lies.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::base::Secret;

/// How far a timestamp may lie from our clock, either way, in seconds (Standard Webhooks 1.0).
const TOLERANCE: i64 = 300;
/// Most signatures of one webhook that are looked at: a sender that changes its secret sends two.
const MOST_SIGNATURES: usize = 8;

fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    // HMAC takes keys of any length; the error type exists for other MACs.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    parts.iter().for_each(|part| mac.update(part));
    mac.finalize().into_bytes().into()
}

/// Whether the text is the secret itself (reference/001), or `sha256=` and the HMAC of the body in hexadecimal digits,
/// keyed with the secret's text.
#[must_use]
pub fn verify_plain(secret: &Secret, body: &[u8], given: &Secret) -> bool {
    match given.expose().strip_prefix("sha256=") {
        Some(hex) => {
            from_hex(hex).is_some_and(|given| bool::from(mac(secret.expose().as_bytes(), &[body]).ct_eq(&given)))
        }
        None => given == secret,
    }
}

/// Whether the text is the HMAC of the body in base64, keyed with the secret's text: Shopify's and WooCommerce's way.
#[must_use]
pub fn verify_base64(secret: &Secret, body: &[u8], given: &str) -> bool {
    let given = STANDARD.decode(given.trim()).ok();
    given.is_some_and(|given| bool::from(mac(secret.expose().as_bytes(), &[body]).as_slice().ct_eq(&given)))
}

/// The signature of Standard Webhooks 1.0: `v1,` and base64. `None` when the secret is not of its form.
#[must_use]
pub fn standard(secret: &Secret, id: &str, timestamp: i64, body: &[u8]) -> Option<String> {
    let key = STANDARD.decode(secret.expose().strip_prefix("whsec_")?).ok()?;
    let signed = mac(&key, &[id.as_bytes(), b".", timestamp.to_string().as_bytes(), b".", body]);
    Some(format!("v1,{}", STANDARD.encode(signed)))
}

/// What a webhook says about itself by Standard Webhooks 1.0.
#[derive(Clone, Debug)]
pub struct Stamp {
    /// The same for every attempt of one delivery.
    pub id: String,
    /// Seconds since 1970, as text.
    pub timestamp: String,
    /// One or more signatures, separated by spaces.
    pub signatures: String,
}

impl Stamp {
    /// Whether one of the signatures is right and the timestamp is near.
    #[must_use]
    pub fn verify(&self, secret: &Secret, body: &[u8], now: Timestamp) -> bool {
        let Ok(timestamp) = self.timestamp.parse::<i64>() else { return false };
        let is_near = now.as_second().abs_diff(timestamp) <= TOLERANCE.unsigned_abs();
        let Some(right) = standard(secret, &self.id, timestamp, body) else { return false };
        let is_right = |given: &str| bool::from(right.as_bytes().ct_eq(given.as_bytes()));
        is_near && self.signatures.split_whitespace().take(MOST_SIGNATURES).any(is_right)
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let text = text.as_bytes();
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const AT: i64 = 1_614_265_330;

    fn vector() -> (Secret, Stamp) {
        let stamp = Stamp {
            id: "msg_p5jXN8AQM9LWM0D4loKWxJek".into(),
            timestamp: AT.to_string(),
            signatures: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".into(),
        };
        (Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), stamp)
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_published_vector_is_made_and_verified() {
        let (secret, stamp) = vector();
        assert_eq!(standard(&secret, &stamp.id, AT, BODY).unwrap(), stamp.signatures);
        assert!(stamp.verify(&secret, BODY, at(AT)));
        let several = Stamp { signatures: format!("v1a,AAAA v1,AAAA {}", stamp.signatures), ..stamp.clone() };
        assert!(several.verify(&secret, BODY, at(AT)));
        for now in [AT - 300, AT + 300] {
            assert!(stamp.verify(&secret, BODY, at(now)));
        }
        for now in [AT - 301, AT + 301] {
            assert!(!stamp.verify(&secret, BODY, at(now)), "outside the tolerance");
        }
    }

    #[test]
    fn nothing_but_the_very_bytes_and_stamp_is_right() {
        let (secret, stamp) = vector();
        let other = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx");
        assert!(!stamp.verify(&other, BODY, at(AT)));
        assert!(!stamp.verify(&Secret::new("no such form"), BODY, at(AT)));
        assert!(!stamp.verify(&secret, br#"{"test": 2432232315}"#, at(AT)));
        for changed in [
            Stamp { id: "msg_other".into(), ..stamp.clone() },
            Stamp { timestamp: (AT + 1).to_string(), ..stamp.clone() },
            Stamp { timestamp: format!("{AT}.0"), ..stamp.clone() },
            Stamp { timestamp: String::new(), ..stamp.clone() },
            Stamp { signatures: String::new(), ..stamp.clone() },
            Stamp { signatures: stamp.signatures.replace("v1,", "v2,"), ..stamp.clone() },
            Stamp { timestamp: i64::MIN.to_string(), ..stamp.clone() },
        ] {
            assert!(!changed.verify(&secret, BODY, at(AT)), "{changed:?}");
        }
    }

    #[test]
    fn a_static_secret_or_a_hexadecimal_hmac_is_believed() {
        // RFC 4231, test case 2.
        let (key, data) = (Secret::new("Jefe"), b"what do ya want for nothing?");
        let hex = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert!(verify_plain(&key, data, &Secret::new(format!("sha256={hex}"))));
        assert!(verify_plain(&key, data, &Secret::new(format!("sha256={}", hex.to_uppercase()))));
        assert!(verify_plain(&key, data, &Secret::new("Jefe")));
        for wrong in ["", "jefe", "Jefe ", "sha256=", "sha256=Jefe", &format!("sha256={}", &hex[1..]), hex] {
            assert!(!verify_plain(&key, data, &Secret::new(wrong)), "{wrong}");
        }
        assert!(!verify_plain(&key, b"other", &Secret::new(format!("sha256={hex}"))));
        assert!(!verify_plain(&key, data, &Secret::new(format!("sha256={}", "\u{e9}".repeat(32)))));
    }

    #[test]
    fn a_platforms_hmac_is_base64_of_the_same() {
        let (key, data) = (Secret::new("Jefe"), b"what do ya want for nothing?");
        let right = "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=";
        assert!(verify_base64(&key, data, right));
        for wrong in ["", "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEN=", "Jefe", &right[..40]] {
            assert!(!verify_base64(&key, data, wrong), "{wrong}");
        }
    }
}
