//! Reads Rust source as words and paths, so that the rules of the house can be checked without compiling anything.
//!
//! Comments, strings and character literals are dropped; what is left is words and punctuation with line numbers. This
//! is no parser: it knows just enough to list every path a file names, groups of a `use` spread out.

/// A word (identifier, keyword, number) or one punctuation character, and the line it stands on (from 1).
#[derive(Clone, Debug, PartialEq)]
pub struct Token {
    pub text: String,
    pub line: usize,
}

/// A path such as `crate::db::schema`, spread out of its group, and the line it begins on.
#[derive(Debug, PartialEq)]
pub struct Path {
    pub segments: Vec<String>,
    pub line: usize,
}

/// The part of a source text before its unit tests.
pub fn before_tests(text: &str) -> &str {
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        if line.trim_end() == "#[cfg(test)]" && text[start + line.len()..].trim_start().starts_with("mod tests") {
            return &text[..start];
        }
        start += line.len();
    }
    text
}

/// Words and punctuation of a source text, without comments and literals of text.
pub fn tokens(text: &str) -> Vec<Token> {
    let chars: Vec<char> = text.chars().collect();
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < chars.len() {
        let end = match skip_text(&chars, at) {
            Some(end) => end,
            None if is_word(chars[at]) => {
                let end = (at..chars.len()).find(|i| !is_word(chars[*i])).unwrap_or(chars.len());
                found.push(Token { text: chars[at..end].iter().collect(), line });
                end
            }
            None => {
                if !chars[at].is_whitespace() {
                    found.push(Token { text: chars[at].to_string(), line });
                }
                at + 1
            }
        };
        line += chars[at..end].iter().filter(|c| **c == '\n').count();
        at = end;
    }
    found
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Where a comment, a string or a character literal that begins at `at` ends; `None` when none begins there.
fn skip_text(chars: &[char], at: usize) -> Option<usize> {
    let rest = &chars[at..];
    let starts = |text: &str| text.chars().enumerate().all(|(i, c)| rest.get(i) == Some(&c));
    if starts("//") {
        return Some(at + rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()));
    }
    if starts("/*") {
        let (mut depth, mut i) = (1, 2);
        while depth > 0 && i < rest.len() {
            let pair = (rest[i], rest.get(i + 1));
            let step = match pair {
                ('/', Some('*')) => 1,
                ('*', Some('/')) => -1,
                _ => 0,
            };
            depth += step;
            i += if step == 0 { 1 } else { 2 };
        }
        return Some(at + i);
    }
    if let Some(length) = raw_string(rest) {
        return Some(at + length);
    }
    let prefix = usize::from(matches!(rest[0], 'b' | 'c'));
    match rest.get(prefix) {
        Some('"') => Some(at + quoted(rest, prefix, '"')),
        // 'a' and '\n' are characters, 'a without a closing quote is a lifetime.
        Some('\'') if rest.get(prefix + 1) == Some(&'\\') || rest.get(prefix + 2) == Some(&'\'') => {
            Some(at + quoted(rest, prefix, '\''))
        }
        _ => None,
    }
}

/// Length of a raw string (`r"…"`, `br#"…"#`) at the start, if there is one.
fn raw_string(rest: &[char]) -> Option<usize> {
    let prefix = usize::from(matches!(rest[0], 'b' | 'c'));
    if rest.get(prefix) != Some(&'r') {
        return None;
    }
    let hashes = rest[prefix + 1..].iter().take_while(|c| **c == '#').count();
    let open = prefix + 1 + hashes;
    if rest.get(open) != Some(&'"') {
        return None;
    }
    let closes = |i: &usize| rest[*i] == '"' && rest[i + 1..].iter().take_while(|c| **c == '#').count() >= hashes;
    Some((open + 1..rest.len()).find(closes).map_or(rest.len(), |i| i + 1 + hashes))
}

/// Length of a literal whose opening quote stands at `open`, backslash escapes honoured.
fn quoted(rest: &[char], open: usize, quote: char) -> usize {
    let mut i = open + 1;
    while i < rest.len() && rest[i] != quote {
        i += if rest[i] == '\\' { 2 } else { 1 };
    }
    (i + 1).min(rest.len())
}

/// Every path the tokens name, words alone included, groups spread out: `a::{b, c::d}` is `a::b` and `a::c::d`.
pub fn paths(tokens: &[Token]) -> Vec<Path> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        if word(tokens, at) {
            at = path(tokens, at, &[], &mut found);
        } else {
            at += 1;
        }
    }
    found
}

fn word(tokens: &[Token], at: usize) -> bool {
    tokens.get(at).is_some_and(|t| t.text.starts_with(is_word) || t.text == "*")
}

fn is(tokens: &[Token], at: usize, text: &str) -> bool {
    tokens.get(at).is_some_and(|t| t.text == text)
}

/// Reads one path at `at` into `found`, below the segments read so far; returns where it ends.
fn path(tokens: &[Token], mut at: usize, above: &[String], found: &mut Vec<Path>) -> usize {
    let line = tokens[at].line;
    let mut segments = above.to_vec();
    loop {
        segments.push(tokens[at].text.clone());
        at += 1;
        if !(is(tokens, at, ":") && is(tokens, at + 1, ":")) {
            break;
        }
        if is(tokens, at + 2, "{") {
            at += 3;
            while at < tokens.len() && !is(tokens, at, "}") {
                at = if word(tokens, at) { path(tokens, at, &segments, found) } else { at + 1 };
            }
            return at + 1;
        }
        if !word(tokens, at + 2) {
            break;
        }
        at += 2;
    }
    found.push(Path { segments, line });
    // In a group, `as` and the new name behind it are no path of their own.
    let renamed = !above.is_empty() && is(tokens, at, "as");
    if renamed { at + 2 } else { at }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        tokens(text).into_iter().map(|t| t.text).collect()
    }

    fn spread(text: &str) -> Vec<String> {
        paths(&tokens(text)).into_iter().map(|p| p.segments.join("::")).collect()
    }

    #[test]
    fn comments_and_literals_are_no_words() {
        let text = "a /* b /* c */ d */ e // f\n\"g\\\"h\" r#\"i\"j\"# b\"k\" 'l' '\\'' '\\u{41}' m";
        assert_eq!(words(text), ["a", "e", "m"]);
    }

    #[test]
    fn lifetimes_and_raw_looking_names_are_words() {
        assert_eq!(
            words("&'a str; radio; br; 'outer: loop"),
            ["&", "'", "a", "str", ";", "radio", ";", "br", ";", "'", "outer", ":", "loop"]
        );
    }

    #[test]
    fn lines_are_counted_through_literals() {
        let found = tokens("a\n\"x\ny\" /*\n*/ b");
        assert_eq!(found.last().map(|t| t.line), Some(4));
    }

    #[test]
    fn groups_are_spread_out() {
        assert_eq!(
            spread("use crate::{a::{self, B}, c::*, d as e}; f::<crate::g::H>();"),
            ["use", "crate::a::self", "crate::a::B", "crate::c::*", "crate::d", "f", "crate::g::H"]
        );
    }

    #[test]
    fn tests_at_the_foot_are_cut_off() {
        assert_eq!(before_tests("a\n#[cfg(test)]\nuse b;\n#[cfg(test)]\nmod tests {}\n"), "a\n#[cfg(test)]\nuse b;\n");
        assert_eq!(before_tests("a\n"), "a\n");
    }
}
