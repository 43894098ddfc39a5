//! The pieces of a form, the same on every page: field with label, hint and error, and the summary of what is wrong.
//!
//! What is wrong is said twice, in the summary (read aloud at once, with links to the fields) and beside the field; the
//! first bad field gets the focus. A password is never sent back.

use maud::{Markup, html};

use super::Frame;

/// One field.
#[derive(Clone, Copy, Default)]
pub(super) struct Field<'a> {
    /// Its name in the request, which is also its id.
    pub name: &'static str,
    /// The `type` of its input; or `textarea`, `select`, `file`, or `code` for the digits of a mailed code.
    pub kind: &'static str,
    /// What it asks for.
    pub label: &'a str,
    /// What helps to fill it in.
    pub hint: Option<&'a str>,
    /// What it holds already.
    pub value: Option<&'a str>,
    /// The token of the HTML standard that tells browsers and password managers what belongs here.
    pub autocomplete: &'static str,
    /// Longest value, in characters; of a file, in bytes.
    pub most: usize,
    /// What is wrong with the value.
    pub wrong: Option<&'a str>,
    /// Whether it may stay empty: the word that says so.
    pub optional: Option<&'a str>,
    /// What a `select` says before one has chosen, and what it offers: values and words.
    pub choices: Option<(&'a str, &'static [(&'static str, &'static str)])>,
    /// Of a file: whether several may be chosen, and what to say of one that is too large.
    pub files: Option<(bool, &'a str)>,
}

/// The fields, after a summary of what is wrong with them.
pub(super) fn fields(frame: &Frame, fields: &[Field<'_>]) -> Markup {
    let first = fields.iter().find(|field| field.wrong.is_some()).map(|field| field.name);
    html! {
        @if first.is_some() {
            div.wrongs role="alert" {
                b { (frame.t("form.wrong")) }
                ul { @for field in fields { @if let Some(wrong) = field.wrong {
                    li { a href={ "#" (field.name) } { (wrong) } }
                } } }
            }
        }
        @for field in fields { (row(frame, field, first == Some(field.name))) }
    }
}

fn row(frame: &Frame, field: &Field<'_>, is_first_bad: bool) -> Markup {
    let (hint, bad) = (format!("{}-hint", field.name), format!("{}-bad", field.name));
    let described: Vec<&str> =
        [field.wrong.map(|_| bad.as_str()), field.hint.map(|_| hint.as_str())].into_iter().flatten().collect();
    let described = (!described.is_empty()).then(|| described.join(" "));
    html! {
        div.field {
            label for=(field.name) { (field.label) @if let Some(word) = field.optional { span.optional { " (" (word) ")" } } }
            @if let Some(text) = field.hint { p.hint id=(hint) { (text) } }
            (control(field, described.as_deref(), is_first_bad))
            @if let Some(wrong) = field.wrong { p.bad id=(bad) { (frame.icon("alert")) span { (wrong) } } }
        }
    }
}

fn control(field: &Field<'_>, described: Option<&str>, is_first_bad: bool) -> Markup {
    let (invalid, required) = (field.wrong.map(|_| "true"), field.optional.is_none());
    let Field { name, kind, value, autocomplete, most, .. } = *field;
    match kind {
        "textarea" => html! {
            textarea.input id=(name) name=(name) rows="3" required[required] maxlength=(most) autocomplete=(autocomplete)
                dir="auto" aria-describedby=[described] aria-invalid=[invalid] autofocus[is_first_bad] { (value.unwrap_or_default()) }
        },
        "select" => html! {
            select.input id=(name) name=(name) required[required] autocomplete=(autocomplete) aria-describedby=[described]
                aria-invalid=[invalid] autofocus[is_first_bad] data-regions {
                @if let Some((choose, choices)) = field.choices {
                    option value="" { (choose) }
                    @for (code, words) in choices { option value=(code) selected[value == Some(*code)] { (words) } }
                }
            }
        },
        "file" => html! {
            @let (many, too_large) = field.files.unwrap_or_default();
            input.input.file id=(name) name=(name) type="file" accept=".pdf,.png,.jpg,.jpeg,application/pdf,image/png,image/jpeg"
                multiple[many] required[required] data-most=(most) data-too-large=(too_large) aria-describedby=[described]
                aria-invalid=[invalid] autofocus[is_first_bad];
        },
        "code" => html! {
            input.input.code id=(name) name=(name) type="text" inputmode="numeric" pattern="[0-9]{6}" maxlength="6" required
                autocomplete="one-time-code" spellcheck="false" dir="ltr" aria-describedby=[described] aria-invalid=[invalid]
                autofocus[is_first_bad];
        },
        kind => {
            // What is copied from elsewhere keeps its own direction: addresses run from left to right in every language.
            let direction = if matches!(kind, "email" | "url" | "tel") { "ltr" } else { "auto" };
            let plain = matches!(autocomplete, "off").then_some("none");
            html! {
                input.input id=(name) name=(name) type=(kind) value=[value.filter(|_| kind != "password")] required[required]
                    maxlength=(most) autocomplete=(autocomplete) autocapitalize=[plain] spellcheck=[plain.map(|_| "false")]
                    dir=(direction) aria-describedby=[described] aria-invalid=[invalid] autofocus[is_first_bad];
            }
        }
    }
}
