//! The shapes of submissions on the wire.

use jiff::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::accounts::kyc::{Document, Submission};

/// A document without its bytes.
#[derive(Serialize, ToSchema)]
#[schema(as = KycDocument)]
pub struct DocumentView {
    id: Uuid,
    /// `registration`, `identity`, `proof_of_address` or `other`.
    #[schema(example = "registration")]
    kind: &'static str,
    /// A name made harmless, with the ending of what the document is.
    #[schema(example = "certificate.pdf")]
    name: String,
    /// What it was found to be.
    #[schema(example = "application/pdf")]
    media_type: &'static str,
    /// Bytes.
    #[schema(example = 48_211)]
    size: u64,
}

/// What a company has handed in.
#[derive(Serialize, ToSchema)]
#[schema(as = KycSubmission)]
pub struct SubmissionView {
    id: Uuid,
    /// `submitted`, `approved` or `rejected`.
    #[schema(example = "submitted")]
    state: &'static str,
    #[schema(example = "Juniper & Co. Ltd")]
    legal_name: String,
    #[schema(example = "HRB 20931")]
    registration_number: String,
    /// ISO 3166-1 alpha-2.
    #[schema(example = "DE")]
    country: String,
    #[schema(example = "1 Long Road, Berlin")]
    address: String,
    website: Option<String>,
    phone: Option<String>,
    documents: Vec<DocumentView>,
    submitted_at: Timestamp,
    decided_at: Option<Timestamp>,
    /// Why it was rejected.
    reason: Option<String>,
}

/// Where a company stands.
#[derive(Serialize, ToSchema)]
#[schema(as = KycStatus)]
pub struct StatusView {
    /// `not_submitted`, or the state of the newest submission.
    #[schema(example = "submitted")]
    pub state: &'static str,
    /// Everything handed in, newest first.
    pub submissions: Vec<SubmissionView>,
}

/// A submission as those see it who decide.
#[derive(Serialize, ToSchema)]
#[schema(as = KycReview)]
pub struct ReviewView {
    #[serde(flatten)]
    submission: SubmissionView,
    company: CompanyView,
    /// Who decided.
    decided_by: Option<String>,
    /// Seconds it has waited, or had to wait, for its decision.
    #[schema(example = 5_400)]
    waiting_seconds: i64,
}

/// The company a submission is of.
#[derive(Serialize, ToSchema)]
#[schema(as = KycCompany)]
struct CompanyView {
    id: Uuid,
    #[schema(example = "Juniper & Co.")]
    name: String,
}

/// A submission with what the company handed in before.
#[derive(Serialize, ToSchema)]
#[schema(as = KycReviewDetail)]
pub struct ReviewDetailView {
    /// The submission.
    #[serde(flatten)]
    pub review: ReviewView,
    /// The company's other submissions, newest first.
    pub history: Vec<ReviewView>,
}

/// A page of submissions.
#[derive(Serialize, ToSchema)]
#[schema(as = KycReviewPage)]
pub struct ReviewPageView {
    /// Oldest first.
    pub data: Vec<ReviewView>,
    /// `after` of the next page.
    pub next: Option<String>,
}

impl From<Document> for DocumentView {
    fn from(document: Document) -> Self {
        Self {
            id: document.id.0,
            kind: document.kind.code(),
            name: document.name,
            media_type: document.media.media_type(),
            size: document.size,
        }
    }
}

impl From<Submission> for SubmissionView {
    fn from(submission: Submission) -> Self {
        let business = submission.business;
        Self {
            id: submission.id.0,
            state: submission.state.code(),
            legal_name: business.legal_name,
            registration_number: business.registration_number,
            country: business.country,
            address: business.address,
            website: business.website,
            phone: business.phone,
            documents: submission.documents.into_iter().map(DocumentView::from).collect(),
            submitted_at: submission.submitted_at,
            decided_at: submission.decided_at,
            reason: submission.reason,
        }
    }
}

impl ReviewView {
    /// The submission as it stands at a moment.
    #[must_use]
    pub fn at(now: Timestamp, submission: Submission) -> Self {
        Self {
            company: CompanyView { id: submission.company.0, name: submission.company_name.clone() },
            decided_by: submission.decided_by.clone(),
            waiting_seconds: submission.waited(now).as_secs(),
            submission: submission.into(),
        }
    }
}
