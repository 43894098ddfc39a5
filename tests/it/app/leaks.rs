//! What may stand in no log: every secret that a test made or met, and whatever has the shape of one. Pure.

use std::collections::BTreeSet;

use aho_corasick::AhoCorasick;

/// How credentials of ours begin, how many characters of a token must follow to make one, and what to call them.
const SHAPES: [(&str, usize, &str); 4] = [
    ("oc_live_", 30, "an API token"),
    ("oc_test_", 30, "an API token"),
    ("whsec_", 24, "a webhook secret"),
    // How every JSON Web Token begins: `{"`.
    ("eyJ", 60, "a JSON Web Token"),
];

/// The mail that is kept in development is logged with its code: nobody else would bring it to who signs up there.
const KEPT_MAIL: &str = "\"mail.file\"";

/// Secrets that were made, none of them twice.
#[derive(Default)]
pub struct Secrets(BTreeSet<String>);

impl Secrets {
    /// Those of a list, one a line.
    pub fn read(list: &str) -> Self {
        Self(list.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// What stands in the log and must not: the line's number and the kind of secret, never the secret itself.
    pub fn found_in(&self, log: &str) -> Vec<String> {
        let known: Vec<&String> = self.0.iter().collect();
        let search = AhoCorasick::new(&known).expect("a search");
        let mut found = Vec::new();
        for (number, line) in (1..).zip(log.lines()) {
            for hit in search.find_overlapping_iter(line) {
                let secret = known[hit.pattern().as_usize()];
                if !is_code(secret) || (stands_alone(line, hit.start(), hit.end()) && !line.contains(KEPT_MAIL)) {
                    found.push(format!("line {number} holds a secret of a test ({})", kind(secret)));
                }
            }
            found.extend(shaped(line).map(|what| format!("line {number} holds {what}")));
        }
        found
    }
}

fn is_code(secret: &str) -> bool {
    secret.len() == 6 && secret.bytes().all(|byte| byte.is_ascii_digit())
}

/// What it is, without telling it.
fn kind(secret: &str) -> String {
    let shape = SHAPES.iter().find(|(mark, ..)| secret.starts_with(mark)).map_or("another", |(_, _, name)| *name);
    if is_code(secret) { "a one-time code".into() } else { format!("{shape}, {} characters", secret.len()) }
}

/// Six digits inside a longer number, a fraction of a second or an identifier are no code.
fn stands_alone(line: &str, start: usize, end: usize) -> bool {
    let is_part = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte));
    let bytes = line.as_bytes();
    !is_part(start.checked_sub(1).and_then(|before| bytes.get(before))) && !is_part(bytes.get(end))
}

/// What looks like a credential, whoever made it.
fn shaped(line: &str) -> impl Iterator<Item = &'static str> {
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.+/=".contains(byte);
    SHAPES.into_iter().filter_map(move |(mark, length, name)| {
        let long_enough = |(at, _): (usize, &str)| {
            line.as_bytes()[at + mark.len()..].iter().take_while(|byte| is_token(byte)).count() >= length
        };
        line.match_indices(mark).any(long_enough).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "oc_live_ABCDEFGHIJKLMNOPQRSTUVWXYZabcd34KlM6";

    #[test]
    fn a_planted_secret_is_found_and_not_repeated() {
        let jwt = format!("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.{}.{}", "p".repeat(40), "s".repeat(43));
        let secrets = Secrets::read(&format!("{TOKEN}\nmy own words\n048153\n{jwt}\nrefresh-of-somebody-0001\n"));
        assert_eq!(secrets.count(), 5);
        for line in [
            format!("{{\"url\":\"/api/update-order?x={TOKEN}\"}}"),
            "password my own words was refused".into(),
            "the code is 048153, and".into(),
            "otp=048153".into(),
            "{\"otp\":\"048153\"}".into(),
            format!("Bearer {jwt}"),
            "refresh-of-somebody-0001%20".into(),
        ] {
            let found = secrets.found_in(&format!("fine\n{line}\nfine"));
            assert!(!found.is_empty() && found.iter().all(|one| one.starts_with("line 2 holds")), "{line}: {found:?}");
            assert!(!found.iter().any(|one| one.contains(TOKEN) || one.contains("048153")), "{found:?}");
        }
    }

    #[test]
    fn what_has_the_shape_of_a_secret_is_found_whoever_made_it() {
        let nobodys = Secrets::default();
        let jwt = format!("eyJhbGciOiJub25lIn0.{}.", "p".repeat(60));
        for line in [format!("said {TOKEN}"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into(), jwt] {
            assert_eq!(nobodys.found_in(&line).len(), 1, "{line}");
        }
    }

    #[test]
    fn what_is_hidden_or_only_looks_alike_is_passed_over() {
        let secrets = Secrets::read("048153\n");
        for line in [
            "GET /track/[hidden] whsec_[hidden] oc_live_[hidden] eyJ0eXAi[hidden]",
            "{\"timestamp\":\"2026-11-21T09:00:00.048153Z\",\"n\":1048153,\"took\":0.048153}",
            "id 019a0000-048153-ab",
            "{\"mail.file\":\"x\",\"message\":\"mail kept\\n\\n048153\\n\"}",
        ] {
            assert_eq!(secrets.found_in(line), Vec::<String>::new(), "{line}");
        }
    }
}
