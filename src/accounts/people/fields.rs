//! What people write about themselves, read into what is kept. Pure.

use crate::base::id::CompanyId;
use crate::base::{Error, Result};

/// An e-mail address in lower case.
///
/// # Errors
/// `Invalid` when it is none.
pub fn read_email(text: &str) -> Result<String> {
    let email = fold(text);
    let is_address = email.split_once('@').is_some_and(|(who, at)| {
        !who.is_empty() && at.contains('.') && !at.contains('@') && !at.starts_with('.') && !at.ends_with('.')
    });
    if is_address && email.len() <= 254 && !email.contains(char::is_whitespace) {
        return Ok(email);
    }
    Err(Error::invalid_field("email", "bad_email", "Enter an e-mail address, as name@example.com."))
}

/// An address as it is looked for; whether it is one does not matter, for one that is none is nobody's. One with control
/// characters is read as none at all: PostgreSQL refuses to look for a NUL.
#[must_use]
pub(in crate::accounts) fn fold(text: &str) -> String {
    let email = text.trim().to_lowercase();
    if email.contains(char::is_control) { String::new() } else { email }
}

/// A person's name.
///
/// # Errors
/// `Invalid` when it is empty, too long, or not printable.
pub fn read_name(text: &str) -> Result<String> {
    printable(text).ok_or_else(|| Error::invalid_field("name", "bad_name", "Enter your name, at most 100 characters."))
}

/// A company's name.
///
/// # Errors
/// As [`read_name`].
pub fn read_company_name(text: &str) -> Result<String> {
    let message = "Enter your company's name, at most 100 characters.";
    printable(text).ok_or_else(|| Error::invalid_field("company_name", "bad_company_name", message))
}

fn printable(text: &str) -> Option<String> {
    let text = text.trim();
    let fits = (1..=100).contains(&text.chars().count()) && !text.contains(char::is_control);
    fits.then(|| text.to_owned())
}

/// A company's name in addresses: lower case letters, digits and dashes; never empty.
#[must_use]
pub(super) fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars().flat_map(char::to_lowercase) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(40);
    let slug = slug.trim_end_matches('-');
    if slug.is_empty() {
        return "company".to_owned();
    }
    // A name that looks like an identifier names whom the identifier does.
    if slug.parse::<CompanyId>().is_ok() { format!("company-{slug}") } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_folded_and_what_is_none_is_refused() {
        assert_eq!(read_email("  John@Example.COM ").unwrap(), "john@example.com");
        let long = format!("{}@example.com", "x".repeat(250));
        for text in [
            "",
            "john",
            "@example.com",
            "john@",
            "john@example",
            "a b@example.com",
            "a@b@c.d",
            "a@.com",
            "a@com.",
            "a\u{0}@b.example",
            "a@b.example\u{7f}",
            &long,
        ] {
            assert!(read_email(text).is_err(), "{text}");
        }
        assert_eq!(
            (fold(" John@Example.COM\n"), fold("john\u{0}@example.com")),
            ("john@example.com".into(), String::new())
        );
    }

    #[test]
    fn names_are_printable_and_short() {
        assert_eq!(read_name(" Ayesha ").unwrap(), "Ayesha");
        for text in ["", "  ", "a\nb", &"x".repeat(101)] {
            assert!(read_name(text).is_err() && read_company_name(text).is_err(), "{text}");
        }
    }

    #[test]
    fn slugs_fit_in_an_address() {
        for (name, expected) in [
            ("Juniper & Co.", "juniper-co"),
            ("  --  ", "company"),
            ("জুঁই", "company"),
            ("Ärzte", "rzte"),
            ("johndoe", "johndoe"),
        ] {
            assert_eq!(slug(name), expected, "{name}");
        }
        assert!(slug(&"ab ".repeat(60)).len() <= 40);
        for name in ["019AA1B2-0000-7000-8000-000000000000", "019aa1b2000070008000000000000000"] {
            let slug = slug(name);
            assert!(slug.starts_with("company-") && slug.parse::<CompanyId>().is_err(), "{slug}");
        }
    }
}
