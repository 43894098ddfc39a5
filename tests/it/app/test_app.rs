//! An instance of the app for one test: the real thing on a free port, with a database and a folder of its own.
//!
//! Every test is written once; `ORDERCAST_TEST_STACK` says whether it meets SQLite and the in-process bus or PostgreSQL
//! and Redis. Instances live on a runtime of their own, as in production, so that a test's own runtime may come and go.

use std::sync::{Arc, LazyLock, mpsc};
use std::time::Duration;

use clap::Parser;
use ordercast::accounts::tokens::NewToken;
use ordercast::app::App;
use ordercast::base::{Actor, Clock};
use ordercast::bus::LocalBus;
use ordercast::config::Config;
use ordercast::orders::{Change, NewOrder, Order, OrderRef};
use ordercast::web::Parts;
use serde_json::Value;
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use super::postgres::Cluster;
use super::{folder, journal, redis};

/// How long an instance may take to stop; only a broken one takes long.
const STOPS_WITHIN: Duration = Duration::from_secs(60);

/// Drives all instances of the test program.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
});

/// What a test runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stack {
    /// SQLite and the in-process bus.
    Sqlite,
    /// PostgreSQL and Redis.
    Postgres,
}

impl Stack {
    /// The one this run of the test program is for.
    pub fn of_this_run() -> Self {
        match std::env::var("ORDERCAST_TEST_STACK").as_deref() {
            Err(_) | Ok("" | "sqlite") => Self::Sqlite,
            Ok("postgres") => Self::Postgres,
            Ok(other) => panic!("ORDERCAST_TEST_STACK is sqlite or postgres, not {other}"),
        }
    }
}

/// What instances of one test share: folder, database, and a bus.
struct Ground {
    folder: TempDir,
    /// Joins the instances of one process when there is no Redis.
    local: LocalBus,
    flags: Vec<String>,
}

impl Ground {
    async fn lay() -> Self {
        let folder = folder::fresh();
        let flags = match Stack::of_this_run() {
            Stack::Sqlite => vec![format!("--database-url=sqlite:{}", folder.path().join("db").display())],
            Stack::Postgres => vec![
                format!("--database-url={}", Cluster::shared().database().await),
                format!("--redis-url={}", redis::shared()),
                format!("--redis-prefix={}:", uuid::Uuid::now_v7()),
            ],
        };
        Self { folder, local: LocalBus::new(), flags }
    }
}

/// One running instance; stopped when dropped.
pub struct TestApp {
    /// Where it listens, as `http://127.0.0.1:1234`.
    pub url: String,
    /// Its parts, to call verbs directly.
    pub parts: Parts,
    /// A client for it.
    pub http: reqwest::Client,
    ground: Arc<Ground>,
    stop: Option<(oneshot::Sender<()>, mpsc::Receiver<()>)>,
}

const TESTS: Actor = Actor::System("tests");

#[derive(Parser)]
#[command(args_override_self = true)]
struct Flags {
    #[command(flatten)]
    config: Config,
}

impl TestApp {
    /// An instance with a database of its own.
    pub async fn start() -> Self {
        Self::with(&[], Clock::System).await
    }

    /// An instance with further settings, as on the command line, and a clock.
    pub async fn with(flags: &[&str], clock: Clock) -> Self {
        Self::on(Arc::new(Ground::lay().await), flags, clock).await
    }

    /// Two instances over one database.
    pub async fn pair() -> (Self, Self) {
        let first = Self::start().await;
        let second = first.beside(&[], Clock::System).await;
        (first, second)
    }

    /// Another instance over the same database and folder, with settings of its own.
    pub async fn beside(&self, flags: &[&str], clock: Clock) -> Self {
        Self::on(Arc::clone(&self.ground), flags, clock).await
    }

    /// The folder of keys and papers.
    pub fn folder(&self) -> &std::path::Path {
        self.ground.folder.path()
    }

    async fn on(ground: Arc<Ground>, flags: &[&str], clock: Clock) -> Self {
        journal::start();
        let folder = ground.folder.path().to_str().expect("a path in UTF-8");
        let own = ["ordercast", "--bind", "127.0.0.1:0", "--workers", "2", "--drain", "0", "--data-dir", folder];
        let shared = ground.flags.iter().map(String::as_str);
        let config = Flags::parse_from(own.into_iter().chain(shared).chain(flags.iter().copied())).config;
        let config = config.load().expect("settings");
        let local = config.redis_url.is_none().then(|| Arc::new(ground.local.endpoint()));
        let built = RUNTIME.spawn(async move {
            match local {
                Some(bus) => App::build_on(bus, config, clock).await,
                None => App::build(config, clock).await,
            }
        });
        let app = built.await.expect("built").expect("an app");
        let url = format!("http://{}", app.address().expect("an address"));
        let parts = app.parts.clone();
        let (stop, stopped) = oneshot::channel();
        let (ended, end) = mpsc::channel();
        let kept = Arc::clone(&ground);
        RUNTIME.spawn(async move {
            let done = app.run_until(async { stopped.await.unwrap_or(()) }).await;
            drop(kept);
            ended.send(()).ok();
            done.expect("the instance served to its end");
        });
        Self { url, parts, http: reqwest::Client::new(), ground, stop: Some((stop, end)) }
    }

    /// A new API token with these scopes, comma-separated; it reaches all orders.
    pub async fn token(&self, scopes: &str) -> String {
        let name = uuid::Uuid::now_v7().to_string();
        let new = NewToken { name, scopes: scopes.parse().expect("scopes"), company: None, expires_at: None };
        let token = self.parts.tokens.generate(TESTS, new).await.expect("a token").1;
        journal::secret(token.expose());
        token.expose().to_owned()
    }

    /// A new order of the instance's own shop, and a tracking pass for it.
    pub async fn order(&self, new: NewOrder) -> (Order, String) {
        let company = self.parts.companies.first().await.expect("the shop").id;
        let made = self.parts.orders.create(TESTS, NewOrder { company, ..new }, None).await.expect("an order").order;
        let (_, pass) = self.parts.passes.create(made.id, None).await.expect("a pass");
        journal::secret(&pass);
        (made, pass)
    }

    /// Appends so many events to the order's log, one by one; how many watchers each was confirmed for.
    pub async fn note(&self, order: &Order, count: usize, text: &str) -> Vec<(u64, u64)> {
        let mut reached = Vec::new();
        for n in 0..count {
            let change = Change { notes: Some(format!("{text} {n}")), ..Change::default() };
            let done = self.parts.orders.advance(TESTS, OrderRef::Id(order.id), change, None).await.expect("a change");
            reached.push((done.reach.watchers, done.reach.delivered));
        }
        reached
    }

    /// Posts JSON with a token; the status and the answer's JSON.
    pub async fn post(&self, path: &str, token: &str, body: &Value) -> (u16, Value) {
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(token).json(body);
        let answer = request.send().await.expect("an answer");
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.json().await.expect("JSON");
        journal::answer(&headers, &body);
        (status, body)
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        let Some((stop, end)) = self.stop.take() else { return };
        // An instance that has already ended hears nothing, and has told so.
        stop.send(()).ok();
        if end.recv_timeout(STOPS_WITHIN).is_err() && !std::thread::panicking() {
            panic!("the instance did not stop");
        }
    }
}
