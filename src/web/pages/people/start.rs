//! `/start`: how a shop's systems send orders in: the webhook secret (shown once, replaced here), the address, a first order.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use maud::{Markup, html};

use super::console::{Bar, Place};
use super::{Answered, Visit, go, moment};
use crate::accounts::webhook_secrets::{Source, WebhookSecret};
use crate::accounts::{Company, Login, WebhookSecrets};
use crate::base::Secret;
use crate::web::pages::Frame;
use crate::web::request_id;

/// `GET /start`
pub(super) async fn get_start(visit: Visit, secrets: Data<WebhookSecrets>) -> Answered {
    let (login, company) = visit.of_merchant()?;
    Ok(show(&visit, &secrets, login, company, None).await)
}

/// `POST /start/secret`: shows the secret an approval made, to whoever of the company asks first.
pub(super) async fn show_secret(visit: Visit, secrets: Data<WebhookSecrets>) -> Answered {
    let (login, company) = visit.of_merchant()?;
    Ok(match secrets.reveal(login.person.asker(request_id(&visit.request)), company.id).await {
        Ok(Some(secret)) => show(&visit, &secrets, login, company, Some(&secret)).await,
        Ok(None) => go("/start"),
        Err(error) => visit.refuse(error),
    })
}

/// `POST /start/secret/replace`: makes a new secret and shows it; the one before works for a day more.
pub(super) async fn replace_secret(visit: Visit, secrets: Data<WebhookSecrets>) -> Answered {
    let (login, company) = visit.of_merchant()?;
    Ok(match secrets.rotate(login.person.asker(request_id(&visit.request)), company.id).await {
        Ok((_, secret)) => show(&visit, &secrets, login, company, Some(&secret)).await,
        Err(error) => visit.refuse(error),
    })
}

async fn show(
    visit: &Visit,
    secrets: &WebhookSecrets,
    login: &Login,
    company: &Company,
    new: Option<&Secret>,
) -> HttpResponse {
    let known = match secrets.list(company.id).await {
        Ok(known) => known,
        Err(error) => return visit.refuse(error),
    };
    let frame = visit.frame();
    let address = format!("{}/api/v1/webhook/", visit.home());
    let body = html! {
        p.t2 { (frame.lang.fill("account.start_text", &[("company", &company.name)])) }
        (secret_card(&frame, &known, new))
        section.card.panel aria-labelledby="first-order" {
            h2 #first-order { (frame.t("account.first_order")) }
            p.t2 { (frame.t("account.first_order_text")) }
            (copyable(&frame, "address", frame.t("account.webhook_address"), &address))
            (command(&frame, &address, &login.person.email, new))
        }
    };
    visit.console(StatusCode::OK, Place::Start, &Bar::of(frame.t("account.start")), &body).await
}

/// The secrets that work, newest first; a new one is shown as it is, once.
fn secret_card(frame: &Frame, known: &[WebhookSecret], new: Option<&Secret>) -> Markup {
    let waiting = known.iter().any(|secret| secret.source == Source::Ordercast && secret.shown_at.is_none());
    html! {
        section class={ "card" @if new.is_some() { " tone-success" } } aria-labelledby="se" {
            div.panel {
                h2 #se { (frame.t("account.secret")) }
                @if let Some(secret) = new {
                    p.bn.tone-warning role="status" { (frame.icon("alert")) span { (frame.t("account.secret_now")) } }
                    (copyable(frame, "secret", frame.t("account.secret"), secret.expose()))
                } @else if waiting {
                    p.t2 { (frame.t("account.secret_text")) }
                    form method="post" action="/start/secret" {
                        button.btn.primary type="submit" { (frame.icon("key")) (frame.t("account.secret_show")) }
                    }
                } @else if known.is_empty() {
                    p.t2 { (frame.t("secret.none")) }
                    (replacing(frame, frame.t("secret.replace_yes")))
                } @else {
                    (replacing(frame, frame.t("secret.replace")))
                }
            }
            @if !known.is_empty() { (list(frame, known)) }
        }
    }
}

/// Asks before it acts, without a script.
fn replacing(frame: &Frame, name: &str) -> Markup {
    html! {
        details.ask {
            summary.btn { (frame.icon("refresh")) (name) }
            form.form method="post" action="/start/secret/replace" {
                p.t2 { (frame.t("secret.replace_ask")) }
                div { button.btn.primary type="submit" { (frame.t("secret.replace_yes")) } }
            }
        }
    }
}

fn list(frame: &Frame, known: &[WebhookSecret]) -> Markup {
    html! {
        table.rows {
            caption.vh { (frame.t("secret.list")) }
            thead { tr { @for key in ["secret.name", "secret.state", "secret.made", "secret.used"] { th scope="col" { (frame.t(key)) } } } }
            tbody { @for secret in known { tr {
                th scope="row" { bdi.mono { "…" (secret.last_four) } small { (name(secret.source)) } }
                td { @match secret.expires_at {
                    Some(end) => span.pill.tone-warning { (frame.icon("clock")) (frame.lang.fill("secret.until", &[("date", &moment(frame, end))])) },
                    None => span.pill.tone-success { (frame.icon("check")) (frame.t("secret.active")) },
                } }
                td data-label=(frame.t("secret.made")) { (moment(frame, secret.created_at)) }
                td data-label=(frame.t("secret.used")) { (secret.last_used_at.map_or_else(|| frame.t("secret.never").to_owned(), |at| moment(frame, at))) }
            } } }
        }
    }
}

/// What people call the system that signs.
fn name(source: Source) -> &'static str {
    match source {
        Source::Ordercast => "Ordercast",
        Source::Shopify => "Shopify",
        Source::Woocommerce => "WooCommerce",
    }
}

/// A value to be copied; the button appears where there is a script to work it.
pub(super) fn copyable(frame: &Frame, id: &str, label: &str, value: &str) -> Markup {
    // A long value may break after a slash or between the halves of a secret, not within a word of an address.
    html! {
        div.copy {
            b id={ (id) "-of" } { (label) }
            (copy_button(frame, id))
            code.mono id=(id) dir="ltr" { @for part in value.split_inclusive('/') { (part) wbr; } }
        }
    }
}

fn copy_button(frame: &Frame, id: &str) -> Markup {
    html! {
        button.btn.sm type="button" hidden data-copy=(id) data-done=(frame.t("account.copied")) aria-describedby={ (id) "-of" } {
            (frame.icon("copy")) span { (frame.t("account.copy")) }
        }
    }
}

/// A command that sends a first order; with the secret in it while that is shown.
fn command(frame: &Frame, address: &str, email: &str, secret: Option<&Secret>) -> Markup {
    // The address is a person's own, but it stands in a shell's line all the same: only what no shell reads stays.
    let email: String = email.chars().filter(|c| c.is_ascii_alphanumeric() || "@.-_+".contains(*c)).collect();
    let secret = secret.map_or("YOUR_SECRET", Secret::expose);
    let text = format!(
        r#"curl -X POST {address} \
  -H 'X-Webhook-Signature: {secret}' \
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
            b #curl-of { (frame.t("account.command")) }
            (copy_button(frame, "curl"))
            pre tabindex="0" aria-labelledby="curl-of" { code #curl.mono dir="ltr" { (text) } }
        }
    }
}
