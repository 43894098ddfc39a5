//! What a company says about its business, checked field by field so that all that is wrong is told at once. Pure.

use super::countries::is_country;
use crate::base::error::Invalid;

/// What a company says about its business, as it was sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Business {
    /// As in the register.
    pub legal_name: String,
    /// Its number in the register.
    pub registration_number: String,
    /// Two letters (ISO 3166-1 alpha-2), upper case.
    pub country: String,
    /// Where it sits.
    pub address: String,
    /// An http or https address.
    pub website: Option<String>,
    /// With the country's code.
    pub phone: Option<String>,
}

impl Business {
    /// The details without the spaces people leave around them, and everything that is wrong with them.
    ///
    /// # Errors
    /// What is wrong, in the order of the fields; never empty.
    pub fn cleaned(&self) -> Result<Self, Vec<Invalid>> {
        let optional =
            |text: &Option<String>| text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned);
        let clean = Self {
            legal_name: self.legal_name.trim().to_owned(),
            registration_number: self.registration_number.trim().to_owned(),
            country: self.country.trim().to_ascii_uppercase(),
            address: self.address.trim().replace("\r\n", "\n"),
            website: optional(&self.website),
            phone: optional(&self.phone),
        };
        let wrong = clean.wrongs();
        if wrong.is_empty() { Ok(clean) } else { Err(wrong) }
    }

    fn wrongs(&self) -> Vec<Invalid> {
        let line = |text: &str, most| (1..=most).contains(&text.chars().count()) && !text.contains(char::is_control);
        let is_country = is_country(&self.country);
        let is_address = line(&self.address.replace('\n', " "), 500);
        let checks = [
            (
                line(&self.legal_name, 200),
                ("legal_name", "bad_legal_name", "Enter the name in the register, at most 200 characters."),
            ),
            (
                line(&self.registration_number, 64),
                (
                    "registration_number",
                    "bad_registration_number",
                    "Enter the number in the register, at most 64 characters.",
                ),
            ),
            (is_country, ("country", "bad_country", "Enter the two letters of the country, as DE or BD.")),
            (is_address, ("address", "bad_address", "Enter the address of the business, at most 500 characters.")),
            (
                self.website.as_deref().is_none_or(is_web_address),
                (
                    "website",
                    "bad_website",
                    "Enter a web address that begins with https:// or http://, or leave it empty.",
                ),
            ),
            (
                self.phone.as_deref().is_none_or(is_phone),
                (
                    "phone",
                    "bad_phone",
                    "Enter a telephone number with the country's code, as +880 1711 000000, or leave it empty.",
                ),
            ),
        ];
        let failed = checks.into_iter().filter(|(holds, _)| !holds);
        failed
            .map(|(_, (field, code, message))| Invalid { field: Some(field), code, message: message.to_owned() })
            .collect()
    }
}

fn is_web_address(text: &str) -> bool {
    let parsed = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    parsed.is_some_and(|url| url.has_host() && url.username().is_empty()) && text.len() <= 300
}

/// Digits and what people write between them; the longest number there is has 15 digits (ITU-T E.164).
fn is_phone(text: &str) -> bool {
    let digits = text.chars().filter(char::is_ascii_digit).count();
    let rest = text.strip_prefix('+').unwrap_or(text);
    (6..=15).contains(&digits) && text.len() <= 40 && rest.chars().all(|c| c.is_ascii_digit() || " -()./".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Business {
        Business {
            legal_name: " Juniper & Co. Ltd ".into(),
            registration_number: "HRB 1234".into(),
            country: "bd".into(),
            address: "1 Long Road\r\nDhaka".into(),
            website: Some("https://juniper.example".into()),
            phone: Some("+880 1711-000000".into()),
        }
    }

    fn wrong_with(change: impl Fn(&mut Business)) -> Vec<&'static str> {
        let mut business = good();
        change(&mut business);
        business.cleaned().err().unwrap_or_default().into_iter().filter_map(|wrong| wrong.field).collect()
    }

    #[test]
    fn good_details_are_cleaned() {
        let clean = good().cleaned().unwrap();
        assert_eq!((clean.legal_name.as_str(), clean.country.as_str()), ("Juniper & Co. Ltd", "BD"));
        assert_eq!(clean.address, "1 Long Road\nDhaka");
        let bare = Business { website: Some("  ".into()), phone: None, ..good() }.cleaned().unwrap();
        assert_eq!((bare.website, bare.phone), (None, None));
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let all = Business { website: Some("x".into()), phone: Some("x".into()), ..Business::default() };
        let fields: Vec<_> = all.cleaned().unwrap_err().into_iter().filter_map(|wrong| wrong.field).collect();
        assert_eq!(fields, ["legal_name", "registration_number", "country", "address", "website", "phone"]);
    }

    #[test]
    fn each_field_has_its_own_rule() {
        assert_eq!(wrong_with(|b| b.legal_name = "a\u{0}b".into()), ["legal_name"]);
        assert_eq!(wrong_with(|b| b.registration_number = "1".repeat(65)), ["registration_number"]);
        assert_eq!(wrong_with(|b| b.country = "D1".into()), ["country"]);
        assert_eq!(wrong_with(|b| b.address = "a".repeat(501)), ["address"]);
        for site in ["javascript:alert(1)", "ftp://x", "https://user:word@x.example", "x.example"] {
            assert_eq!(wrong_with(|b| b.website = Some(site.into())), ["website"], "{site}");
        }
        for phone in ["12345", "+49 call me", "1234567890123456", "++4930123456"] {
            assert_eq!(wrong_with(|b| b.phone = Some(phone.into())), ["phone"], "{phone}");
        }
        assert_eq!(wrong_with(|_| {}), Vec::<&str>::new());
    }
}
