//! The embeddable widget's share of what we know: status table, words, icons and colours, put into its one file as served.
//!
//! A merchant's page loads one script and nothing else, so the script carries them; in the tree it holds only the marks
//! they replace, and so there is still one copy of each.

use std::collections::{BTreeMap, BTreeSet};

use super::lang::Lang;
use super::{assets, looks};

/// Where the widget lies among the embedded files.
pub(super) const SOURCE: &str = "widget/order-tracker.js";

/// The source with its marks replaced.
pub(super) fn complete(source: &str, english: &Lang) -> String {
    source
        .replacen("{/* status table */}", &looks::table().to_string(), 1)
        .replacen("{/* icons */}", &icons(&assets::text("icons.svg")), 1)
        .replacen("{/* words */}", &words(english), 1)
        .replacen("/* tones */", &tones(&assets::text("css/tokens.css")), 1)
}

/// The widget's words in one language, as JSON: `{"lang", "dir", "intl", "strings"}`.
pub(super) fn words(lang: &Lang) -> String {
    let parts = ["status.", "headline.", "widget.", "step.done", "step.todo", "announce."];
    let strings: BTreeMap<&str, &str> = lang
        .strings
        .iter()
        .filter(|(key, _)| parts.iter().any(|part| key.starts_with(part)))
        // What the widget, which is small, never says.
        .filter(|(key, _)| !key.contains("shipped_today") && !key.ends_with("_failed_at"))
        .map(|(key, sentence)| (key.as_str(), sentence.as_str()))
        .collect();
    serde_json::json!({ "lang": lang.lang, "dir": lang.dir, "intl": lang.intl, "strings": strings }).to_string()
}

/// The drawing of every status icon as one path, as JSON by name: the sprite itself cannot be used from another origin.
fn icons(sprite: &str) -> String {
    let mut paths = BTreeMap::new();
    for (_, look) in looks::all() {
        let start = sprite.find(&format!("<symbol id=\"{}\"", look.icon));
        let symbol = start.map(|start| &sprite[start..]).and_then(|rest| rest.split("</symbol>").next());
        paths.insert(look.icon, symbol.map(drawing).unwrap_or_default());
    }
    serde_json::json!(paths).to_string()
}

/// The shapes of one symbol (paths and circles) as one path.
fn drawing(symbol: &str) -> String {
    symbol
        .split('<')
        .filter_map(|tag| if tag.starts_with("circle") { circle(tag) } else { attribute(tag, "d") })
        .collect()
}

fn circle(tag: &str) -> Option<String> {
    let number = |name| attribute(tag, name)?.parse::<f32>().ok();
    let (x, y, r) = (number("cx")?, number("cy")?, number("r")?);
    let across = 2.0 * r;
    Some(format!("M{:.1} {y}a{r} {r} 0 1 0 {across} 0a{r} {r} 0 1 0 -{across} 0", x - r))
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split('"').next().map(str::to_owned)
}

/// The colours of every tone as classes.
fn tones(tokens: &str) -> String {
    let value = |name: &str| {
        let (_, rest) = tokens.split_once(&format!("--{name}: "))?;
        rest.split(';').next()
    };
    let names: BTreeSet<&str> = looks::all().map(|(_, look)| look.tone).collect();
    let class = |name| {
        let (tone, text) = (value(name).unwrap_or_default(), value(&format!("{name}-text")).unwrap_or_default());
        format!(".tone-{name}{{--tone:{tone};--text:{text}}}").replace(", ", ",")
    };
    names.into_iter().map(class).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed() -> String {
        let langs = super::super::lang::Langs::read(assets::folder("locales/")).unwrap();
        complete(&assets::text(SOURCE), langs.english())
    }

    #[test]
    fn every_mark_of_the_source_is_replaced() {
        let script = completed();
        for mark in ["{/*", "/* tones */"] {
            assert!(!script.contains(mark), "{mark}");
        }
        assert!(script.contains("\"out_for_delivery\":{\"tone\":\"transit\""));
        assert!(script.contains(".tone-danger{--tone:light-dark(#cb3040,#f0727d);"));
    }

    #[test]
    fn every_status_icon_has_a_drawing() {
        let paths: BTreeMap<String, String> = serde_json::from_str(&icons(&assets::text("icons.svg"))).unwrap();
        assert!(paths.len() > 8);
        for (name, path) in paths {
            assert!(path.starts_with('M'), "{name}: {path}");
        }
    }
}
