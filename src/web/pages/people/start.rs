//! `/start`: what somebody who has signed in does next, and the webhook secret, shown once.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use maud::{Markup, html};

use super::{Visit, go};
use crate::accounts::sessions::Kind;
use crate::accounts::webhook_secrets::{Source, WebhookSecret};
use crate::accounts::{Company, Kyc, Login, WebhookSecrets};
use crate::base::{Result, Secret};
use crate::web::pages::Frame;

/// `GET /start`
pub(super) async fn get_start(visit: Visit, kyc: Data<Kyc>, secrets: Data<WebhookSecrets>) -> HttpResponse {
    if let Some(login) = visit.login().filter(|login| login.person.role.is_staff()) {
        return match kyc.waiting().await {
            Ok(waiting) => staff(&visit, login, waiting),
            Err(error) => visit.refuse(error),
        };
    }
    let (login, company) = match visit.of_company() {
        Ok((login, _)) if login.kind == Kind::Onboarding => return go("/kyc"),
        Ok(found) => found,
        Err(answered) => return answered.error_response(),
    };
    match newest_secret(&secrets, company).await {
        Ok(known) => vendor(&visit, login, company, &secret_card(&visit.frame(), known.as_ref())),
        Err(error) => visit.refuse(error),
    }
}

/// `POST /start/secret`: shows the secret an approval made, to whoever of the company asks first.
pub(super) async fn show_secret(visit: Visit, secrets: Data<WebhookSecrets>) -> HttpResponse {
    let (login, company) = match visit.of_company() {
        Ok((login, _)) if login.kind == Kind::Onboarding => return go("/kyc"),
        Ok(found) => found,
        Err(answered) => return answered.error_response(),
    };
    match secrets.reveal(login.person.actor(), company.id).await {
        Ok(Some(secret)) => vendor(&visit, login, company, &shown(&visit.frame(), &secret)),
        Ok(None) => go("/start"),
        Err(error) => visit.refuse(error),
    }
}

async fn newest_secret(secrets: &WebhookSecrets, company: &Company) -> Result<Option<WebhookSecret>> {
    let known = secrets.list(company.id).await?;
    Ok(known.into_iter().find(|secret| secret.source == Source::Ordercast))
}

fn staff(visit: &Visit, login: &Login, waiting: u64) -> HttpResponse {
    let frame = visit.frame();
    let body = html! {
        section.card.panel aria-labelledby="h" {
            h1 #h { (frame.t("account.start")) }
            p.t2 { bdi { (login.person.name) } }
            a.btn.primary.wide href="/admin/kyc" { (frame.icon("shield")) (frame.t("review.title")) " (" (frame.lang.number(waiting)) ")" }
            a.btn.wide href="/api/v1/docs/redoc/" { (frame.icon("list")) (frame.t("home.docs_api")) }
        }
    };
    visit.page(StatusCode::OK, frame.t("account.start"), &body)
}

fn vendor(visit: &Visit, login: &Login, company: &Company, secret: &Markup) -> HttpResponse {
    let frame = visit.frame();
    let text = frame.lang.fill("account.start_text", &[("company", &company.name)]);
    let address = format!("{}/api/v1/webhook/", visit.home());
    let main = html! {
        main #main.wrap {
            div.head { h1 { (frame.t("account.start")) } p.t2 { (text) } }
            div.cols {
                div.mainc {
                    (secret)
                    section.card.panel aria-labelledby="fo" {
                        h2 #fo { (frame.t("account.first_order")) }
                        p.t2 { (frame.t("account.first_order_text")) }
                        (copyable(&frame, "address", frame.t("account.webhook_address"), &address))
                        (command(&frame, &address, &login.person.email))
                    }
                }
                div.side {
                    section.card.panel aria-labelledby="dv" {
                        h2 #dv { (frame.t("home.developers")) }
                        a.btn.wide href="/api/v1/docs/redoc/" { (frame.icon("list")) (frame.t("home.docs_api")) }
                        a.btn.wide href="/api/v1/docs/swagger/" { (frame.icon("hook")) (frame.t("home.docs_try")) }
                    }
                }
            }
        }
    };
    visit.document(StatusCode::OK, frame.t("account.start"), &main)
}

/// A value to be copied; the button appears where there is a script to work it.
fn copyable(frame: &Frame, id: &str, label: &str, value: &str) -> Markup {
    html! {
        div.copy {
            b id={ (id) "-of" } { (label) }
            code.mono id=(id) dir="ltr" { (value) }
            button.btn.sm type="button" hidden data-copy=(id) data-done=(frame.t("account.copied")) aria-describedby={ (id) "-of" } {
                (frame.icon("copy")) span { (frame.t("account.copy")) }
            }
        }
    }
}

fn command(frame: &Frame, address: &str, email: &str) -> Markup {
    // The address is a person's own, but it stands in a shell's line all the same: only what no shell reads stays.
    let email: String = email.chars().filter(|c| c.is_ascii_alphanumeric() || "@.-_+".contains(*c)).collect();
    let text = format!(
        r#"curl -X POST {address} \
  -H 'X-Webhook-Signature: YOUR_SECRET' \
  -H 'X-Customer-Email: {email}' \
  -H 'Content-Type: application/json' \
  -d '{{
    "customer_details": {{
      "name": "Jane Doe",
      "phone": "+1234567890",
      "email": "jane@example.com"
    }},
    "address": "123 Main St, Anytown, USA",
    "item_summary": "1x Widget",
    "tracking_status": "PENDING"
  }}'"#
    );
    html! {
        div.copy {
            pre tabindex="0" aria-labelledby="fo" { code #curl.mono dir="ltr" { (text) } }
            button.btn.sm type="button" hidden data-copy="curl" data-done=(frame.t("account.copied")) aria-describedby="fo" {
                (frame.icon("copy")) span { (frame.t("account.copy")) }
            }
        }
    }
}

fn secret_card(frame: &Frame, known: Option<&WebhookSecret>) -> Markup {
    html! {
        @if let Some(known) = known {
            section.card.panel aria-labelledby="se" {
                h2 #se { (frame.t("account.secret")) }
                @if known.shown_at.is_none() {
                    p.t2 { (frame.t("account.secret_text")) }
                    form.form method="post" action="/start/secret" {
                        button.btn.primary.wide type="submit" { (frame.icon("key")) (frame.t("account.secret_show")) }
                    }
                } @else {
                    p.t2 { (frame.lang.fill("account.secret_seen", &[("last", &known.last_four)])) }
                }
            }
        }
    }
}

fn shown(frame: &Frame, secret: &Secret) -> Markup {
    html! {
        section.card.panel.tone-success aria-labelledby="se" {
            h2 #se { (frame.t("account.secret")) }
            p.bn.tone-warning role="status" { (frame.icon("alert")) span { (frame.t("account.secret_now")) } }
            (copyable(frame, "secret", frame.t("account.secret"), secret.expose()))
        }
    }
}
