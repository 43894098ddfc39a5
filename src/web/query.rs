//! Query strings: known names only, each value checked, so that a mistyped filter is refused and not passed over.

use std::ops::RangeInclusive;

use actix_web::HttpRequest;

use crate::base::{Error, Result};

/// The names and values of a query string.
#[derive(Debug)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// The query of a request, which may hold these names and, for the caller's credential, `token`.
    ///
    /// # Errors
    /// `Invalid` that names what is not known.
    pub fn of(request: &HttpRequest, known: &[&'static str]) -> Result<Self> {
        Self::read(request.query_string(), known)
    }

    fn read(text: &str, known: &[&'static str]) -> Result<Self> {
        let pairs: Vec<(String, String)> = url::form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        if let Some((name, _)) = pairs.iter().find(|(name, value)| name.contains('\0') || value.contains('\0')) {
            let message = format!("The query parameter {name:?} must not contain NUL characters");
            return Err(Error::invalid("bad_characters", message));
        }
        let unknown = pairs.iter().find(|(name, _)| name != "token" && !known.contains(&name.as_str()));
        match unknown {
            None => Ok(Self(pairs)),
            Some((name, _)) => {
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                let message = format!("The query parameter {name:?} is not known here; known: {known}");
                Err(Error::invalid("unknown_parameter", message))
            }
        }
    }

    /// The text of a name that may stand there once; an empty one counts as none.
    ///
    /// # Errors
    /// `Invalid` when it stands there more than once.
    pub fn one(&self, name: &'static str) -> Result<Option<&str>> {
        Ok(self.typed(name)?.filter(|value| !value.is_empty()))
    }

    /// As [`Query::one`], for what is more than text: there an empty value is a mistake.
    fn typed(&self, name: &'static str) -> Result<Option<&str>> {
        let mut values = self.0.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let first = values.next();
        if values.next().is_some() {
            return Err(Error::invalid_field(name, "repeated_parameter", format!("{name} may be given once")));
        }
        Ok(first)
    }

    /// All values of a name, given again and again or separated by commas.
    #[must_use]
    pub fn many(&self, name: &str) -> Vec<&str> {
        let values = self.0.iter().filter(|(known, _)| known == name);
        values.flat_map(|(_, value)| value.split(',')).map(str::trim).filter(|value| !value.is_empty()).collect()
    }

    /// A whole number within a range.
    ///
    /// # Errors
    /// `Invalid` when it is none, or outside.
    pub fn number(&self, name: &'static str, default: i64, range: RangeInclusive<i64>) -> Result<i64> {
        let Some(text) = self.typed(name)? else { return Ok(default) };
        text.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
            let message = format!("{name} must be a whole number from {} to {}", range.start(), range.end());
            Error::invalid_field(name, "out_of_range", message)
        })
    }

    /// A value that can be read as the type.
    ///
    /// # Errors
    /// `Invalid` that says what is wanted.
    pub fn parsed<T: std::str::FromStr>(&self, name: &'static str, wanted: &str) -> Result<Option<T>> {
        let Some(text) = self.typed(name)? else { return Ok(None) };
        let read = text.parse().map_err(|_| Error::invalid_field(name, "bad_parameter", format!("{name} {wanted}")));
        read.map(Some)
    }

    /// `true` or `false`; false when it is not there.
    ///
    /// # Errors
    /// `Invalid` when it is neither.
    pub fn flag(&self, name: &'static str) -> Result<bool> {
        Ok(self.parsed(name, "must be true or false")?.unwrap_or(false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_once_or_many_times() {
        let query =
            Query::read("status=packed,shipped&status=paid&q=a+b&token=x&carrier=", &["status", "q", "carrier"]);
        let query = query.unwrap();
        assert_eq!(query.many("status"), ["packed", "shipped", "paid"]);
        assert_eq!(query.one("q").unwrap(), Some("a b"));
        assert_eq!(query.one("carrier").unwrap(), None);
        assert!(query.one("status").is_err());
    }

    #[test]
    fn what_is_unknown_or_out_of_range_is_refused_with_what_is_wanted() {
        let refused = Query::read("statsu=paid", &["status", "q"]).unwrap_err().to_string();
        assert_eq!(refused, "The query parameter \"statsu\" is not known here; known: status, q");
        let query = Query::read("limit=0&atomic=yes", &["limit", "atomic"]).unwrap();
        assert_eq!(
            query.number("limit", 50, 1..=200).unwrap_err().to_string(),
            "limit must be a whole number from 1 to 200"
        );
        assert_eq!(query.flag("atomic").unwrap_err().to_string(), "atomic must be true or false");
        assert!(Query::read("limit=", &["limit"]).unwrap().number("limit", 50, 1..=200).is_err());
        assert_eq!(Query::read("", &["limit"]).unwrap().number("limit", 50, 1..=200).unwrap(), 50);
    }
}
