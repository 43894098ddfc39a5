//! The instance's signing key and what it signs: unguessable texts that carry an identifier. Pure.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::Rng as _;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use uuid::Uuid;

use super::secret::Secret;

/// Marks a key that was made by itself at a first start in development; production refuses it.
pub const DEVELOPMENT_PREFIX: &str = "dev_";

/// The signing key. All instances of a deployment share one.
#[derive(Clone, Debug)]
pub struct Keys {
    key: Secret,
}

/// Bytes of the signature that travel: 128 bits, as much as an identifier of its own would need to be unguessable.
const SIGNED: usize = 16;

impl Keys {
    /// A key as `ordercast keygen` prints it: 32 random bytes in base64url, or any text of at least 32 characters.
    /// `None` when it is shorter than that.
    #[must_use]
    pub fn new(key: Secret) -> Option<Self> {
        (key.expose().len() >= 32).then_some(Self { key })
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
        bytes[16..].copy_from_slice(&self.signature(purpose, id));
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The identifier of a text this key has signed for the purpose.
    #[must_use]
    pub fn open(&self, purpose: &str, text: &str) -> Option<Uuid> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (id, signature) = bytes.split_at_checked(16)?;
        let id = Uuid::from_slice(id).ok()?;
        bool::from(self.signature(purpose, id).ct_eq(signature)).then_some(id)
    }

    fn signature(&self, purpose: &str, id: Uuid) -> [u8; SIGNED] {
        // HMAC takes keys of any length; the error type exists for other MACs.
        let mut signature = [0; SIGNED];
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(self.key.expose().as_bytes()) {
            mac.update(purpose.as_bytes());
            mac.update(&[0]);
            mac.update(id.as_bytes());
            signature.copy_from_slice(&mac.finalize().into_bytes()[..SIGNED]);
        }
        signature
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_this_key_signed_for_this_purpose_opens() {
        let keys = Keys::new(Keys::generate()).unwrap();
        let id = Uuid::now_v7();
        let text = keys.sign("pass", id);
        assert_eq!(text.len(), 43);
        assert_eq!(keys.open("pass", &text), Some(id));
        assert_eq!(keys.open("other", &text), None);
        assert_eq!(Keys::new(Keys::generate()).unwrap().open("pass", &text), None);
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
}
