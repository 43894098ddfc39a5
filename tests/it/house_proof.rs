//! Proof that the rules of the house work: each planted violation is found, and a house in order passes.

use crate::house::{Tree, broken};

/// A small house in order, in which lawful things stand close to what is forbidden.
fn in_order() -> Tree {
    let files = [
        (
            "src/lib.rs",
            "//! The map.\npub mod base;\npub mod db;\npub mod bus;\npub mod orders;\npub mod web;\npub mod app;\n",
        ),
        ("src/main.rs", "//! Starts it.\nuse ordercast::app;\nfn main() { app::run() }\n"),
        ("src/base/mod.rs", "//! Values.\n//! crate::web is named in a comment.\npub mod keys;\n"),
        ("src/base/keys.rs", "//! Keys.\nuse jsonwebtoken::encode;\nconst A: &str = \"crate::web::x\";\n"),
        ("src/db/mod.rs", "//! The pool.\nuse crate::base::Error;\nuse diesel::prelude::*;\npub mod schema;\n"),
        ("src/db/schema.rs", "//! The tables.\ndiesel::table! { a (id) { id -> Integer } }\n"),
        ("src/bus/mod.rs", "//! The bus.\npub mod redis;\n"),
        ("src/bus/redis.rs", "//! By Redis.\nuse redis::Client;\nuse super::Bus;\n"),
        (
            "src/orders/mod.rs",
            "//! Orders.\nuse crate::{base::Error, db::Db};\nmod store;\nmod status;\nlet redis = 1;\n",
        ),
        (
            "src/orders/store.rs",
            "//! Rows.\nuse crate::db::schema::a;\nuse diesel::insert_into;\nuse super::super::db::Conn;\n",
        ),
        (
            "src/orders/status.rs",
            "//! Pure.\nfn a() {}\n#[cfg(test)]\nmod tests {\n use super::*;\n use reqwest::Client;\n}\n",
        ),
        (
            "src/web/mod.rs",
            "//! The edge.\nuse crate::orders::Orders;\nuse actix_web::web;\n#[schema(a)]\npub struct A;\npub mod live;\n",
        ),
        ("src/web/live/mod.rs", "//! Sockets.\nuse actix_ws::handle;\nuse crate::web::A;\n"),
        ("src/app.rs", "//! The root.\nuse crate::{base, web, orders};\nuse actix_web::App;\n"),
        ("tests/it/main.rs", "//! Tests.\nmod orders;\n"),
        ("tests/it/orders.rs", "//! Orders.\nuse ordercast::web;\n#[test]\nfn a() {}\n"),
        ("migrations/sqlite/1_a/up.sql", ""),
        ("migrations/sqlite/1_a/down.sql", ""),
        ("migrations/postgres/1_a/up.sql", ""),
        ("migrations/postgres/1_a/down.sql", ""),
    ];
    files.into_iter().map(|(path, text)| (path.to_owned(), text.to_owned())).collect()
}

/// What is done to the house: a file and the text added at its end (a new file gets it after a lawful head).
type Plant = (&'static str, &'static str, &'static str);

/// file, text added, words that the finding must contain.
const PLANTED: [Plant; 28] = [
    ("src/base/mod.rs", "use crate::orders::Order;", "src/base/mod.rs:4 uses orders"),
    ("src/base/keys.rs", "fn a() -> crate::web::A {}", "src/base/keys.rs:4 uses web"),
    ("src/db/mod.rs", "use crate::{base::Error, bus::{Bus, Topic}};", "uses bus, which stands below db"),
    ("src/orders/mod.rs", "use super::web::A;", "src/orders/mod.rs:6 uses web"),
    ("src/orders/store.rs", "use super::super::app::App;", "uses app, which stands below orders"),
    ("src/web/live/mod.rs", "use crate::app;", "uses app, which stands below web"),
    ("src/orders/mod.rs", "use actix_web::HttpResponse;", "names actix_web"),
    ("src/web/mod.rs", "use actix_ws::Session;", "names actix_ws"),
    ("src/orders/mod.rs", "fn a() { diesel::insert_into(b) }", "names diesel"),
    ("src/web/mod.rs", "use diesel_async::RunQueryDsl;", "names diesel_async"),
    ("src/bus/mod.rs", "fn a() -> redis::Value {}", "names redis"),
    ("src/orders/mod.rs", "use reqwest::Client;", "names reqwest"),
    ("src/web/mod.rs", "use lettre::Message;", "names lettre"),
    ("src/orders/mod.rs", "use jsonwebtoken::{decode, Validation};", "names jsonwebtoken"),
    ("src/orders/mod.rs", "use crate::db::{Db, schema::orders};", "src/orders/mod.rs:6 names db::schema"),
    ("src/web/mod.rs", "use crate::orders::store;", "src/web/mod.rs:7 calls a store"),
    ("src/web/mod.rs", "fn a() { orders::store::find(conn) }", "calls a store"),
    ("src/orders/utils.rs", "", "the name `utils` says nothing"),
    ("src/orders/mod.rs", "mod helpers { }", "the name `helpers` says nothing"),
    ("src/web/common/mod.rs", "", "the name `common` says nothing"),
    ("src/orders/forgotten.rs", "", "is named by no `mod forgotten;`"),
    ("tests/it/forgotten.rs", "", "is named by no `mod forgotten;`"),
    ("migrations/sqlite/2_b/up.sql", "", "lacks its twin migrations/postgres/2_b/up.sql"),
    ("migrations/postgres/3_c.sql", "", "is not migrations/"),
    ("src/orders/mod.rs", "fn a() { let _ = send(); }", "throws an answer away"),
    ("src/orders/mod.rs", concat!("// TO", "DO: later"), "leaves work for later"),
    ("tests/it/orders.rs", "fn b() { std::thread::sleep(c) }", "tests/it/orders.rs:5 sleeps"),
    ("tests/it/orders.rs", "#[ignore]\nfn b() {}", "tests/it/orders.rs:5 skips a test"),
];

fn with(file: &str, text: &str) -> Tree {
    let mut tree = in_order();
    tree.entry(file.to_owned()).or_insert_with(|| "//! Here.\n".to_owned()).push_str(text);
    tree
}

#[test]
fn a_house_in_order_passes() {
    assert_eq!(broken(&in_order()), [""; 0]);
}

#[test]
fn every_planted_violation_is_found() {
    for (file, text, words) in PLANTED {
        let found = broken(&with(file, text));
        assert!(found.iter().any(|line| line.contains(words)), "`{text}` in {file} was not found: {found:?}");
    }
}

#[test]
fn a_file_needs_a_head_of_one_sentence() {
    for head in ["", "fn a() {}\n", "//! lower case.\n", "//! No end\n", "// Not a doc.\n", "//!\n//! Late.\n"] {
        let mut tree = in_order();
        tree.insert("src/main.rs".to_owned(), head.to_owned());
        assert!(broken(&tree).iter().any(|line| line.starts_with("src/main.rs:1 does not begin")), "`{head}` passed");
    }
}

#[test]
fn a_file_may_be_400_lines_long_before_its_tests() {
    let body = format!("//! Long.\n{}", "fn a() {}\n".repeat(399));
    let tests = ["#[cfg(test)]\nmod tests {\n", &"fn b() {}\n".repeat(900)].concat();
    for (text, allowed) in [(format!("{body}{tests}"), true), (format!("{body}fn c() {{}}\n{tests}"), false)] {
        let mut tree = in_order();
        tree.insert("src/main.rs".to_owned(), text);
        assert_eq!(broken(&tree).is_empty(), allowed, "{:?}", broken(&tree));
    }
}

#[test]
fn the_order_of_the_ladder_is_that_of_lib_rs() {
    let mut tree = in_order();
    let map = "//! The map.\npub mod db;\npub mod base;\npub mod bus;\npub mod orders;\npub mod web;\npub mod app;\n";
    tree.insert("src/lib.rs".to_owned(), map.to_owned());
    assert_eq!(broken(&tree), ["src/db/mod.rs:2 uses base, which stands below db in src/lib.rs"]);
}
