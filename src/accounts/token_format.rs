//! The form of an API token: `oc_live_` or `oc_test_`, thirty random characters, and six that check them.
//!
//! The prefix lets secret scanners and people recognise a token; the check lets a mistyped or foreign text be refused
//! without asking the database. The check is no secret and proves nothing: whether a token is good, its hash in the
//! database says.

use rand::distr::{Alphanumeric, SampleString as _};

use crate::base::Secret;

/// Characters that carry the randomness: 62^30, about 178 bits.
const RANDOM: usize = 30;
/// Characters that carry the CRC-32.
const CHECK: usize = 6;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// What a token is for, told by its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// For real orders.
    Live,
    /// For trying things out.
    Test,
}

impl Kind {
    /// What every token of this kind begins with.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Live => "oc_live_",
            Self::Test => "oc_test_",
        }
    }
}

/// Makes a new token from the thread's cryptographically secure generator.
#[must_use]
pub fn generate(kind: Kind) -> Secret {
    let random = Alphanumeric.sample_string(&mut rand::rng(), RANDOM);
    Secret::new(format!("{}{random}{}", kind.prefix(), check(&random)))
}

/// The kind of a well-formed token, or `None` for any other text. Letter case matters and nothing is trimmed.
#[must_use]
pub fn parse(text: &str) -> Option<Kind> {
    let kind = [Kind::Live, Kind::Test].into_iter().find(|kind| text.starts_with(kind.prefix()))?;
    let (random, given) = text[kind.prefix().len()..].split_at_checked(RANDOM)?;
    let well_formed = random.bytes().all(|c| c.is_ascii_alphanumeric()) && given == check(random);
    well_formed.then_some(kind)
}

/// CRC-32 (IEEE) of the characters, in base 62, most significant first, padded with zeros.
fn check(random: &str) -> String {
    let mut rest = crc32fast::hash(random.as_bytes());
    let mut digits = [b'0'; CHECK];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    digits.into_iter().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_published_vectors_hold() {
        assert_eq!(check("ABCDEFGHIJKLMNOPQRSTUVWXYZabcd"), "34KlM6");
        assert_eq!(check("abcdefghijklmnopqrstuvwxyz0123"), "2LolCm");
    }

    #[test]
    fn new_tokens_are_well_formed_and_never_alike() {
        let tokens: HashSet<String> = (0..200)
            .map(|turn| {
                let kind = if turn % 2 == 0 { Kind::Live } else { Kind::Test };
                let token = generate(kind).expose().to_owned();
                assert_eq!(token.len(), 44);
                assert_eq!(parse(&token), Some(kind));
                token
            })
            .collect();
        assert_eq!(tokens.len(), 200);
    }

    #[test]
    fn one_changed_character_is_noticed_anywhere() {
        let token = format!("{}ABCDEFGHIJKLMNOPQRSTUVWXYZabcd34KlM6", Kind::Test.prefix());
        assert_eq!(parse(&token), Some(Kind::Test));
        for place in 0..token.len() {
            let mut bytes = token.clone().into_bytes();
            bytes[place] = if bytes[place] == b'x' { b'y' } else { b'x' };
            assert_eq!(parse(std::str::from_utf8(&bytes).unwrap()), None, "{place}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let good = format!("{}ABCDEFGHIJKLMNOPQRSTUVWXYZabcd34KlM6", Kind::Live.prefix());
        let others = [
            String::new(),
            "oc_live_".into(),
            "oc_live_short".into(),
            "Bearer x".into(),
            format!("{good} "),
            format!(" {good}"),
            format!("{good}0"),
            good[..43].to_owned(),
            good.to_uppercase(),
            format!("oc_live_{}", "é".repeat(18)),
            format!("oc_live_{}é", "a".repeat(29)),
        ];
        for other in others {
            assert_eq!(parse(&other), None, "{other:?}");
        }
    }
}
