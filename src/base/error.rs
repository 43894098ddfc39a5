//! Errors by meaning: lower layers convert into these, and only `web` turns them into status codes.

use std::fmt;

/// The boxed cause of an [`Error::Internal`].
pub type Source = Box<dyn std::error::Error + Send + Sync + 'static>;

/// What went wrong, told by what the caller can do about it.
#[derive(Debug)]
pub enum Error {
    /// The thing asked for does not exist, or the caller may not know that it does. Holds its noun: `Order`.
    NotFound(&'static str),
    /// No credential, or one that is not (or no longer) good.
    Unauthenticated(String),
    /// A good credential that may not do this.
    Forbidden(String),
    /// A good credential that may not be used yet, or any more; the code says what is missing.
    Barred(Conflict),
    /// The input breaks a rule. Says which, and what to send instead.
    Invalid(Invalid),
    /// Several fields break rules; never empty, in the order of the form.
    InvalidFields(Vec<Invalid>),
    /// The input was right but the state has moved on: an unexpected `seq`, a taken number.
    Conflict(Conflict),
    /// The same Idempotency-Key came with another body, or another semantic refusal of a well-formed request.
    Unprocessable(String),
    /// It was there, and is not any more: a link that has ended or was taken back.
    Gone(Conflict),
    /// Too many requests; try again after this many seconds.
    TooMany {
        /// Seconds after which a retry can succeed.
        retry_after: u64,
    },
    /// A part we depend on is out of reach for the moment; nothing was changed.
    Unavailable(String, Option<Source>),
    /// Our fault. The cause is logged, never shown.
    Internal(Source),
}

/// Which rule of the input was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// The field as the caller named it, when one field is to blame.
    pub field: Option<&'static str>,
    /// A stable, machine-readable code such as `carrier_required`.
    pub code: &'static str,
    /// One sentence for people that says what to do.
    pub message: String,
}

/// How the state differs from what the caller expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// A stable, machine-readable code such as `seq_mismatch`.
    pub code: &'static str,
    /// One sentence for people that says what to do.
    pub message: String,
}

/// A result whose error is told by meaning.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// Input that breaks a rule not tied to one field.
    pub fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(Invalid { field: None, code, message: message.into() })
    }

    /// Input whose named field breaks a rule.
    pub fn invalid_field(field: &'static str, code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid(Invalid { field: Some(field), code, message: message.into() })
    }

    /// State that has moved on.
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::Conflict(Conflict { code, message: message.into() })
    }

    /// Whoever it is may not come in as things stand.
    pub fn barred(code: &'static str, message: impl Into<String>) -> Self {
        Self::Barred(Conflict { code, message: message.into() })
    }

    /// What was good once.
    pub fn gone(code: &'static str, message: impl Into<String>) -> Self {
        Self::Gone(Conflict { code, message: message.into() })
    }

    /// A failure of ours with its cause.
    pub fn internal(source: impl Into<Source>) -> Self {
        Self::Internal(source.into())
    }

    /// A dependency that cannot be reached, with its cause.
    pub fn unavailable(what: impl Into<String>, source: impl Into<Source>) -> Self {
        Self::Unavailable(what.into(), Some(source.into()))
    }

    /// Whether the same call may succeed later without a change of its input.
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::TooMany { .. } | Self::Unavailable(..) | Self::Internal(_))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound(what) => write!(f, "{what} not found"),
            Self::Unauthenticated(why) | Self::Forbidden(why) | Self::Unprocessable(why) => f.write_str(why),
            Self::Invalid(invalid) => f.write_str(&invalid.message),
            Self::InvalidFields(wrong) => {
                let all: Vec<&str> = wrong.iter().map(|invalid| invalid.message.as_str()).collect();
                f.write_str(&all.join(" "))
            }
            Self::Conflict(conflict) | Self::Gone(conflict) | Self::Barred(conflict) => f.write_str(&conflict.message),
            Self::TooMany { retry_after } => write!(f, "Too many requests. Please wait {retry_after} seconds."),
            Self::Unavailable(what, _) => write!(f, "{what} is not available right now. Please try again."),
            Self::Internal(_) => f.write_str("Something went wrong on our side."),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Internal(source) | Self::Unavailable(_, Some(source)) => Some(source.as_ref()),
            _ => None,
        }
    }
}
