//! `/admin/commission`: what the platform keeps of delivered orders, and a new rate.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, Form};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use serde::Deserialize;

use super::console::{Bar, Place};
use super::{Answered, Visit, go, moment, notice};
use crate::accounts::Companies;
use crate::base::id::CompanyId;
use crate::base::page::Cursor;
use crate::base::{Error, Result};
use crate::wallet::Rates;
use crate::wallet::commission::percent;
use crate::wallet::rates::SetRate;
use crate::web::auth::query_value;
use crate::web::pages::Frame;
use crate::web::pages::form::{self, Field};
use crate::web::request_id;

/// Rows of a page.
const ROWS: usize = 50;

/// What the form sends.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct NewRate {
    percent: String,
    company: String,
    category: String,
    holds_from: String,
}

/// Which field is wrong, and the key of the words or the words themselves.
type Wrong = Option<(&'static str, String)>;

/// `GET /admin/commission`
pub(super) async fn get_rates(visit: Visit, rates: Data<Rates>, companies: Data<Companies>) -> Answered {
    visit.of_staff()?;
    let frame = visit.frame();
    let said = query_value(visit.request.query_string(), "said")
        .map(|_| notice(&frame, "success", "check", frame.t("rate.done")));
    Ok(show(&visit, (&rates, &companies), StatusCode::OK, said.as_ref(), &NewRate::default(), &None).await)
}

/// `POST /admin/commission`
pub(super) async fn set_rate(
    visit: Visit,
    rates: Data<Rates>,
    companies: Data<Companies>,
    form: Result<Form<NewRate>, actix_web::Error>,
) -> Answered {
    let actor = visit.of_staff()?.person.actor();
    let sent = form.map(Form::into_inner).unwrap_or_default();
    let request_id = request_id(&visit.request);
    let wrong = match read(&visit.frame(), &companies, &sent).await {
        Ok((points, company, category, from)) => {
            match rates.set(actor, company, category, points, from, request_id).await {
                Ok(_) => return Ok(go("/admin/commission?said=set")),
                Err(Error::Invalid(refused)) => (refused.field.unwrap_or("percent"), refused.message),
                Err(error) => return Ok(visit.refuse(error)),
            }
        }
        Err(Ok(wrong)) => wrong,
        Err(Err(error)) => return Ok(visit.refuse(error)),
    };
    Ok(show(&visit, (&rates, &companies), StatusCode::BAD_REQUEST, None, &sent, &Some(wrong)).await)
}

type Sent = (i32, Option<CompanyId>, Option<String>, Option<Timestamp>);

/// What was sent, as the verb takes it; or which field is wrong.
async fn read(
    frame: &Frame<'_>,
    companies: &Companies,
    sent: &NewRate,
) -> Result<Sent, Result<(&'static str, String)>> {
    let text = |value: &str| Some(value.trim().to_owned()).filter(|value| !value.is_empty());
    let points = basis_points(&sent.percent).ok_or_else(|| Ok(("percent", frame.t("rate.bad_percent").to_owned())))?;
    let company = match text(&sent.company) {
        None => None,
        Some(name) => match companies.get(&name).await {
            Ok(company) => Some(company.id),
            Err(Error::NotFound(_)) => return Err(Ok(("company", frame.t("rate.bad_company").to_owned()))),
            Err(error) => return Err(Err(error)),
        },
    };
    let from = match text(&sent.holds_from).map(|day| day.parse::<Date>()) {
        None => None,
        Some(day) => {
            let start = day.ok().and_then(|day| day.to_zoned(TimeZone::UTC).ok()).map(|start| start.timestamp());
            Some(start.ok_or_else(|| Ok(("holds_from", frame.t("rate.from_hint").to_owned())))?)
        }
    };
    Ok((points, company, text(&sent.category), from))
}

/// `12.5` as 1250; with a comma or a percent sign too. `None` when it is no rate from 0 to 100 with two decimals.
fn basis_points(text: &str) -> Option<i32> {
    let text = text.trim().trim_end_matches('%').trim_end().replace(',', ".");
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || whole.len() > 3 || rest.len() > 2 || !digits(whole) || !digits(rest) {
        return None;
    }
    let points = format!("{whole}{rest:0<2}").parse().ok()?;
    (points <= 10_000).then_some(points)
}

async fn show(
    visit: &Visit,
    (rates, companies): (&Rates, &Companies),
    status: StatusCode,
    said: Option<&Markup>,
    sent: &NewRate,
    wrong: &Wrong,
) -> HttpResponse {
    let after = query_value(visit.request.query_string(), "after").and_then(|text| Cursor::decode(text.expose()).ok());
    let read = async {
        let page = rates.list(None, after, ROWS).await?;
        let mut rows = Vec::new();
        for rate in page.data {
            let name = match rate.rate.company {
                Some(company) => Some(companies.get(&company.to_string()).await?.name),
                None => None,
            };
            rows.push((rate, name));
        }
        Result::Ok((rows, page.next))
    };
    let (rows, next) = match read.await {
        Ok(found) => found,
        Err(error) => return visit.refuse(error),
    };
    let frame = visit.frame();
    let body = html! {
        @if let Some(said) = said { (said) }
        p.t2 { (frame.t("rate.text")) }
        div.cols {
            section.card aria-labelledby="h" {
                @if rows.is_empty() { p.panel.t2 { (frame.t("rate.none")) } } @else { (table(&frame, &rows)) }
                @if let Some(next) = next { p.pager { a.btn.sm href={ "/admin/commission?after=" (next.encode()) } { (frame.t("review.more")) } } }
            }
            section.card.panel aria-labelledby="n" {
                h2 #n { (frame.t("rate.new")) }
                form.form method="post" action="/admin/commission" {
                    (form::fields(&frame, &fields(&frame, sent, wrong)))
                    button.btn.primary type="submit" { (frame.t("rate.set")) }
                }
            }
        }
    };
    visit.console(status, Place::Commission, &Bar::of(frame.t("rate.title")), &body).await
}

fn table(frame: &Frame, rows: &[(SetRate, Option<String>)]) -> Markup {
    html! {
        table.rows {
            thead { tr { @for key in ["wallet.commission", "rate.company", "rate.category", "rate.from", "rate.set_by"] { th scope="col" { (frame.t(key)) } } } }
            tbody { @for (set, company) in rows { tr {
                th.num scope="row" { (frame.lang.digits(&percent(set.rate.basis_points))) }
                td data-label=(frame.t("rate.company")) { bdi { (company.as_deref().unwrap_or(frame.t("rate.all"))) } }
                td data-label=(frame.t("rate.category")) { bdi { (set.rate.category.as_deref().unwrap_or(frame.t("rate.all"))) } }
                td.num data-label=(frame.t("rate.from")) { (moment(frame, set.rate.holds_from)) }
                td data-label=(frame.t("rate.set_by")) { bdi { (set.created_by) } }
            } } }
        }
    }
}

fn fields<'a>(frame: &'a Frame, sent: &'a NewRate, wrong: &'a Wrong) -> [Field<'a>; 4] {
    let optional = Some(frame.t("kyc.optional"));
    let field = |name: &'static str, kind, label, hint, value: &'a str, most| Field {
        name,
        kind,
        label: frame.t(label),
        hint,
        value: Some(value),
        autocomplete: "off",
        most,
        wrong: wrong.as_ref().filter(|(field, _)| *field == name).map(|(_, words)| words.as_str()),
        ..Field::default()
    };
    [
        field("percent", "text", "rate.percent", Some(frame.t("rate.percent_hint")), &sent.percent, 7),
        Field {
            optional,
            ..field("company", "text", "rate.company", Some(frame.t("rate.company_hint")), &sent.company, 100)
        },
        Field { optional, ..field("category", "text", "rate.category", None, &sent.category, 64) },
        Field {
            optional,
            ..field("holds_from", "date", "rate.from", Some(frame.t("rate.from_hint")), &sent.holds_from, 10)
        },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_read_to_the_hundredth_of_a_percent() {
        for (text, points) in
            [("0", 0), ("12.5", 1250), ("12,5 %", 1250), (" 7.25 ", 725), ("100", 10_000), ("100.00%", 10_000)]
        {
            assert_eq!(basis_points(text), Some(points), "{text}");
        }
        for text in ["", ".5", "-1", "100.01", "12.345", "1e2", "101", "9999", "%"] {
            assert_eq!(basis_points(text), None, "{text}");
        }
    }
}
