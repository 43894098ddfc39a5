//! The database, on either engine: tables as the schema says, migrations in turns and back, transactions whole or not.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::channel;
use std::time::Duration;

use diesel::sql_types::Text;
use futures_util::future::join_all;
use ordercast::base::{Clock, Error, Result};
use ordercast::db::{Conn, Db};
use ordercast::load;

use crate::rows::{number, run};
use crate::still_app::Ground;

/// One column: its table, its name, its type, `not null` or nothing.
type Column = (String, String, String, String);

/// The engine's folder of migrations, in order.
fn migrations(db: &Db) -> Vec<PathBuf> {
    let engine = if db.engine() == "sqlite" { "sqlite" } else { "postgres" };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(engine);
    let mut folders: Vec<PathBuf> =
        root.read_dir().expect("migrations").map(|entry| entry.expect("an entry").path()).collect();
    folders.sort();
    folders
}

/// The texts a statement selects as `a`, `b`, `c` and `d`.
async fn texts(db: &Db, sql: &'static str) -> Vec<Column> {
    #[derive(diesel::QueryableByName)]
    struct Row {
        #[diesel(sql_type = Text)]
        a: String,
        #[diesel(sql_type = Text)]
        b: String,
        #[diesel(sql_type = Text)]
        c: String,
        #[diesel(sql_type = Text)]
        d: String,
    }
    let rows = db.read(move |conn| Box::pin(async move { Ok(load!(conn, Row, diesel::sql_query(sql))?) })).await;
    rows.expect(sql).into_iter().map(|row| (row.a, row.b, row.c, row.d)).collect()
}

/// What the schema file says: columns, and the primary key of each table.
fn schema(engine: &str) -> (Vec<Column>, BTreeMap<String, String>) {
    let (mut columns, mut keys) = (Vec::new(), BTreeMap::new());
    let tables = include_str!("../../src/db/schema.rs").split("diesel::table! {").skip(1);
    let money = include_str!("../../src/db/schema_money.rs").split("diesel::table! {").skip(1);
    for table in tables.chain(money) {
        let head = table.lines().map(str::trim).find(|line| line.ends_with('{') || line.contains(") {"));
        let (name, rest) = head.and_then(|head| head.split_once(" (")).expect("a table");
        keys.insert(name.to_owned(), rest.split_once(')').expect("a key").0.to_owned());
        let body = table.split_once(") {").expect("a body").1.split_once('}').expect("its end").0;
        let mut renamed = None;
        for part in body.split_inclusive([',', ']']).map(|part| part.trim().trim_end_matches(',')) {
            if let Some(name) = part.strip_prefix("#[sql_name = \"") {
                renamed = Some(name.trim_end_matches("\"]").to_owned());
            } else if let Some((column, kind)) = part.split_once(" -> ") {
                let plain = kind.strip_prefix("Nullable<").and_then(|kind| kind.strip_suffix('>'));
                let not_null = if plain.is_some() { "" } else { "not null" };
                let kind = sql_type(engine, plain.unwrap_or(kind)).to_owned();
                columns.push((name.to_owned(), renamed.take().unwrap_or(column.to_owned()), kind, not_null.to_owned()));
            }
        }
    }
    columns.sort();
    (columns, keys)
}

fn sql_type(engine: &str, kind: &str) -> &'static str {
    match (engine, kind) {
        ("sqlite", "Id" | "Binary") => "BLOB",
        ("sqlite", "Text") => "TEXT",
        ("sqlite", "Instant" | "BigInt" | "Integer") => "INTEGER",
        (_, "Id") => "uuid",
        (_, "Binary") => "bytea",
        (_, "Text") => "text",
        (_, "Instant") => "timestamptz",
        (_, "BigInt") => "int8",
        (_, "Integer") => "int4",
        (_, other) => panic!("{other} is not known here"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tables_are_what_the_schema_says() {
    let ground = Ground::lay().await;
    let app = ground.build(&[], Clock::System).await;
    let db = &app.parts.db;
    let (columns, keys) = schema(db.engine());
    assert!(columns.len() > 80 && keys.len() >= 10, "the schema was read: {columns:?}");
    let (real, real_keys) = match db.engine() {
        "sqlite" => (
            "SELECT m.name AS a, p.name AS b, p.type AS c, CASE p.\"notnull\" WHEN 1 THEN 'not null' ELSE '' END AS d \
             FROM sqlite_master m, pragma_table_info(m.name) p WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' \
             AND m.name NOT LIKE '\\_\\_diesel%' ESCAPE '\\'",
            "SELECT a, group_concat(name, ', ') AS b, '' AS c, '' AS d FROM (SELECT m.name AS a, p.name, p.pk \
             FROM sqlite_master m, pragma_table_info(m.name) p WHERE m.type = 'table' AND p.pk > 0 \
             ORDER BY m.name, p.pk) GROUP BY a",
        ),
        _ => (
            "SELECT table_name::text AS a, column_name::text AS b, udt_name::text AS c, \
             CASE is_nullable WHEN 'NO' THEN 'not null' ELSE '' END AS d FROM information_schema.columns \
             WHERE table_schema = 'public' AND table_name NOT LIKE '\\_\\_diesel%'",
            "SELECT t.table_name::text AS a, string_agg(k.column_name, ', ' ORDER BY k.ordinal_position) AS b, \
             '' AS c, '' AS d FROM information_schema.table_constraints t JOIN information_schema.key_column_usage k \
             USING (constraint_schema, constraint_name) WHERE t.constraint_type = 'PRIMARY KEY' \
             AND t.table_schema = 'public' GROUP BY 1",
        ),
    };
    let mut real = texts(db, real).await;
    real.sort();
    assert_eq!(real, columns);
    let mut real_keys: BTreeMap<String, String> =
        texts(db, real_keys).await.into_iter().map(|(table, key, _, _)| (table, key)).collect();
    real_keys.retain(|table, _| !table.starts_with("__diesel"));
    assert_eq!(real_keys, keys);
}

/// Everything the migrations have made, in words.
async fn made(db: &Db) -> Vec<Column> {
    let mut all = match db.engine() {
        "sqlite" => {
            texts(
                db,
                "SELECT type AS a, name AS b, coalesce(sql, '') AS c, '' AS d FROM sqlite_master \
                 WHERE tbl_name NOT LIKE '\\_\\_diesel%' ESCAPE '\\'",
            )
            .await
        }
        _ => {
            texts(
                db,
                "SELECT 'column' AS a, table_name || '.' || column_name AS b, udt_name || ' ' || is_nullable AS c, \
                 coalesce(collation_name, '') AS d FROM information_schema.columns WHERE table_schema = 'public' \
                 AND table_name NOT LIKE '\\_\\_diesel%' \
                 UNION ALL SELECT 'index', indexname, indexdef, '' FROM pg_indexes WHERE schemaname = 'public' \
                 AND tablename NOT LIKE '\\_\\_diesel%' \
                 UNION ALL SELECT 'constraint', conname::text, pg_get_constraintdef(c.oid), '' FROM pg_constraint c \
                 JOIN pg_class t ON t.oid = c.conrelid WHERE c.connamespace = 'public'::regnamespace \
                 AND t.relname NOT LIKE '\\_\\_diesel%'",
            )
            .await
        }
    };
    all.sort();
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_migration_makes_it_takes_away_and_makes_again() {
    let ground = Ground::lay().await;
    let app = ground.build(&[], Clock::System).await;
    let db = &app.parts.db;
    let before = made(db).await;
    assert!(before.len() > 15, "{before:?}");
    // There is a company in it by now: taking away must bear rows.
    for folder in migrations(db).iter().rev() {
        let sql = std::fs::read_to_string(folder.join("down.sql")).expect("down.sql");
        batch(db, sql).await.unwrap_or_else(|error| panic!("{}: {error:?}", folder.display()));
    }
    assert_eq!(made(db).await, []);
    run(db, "DELETE FROM __diesel_schema_migrations").await;
    db.migrate().await.expect("made again");
    assert_eq!(made(db).await, before);
    db.migrate().await.expect("nothing to do");
    let done = number(db, "SELECT count(*) AS n FROM __diesel_schema_migrations").await;
    assert_eq!(done, i64::try_from(migrations(db).len()).expect("a count"));
}

async fn batch(db: &Db, sql: String) -> Result<()> {
    if let Db::Postgres { pool, .. } = db {
        let mut conn = pool.get().await.expect("a connection");
        return Ok(diesel_async::SimpleAsyncConnection::batch_execute(&mut *conn, &sql).await?);
    }
    db.transact(move |conn| {
        Box::pin(async move {
            match conn {
                Conn::Sqlite(conn) => Ok(diesel::connection::SimpleConnection::batch_execute(&mut **conn, &sql)?),
                Conn::Postgres(_) => Err(Error::internal("not the engine")),
            }
        })
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn six_instances_that_start_at_once_on_an_empty_database_take_turns() {
    let ground = Ground::lay().await;
    let folder = ground.folder.path();
    let start = |_| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ordercast"));
        command.env_clear().args(["migrate", "--database-url", &ground.database_url, "--data-dir"]).arg(folder);
        command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
        command.spawn().expect("a process")
    };
    let processes: Vec<_> = (0..6).map(start).collect();
    // And six more inside one process, which then also make the shop.
    let apps = join_all((0..6).map(|_| ground.build(&["--database-pool", "3"], Clock::System))).await;
    for process in processes {
        let output = process.wait_with_output().expect("its end");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let db = &apps[0].parts.db;
    let done = number(db, "SELECT count(*) AS n FROM __diesel_schema_migrations").await;
    assert_eq!(done, i64::try_from(migrations(db).len()).expect("a count"));
    assert_eq!(number(db, "SELECT count(*) AS n FROM companies").await, 1);
}

/// Adds a company inside a transaction.
async fn add_company(conn: &mut Conn, slug: String) -> Result<()> {
    let sql = format!(
        "INSERT INTO companies (id, name, slug, created_at) SELECT {}, name, '{slug}', created_at FROM companies \
         WHERE slug = 'shop'",
        match conn {
            Conn::Sqlite(_) => "randomblob(16)",
            Conn::Postgres(_) => "gen_random_uuid()",
        }
    );
    let done = ordercast::execute!(conn, diesel::sql_query(sql))?;
    assert_eq!(done, 1);
    Ok(())
}

async fn companies(db: &Db) -> i64 {
    number(db, "SELECT count(*) AS n FROM companies WHERE slug <> 'shop'").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_transaction_whose_caller_goes_away_half_way_is_whole_all_the_same() {
    let ground = Ground::lay().await;
    let app = ground.build(&[], Clock::System).await;
    let db = app.parts.db.clone();
    let (half, at_half) = tokio::sync::oneshot::channel();
    let (go_on, told) = channel();
    let (end, ended) = tokio::sync::oneshot::channel();
    let transaction = db.transact(move |conn| {
        Box::pin(async move {
            add_company(conn, "first-half".into()).await?;
            half.send(()).expect("somebody listens");
            told.recv_timeout(Duration::from_secs(60)).expect("told to go on");
            add_company(conn, "second-half".into()).await?;
            end.send(()).expect("somebody listens");
            Ok(())
        })
    });
    tokio::select! {
        biased;
        _ = transaction => panic!("it waits for us"),
        _ = at_half => {}
    }
    // The caller has gone. Nobody sees a half of it; then it is there as a whole.
    assert_eq!(companies(&db).await, 0);
    go_on.send(()).expect("it listens");
    ended.await.expect("it went on to its end");
    let whole = async { while companies(&db).await == 0 {} };
    tokio::time::timeout(Duration::from_secs(60), whole).await.expect("it was committed");
    assert_eq!(companies(&db).await, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_body_that_errs_or_panics_leaves_nothing_and_the_pool_usable() {
    let ground = Ground::lay().await;
    let app = ground.build(&["--database-pool", "2"], Clock::System).await;
    let db = &app.parts.db;
    for turn in 0..8 {
        let erring = db.transact(move |conn| {
            Box::pin(async move {
                add_company(conn, format!("erring-{turn}")).await?;
                Err::<(), _>(Error::conflict("no", "No"))
            })
        });
        assert!(matches!(erring.await, Err(Error::Conflict(_))));
        let panicking = db.transact(move |conn| {
            Box::pin(async move {
                add_company(conn, format!("panicking-{turn}")).await?;
                panic!("a body that panics, as this test wants");
                #[expect(unreachable_code, reason = "names the type of the result")]
                Ok(())
            })
        });
        assert!(matches!(panicking.await, Err(Error::Internal(_))));
        let reading = db.read(|_| Box::pin(async { panic!("a reading body that panics, as this test wants") }));
        assert!(matches!(reading.await, Err::<(), _>(Error::Internal(_))));
        assert_eq!(companies(db).await, 0);
    }
    db.transact(|conn| Box::pin(add_company(conn, "fine".into()))).await.expect("the pool is usable");
    assert_eq!(companies(db).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_a_reading_body_cannot_write() {
    let ground = Ground::lay().await;
    let app = ground.build(&[], Clock::System).await;
    let Db::Sqlite { .. } = app.parts.db else { return };
    let wrote = app.parts.db.read(|conn| Box::pin(add_company(conn, "by-reading".into()))).await;
    assert!(matches!(wrote, Err(Error::Internal(_))), "{wrote:?}");
}
