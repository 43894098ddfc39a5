//! The deployment's keys and what they do: sign unguessable texts and JSON Web Tokens, seal secrets at rest. Pure.
//!
//! One key makes everything new; what further ones make is believed too. So a key is replaced without logging anyone out
//! and without instances that disagree: the next one is accepted by all before it becomes the one that makes, and the one
//! before it is accepted until nothing it made lives any more. Each use has a key of its own, derived by HMAC: no signature of one kind says anything
//! about another.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use rand::Rng as _;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::error::{Error, Result};
use super::secret::Secret;

/// Marks a key that was made by itself at a first start in development; production refuses it.
pub const DEVELOPMENT_PREFIX: &str = "dev_";

/// The keys. All instances of a deployment share them.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The first makes everything new; all open what they made.
    keys: Vec<Secret>,
}

/// What every JSON Web Token of ours says besides its own claims.
#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    iss: String,
    aud: String,
    iat: i64,
    exp: i64,
    #[serde(flatten)]
    claims: T,
}

/// Who issues our tokens.
const ISSUER: &str = "ordercast";

/// Bytes of the signature that travel: 128 bits, as much as an identifier of its own would need to be unguessable.
const SIGNED: usize = 16;

/// Bytes that tell which key made a token or a sealed secret.
const KEY_ID: usize = 6;

impl Keys {
    /// A key as `ordercast keygen` prints it: 32 random bytes in base64url, or any text of at least 32 characters; then
    /// those that are only accepted. `None` when one is shorter than that.
    #[must_use]
    pub fn new(key: Secret, accepted: Vec<Secret>) -> Option<Self> {
        let keys: Vec<Secret> = std::iter::once(key).chain(accepted).collect();
        keys.iter().all(|key| key.expose().len() >= 32).then_some(Self { keys })
    }

    /// A fresh key.
    #[must_use]
    pub fn generate() -> Secret {
        let mut bytes = [0; 32];
        rand::rng().fill_bytes(&mut bytes);
        Secret::new(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The identifier and a signature over it, 43 URL-safe characters. `purpose` keeps one kind of text from standing for another.
    #[must_use]
    pub fn sign(&self, purpose: &str, id: Uuid) -> String {
        let mut bytes = [0; 16 + SIGNED];
        bytes[..16].copy_from_slice(id.as_bytes());
        bytes[16..].copy_from_slice(&mac(&self.keys[0], purpose, id.as_bytes())[..SIGNED]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The identifier of a text these keys have signed for the purpose.
    #[must_use]
    pub fn open(&self, purpose: &str, text: &str) -> Option<Uuid> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (id, signature) = bytes.split_at_checked(16)?;
        let id = Uuid::from_slice(id).ok()?;
        let is_ours = |key| bool::from(mac(key, purpose, id.as_bytes())[..SIGNED].ct_eq(signature));
        self.keys.iter().any(is_ours).then_some(id)
    }

    /// A keyed hash of a text too short to be hashed alone, such as a code of six digits. Held against by
    /// [`Keys::macs`].
    #[must_use]
    pub fn mac(&self, purpose: &str, bytes: &[u8]) -> [u8; 32] {
        mac(&self.keys[0], purpose, bytes)
    }

    /// [`Keys::mac`] first, then the same by each key that is only accepted: another instance may make new things by it.
    pub fn macs<'a>(&'a self, purpose: &'a str, bytes: &'a [u8]) -> impl Iterator<Item = [u8; 32]> + 'a {
        self.keys.iter().map(move |key| mac(key, purpose, bytes))
    }

    /// Whether a token names one of these keys. One that names another may be good elsewhere: at an instance that was
    /// given the next key already.
    #[must_use]
    pub fn know(&self, token: &str) -> bool {
        self.named(token).is_some()
    }

    fn named(&self, token: &str) -> Option<&Secret> {
        let kid = jsonwebtoken::decode_header(token).ok()?.kid?;
        self.keys.iter().find(|key| key_name(key) == kid)
    }

    /// A JSON Web Token (HS256, RFC 7519) for the audience; its header names the key that signed it.
    ///
    /// # Errors
    /// `Internal` when the claims are no JSON object.
    pub fn issue<T: Serialize>(&self, aud: &str, claims: T, now: Timestamp, until: Timestamp) -> Result<String> {
        let (iat, exp) = (now.as_second(), until.as_second());
        let key = &self.keys[0];
        let header = Header { kid: Some(key_name(key)), ..Header::new(Algorithm::HS256) };
        let body = Envelope { iss: ISSUER.to_owned(), aud: aud.to_owned(), iat, exp, claims };
        let signing = EncodingKey::from_secret(&mac(key, "jwt", &[]));
        jsonwebtoken::encode(&header, &body, &signing).map_err(Error::internal)
    }

    /// The claims of a token these keys have issued for the audience and that has not run out at `now`. Every reason
    /// against it looks the same.
    #[must_use]
    pub fn verify<T: DeserializeOwned>(&self, aud: &str, token: &str, now: Timestamp) -> Option<T> {
        let key = self.named(token)?;
        let mut rules = Validation::new(Algorithm::HS256);
        rules.set_audience(&[aud]);
        rules.set_issuer(&[ISSUER]);
        // The end is held against our own clock below, without leeway.
        rules.validate_exp = false;
        let verifying = DecodingKey::from_secret(&mac(key, "jwt", &[]));
        let body = jsonwebtoken::decode::<Envelope<T>>(token, &verifying, &rules).ok()?.claims;
        (now.as_second() < body.exp).then_some(body.claims)
    }

    /// The bytes encrypted and authenticated (AES-256-GCM), so that a database alone gives nothing away.
    ///
    /// # Errors
    /// `Internal` when there is no randomness.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Result<Vec<u8>> {
        let key = &self.keys[0];
        let mut sealed = plain.to_vec();
        let failed = |_| Error::internal("a secret could not be sealed");
        let nonce = sealing(key, purpose)
            .and_then(|sealing| sealing.seal_in_place_append_tag(Aad::from(purpose), &mut sealed))
            .map_err(failed)?;
        Ok([key_mark(key).as_slice(), nonce.as_ref(), &sealed].concat())
    }

    /// What [`Keys::seal`] sealed for the purpose.
    #[must_use]
    pub fn unseal(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (mark, rest) = sealed.split_at_checked(KEY_ID)?;
        let (nonce, rest) = rest.split_at_checked(NONCE_LEN)?;
        let key = self.keys.iter().find(|key| key_mark(key) == mark)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut plain = rest.to_vec();
        let length = sealing(key, purpose).ok()?.open_in_place(nonce, Aad::from(purpose), &mut plain).ok()?.len();
        plain.truncate(length);
        Some(plain)
    }
}

fn sealing(key: &Secret, purpose: &str) -> Result<RandomizedNonceKey, aws_lc_rs::error::Unspecified> {
    RandomizedNonceKey::new(&AES_256_GCM, &mac(key, "seal", purpose.as_bytes()))
}

fn key_mark(key: &Secret) -> [u8; KEY_ID] {
    let mut mark = [0; KEY_ID];
    mark.copy_from_slice(&mac(key, "name", &[])[..KEY_ID]);
    mark
}

fn key_name(key: &Secret) -> String {
    URL_SAFE_NO_PAD.encode(key_mark(key))
}

fn mac(key: &Secret, purpose: &str, bytes: &[u8]) -> [u8; 32] {
    // HMAC takes keys of any length; the error type exists for other MACs.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key.expose().as_bytes()) else { return [0; 32] };
    mac.update(purpose.as_bytes());
    mac.update(&[0]);
    mac.update(bytes);
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_this_key_signed_for_this_purpose_opens() {
        let keys = Keys::new(Keys::generate(), vec![]).unwrap();
        let id = Uuid::now_v7();
        let text = keys.sign("pass", id);
        assert_eq!(text.len(), 43);
        assert_eq!(keys.open("pass", &text), Some(id));
        assert_eq!(keys.open("other", &text), None);
        assert_eq!(Keys::new(Keys::generate(), vec![]).unwrap().open("pass", &text), None);
        for at in 0..text.len() {
            let mut forged = text.clone().into_bytes();
            forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
            let forged = String::from_utf8(forged).unwrap();
            // The last character carries two bits that mean nothing; a decoder refuses them set.
            assert_eq!(keys.open("pass", &forged), None, "{at}");
        }
        for nonsense in ["", "x", &"A".repeat(43), "\u{1f600}"] {
            assert_eq!(keys.open("pass", nonsense), None);
        }
    }

    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Who {
        sub: String,
    }

    fn moment(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_token_is_believed_until_its_end_for_its_audience_and_unchanged_only() {
        let keys = Keys::new(Keys::generate(), vec![]).unwrap();
        let who = || Who { sub: "a".into() };
        let token = keys.issue("access", who(), moment(1000), moment(2000)).unwrap();
        assert_eq!(keys.verify("access", &token, moment(1999)), Some(who()));
        assert_eq!(keys.verify::<Who>("access", &token, moment(2000)), None, "run out");
        assert_eq!(keys.verify::<Who>("refresh", &token, moment(1000)), None, "another audience");
        let other = Keys::new(Keys::generate(), vec![]).unwrap();
        assert_eq!(other.verify::<Who>("access", &token, moment(1000)), None, "another key");
        let parts: Vec<&str> = token.split('.').collect();
        for header in [r#"{"alg":"none"}"#, r#"{"alg":"HS512","typ":"JWT"}"#, r#"{"alg":"none","kid":""}"#] {
            let forged = format!("{}.{}.{}", URL_SAFE_NO_PAD.encode(header), parts[1], parts[2]);
            assert_eq!(keys.verify::<Who>("access", &forged, moment(1000)), None, "{header}");
            let unsigned = format!("{}.{}.", URL_SAFE_NO_PAD.encode(header), parts[1]);
            assert_eq!(keys.verify::<Who>("access", &unsigned, moment(1000)), None, "{header}");
        }
        for nonsense in ["", ".", "..", "a.b.c", "\u{1f600}"] {
            assert_eq!(keys.verify::<Who>("access", nonsense, moment(1000)), None);
        }
    }

    #[test]
    fn what_an_earlier_key_made_is_believed_after_a_change_and_not_when_it_is_dropped() {
        let (old, new) = (Keys::generate(), Keys::generate());
        let before = Keys::new(old.clone(), vec![]).unwrap();
        let after = Keys::new(new.clone(), vec![old]).unwrap();
        let dropped = Keys::new(new, vec![]).unwrap();
        let token = before.issue("access", Who { sub: "a".into() }, moment(1000), moment(2000)).unwrap();
        let sealed = before.seal("webhook", b"secret").unwrap();
        let id = Uuid::now_v7();
        let pass = before.sign("pass", id);
        assert_eq!(after.verify("access", &token, moment(1000)), Some(Who { sub: "a".into() }));
        assert_eq!(after.unseal("webhook", &sealed).as_deref(), Some(b"secret".as_slice()));
        assert_eq!(after.open("pass", &pass), Some(id));
        assert_eq!(dropped.verify::<Who>("access", &token, moment(1000)), None);
        assert_eq!(dropped.unseal("webhook", &sealed), None);
        assert_eq!(dropped.open("pass", &pass), None);
    }

    #[test]
    fn instances_that_make_by_different_keys_and_accept_each_others_agree() {
        let (old, new) = (Keys::generate(), Keys::generate());
        let one = Keys::new(old.clone(), vec![new.clone()]).unwrap();
        let two = Keys::new(new, vec![old.clone()]).unwrap();
        let behind = Keys::new(old, vec![]).unwrap();
        let token = two.issue("access", Who { sub: "a".into() }, moment(1000), moment(2000)).unwrap();
        assert_eq!(one.verify("access", &token, moment(1000)), Some(Who { sub: "a".into() }));
        assert!(one.macs("code", b"1").any(|mac| mac == two.mac("code", b"1")));
        assert!(one.know(&token) && !behind.know(&token) && !one.know("a.b.c"));
    }

    #[test]
    fn a_sealed_secret_opens_for_its_purpose_and_unchanged_only() {
        let keys = Keys::new(Keys::generate(), vec![]).unwrap();
        let sealed = keys.seal("webhook", b"secret").unwrap();
        assert_ne!(sealed, keys.seal("webhook", b"secret").unwrap(), "two sealings differ");
        assert_eq!(keys.unseal("courier", &sealed), None);
        for at in 0..sealed.len() {
            let mut forged = sealed.clone();
            forged[at] ^= 1;
            assert_eq!(keys.unseal("webhook", &forged), None, "{at}");
            assert_eq!(keys.unseal("webhook", &sealed[..at]), None, "{at}");
        }
    }
}
