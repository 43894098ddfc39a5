//! The pieces of a form, the same on every page: field with label, hint and error, and the summary of what is wrong.
//!
//! What is wrong is said twice, in the summary (read aloud at once, with links to the fields) and beside the field; the
//! first bad field gets the focus. A password is never sent back.

use maud::{Markup, html};

use super::Frame;

/// One field.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    /// Its name in the request, which is also its id.
    pub name: &'static str,
    /// The `type` of its input.
    pub kind: &'static str,
    /// What it asks for.
    pub label: &'a str,
    /// What helps to fill it in.
    pub hint: Option<&'a str>,
    /// What it holds already.
    pub value: Option<&'a str>,
    /// The token of the HTML standard that tells browsers and password managers what belongs here.
    pub autocomplete: &'static str,
    /// Longest value, in characters.
    pub most: u16,
    /// What is wrong with the value.
    pub wrong: Option<&'a str>,
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
    // What is copied from elsewhere keeps its own direction: addresses run from left to right in every language.
    let direction = if field.kind == "email" { "ltr" } else { "auto" };
    let plain = matches!(field.autocomplete, "off").then_some("none");
    html! {
        div.field {
            label for=(field.name) { (field.label) }
            @if let Some(text) = field.hint { p.hint id=(hint) { (text) } }
            input.input id=(field.name) name=(field.name) type=(field.kind) value=[field.value.filter(|_| field.kind != "password")]
                required maxlength=(field.most) autocomplete=(field.autocomplete) autocapitalize=[plain]
                spellcheck=[plain.map(|_| "false")] dir=(direction)
                aria-describedby=[(!described.is_empty()).then(|| described.join(" "))]
                aria-invalid=[field.wrong.map(|_| "true")] autofocus[is_first_bad];
            @if let Some(wrong) = field.wrong { p.bad id=(bad) { (frame.icon("alert")) span { (wrong) } } }
        }
    }
}
