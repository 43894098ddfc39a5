//! Passwords: Argon2id, 19 MiB, two passes, one lane (OWASP's first choice), in the PHC text form.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};

use crate::base::{Error, Result, Secret};

/// Checks length: 8 to 128 characters and no other rule.
///
/// # Errors
/// `Invalid` that says what to choose.
pub fn check(password: &Secret) -> Result<()> {
    let length = password.expose().chars().count();
    if (8..=128).contains(&length) {
        return Ok(());
    }
    Err(Error::invalid_field("password", "bad_password", "Choose a password of 8 to 128 characters."))
}

/// The text that is stored in a password's place. Slow on purpose: run it where blocking is allowed.
///
/// # Errors
/// `Internal` when the machine has no randomness or memory for it.
pub fn hash(password: &Secret) -> Result<String> {
    let hash =
        hasher()?.hash_password(password.expose().as_bytes()).map_err(|error| Error::internal(error.to_string()))?;
    Ok(hash.to_string())
}

/// Whether the password is the one of the stored text. As slow as [`hash`].
#[must_use]
pub fn verify(password: &Secret, stored: &str) -> bool {
    let Ok(stored) = PasswordHash::new(stored) else { return false };
    hasher().is_ok_and(|hasher| hasher.verify_password(password.expose().as_bytes(), &stored).is_ok())
}

fn hasher() -> Result<Argon2<'static>> {
    let params = Params::new(19_456, 2, 1, None).map_err(|error| Error::internal(error.to_string()))?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_password_itself_opens_and_two_hashes_of_it_differ() {
        let password = Secret::new("correct horse");
        let stored = hash(&password).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(verify(&password, &stored));
        assert!(!verify(&Secret::new("correct horsf"), &stored));
        assert!(!verify(&password, "nonsense"));
        assert_ne!(stored, hash(&password).unwrap());
    }

    #[test]
    fn length_is_the_only_rule() {
        assert!(check(&Secret::new("1234567")).is_err());
        assert!(check(&Secret::new("        ")).is_ok());
        assert!(check(&Secret::new("x".repeat(129))).is_err());
    }
}
