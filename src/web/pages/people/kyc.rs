//! `/kyc`: a company hands in its papers, sees where they stand, and corrects what was not enough.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use maud::{Markup, html};

use super::console::{Bar, Place};
use super::steps::{self, Step};
use super::{Visit, go, moment, notice, size};
use crate::accounts::kyc::application::Limits;
use crate::accounts::kyc::countries::{self, COUNTRIES};
use crate::accounts::kyc::{Application, Business, DocumentKind, State, Submission};
use crate::accounts::sessions::Kind;
use crate::accounts::{Company, CompanyState, Kyc, Login};
use crate::base::Error;
use crate::base::error::Invalid;
use crate::web::body::{Incoming, TOO_LARGE, TOO_SLOW};
use crate::web::kyc::desk::Desk;
use crate::web::pages::Frame;
use crate::web::pages::form::{self, Field};

/// `GET /kyc`
pub(super) async fn get_kyc(visit: Visit, kyc: Data<Kyc>) -> HttpResponse {
    match visit.of_company() {
        Ok((login, company)) => show(&visit, &kyc, login, company, StatusCode::OK, None).await,
        Err(answered) => answered.error_response(),
    }
}

/// `POST /kyc`
pub(super) async fn submit(visit: Visit, incoming: Incoming, kyc: Data<Kyc>, desk: Data<Desk>) -> HttpResponse {
    let (login, company) = match visit.of_company() {
        Ok(found) => found,
        Err(answered) => return answered.error_response(),
    };
    let request_id = incoming.request_id();
    let mut received = match desk.receive(&kyc, company.id, incoming).await {
        Ok(received) => received,
        Err(Error::Invalid(slow)) if slow.code == TOO_SLOW => {
            return visit.refuse(Error::Unavailable("Handing in documents".into(), None));
        }
        Err(Error::Invalid(refused)) => return unread(&visit, &kyc.limits(), &refused),
        Err(error) => return refuse(&visit, &kyc, login, company, error).await,
    };
    let uploads = std::mem::take(&mut received.sent.uploads);
    let application = match Application::check(&received.sent.business, uploads, kyc.limits()) {
        Ok(application) => application,
        Err(wrong) => {
            let past = kyc.history(company.id).await.unwrap_or_default();
            return form_page(&visit, &kyc.limits(), StatusCode::BAD_REQUEST, &received.sent.business, &wrong, &past);
        }
    };
    match kyc.submit(login.person.actor(), application, request_id).await {
        Ok(_) => go("/kyc"),
        Err(error) => refuse(&visit, &kyc, login, company, error).await,
    }
}

/// What a company sees that may not hand anything in now.
async fn refuse(visit: &Visit, kyc: &Kyc, login: &Login, company: &Company, error: Error) -> HttpResponse {
    match error {
        Error::Conflict(conflict) if conflict.code == "kyc_under_review" => {
            let frame = visit.frame();
            let said = notice(&frame, "warning", "clock", frame.t("kyc.under_review"));
            show(visit, kyc, login, company, StatusCode::CONFLICT, Some(said)).await
        }
        Error::Conflict(_) => go("/kyc"),
        error => visit.refuse(error),
    }
}

/// The empty form, with what kept the one that was sent from being read.
fn unread(visit: &Visit, limits: &Limits, refused: &Invalid) -> HttpResponse {
    let code = if refused.code == TOO_LARGE { "document_too_large" } else { "document_type" };
    let wrong = Invalid { field: Some(DocumentKind::Registration.code()), code, message: refused.message.clone() };
    form_page(visit, limits, StatusCode::BAD_REQUEST, &Business::default(), &[wrong], &[])
}

/// Where the company stands, and what it may do there.
async fn show(
    visit: &Visit,
    kyc: &Kyc,
    login: &Login,
    company: &Company,
    status: StatusCode,
    said: Option<Markup>,
) -> HttpResponse {
    let frame = visit.frame();
    let past = match kyc.history(company.id).await {
        Ok(past) => past,
        Err(error) => return visit.refuse(error),
    };
    let is_approved = company.state != CompanyState::Pending;
    if is_approved && login.kind == Kind::Full {
        return known(visit, &past).await;
    }
    let body = match past.first() {
        _ if is_approved => approved(&frame, company),
        Some(newest) if newest.state == State::Submitted => waiting(&frame, newest),
        newest => {
            let business = newest.map(|newest| newest.business.clone()).unwrap_or_default();
            return form_page(visit, &kyc.limits(), status, &business, &[], &past);
        }
    };
    let title = frame.t("account.papers");
    visit.page(status, title, &html! { @if let Some(said) = said { (said) } (body) })
}

fn approved(frame: &Frame, company: &Company) -> Markup {
    html! {
        section.card.panel.hero.tone-success aria-labelledby="h" {
            (steps::line(frame, Step::Done))
            h1 #h { (frame.lang.fill("kyc.approved", &[("company", &company.name)])) }
            p.t2 { (frame.t("kyc.approved_text")) }
            a.btn.primary.wide href="/login?next=/start" { (frame.t("kyc.sign_in_again")) }
        }
    }
}

fn waiting(frame: &Frame, newest: &Submission) -> Markup {
    let text = frame.lang.fill("kyc.waiting_text", &[("date", &moment(frame, newest.submitted_at))]);
    html! {
        section.card.panel.hero.tone-transit aria-labelledby="h" {
            (steps::line(frame, Step::Approval))
            h1 #h { (frame.t("kyc.waiting")) }
            p.t2 role="status" { (text) }
        }
        section.card.panel aria-labelledby="d" { h2 #d { (frame.t("account.papers")) } (details(frame, newest, true)) }
    }
}

/// What a company that is approved has told us, within the console.
async fn known(visit: &Visit, past: &[Submission]) -> HttpResponse {
    let frame = visit.frame();
    let body = html! {
        @for submission in past.iter().filter(|submission| submission.state == State::Approved).take(1) {
            section.card.panel aria-labelledby="h" { (details(&frame, submission, true)) }
        }
    };
    let beside = html! { span.pill.tone-success { (frame.icon("check")) (frame.t("review.approved")) } };
    let bar = Bar { beside, ..Bar::of(frame.t("account.papers")) };
    visit.console(StatusCode::OK, Place::Papers, &bar, &body).await
}

/// What a company says about its business, as a list; with the names of its documents or without.
pub(super) fn details(frame: &Frame, submission: &Submission, with_documents: bool) -> Markup {
    let business = &submission.business;
    let country = countries::name(&business.country);
    let rows = [
        ("kyc.legal_name", Some(business.legal_name.as_str())),
        ("kyc.registration_number", Some(business.registration_number.as_str())),
        ("kyc.country", Some(country)),
        ("kyc.address", Some(business.address.as_str())),
        ("kyc.website", business.website.as_deref()),
        ("kyc.phone", business.phone.as_deref()),
    ];
    html! {
        dl.kv.two {
            @for (key, value) in rows { @if let Some(value) = value {
                div { dt { (frame.t(key)) } dd.lines { bdi data-region=[(key == "kyc.country").then_some(&business.country)] { (value) } } }
            } }
            @if with_documents {
                div {
                    dt { (frame.t("kyc.documents")) }
                    dd { ul.lines { @for document in &submission.documents { li { bdi { (document.name) } " · " (size(frame, document.size)) } } } }
                }
            }
        }
    }
}

/// What was rejected, and why.
fn rejection(frame: &Frame, rejected: &Submission) -> Markup {
    html! {
        section.card.panel.tone-danger aria-labelledby="why" {
            h2 #why { (frame.t("kyc.rejected")) }
            p.t2 { (frame.t("kyc.rejected_text")) }
            blockquote.reason { bdi { (rejected.reason.as_deref().unwrap_or_default()) } }
        }
    }
}

fn form_page(
    visit: &Visit,
    limits: &Limits,
    status: StatusCode,
    business: &Business,
    wrong: &[Invalid],
    past: &[Submission],
) -> HttpResponse {
    let frame = visit.frame();
    let words = Words::new(&frame, limits, wrong);
    let body = html! {
        @if let Some(newest) = past.first() { (rejection(&frame, newest)) }
        section class={ "card panel hero tone-" (if past.is_empty() { "transit" } else { "danger" }) } aria-labelledby="h" {
            (steps::line(&frame, Step::Papers))
            h1 #h { (frame.t("kyc.title")) }
            p.t2 { (frame.t("kyc.text")) }
            form.form method="post" action="/kyc" enctype="multipart/form-data" {
                (form::fields(&frame, &fields(&frame, limits, business, &words)))
                @if !wrong.is_empty() { p.hint { (frame.t("kyc.files_again")) } }
                button.btn.primary.wide type="submit" { (frame.t("kyc.send")) }
            }
        }
        @if past.len() > 1 {
            section.card.panel aria-labelledby="b" {
                h2 #b { (frame.t("kyc.before")) }
                ul.lines { @for old in &past[1..] { li { (moment(&frame, old.submitted_at)) " · " bdi { (old.reason.as_deref().unwrap_or_default()) } } } }
            }
        }
    };
    visit.page(status, frame.t("kyc.title"), &body)
}

/// Sentences with gaps, filled in once for all fields.
struct Words {
    hint: String,
    too_large: String,
    wrong: Vec<(&'static str, String)>,
}

impl Words {
    fn new(frame: &Frame, limits: &Limits, wrong: &[Invalid]) -> Self {
        let bytes = u64::try_from(limits.bytes).unwrap_or(u64::MAX);
        let most = frame.lang.number(u64::try_from(limits.documents).unwrap_or(u64::MAX));
        let gaps = [("n", most.as_str()), ("size", &size(frame, bytes))];
        let said = |invalid: &Invalid| {
            let key = format!("kyc.{}", invalid.code);
            let words = frame.lang.get(&key).map(|_| frame.lang.fill(&key, &gaps));
            (invalid.field.unwrap_or_default(), words.unwrap_or_else(|| invalid.message.clone()))
        };
        Self {
            hint: frame.lang.fill("kyc.documents_hint", &gaps),
            too_large: frame.lang.fill("kyc.document_too_large", &gaps),
            wrong: wrong.iter().map(said).collect(),
        }
    }

    fn wrong(&self, name: &str) -> Option<&str> {
        self.wrong.iter().find(|(field, _)| *field == name).map(|(_, words)| words.as_str())
    }
}

fn fields<'a>(frame: &'a Frame, limits: &Limits, business: &'a Business, words: &'a Words) -> Vec<Field<'a>> {
    let optional = Some(frame.t("kyc.optional"));
    let field = |name, kind, label, value, autocomplete, most| Field {
        name,
        kind,
        label: frame.t(label),
        value,
        autocomplete,
        most,
        wrong: words.wrong(name),
        ..Field::default()
    };
    let choices = Some((frame.t("kyc.choose"), COUNTRIES));
    let country = Field { choices, ..field("country", "select", "kyc.country", Some(&business.country), "country", 2) };
    let mut fields = vec![
        field("legal_name", "text", "kyc.legal_name", Some(&business.legal_name), "organization", 200),
        field("registration_number", "text", "kyc.registration_number", Some(&business.registration_number), "off", 64),
        country,
        field("address", "textarea", "kyc.address", Some(&business.address), "street-address", 500),
        Field { optional, ..field("website", "url", "kyc.website", business.website.as_deref(), "url", 300) },
        Field {
            optional,
            hint: Some(frame.t("kyc.phone_hint")),
            ..field("phone", "tel", "kyc.phone", business.phone.as_deref(), "tel", 40)
        },
    ];
    for kind in DocumentKind::ALL {
        let label = match kind {
            DocumentKind::Registration => "kyc.registration",
            DocumentKind::Identity => "kyc.identity",
            DocumentKind::Address => "kyc.proof_of_address",
            DocumentKind::Other => "kyc.other",
        };
        let is_first = kind == DocumentKind::Registration;
        fields.push(Field {
            optional: optional.filter(|_| !is_first),
            hint: is_first.then_some(words.hint.as_str()),
            files: Some((kind == DocumentKind::Other, &words.too_large)),
            ..field(kind.code(), "file", label, None, "", limits.bytes)
        });
    }
    fields
}
