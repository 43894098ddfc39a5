//! The little template language of letters: values, sections that appear with or without a value, and parts. Pure.
//!
//! `{{name}}` is the value, escaped as the letter's kind asks. `{{#name}}…{{/name}}` appears when there is one,
//! `{{^name}}…{{/name}}` when there is none. `{{>name}}` is another template. Templates are ours and fixed at compile
//! time; only values come from outside, and a value is never read as a template.

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Escape {
    /// As it is.
    Plain,
    /// Safe in HTML text and in quoted attributes.
    Html,
}

/// What fills a template.
pub(super) struct Fill<'a> {
    /// Values by name. One that is empty counts as absent.
    pub values: &'a [(&'static str, String)],
    /// Templates by name.
    pub parts: &'a [(&'static str, &'static str)],
    /// How values are written.
    pub escape: Escape,
}

impl Fill<'_> {
    /// The template with everything filled in. A name nobody knows is empty.
    pub(super) fn render(&self, template: &str) -> String {
        let mut out = String::with_capacity(template.len() * 2);
        self.render_into(template, &mut out);
        out
    }

    fn render_into(&self, template: &str, out: &mut String) {
        let mut rest = template;
        while let Some((before, (tag, after))) =
            rest.split_once("{{").and_then(|(before, tail)| Some((before, tail.split_once("}}")?)))
        {
            out.push_str(before);
            rest = after;
            if let Some(name) = tag.strip_prefix('>') {
                self.render_into(find(self.parts, name).copied().unwrap_or_default(), out);
            } else if let Some(name) = tag.strip_prefix(['#', '^']) {
                let (inside, behind) = after.split_once(&format!("{{{{/{name}}}}}")).unwrap_or((after, ""));
                if self.value(name).is_empty() == tag.starts_with('^') {
                    self.render_into(inside, out);
                }
                rest = behind;
            } else {
                self.push_value(self.value(tag), out);
            }
        }
        out.push_str(rest);
    }

    fn value(&self, name: &str) -> &str {
        find(self.values, name).map_or("", String::as_str)
    }

    fn push_value(&self, value: &str, out: &mut String) {
        if self.escape == Escape::Plain {
            return out.push_str(value);
        }
        for c in value.chars() {
            match c {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                '"' => out.push_str("&quot;"),
                '\'' => out.push_str("&#39;"),
                c => out.push(c),
            }
        }
    }
}

fn find<'a, T>(pairs: &'a [(&'static str, T)], name: &str) -> Option<&'a T> {
    pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str, value: &str, escape: Escape) -> String {
        Fill { values: &[("a", value.to_owned()), ("b", String::new())], parts: &[("p", "[{{a}}]")], escape }
            .render(template)
    }

    #[test]
    fn values_sections_and_parts_are_filled_in() {
        for (template, filled) in [
            ("", ""),
            ("x {{a}} y", "x 1 y"),
            ("{{b}}{{c}}", ""),
            ("{{#a}}<{{a}}>{{/a}}{{^a}}none{{/a}}", "<1>"),
            ("{{#b}}<{{b}}>{{/b}}{{^b}}none{{/b}}", "none"),
            ("{{#a}}{{#b}}x{{/b}}{{^b}}y{{/b}}{{/a}}!", "y!"),
            ("{{>p}}{{>q}}", "[1]"),
            ("open {{a", "open {{a"),
        ] {
            assert_eq!(render(template, "1", Escape::Plain), filled, "{template}");
        }
    }

    #[test]
    fn a_value_is_escaped_and_never_read_as_a_template() {
        assert_eq!(
            render("{{a}}", "{{>p}}<a href=\"x\" b='y'>&", Escape::Html),
            "{{&gt;p}}&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;"
        );
        assert_eq!(render("{{a}}", "{{b}}<", Escape::Plain), "{{b}}<");
    }
}
