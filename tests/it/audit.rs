//! The audit trail: every change is in it, and whoever changes it afterwards is found out.

use futures_util::future::join_all;
use ordercast::audit::chain::Head;
use ordercast::audit::{self, examine};
use ordercast::base::{Actor, Clock};
use ordercast::db::Db;
use ordercast::orders::{Change, NewOrder, OrderRef};
use reqwest::Method;
use serde_json::{Value, json};

use crate::app::TestApp;
use crate::app::caller::Caller;
use crate::app::people::{JOHN, merchant, signed_in, with_mail};
use crate::rows::{number, run};
use crate::still_app::Ground;

const TESTS: Actor = Actor::System("tests");

async fn faults(db: &Db, noted: &[Head]) -> Vec<String> {
    examine::database(db, noted.to_vec()).await.expect("an examination").faults
}

/// An instance with a trail of so many changes of one order, and more.
async fn with_trail(changes: usize) -> TestApp {
    let app = TestApp::start().await;
    let (order, _) = app.order(NewOrder::default()).await;
    app.note(&order, changes, "a note").await;
    app
}

/// The bytes of a chain's ends and rows, kept aside and brought back.
async fn keep(db: &Db) {
    for table in ["audit_log", "audit_chains"] {
        run(db, &format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}")).await;
    }
}

async fn bring_back(db: &Db) {
    for table in ["audit_log", "audit_chains"] {
        run(db, &format!("DELETE FROM {table}")).await;
        run(db, &format!("INSERT INTO {table} SELECT * FROM kept_{table}")).await;
    }
}

#[tokio::test]
async fn a_single_byte_a_missing_an_added_or_a_moved_row_is_named() {
    let app = with_trail(8).await;
    let db = &app.parts.db;
    assert_eq!(faults(db, &[]).await, Vec::<String>::new());
    keep(db).await;
    let last = number(db, "SELECT max(n) AS n FROM audit_log WHERE lane = 0").await;
    assert!(last >= 9, "{last}");
    let (byte, id) = match db.engine() {
        "sqlite" => ("x'00'", "randomblob(16)"),
        _ => ("'\\x00'::bytea", "gen_random_uuid()"),
    };
    let columns = "at, actor_kind, actor_name, subject, subject_id, action, detail";
    let copy = format!("INSERT INTO audit_log (id, {columns}, lane, n, previous, hash) SELECT {id}, {columns}");
    for (tampering, told) in [
        (
            "UPDATE audit_log SET detail = replace(detail, 'a note 2', 'a note 3') WHERE n = 4".into(),
            "row 4 of chain 0 (",
        ),
        ("UPDATE audit_log SET actor_name = 'Tests' WHERE n = 4".into(), "row 4 of chain 0 ("),
        ("UPDATE audit_log SET company_id = NULL WHERE n = 4".into(), "row 4 of chain 0 ("),
        ("UPDATE audit_log SET request_id = '' WHERE n = 4".into(), "row 4 of chain 0 ("),
        (format!("UPDATE audit_log SET id = {id} WHERE n = 4"), "row 4 of chain 0 ("),
        (format!("UPDATE audit_log SET hash = {byte} WHERE n = 4"), "row 4 of chain 0 ("),
        (format!("UPDATE audit_log SET previous = {byte} WHERE n = 4"), "row 4 of chain 0 ("),
        ("DELETE FROM audit_log WHERE n = 4".into(), "rows 4 to 4 of chain 0 are missing"),
        ("DELETE FROM audit_log WHERE n = 1".into(), "rows 1 to 1 of chain 0 are missing"),
        (format!("DELETE FROM audit_log WHERE n = {last}"), "are missing at its end"),
        ("DELETE FROM audit_log".into(), "rows 1 to "),
        (format!("{copy}, NULL, NULL, NULL, NULL FROM audit_log WHERE n = 4"), "stands in no chain"),
        (format!("{copy}, 77, 1, previous, hash FROM audit_log WHERE n = 4"), "stands in no chain"),
        (format!("{copy}, lane, {last} + 1, previous, hash FROM audit_log WHERE n = 4"), "stand behind its end"),
        (format!("{copy}, lane, 0, previous, hash FROM audit_log WHERE n = 4"), "before the first"),
        (
            "UPDATE audit_log SET n = CASE n WHEN 4 THEN -5 ELSE -4 END WHERE n IN (4, 5)".into(),
            "rows 4 to 5 of chain 0",
        ),
        ("UPDATE audit_chains SET n = n - 1 WHERE lane = 0".into(), "stand behind its end"),
        (format!("UPDATE audit_chains SET hash = {byte} WHERE lane = 0"), "another than the one that ended its chain"),
        ("DELETE FROM audit_chains WHERE lane = 0".into(), "stands in no chain"),
    ] {
        run(db, &tampering).await;
        let found = faults(db, &[]).await;
        assert!(found.iter().any(|fault| fault.contains(told)), "{tampering}: {found:#?}");
        if told == "row 4 of chain 0 (" && !tampering.contains(byte) {
            assert_eq!(found.len(), 1, "that row and no other: {tampering}: {found:#?}");
        }
        bring_back(db).await;
        assert_eq!(faults(db, &[]).await, Vec::<String>::new(), "after {tampering}");
    }
    // Two rows change places: both are named.
    let swap = "UPDATE audit_log SET detail = (SELECT k.detail FROM kept_audit_log k WHERE k.n = 9 - audit_log.n) \
                WHERE n IN (4, 5)";
    run(db, swap).await;
    let found = faults(db, &[]).await;
    assert!(found.len() == 2 && found[0].contains("row 4 of") && found[1].contains("row 5 of"), "{found:#?}");
}

#[tokio::test]
async fn a_trail_cut_short_with_its_end_is_told_by_an_end_noted_elsewhere() {
    let app = with_trail(5).await;
    let db = &app.parts.db;
    let noted = examine::database(db, vec![]).await.expect("an examination").heads;
    run(db, "DELETE FROM audit_log WHERE n > 3").await;
    let cut = "UPDATE audit_chains SET n = 3, hash = (SELECT hash FROM audit_log l WHERE l.lane = 0 AND l.n = 3) \
               WHERE lane = 0";
    run(db, cut).await;
    assert_eq!(faults(db, &[]).await, Vec::<String>::new(), "nothing inside can tell");
    let found = faults(db, &noted).await;
    assert!(found.len() == 1 && found[0].contains("rows 4 to"), "{found:?}");
}

#[tokio::test]
async fn two_instances_that_write_at_once_keep_the_chains_whole() {
    let (one, two) = TestApp::pair().await;
    let orders = [one.order(NewOrder::default()).await.0, two.order(NewOrder::default()).await.0];
    let before = number(&one.parts.db, "SELECT count(*) AS n FROM audit_log").await;
    let work = (0..48).map(|nth| {
        let (app, order) = (if nth % 2 == 0 { &one } else { &two }, &orders[nth / 2 % 2]);
        async move {
            for round in 0..5 {
                let change = Change { notes: Some(format!("{nth} {round}")), ..Change::default() };
                app.parts.orders.advance(TESTS, OrderRef::Id(order.id), change, None).await.expect("a change");
                if round == 0 {
                    app.token("orders:read").await;
                }
            }
        }
    });
    join_all(work).await;
    let db = &one.parts.db;
    let report = examine::database(db, vec![]).await.expect("an examination");
    assert_eq!(report.faults, Vec::<String>::new());
    let rows = number(db, "SELECT count(*) AS n FROM audit_log").await;
    assert_eq!(rows - before, 48 * 6, "each change is in it once");
    assert_eq!(report.rows, u64::try_from(rows).expect("a count"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_of_before_is_given_its_places_at_the_next_start() {
    let ground = Ground::lay().await;
    let app = ground.build(&[], Clock::System).await;
    let db = &app.parts.db;
    for n in 0..3 {
        crate::still_app::order(&app, NewOrder { number: Some(format!("E-{n}")), ..NewOrder::default() }).await;
    }
    let (empty, zero) =
        if db.engine() == "sqlite" { ("x''", "zeroblob(32)") } else { ("''", "decode(repeat('00', 32), 'hex')") };
    run(db, "UPDATE audit_log SET lane = NULL, n = NULL, previous = NULL, hash = NULL").await;
    run(db, &format!("UPDATE audit_chains SET n = 0, hash = CASE lane WHEN -1 THEN {empty} ELSE {zero} END")).await;
    let found = faults(db, &[]).await;
    assert!(!found.is_empty() && found.iter().all(|fault| fault.contains("when it starts")), "{found:?}");
    let again = ground.build(&[], Clock::System).await;
    crate::still_app::order(&again, NewOrder { number: Some("E-9".into()), ..NewOrder::default() }).await;
    assert_eq!(faults(db, &[]).await, Vec::<String>::new());
    let earlier = number(db, "SELECT count(*) AS n FROM audit_log WHERE lane = -1").await;
    assert!(earlier >= 3, "{earlier}");
    run(db, "UPDATE audit_log SET detail = '{}' WHERE lane = -1 AND n = 2").await;
    let found = faults(db, &[]).await;
    assert!(found.len() == 1 && found[0].contains("row 2 of chain -1 ("), "{found:?}");
    // A row that claims to be of before, afterwards.
    run(db, "UPDATE audit_log SET lane = NULL, n = NULL WHERE lane = -1 AND n = 3").await;
    audit::seal_earlier(db).await.expect("a database");
    let found = faults(db, &[]).await;
    assert!(
        found.iter().any(|fault| fault.contains("stands in no chain: it was not written by the server")),
        "{found:?}"
    );
}

#[tokio::test]
async fn an_export_is_examined_without_the_database() {
    let app = with_trail(4).await;
    let mut file = Vec::new();
    examine::write(&app.parts.db, &mut file).await.expect("written");
    let text = String::from_utf8(file).expect("text");
    let look = |text: &str| examine::export(text.as_bytes(), vec![]).expect("an examination");
    let report = look(&text);
    assert_eq!((report.faults.len(), report.rows), (0, 5), "{report:?}");
    assert!(text.lines().all(|line| serde_json::from_str::<Value>(line).is_ok_and(|line| line.is_object())), "{text}");
    let found = look(&text.replacen("a note 2", "a note 3", 1)).faults;
    assert!(found.len() == 1 && found[0].starts_with("row "), "{found:?}");
    // Whichever byte of a line is another, something is named.
    let line = text.lines().nth(2).expect("a line");
    for at in (0..line.len()).step_by(7) {
        let mut bytes = line.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
        let tampered = text.replacen(line, &String::from_utf8(bytes).expect("text"), 1);
        assert!(!look(&tampered).faults.is_empty(), "byte {at}");
    }
    let lines: Vec<&str> = text.lines().collect();
    let without = |gone: usize| {
        lines.iter().enumerate().filter(|(n, _)| *n != gone).map(|(_, line)| format!("{line}\n")).collect::<String>()
    };
    // Five rows, the end of the chain of before, and that of the first.
    for gone in [0, 1, 2, 3, 4, 6] {
        assert!(!look(&without(gone)).faults.is_empty(), "line {gone}");
    }
    let cut: String = lines[..5].iter().map(|line| format!("{line}\n")).collect();
    assert!(look(&cut).faults[0].contains("the ends of the chains are missing"));
    let noted = examine::noted(text.as_bytes()).expect("ends");
    assert_eq!(noted, report.heads);
    assert!(examine::noted("nothing\n".as_bytes()).is_err());
    assert_eq!(faults(&app.parts.db, &noted).await, Vec::<String>::new());
}

#[tokio::test]
async fn every_kind_of_change_is_in_the_trail_and_in_the_chain() {
    let (app, mut office, _) = with_mail().await;
    let db = &app.parts.db;
    let (_, company) = merchant(&app, JOHN).await;
    office.next().await;
    let admin = Caller::with(&app, "admin").await;
    let (john, _) = signed_in(&app, JOHN).await;
    let made = john.post("/api/v1/orders", &json!({"number": "A-1", "status": "pending"})).await;
    let id = made.body["id"].as_str().expect("an id").to_owned();
    john.post(&format!("/api/v1/orders/{id}/status"), &json!({"status": "packed"})).await;
    john.send(Method::PATCH, &format!("/api/v1/orders/{id}"), &json!({"notes": "x"})).await;
    john.post("/api/v1/company/webhook-secrets", &json!({})).await;
    john.send(Method::PUT, "/api/v1/inbound-statuses", &json!({"theirs": "on the van", "ours": "shipped"})).await;
    admin.post("/api/v1/tokens", &json!({"name": "erp", "scopes": ["orders:read"]})).await;
    admin.delete("/api/v1/tokens/erp").await;
    admin.post(&format!("/api/v1/admin/companies/{company}/suspend"), &json!({})).await;
    let page = admin.get("/api/v1/audit?limit=200").await;
    let actions: Vec<&str> =
        page.body["data"].as_array().expect("rows").iter().map(|row| row["action"].as_str().expect("a word")).collect();
    for action in [
        "account.registered",
        "session.opened",
        "order.created",
        "order.status_changed",
        "order.details_changed",
        "inbound_status.set",
        "api_token.created",
        "api_token.revoked",
    ] {
        assert!(actions.contains(&action), "{action}: {actions:?}");
    }
    assert!(actions.iter().any(|action| action.starts_with("webhook_secret.")), "{actions:?}");
    assert_eq!(number(db, "SELECT count(*) AS n FROM audit_log WHERE hash IS NULL").await, 0);
    assert_eq!(faults(db, &[]).await, Vec::<String>::new());
}

#[tokio::test]
async fn the_trail_is_filtered_and_paged_and_a_company_sees_its_own() {
    let app = with_trail(5).await;
    let (admin, reader) = (Caller::with(&app, "admin").await, Caller::with(&app, "audit:read").await);
    let own = {
        let (_, company) = merchant(&app, JOHN).await;
        let order = NewOrder { company, number: Some("J-1".into()), ..NewOrder::default() };
        app.parts.orders.create(TESTS, order, None).await.expect("an order");
        let new = ordercast::accounts::tokens::NewToken {
            name: "erp".into(),
            scopes: "audit:read".parse().expect("a scope"),
            company: Some(company),
            expires_at: None,
        };
        let token = app.parts.tokens.generate(TESTS, new).await.expect("a token").1;
        (company, Caller::bearing(&app, Some(token.expose())))
    };
    let data = |body: &Value| body["data"].as_array().expect("rows").clone();
    let all = data(&admin.get("/api/v1/audit/?limit=200").await.body);
    let (mut paged, mut path) = (Vec::new(), "/api/v1/audit?limit=3".to_owned());
    loop {
        let page = reader.get(&path).await;
        paged.extend(data(&page.body));
        let Some(next) = page.body["next"].as_str() else { break };
        assert!(page.header("link").contains(next), "{page:?}");
        path = format!("/api/v1/audit?limit=3&after={next}");
    }
    assert_eq!(paged, all);
    let count = async |query: &str| data(&admin.get(&format!("/api/v1/audit?limit=200&{query}")).await.body).len();
    assert_eq!(count("action=order.details_changed").await, 5);
    assert_eq!(count("subject=order").await, 7);
    assert_eq!(count("subject=order&actor=tests&actor_kind=system&action=order.created").await, 2);
    assert_eq!(count("actor=nobody").await, 0);
    assert_eq!(count(&format!("subject=order&company={}", own.0)).await, 1);
    assert_eq!(count("from=2020-01-01T00:00:00Z").await, all.len());
    assert_eq!(count("to=2020-01-01T00:00:00Z").await, 0);
    let mine = data(&own.1.get("/api/v1/audit").await.body);
    assert!(!mine.is_empty() && mine.iter().all(|row| row["company"] == json!(own.0)), "{mine:?}");
    assert_eq!(own.1.get("/api/v1/audit?company=shop").await.problem(), (403, "forbidden"));
    let (john, _) = signed_in(&app, JOHN).await;
    assert_eq!(john.get("/api/v1/audit").await.problem(), (403, "forbidden"));
    assert_eq!(Caller::with(&app, "orders:read").await.get("/api/v1/audit").await.status, 403);
    assert_eq!(admin.get("/api/v1/audit?colour=red").await.problem(), (400, "unknown_parameter"));
    assert_eq!(admin.get("/api/v1/audit?from=yesterday").await.problem().0, 400);
}
