//! The rules of the house, checked over the source as text; `house_proof.rs` tries each on planted violations.
//!
//! What is checked: the ladder of `src/lib.rs`, the homes of libraries, who may name stores and the schema, file heads
//! and lengths, names that say nothing, files nobody compiles, migration twins, results thrown away, skipped or
//! sleeping tests. Lengths of functions and panics are left to clippy.

use std::collections::BTreeMap;
use std::path::Path as FsPath;

use crate::rust_source::{Path, Token, before_tests, paths, tokens};

/// File texts by their path from the root of the project, with `/` between folders.
pub type Tree = BTreeMap<String, String>;

/// A rule looks at the whole tree and words each violation as `file:line what is wrong and what to do`.
type Rule = fn(&Tree) -> Vec<String>;

const RULES: [Rule; 10] = [
    the_ladder,
    homes_of_libraries,
    schema_and_stores,
    heads,
    lengths,
    names,
    no_orphans,
    migration_twins,
    nothing_thrown_away,
    tests_run_and_do_not_sleep,
];

/// The most lines a file may have before its tests.
const MOST_LINES: usize = 400;

/// File and folder names that tell nothing about what is inside.
const EMPTY_NAMES: [&str; 8] = ["utils", "util", "helpers", "helper", "common", "misc", "manager", "shared"];

/// Where a library may be named: folders end with `/`; `store.rs` stands for every file of that name.
const HOMES: [(&str, &[&str]); 16] = [
    ("actix_web", &["src/web/", "src/app.rs"]),
    ("actix_http", &["src/web/", "src/app.rs"]),
    ("actix_server", &["src/web/", "src/app.rs"]),
    ("actix_service", &["src/web/", "src/app.rs"]),
    ("actix_cors", &["src/web/", "src/app.rs"]),
    ("utoipa_actix_web", &["src/web/", "src/app.rs"]),
    ("maud", &["src/web/"]),
    ("actix_ws", &["src/web/live/"]),
    ("diesel", &["src/db/", "store.rs"]),
    ("diesel_async", &["src/db/", "store.rs"]),
    ("diesel_migrations", &["src/db/"]),
    ("tokio_postgres", &["src/db/"]),
    ("redis", &["src/bus/redis.rs", "src/bus/redis/"]),
    ("reqwest", &["src/outbound.rs"]),
    ("lettre", &["src/notify/"]),
    ("jsonwebtoken", &["src/base/keys.rs"]),
];

/// Every violation of every rule.
pub fn broken(tree: &Tree) -> Vec<String> {
    RULES.iter().flat_map(|rule| rule(tree)).collect()
}

fn rust<'a>(tree: &'a Tree, folder: &str) -> impl Iterator<Item = (&'a str, &'a str)> {
    let files: Vec<_> = tree.iter().filter(|(path, _)| path.starts_with(folder) && path.ends_with(".rs")).collect();
    files.into_iter().map(|(path, text)| (path.as_str(), text.as_str()))
}

/// The modules a file declares (`mod x;`), in order.
fn declared(tokens: &[Token]) -> Vec<String> {
    let named = |w: &[Token]| w[0].text == "mod" && w[2].text == ";";
    tokens.windows(3).filter(|w| named(w)).map(|w| w[1].text.clone()).collect()
}

/// The module path of a file: `src/orders/store.rs` is `[orders, store]`, `src/orders/mod.rs` is `[orders]`.
fn module_of(file: &str) -> Vec<&str> {
    let inner = file.trim_start_matches("src/").trim_end_matches(".rs");
    inner.split('/').filter(|part| *part != "mod").collect()
}

/// The top module of ours that a path names, seen from a file; `None` for other crates and for the file's own folder.
fn top_module<'a>(path: &'a Path, module: &[&str]) -> Option<&'a str> {
    let up = path.segments.iter().take_while(|s| *s == "super").count();
    match path.segments[0].as_str() {
        "crate" => path.segments.get(1).map(String::as_str),
        "super" if up >= module.len() => path.segments.get(up).map(String::as_str),
        _ => None,
    }
}

fn the_ladder(tree: &Tree) -> Vec<String> {
    let ladder = declared(&tokens(tree.get("src/lib.rs").map_or("", String::as_str)));
    let rung = |name: &str| ladder.iter().position(|m| m == name);
    let mut found = Vec::new();
    for (file, text) in rust(tree, "src/") {
        let module = module_of(file);
        let Some(own) = rung(module[0]) else { continue };
        for path in paths(&tokens(before_tests(text))) {
            let Some(named) = top_module(&path, &module) else { continue };
            if rung(named).is_some_and(|there| there > own) {
                found
                    .push(format!("{file}:{} uses {named}, which stands below {} in src/lib.rs", path.line, module[0]));
            }
        }
    }
    found
}

fn homes_of_libraries(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (file, text) in rust(tree, "src/") {
        for path in paths(&tokens(before_tests(text))) {
            let Some((library, homes)) = HOMES.iter().find(|(name, _)| path.segments[0] == *name) else { continue };
            // A word alone is a local name; a library is named by a path (`use redis;` is not written here).
            let at_home = homes.iter().any(|home| match *home {
                "store.rs" => file.ends_with("/store.rs"),
                folder if folder.ends_with('/') => file.starts_with(folder),
                exact => file == exact,
            });
            if path.segments.len() > 1 && !at_home {
                found.push(format!("{file}:{} names {library}, whose home is {}", path.line, homes.join(", ")));
            }
        }
    }
    found
}

fn schema_and_stores(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (file, text) in rust(tree, "src/") {
        for path in paths(&tokens(before_tests(text))) {
            let schema = path.segments.windows(2).any(|w| w[0] == "db" && w[1] == "schema");
            if schema && !file.starts_with("src/db/") && !file.ends_with("/store.rs") {
                found.push(format!("{file}:{} names db::schema: only a store.rs may", path.line));
            }
            let store = path.segments.len() > 1 && path.segments.iter().any(|s| s == "store");
            if store && file.starts_with("src/web/") {
                found.push(format!("{file}:{} calls a store: ask the part for a verb", path.line));
            }
        }
    }
    found
}

fn heads(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (file, text) in rust(tree, "") {
        let lines = text.lines().take_while(|line| line.starts_with("//! ")).map(|line| &line[4..]);
        let first: Vec<_> = lines.collect();
        let begins =
            first.first().is_some_and(|l| l.starts_with(|c: char| c.is_uppercase() || c == '`' || c.is_numeric()));
        if !begins || !first.join(" ").contains('.') {
            found.push(format!("{file}:1 does not begin with `//! ` and a sentence that says what is here"));
        }
    }
    found
}

fn lengths(tree: &Tree) -> Vec<String> {
    let long = |(file, text): (&str, &str)| {
        let lines = before_tests(text).lines().count();
        (lines > MOST_LINES)
            .then(|| format!("{file}:{lines} is too long: cut it where a reader would ({MOST_LINES} lines)"))
    };
    rust(tree, "").filter_map(long).collect()
}

fn names(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (file, text) in rust(tree, "") {
        let parts = file.trim_end_matches(".rs").split('/').map(String::from);
        let inline =
            tokens(text).windows(2).filter(|w| w[0].text == "mod").map(|w| w[1].text.clone()).collect::<Vec<_>>();
        for name in parts.chain(inline).filter(|name| EMPTY_NAMES.contains(&name.as_str())) {
            found.push(format!("{file}:1 the name `{name}` says nothing about what is inside"));
        }
    }
    found
}

/// A file no `mod` line names is not compiled: rules without force, tests that never run.
fn no_orphans(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (file, _) in rust(tree, "src/").chain(rust(tree, "tests/it/")) {
        let (folder, name) = file.rsplit_once('/').unwrap_or(("", file));
        let (folder, name) = match name {
            "lib.rs" | "main.rs" => continue,
            "mod.rs" => folder.rsplit_once('/').unwrap_or(("", folder)),
            _ => (folder, name.trim_end_matches(".rs")),
        };
        let parents = [
            format!("{folder}/mod.rs"),
            format!("{folder}/lib.rs"),
            format!("{folder}/main.rs"),
            format!("{folder}.rs"),
        ];
        let mut parents = parents.iter().filter_map(|parent| tree.get(parent));
        if !parents.any(|text| declared(&tokens(text)).iter().any(|m| m == name)) {
            found.push(format!("{file}:1 is named by no `mod {name};`, so it is never compiled"));
        }
    }
    found
}

fn migration_twins(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, _) in tree.iter().filter(|(path, _)| path.starts_with("migrations/")) {
        let parts: Vec<_> = path.split('/').collect();
        let [_, engine @ ("sqlite" | "postgres"), stamp, file @ ("up.sql" | "down.sql")] = parts[..] else {
            found.push(format!("{path}:1 is not migrations/{{sqlite,postgres}}/<stamp_name>/{{up,down}}.sql"));
            continue;
        };
        for (engine, file) in
            [("sqlite", "up.sql"), ("sqlite", "down.sql"), ("postgres", "up.sql"), ("postgres", "down.sql")]
                .into_iter()
                .filter(|twin| *twin != (engine, file))
        {
            let twin = format!("migrations/{engine}/{stamp}/{file}");
            if !tree.contains_key(&twin) {
                found.push(format!("{path}:1 lacks its twin {twin}"));
            }
        }
    }
    found
}

fn nothing_thrown_away(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (file, text) in rust(tree, "src/") {
        let tokens = tokens(text);
        for w in tokens.windows(3).filter(|w| w[0].text == "let" && w[1].text == "_" && w[2].text == "=") {
            found.push(format!(
                "{file}:{} throws an answer away with `let _ =`: handle it or say `.or_log(…)`",
                w[0].line
            ));
        }
    }
    for (file, text) in rust(tree, "") {
        // Put together here so that this file does not break its own rule.
        let marks = [concat!("TO", "DO"), concat!("FIX", "ME")];
        for (number, line) in text.lines().enumerate().filter(|(_, line)| marks.iter().any(|mark| line.contains(mark)))
        {
            found.push(format!("{file}:{} leaves work for later: `{}`", number + 1, line.trim()));
        }
    }
    found
}

fn tests_run_and_do_not_sleep(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (file, text) in rust(tree, "") {
        let code = if file.starts_with("src/") { &text[before_tests(text).len()..] } else { text };
        let offset = text[..text.len() - code.len()].lines().count();
        let tokens = tokens(code);
        for w in tokens.windows(2) {
            let line = w[0].line + offset;
            match (w[0].text.as_str(), w[1].text.as_str()) {
                ("sleep" | "sleep_until", "(") => {
                    found.push(format!("{file}:{line} sleeps: wait for what you wait for"))
                }
                ("[", "ignore") => found.push(format!("{file}:{line} skips a test: run it or delete it")),
                _ => {}
            }
        }
    }
    found
}

/// Reads the project's own files: Rust everywhere but in `target`, and the migrations.
fn read_project() -> Tree {
    fn walk(root: &FsPath, folder: &FsPath, tree: &mut Tree) {
        for entry in folder.read_dir().expect("the project can be read").map(|entry| entry.expect("an entry").path()) {
            let name = entry.strip_prefix(root).expect("below the root").to_string_lossy().replace('\\', "/");
            if entry.is_dir() {
                walk(root, &entry, tree);
            } else if name.ends_with(".rs") || name.starts_with("migrations/") {
                tree.insert(name, std::fs::read_to_string(&entry).expect("text in UTF-8"));
            }
        }
    }
    let root = FsPath::new(env!("CARGO_MANIFEST_DIR"));
    let mut tree = Tree::new();
    for folder in ["src", "tests", "benches", "migrations", "fuzz/fuzz_targets"] {
        if root.join(folder).is_dir() {
            walk(root, &root.join(folder), &mut tree);
        }
    }
    tree
}

#[test]
fn the_house_keeps_its_rules() {
    let tree = read_project();
    assert!(tree.len() > 10, "only {} files were found: the walk is broken", tree.len());
    let found = broken(&tree);
    assert!(found.is_empty(), "{} rules broken:\n{}", found.len(), found.join("\n"));
}

#[test]
fn modules_keep_the_order_they_are_written_in() {
    let root = FsPath::new(env!("CARGO_MANIFEST_DIR"));
    let settings = std::fs::read_to_string(root.join(".rustfmt.toml")).expect("rustfmt's settings");
    assert!(settings.lines().any(|line| line == "reorder_modules = false"), "rustfmt would sort the ladder");
}
