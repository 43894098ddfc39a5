//! What a company hands in: its details and its documents, checked as a whole before anything is stored. Pure.

use super::business::Business;
use super::papers::{Media, safe_name};
use crate::base::error::Invalid;

/// What a document is to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DocumentKind {
    /// That the business is in a register.
    Registration,
    /// Who runs it.
    Identity,
    /// Where it sits.
    Address,
    /// Anything else that helps.
    Other,
}

impl DocumentKind {
    /// All of them, in the order forms ask for them.
    pub const ALL: [Self; 4] = [Self::Registration, Self::Identity, Self::Address, Self::Other];

    /// Its stable code, which is also the name of its field in a form.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Registration => "registration",
            Self::Identity => "identity",
            Self::Address => "proof_of_address",
            Self::Other => "other",
        }
    }

    /// Reads a code.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }
}

/// A file as it was sent.
#[derive(Clone, Debug)]
pub struct Upload {
    /// What it is to show.
    pub kind: DocumentKind,
    /// What the sender calls it: any text at all.
    pub name: String,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// A file that was found to be one of the kinds we take.
#[derive(Clone, Debug)]
pub struct Paper {
    /// What it is to show.
    pub kind: DocumentKind,
    /// A name made harmless.
    pub name: String,
    /// What it is.
    pub media: Media,
    /// Its bytes.
    pub content: Vec<u8>,
}

/// What may be handed in at a time.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Documents.
    pub documents: usize,
    /// Bytes of each.
    pub bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { documents: 5, bytes: 5 << 20 }
    }
}

/// Details and documents that hold to the rules.
#[derive(Clone, Debug)]
pub struct Application {
    pub(super) business: Business,
    pub(super) papers: Vec<Paper>,
}

impl Application {
    /// Checks details and files.
    ///
    /// # Errors
    /// Everything that is wrong, at most one thing for each field, in the order of the form; never empty.
    pub fn check(business: &Business, uploads: Vec<Upload>, limits: Limits) -> Result<Self, Vec<Invalid>> {
        let (business, mut wrong) = match business.cleaned() {
            Ok(business) => (business, vec![]),
            Err(wrong) => (Business::default(), wrong),
        };
        let given = uploads.len();
        if given == 0 {
            wrong.push(refuse(DocumentKind::Registration, "document_missing", "Add at least one document."));
        } else if given > limits.documents {
            let message = format!("Send at most {} documents.", limits.documents);
            wrong.push(refuse(uploads[limits.documents].kind, "too_many_documents", message));
        }
        let mut papers = Vec::with_capacity(given);
        for upload in uploads {
            match read(upload, limits) {
                Ok(paper) => papers.push(paper),
                Err(invalid) if wrong.iter().any(|known| known.field == invalid.field) => {}
                Err(invalid) => wrong.push(invalid),
            }
        }
        if wrong.is_empty() { Ok(Self { business, papers }) } else { Err(wrong) }
    }
}

fn read(upload: Upload, limits: Limits) -> Result<Paper, Invalid> {
    let Upload { kind, name, content } = upload;
    if content.len() > limits.bytes {
        let message = format!("A document may have at most {} bytes.", limits.bytes);
        return Err(refuse(kind, "document_too_large", message));
    }
    let media = Media::of(&content);
    let media = media.ok_or_else(|| refuse(kind, "document_type", "Send a PDF, PNG or JPEG file that is whole."))?;
    Ok(Paper { kind, name: safe_name(&name, media), media, content })
}

/// What is wrong with the documents of a kind.
fn refuse(kind: DocumentKind, code: &'static str, message: impl Into<String>) -> Invalid {
    Invalid { field: Some(kind.code()), code, message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PDF: &[u8] = b"%PDF-1.7\n%%EOF";

    fn business() -> Business {
        Business {
            legal_name: "Juniper & Co.".into(),
            registration_number: "HRB 1".into(),
            country: "DE".into(),
            address: "1 Long Road".into(),
            ..Business::default()
        }
    }

    fn file(kind: DocumentKind, content: &[u8]) -> Upload {
        Upload { kind, name: "../a.html".into(), content: content.to_vec() }
    }

    fn codes(uploads: Vec<Upload>) -> Vec<&'static str> {
        let limits = Limits { documents: 2, bytes: 20 };
        let refused = Application::check(&business(), uploads, limits).err().unwrap_or_default();
        refused.into_iter().map(|invalid| invalid.code).collect()
    }

    #[test]
    fn one_document_at_least_and_not_too_many_and_none_too_large() {
        use DocumentKind::{Other, Registration};
        assert_eq!(codes(vec![]), ["document_missing"]);
        assert_eq!(codes(vec![file(Registration, PDF)]), Vec::<&str>::new());
        assert_eq!(codes(vec![file(Other, PDF), file(Other, PDF), file(Other, PDF)]), ["too_many_documents"]);
        assert_eq!(codes(vec![file(Registration, &[b'a'; 21])]), ["document_too_large"]);
        assert_eq!(codes(vec![file(Registration, b""), file(Other, b"MZ")]), ["document_type", "document_type"]);
        assert_eq!(codes(vec![file(Other, b""), file(Other, b"MZ")]), ["document_type"], "once for each field");
    }

    #[test]
    fn details_and_documents_are_refused_together() {
        let refused = Application::check(&Business::default(), vec![], Limits::default()).unwrap_err();
        assert_eq!(refused.len(), 5);
        assert_eq!(refused[4].field, Some("registration"));
    }

    #[test]
    fn every_kind_has_its_code() {
        for kind in DocumentKind::ALL {
            assert_eq!(DocumentKind::parse(kind.code()), Some(kind));
        }
    }
}
