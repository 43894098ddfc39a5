//! Renders the letters of `static/mail`: subject, text and HTML from plain values. Pure.

use super::template::{Escape, Fill};
use crate::orders::{Estimate, Status};

/// Which letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Letter {
    /// The order is being prepared.
    Processing,
    /// It is on its way.
    Shipped,
    /// It has arrived.
    Delivered,
    /// It will not come.
    Cancelled,
    /// The link a customer asked for by number and e-mail.
    TrackingLink,
    /// The customer is asked whether what the shop says is so.
    Confirmation,
}

/// What a customer is asked to confirm.
#[derive(Clone, Debug)]
pub struct Question {
    /// The code to tell whoever brings the parcel.
    pub code: String,
    /// What the shop says.
    pub status: Status,
    /// When no answer counts as a yes.
    pub due_at: jiff::Timestamp,
}

impl Letter {
    /// The letter that tells of a status, if one does (reference/004).
    #[must_use]
    pub fn of_status(status: Status) -> Option<Self> {
        match status {
            Status::Processing => Some(Self::Processing),
            Status::Shipped => Some(Self::Shipped),
            Status::Delivered => Some(Self::Delivered),
            Status::Cancelled => Some(Self::Cancelled),
            Status::Incomplete
            | Status::Pending
            | Status::Paid
            | Status::Confirmed
            | Status::Packed
            | Status::OutForDelivery
            | Status::DeliveryFailed
            | Status::Returned => None,
        }
    }
}

/// What a letter may tell. Values come from merchants, carriers and customers: any text at all.
#[derive(Clone, Debug, Default)]
pub struct LetterInput {
    /// What people call the order.
    pub order_number: String,
    /// The shop.
    pub shop: String,
    /// The customer, as they are greeted.
    pub customer_name: Option<String>,
    /// Who carries the parcel.
    pub carrier: Option<String>,
    /// Their number for it.
    pub tracking_number: Option<String>,
    /// Their page about it; shown only when it is an http or https address.
    pub tracking_url: Option<String>,
    /// When it should arrive.
    pub estimate: Option<Estimate>,
    /// Why it was cancelled.
    pub reason: Option<String>,
    /// Our own page about the order, with the pass that opens it.
    pub track_page: String,
    /// The customer's language (BCP 47); English when it is not one of ours.
    pub locale: Option<String>,
    /// Where the customer stops these letters, if anywhere.
    pub unsubscribe_url: Option<String>,
    /// What the customer is asked, if anything.
    pub question: Option<Question>,
}

/// A letter ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// One line.
    pub subject: String,
    /// For readers of plain text.
    pub text: String,
    /// The same as a page.
    pub html: String,
}

/// The three parts of a letter, not filled in yet.
pub(super) struct Template {
    pub subject: &'static str,
    pub text: &'static str,
    pub html: &'static str,
}

/// The letter of a folder of `static/mail`.
macro_rules! template {
    ($folder:literal) => {
        $crate::notify::letters::Template {
            subject: include_str!(concat!("../../static/mail/", $folder, "/subject.txt")),
            text: include_str!(concat!("../../static/mail/", $folder, "/body.txt")),
            html: include_str!(concat!("../../static/mail/", $folder, "/body.html")),
        }
    };
}
pub(super) use template;

/// The letters of one language.
struct Language {
    /// Its primary subtag.
    tag: &'static str,
    /// `ltr` or `rtl`.
    direction: &'static str,
    template: fn(Letter) -> Template,
    /// What the button says.
    action: fn(Letter) -> &'static str,
    estimate: fn(Estimate) -> String,
}

/// English comes first: it is what everybody else gets. A further language is a row here and its folder of templates.
const LANGUAGES: &[Language] =
    &[Language { tag: "en", direction: "ltr", template: english, action: english_action, estimate: english_estimate }];

fn english(letter: Letter) -> Template {
    match letter {
        Letter::Processing => template!("processing"),
        Letter::Shipped => template!("shipped"),
        Letter::Delivered => template!("delivered"),
        Letter::Cancelled => template!("cancelled"),
        Letter::TrackingLink => template!("tracking_link"),
        Letter::Confirmation => template!("confirmation"),
    }
}

fn english_action(letter: Letter) -> &'static str {
    match letter {
        Letter::Processing | Letter::Shipped | Letter::TrackingLink => "Follow your order",
        Letter::Delivered | Letter::Cancelled => "See your order",
        Letter::Confirmation => "Answer",
    }
}

/// A day as it is; a time in UTC and said to be so, because where the customer lives is not known here.
fn english_estimate(estimate: Estimate) -> String {
    match estimate {
        Estimate::Day(day) => day.strftime("%A %-d %B").to_string(),
        Estimate::By(time) => time.strftime("%A %-d %B by %H:%M UTC").to_string(),
    }
}

/// Renders a letter in the customer's language.
#[must_use]
pub fn render(letter: Letter, input: &LetterInput) -> Rendered {
    let language = language(input.locale.as_deref());
    let template = (language.template)(letter);
    // What was expected no longer matters once the parcel is there or will never be.
    let is_open = matches!(letter, Letter::Processing | Letter::Shipped | Letter::TrackingLink);
    let estimate = input.estimate.filter(|_| is_open).map(language.estimate).unwrap_or_default();
    let question = input.question.as_ref();
    let optional = |value: &Option<String>| value.as_deref().map(one_line).unwrap_or_default();
    let values = vec![
        ("lang", language.tag.to_owned()),
        ("dir", language.direction.to_owned()),
        ("number", one_line(&input.order_number)),
        ("shop", one_line(&input.shop)),
        ("customer", optional(&input.customer_name)),
        ("carrier", optional(&input.carrier)),
        ("parcel", optional(&input.tracking_number)),
        ("parcel_page", input.tracking_url.as_deref().and_then(web_address).unwrap_or_default()),
        ("estimate", estimate),
        ("action", (language.action)(letter).to_owned()),
        ("reason", optional(&input.reason)),
        ("code", question.map(|question| one_line(&question.code)).unwrap_or_default()),
        ("status", question.map(|question| question.status.facts().label.to_owned()).unwrap_or_default()),
        (
            "due",
            question.map(|question| question.due_at.strftime("%A %-d %B, %H:%M UTC").to_string()).unwrap_or_default(),
        ),
        ("page", web_address(&input.track_page).unwrap_or_default()),
        ("unsubscribe", input.unsubscribe_url.as_deref().and_then(web_address).unwrap_or_default()),
    ];
    lay_out(values, &template)
}

/// Fills a letter's three parts and puts them into the frame that all letters have.
pub(super) fn lay_out(mut values: Vec<(&'static str, String)>, template: &Template) -> Rendered {
    let plain = Fill { values: &values, parts: &[("content", template.text)], escape: Escape::Plain };
    let subject = plain.render(template.subject.trim_end());
    let text = close_up(&plain.render(include_str!("../../static/mail/frame.txt")));
    values.push(("subject", subject.clone()));
    let parts = [
        ("content", template.html),
        ("details", include_str!("../../static/mail/details.html")),
        ("button", include_str!("../../static/mail/button.html")),
    ];
    let page = Fill { values: &values, parts: &parts, escape: Escape::Html };
    Rendered { subject, text, html: page.render(include_str!("../../static/mail/frame.html")) }
}

/// Never more than one empty line in a row: what a section without a value leaves behind is taken out.
fn close_up(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        if !(line.is_empty() && (out.is_empty() || out.ends_with("\n\n"))) {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

fn language(locale: Option<&str>) -> &'static Language {
    let wanted = locale.and_then(|locale| locale.split(['-', '_']).next()).unwrap_or_default();
    LANGUAGES.iter().find(|language| language.tag.eq_ignore_ascii_case(wanted)).unwrap_or(&LANGUAGES[0])
}

/// Longest value a letter repeats; more is cut, so that a letter stays a letter.
const MAX_VALUE: usize = 500;

/// The text on one line: control characters become spaces, so that no value can forge a header or a paragraph, and
/// characters that turn the direction of writing are left out, so that none can disguise what follows.
pub(super) fn one_line(text: &str) -> String {
    let is_turn = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let clean: String = text
        .chars()
        .filter(|c| !is_turn(*c))
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c })
        .take(MAX_VALUE)
        .collect();
    clean.trim().to_owned()
}

/// The address when it is one a browser may open; `javascript:` and the like are none.
pub(super) fn web_address(text: &str) -> Option<String> {
    let url = url::Url::parse(text).ok()?;
    matches!(url.scheme(), "http" | "https").then(|| url.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Letter; 6] = [
        Letter::Processing,
        Letter::Shipped,
        Letter::Delivered,
        Letter::Cancelled,
        Letter::TrackingLink,
        Letter::Confirmation,
    ];

    fn input() -> LetterInput {
        LetterInput {
            order_number: "MB1031".into(),
            shop: "Juniper & Co.".into(),
            customer_name: Some("Ayesha".into()),
            carrier: Some("FedEx".into()),
            tracking_number: Some("986578788855".into()),
            tracking_url: Some("https://www.fedex.com/fedextrack/?tracknumbers=986578788855".into()),
            estimate: Some(Estimate::Day("2026-11-24".parse().unwrap())),
            reason: Some("Out of stock".into()),
            track_page: "https://t.example/track/abc".into(),
            locale: Some("en-GB".into()),
            unsubscribe_url: None,
            question: Some(Question {
                code: "048153".into(),
                status: Status::Delivered,
                due_at: "2026-11-28T09:00:00Z".parse().unwrap(),
            }),
        }
    }

    #[test]
    fn subjects_are_those_clients_know() {
        for (status, subject) in [
            (Status::Processing, "Your order is being processed"),
            (Status::Shipped, "Your order has shipped!"),
            (Status::Delivered, "Your order has been delivered!"),
            (Status::Cancelled, "Your order has been cancelled"),
        ] {
            assert_eq!(render(Letter::of_status(status).unwrap(), &input()).subject, subject);
        }
        let told = Status::ALL.into_iter().filter(|status| Letter::of_status(*status).is_some());
        assert_eq!(told.count(), 4);
    }

    #[test]
    fn the_shipped_letter_tells_everything_about_the_parcel() {
        let letter = render(Letter::Shipped, &input());
        for part in ["MB1031", "FedEx", "986578788855", "Tuesday 24 November", "https://t.example/track/abc"] {
            assert!(letter.text.contains(part), "{part} is not in\n{}", letter.text);
            assert!(letter.html.contains(part), "{part} is not in\n{}", letter.html);
        }
        assert!(
            letter
                .html
                .contains("<a class=\"link\" href=\"https://www.fedex.com/fedextrack/?tracknumbers=986578788855\"")
        );
        assert!(letter.text.contains("Juniper & Co."));
        assert!(letter.html.contains("Juniper &amp; Co."));
    }

    #[test]
    fn what_is_not_known_leaves_no_trace() {
        let bare = LetterInput {
            order_number: "MB1031".into(),
            shop: "Shop".into(),
            track_page: "https://t.example/track/abc".into(),
            ..LetterInput::default()
        };
        for letter in ALL {
            let letter = render(letter, &bare);
            for absent in ["Carrier", "Tracking number", "Expected", "Reason", "Stop these", "Hello ,", "{{", "}}"] {
                assert!(!letter.text.contains(absent), "{absent} is in\n{}", letter.text);
                assert!(!letter.html.contains(absent), "{absent} is in\n{}", letter.html);
            }
            assert!(letter.text.starts_with("Hello,\n"), "{}", letter.text);
            assert!(!letter.text.contains("\n\n\n"), "{}", letter.text);
        }
        assert!(render(Letter::Shipped, &bare).html.contains("On its way"));
    }

    #[test]
    fn no_value_breaks_out_of_its_place() {
        let evil = "<script>x</script>\"'\r\nBcc: all@example.com\u{202e}{{page}}";
        let input = LetterInput {
            order_number: evil.into(),
            shop: evil.into(),
            customer_name: Some(evil.into()),
            carrier: Some(evil.into()),
            tracking_number: Some(evil.into()),
            tracking_url: Some("javascript:alert(1)".into()),
            reason: Some(evil.into()),
            track_page: "https://t.example/track/\"><script>".into(),
            unsubscribe_url: Some("https://t.example/stop?a=1&b=\"".into()),
            ..input()
        };
        for letter in ALL {
            let letter = render(letter, &input);
            assert!(!letter.html.contains("<script"), "{}", letter.html);
            assert!(!letter.html.contains("javascript:"), "{}", letter.html);
            assert!(letter.html.contains("stop?a=1&amp;b=%22\""), "{}", letter.html);
            assert!(!letter.subject.contains(['\r', '\n']));
            assert!(!letter.text.lines().any(|line| line.starts_with("Bcc:")), "{}", letter.text);
            assert!(!letter.text.contains('\u{202e}'));
        }
    }

    #[test]
    fn a_letter_needs_no_picture_and_no_server_to_be_seen() {
        for letter in ALL {
            let html = render(letter, &input()).html;
            for absent in ["<img", "url(", "<link", "<script", "@import", "src="] {
                assert!(!html.contains(absent), "{absent}");
            }
            assert!(html.contains("prefers-color-scheme: dark"));
        }
    }

    #[test]
    fn an_estimate_with_a_time_says_whose_time_it_is() {
        let time = Estimate::By("2026-11-24T18:00:00+06:00".parse().unwrap());
        let letter = render(Letter::Shipped, &LetterInput { estimate: Some(time), ..input() });
        assert!(letter.text.contains("Expected: Tuesday 24 November by 12:00 UTC"), "{}", letter.text);
    }

    #[test]
    fn what_was_expected_is_not_repeated_after_the_end() {
        for letter in [Letter::Delivered, Letter::Cancelled] {
            let letter = render(letter, &input());
            assert!(!letter.html.contains("24 November") && !letter.text.contains("24 November"));
        }
    }
}
