//! The program as an operator runs it: tokens beside a running server, settings, files of secrets, modes.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::json;

use crate::app::guarded::{Guarded, Program};
use crate::app::journal;
use crate::dialects::{NUMBER, SCOPES};
use crate::still_app::Ground;

const BINARY: &str = env!("CARGO_BIN_EXE_ordercast");

/// Runs the program to its end with nothing but these arguments and variables.
fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(BINARY);
    command.env_clear().args(arguments).envs(variables.iter().copied());
    command.output().expect("the program runs")
}

fn out(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).expect("text")
}

/// What it said when it failed.
fn complaint(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(output.stdout.is_empty(), "{output:?}");
    String::from_utf8(output.stderr.clone()).expect("text")
}

/// Serves in a process of its own; returns it with its address.
fn serve(arguments: &[&str]) -> (Guarded, String) {
    let program = Program { path: Path::new(BINARY), package: "ordercast", signal: "TERM", user: None, folder: None };
    let own = ["serve", "--bind", "127.0.0.1:0", "--workers", "1", "--drain", "0"];
    let arguments: Vec<String> = own.iter().chain(arguments).map(|text| (*text).to_owned()).collect();
    let address = |line: &str| {
        let start = line.find("listens on http://")? + "listens on ".len();
        Some(line[start..].split_whitespace().next()?.to_owned())
    };
    Guarded::start(&program, &arguments, address).expect("it serves")
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_made_listed_and_revoked_beside_a_running_server() {
    let ground = Ground::lay().await;
    let folder = ground.folder.path().to_str().expect("a path").to_owned();
    let place = ["--data-dir", folder.as_str(), "--database-url", ground.database_url.as_str()];
    let (_server, url) = serve(&place);
    let token = |arguments: &[&str]| run(&[&["token"], arguments, &place].concat(), &[]);

    let said = out(&token(&["generate", "order-update-token", SCOPES]));
    let text = said.lines().last().expect("a last line").to_owned();
    journal::secret(&text);
    assert!(said.ends_with(&format!("\n{text}\n")) && text.starts_with("oc_live_") && text.len() == 44, "{said}");
    assert_eq!(said.matches("oc_live_").count(), 1, "it is printed once");

    let http = reqwest::Client::new();
    let post = |path: &'static str, body: serde_json::Value| {
        let request = http.post(format!("{url}{path}")).bearer_auth(&text).json(&body);
        async move { request.send().await.expect("an answer").status().as_u16() }
    };
    assert_eq!(post("/api/v1/orders", json!({"number": NUMBER})).await, 201);
    assert_eq!(post("/api/update-order", json!({"orderId": NUMBER, "status": "processing"})).await, 200);

    let list = out(&token(&["list"]));
    let row = list.lines().find(|line| line.starts_with("order-update-token ")).expect("its row");
    assert!(
        row.contains(&format!("…{}", &text[40..])) && row.ends_with("orders:read,orders:write,orders:update_status"),
        "{row}"
    );
    assert!(!list.contains(&text) && !list.contains(&text[8..20]), "{list}");

    assert!(complaint(&token(&["generate", "order-update-token", SCOPES])).contains("exists already"));
    assert!(complaint(&token(&["revoke", "nobody"])).contains("API token not found"));
    let said = out(&token(&["revoke", "order-update-token"]));
    assert!(said.contains("order-update-token") && !said.contains(&text[8..20]), "{said}");
    assert_eq!(post("/api/update-order", json!({"orderId": NUMBER, "status": "packed"})).await, 401);
    assert!(complaint(&token(&["revoke", "order-update-token"])).contains("API token not found"));
    let list = out(&token(&["list"]));
    assert!(list.contains("order-update-token (revoked "), "{list}");

    // Scopes that do not exist, times that have passed, and a name that is none.
    for bad in [
        vec!["generate", "x", "orders:everything"],
        vec!["generate", "x", ""],
        vec!["generate", "x", "orders:read", "--expires", "2020-01-01T00:00:00Z"],
        vec!["generate", " x", "orders:read"],
        vec!["generate", "x", "orders:read", "--company", "nobody"],
    ] {
        let output = token(&bad);
        assert!(!output.status.success() && output.stdout.is_empty(), "{bad:?}: {output:?}");
    }
    assert_eq!(out(&token(&["list"])).lines().count(), 2, "the heading and the revoked one");
}

#[test]
fn help_lists_every_setting_and_shows_no_secret() {
    let source = include_str!("../../src/config.rs");
    let settings: Vec<&str> =
        source.lines().filter_map(|line| line.trim().strip_prefix("#[arg(long, env = \"")?.split('"').next()).collect();
    assert!(settings.len() >= 30, "{settings:?}");
    let secrets = ["DATABASE_URL", "REDIS_URL", "SMTP_URL", "ORDERCAST_SECRET_KEY"];
    let variables = secrets.map(|name| (name, "postgres://u:hushhush@h/x"));
    for arguments in [vec!["--help"], vec!["serve", "--help"], vec!["demo", "--help"], vec!["migrate", "--help"]] {
        let help = out(&run(&arguments, &variables));
        assert!(!help.contains("hush"), "{help}");
        for name in &settings {
            assert!(
                help.contains(&format!("[env: {name}=")) || help.contains(&format!("[env: {name}]")),
                "{name}: {help}"
            );
        }
    }
    let help = out(&run(&["--help"], &[]));
    let lines: Vec<&str> = help.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let flags = lines.windows(2).filter(|pair| pair[0].starts_with("--"));
    let told: Vec<_> =
        flags.inspect(|pair| assert!(!pair[1].starts_with(['[', '-']), "{pair:?} says nothing")).collect();
    assert_eq!(told.len(), settings.len(), "one line a setting: {told:?}");
    for text in ["127.0.0.1:8080", "./data", "--bind", "--database-url-file"] {
        assert!(help.contains(text), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn production_refuses_to_start_with_the_keys_of_development() {
    let ground = Ground::lay().await;
    let folder = ground.folder.path().to_str().expect("a path").to_owned();
    let place = ["--data-dir", folder.as_str(), "--database-url", ground.database_url.as_str()];
    drop(serve(&place));
    let kept = ground.folder.path().join("signing.key");
    let kept = kept.to_str().expect("a path");
    let key = std::fs::read_to_string(kept).expect("development keeps its key");

    let production = [&["serve", "--mode", "production", "--bind", "127.0.0.1:0"], &place[..]].concat();
    let complain = |variables: &[(&str, &str)]| {
        let said = complaint(&run(&production, variables));
        assert!(!said.contains(key.trim()), "{said}");
        said
    };
    assert!(complain(&[]).contains("ORDERCAST_SECRET_KEY is required in production"));
    assert!(complain(&[("ORDERCAST_SECRET_KEY", key.trim())]).contains("is a development key"));
    assert!(complain(&[("ORDERCAST_SECRET_KEY_FILE", kept)]).contains("is a development key"));
    let own = "x".repeat(40);
    let accepted = [("ORDERCAST_SECRET_KEY", own.as_str()), ("ORDERCAST_SECRET_KEY_ACCEPTED", key.trim())];
    assert!(complain(&accepted).contains("is a development key"));
    assert!(complain(&[("ORDERCAST_SECRET_KEY", "too short")]).contains("at least 32 characters"));
    let fresh = ground.folder.path().join("fresh.key");
    std::fs::write(&fresh, out(&run(&["keygen"], &[]))).expect("written");
    let fresh = fresh.to_str().expect("a path");
    let flags = ["--mode", "production", "--secret-key-file", fresh, "--public-url", "https://track.example"];
    let (_server, url) = serve(&[&flags, &place[..]].concat());
    assert_eq!(reqwest::get(format!("{url}/healthz")).await.expect("an answer").status().as_u16(), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_come_from_files_and_settings_that_cannot_be_used_are_named() {
    let ground = Ground::lay().await;
    let folder = ground.folder.path().to_str().expect("a path").to_owned();
    let file = ground.folder.path().join("database-url");
    std::fs::write(&file, format!("{}\n", ground.database_url)).expect("written");
    let file = file.to_str().expect("a path");
    let variables = [("DATABASE_URL_FILE", file), ("ORDERCAST_DATA_DIR", folder.as_str())];
    out(&run(&["token", "generate", "from-a-file", "orders:read"], &variables));
    let direct = [("DATABASE_URL", ground.database_url.as_str()), ("ORDERCAST_DATA_DIR", folder.as_str())];
    assert!(out(&run(&["token", "list"], &direct)).contains("from-a-file"));

    let said = complaint(&run(&["migrate"], &[variables[0], ("DATABASE_URL", "postgres://u:hushhush@127.0.0.1:1/x")]));
    assert!(said.contains("DATABASE_URL_FILE and its twin") && !said.contains("hush"), "{said}");
    let said = complaint(&run(&["migrate"], &[("DATABASE_URL_FILE", "/nowhere/at/all")]));
    assert!(said.contains("DATABASE_URL_FILE: /nowhere/at/all cannot be read"), "{said}");
    for (name, value, words) in [
        ("DATABASE_URL", "mysql://u:hushhush@h/x", "DATABASE_URL must be sqlite:<path> or postgres://"),
        ("DATABASE_URL", "postgres://u:hushhush@127.0.0.1:1/x", "The database is not available"),
        ("DATABASE_URL", "postgres://u:hushhush@[::bad/x", "The database is not available"),
        ("DATABASE_URL", "postgres://u:hushhush@127.0.0.1:x/x", "The database is not available"),
        ("ORDERCAST_PUBLIC_URL", "hushhush", "ORDERCAST_PUBLIC_URL must look like"),
        ("ORDERCAST_COMMIT_GROUP", "0", "_COMMIT_GROUP"),
    ] {
        let said = complaint(&run(&["migrate", "--data-dir", &folder], &[(name, value)]));
        assert!(said.contains(words) && !said.contains("hush"), "{name}={value}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn admins_are_made_and_rescued_from_the_command_line() {
    let ground = Ground::lay().await;
    let folder = ground.folder.path().to_str().expect("a path").to_owned();
    let place = ["--data-dir", folder.as_str(), "--database-url", ground.database_url.as_str()];
    let (_server, url) = serve(&[&place[..], &["--rate-guess", "0"]].concat());
    let admin = |arguments: &[&str]| run(&[&["admin"], arguments, &place].concat(), &[]);
    let http = reqwest::Client::new();
    let log_in = async |password: &str| {
        let body = json!({"email": "rina@host.example", "password": password});
        let answer = http.post(format!("{url}/api/v1/users/auth/login/")).json(&body).send().await.expect("an answer");
        answer.status().as_u16()
    };
    let last = |said: &str| {
        let password = said.lines().last().expect("a last line");
        journal::secret(password);
        password.to_owned()
    };
    journal::secret("my own words");

    let said = out(&admin(&["create", "Rina@host.example", "--name", "Rina"]));
    assert!(said.contains("Rina (super_admin) may sign in as rina@host.example."), "{said}");
    let first = last(&said);
    assert_eq!((first.len(), log_in(&first).await), (24, 200));
    assert!(complaint(&admin(&["create", "rina@host.example", "--name", "R"])).contains("exists already"));
    assert!(complaint(&admin(&["create", "x@host.example", "--name", "X", "--role", "vendor"])).contains("admin or"));
    assert!(complaint(&admin(&["create", "nonsense", "--name", "X"])).contains("e-mail address"));

    let second = last(&out(&admin(&["reset", "rina@host.example"])));
    assert_eq!((log_in(&first).await, log_in(&second).await), (401, 200));
    let file = ground.folder.path().join("password");
    std::fs::write(&file, "my own words\n").expect("written");
    let chosen = ["reset", "rina@host.example", "--password-file", file.to_str().expect("a path")];
    let said = out(&admin(&chosen));
    assert!(!said.contains("my own words"), "{said}");
    assert_eq!((log_in(&second).await, log_in("my own words").await), (401, 200));
    std::fs::write(&file, "short\n").expect("written");
    assert!(complaint(&admin(&chosen)).contains("8 to 128 characters"));
    assert!(complaint(&admin(&["reset", "nobody@host.example"])).contains("Account not found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_trail_is_exported_and_tampering_with_it_is_named() {
    let ground = Ground::lay().await;
    let folder = ground.folder.path().to_str().expect("a path").to_owned();
    let place = ["--data-dir", folder.as_str(), "--database-url", ground.database_url.as_str()];
    let audit = |arguments: &[&str]| run(&[&["audit"], arguments, &place].concat(), &[]);
    for name in ["one", "two", "three"] {
        out(&run(&[&["token", "generate", name, "orders:read"], &place[..]].concat(), &[]));
    }
    let said = out(&audit(&["verify"]));
    assert!(said.starts_with("3 rows in 1 chains, all as they were written.") && said.contains("{\"end\":"), "{said}");
    let path = |name: &str| ground.folder.path().join(name).to_str().expect("a path").to_owned();
    let (file, ends, tampered) = (path("trail"), path("ends"), path("tampered"));
    std::fs::write(&ends, &said).expect("written");
    out(&audit(&["export", "--to", &file]));
    let text = std::fs::read_to_string(&file).expect("an export");
    assert_eq!(out(&audit(&["export"])), text);
    assert!(out(&audit(&["verify", &file, "--ends", &ends])).starts_with("3 rows"));
    std::fs::write(&tampered, text.replacen("three", "four", 1)).expect("written");
    let output = audit(&["verify", &tampered]);
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(told.starts_with("row 3 of chain 0 (") && told.lines().count() == 1, "{told}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("1 faults in 3 rows"), "{output:?}");
    out(&run(&[&["token", "revoke", "two"], &place[..]].concat(), &[]));
    assert!(out(&audit(&["verify", "--ends", &ends])).starts_with("4 rows"), "it has grown, and begins as it did");
    assert!(complaint(&audit(&["verify", "/nowhere/at/all"])).contains("/nowhere/at/all cannot be used"));
}
