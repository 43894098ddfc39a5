//! How many updates a second are made durable over HTTP, against the database loop alone.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use ordercast::base::{Actor, Clock};
use ordercast::db::Db;
use ordercast::orders::workflow::Patience;
use ordercast::orders::{Announce, Change, OrderRef, Orders, Reach, Status, Telling};
use ordercast::telemetry::Metrics;
use ordercast::wallet::Terms;

use super::machine::{self, MEASURED_CORE, cpu};
use super::postgres::Cluster;
use super::server::{Place, Seeds, Server};
use super::table::{Table, median, spread};
use super::traffic::{PATIENCE, Traffic};
use super::{Load, RUNS};

/// Updates under way at any time.
const IN_FLIGHT: usize = 256;
/// The way of every order: real changes of status, as reference/004 sends them.
const STEPS: [Status; 6] =
    [Status::Confirmed, Status::Processing, Status::Packed, Status::Shipped, Status::OutForDelivery, Status::Delivered];

/// On SQLite, then on PostgreSQL.
pub fn run(load: &Load, table: &mut Table) -> Result<()> {
    if load.engine != Some(super::Engine::Postgres) {
        engine(load, "SQLite, synchronous=FULL", &mut || Place::new(None), table)?;
    }
    if load.engine != Some(super::Engine::Sqlite) {
        let cluster = Cluster::start()?;
        engine(load, "PostgreSQL, fsync on", &mut || Place::new(Some(cluster.database()?)), table)?;
    }
    Ok(())
}

fn engine(load: &Load, name: &str, place: &mut dyn FnMut() -> Result<Place>, table: &mut Table) -> Result<()> {
    let orders = load.less(10_000);
    let (mut loops, mut overs, mut costs, mut own) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        let here = place()?;
        here.seed(orders, 0)?;
        loops.push(database_loop(&here, orders)?);
        let here = place()?;
        let seeds = here.seed(orders, 0)?;
        let (rate, server, load) = over_http(&here, &seeds)?;
        overs.push(rate);
        costs.push(server);
        own.push(load);
    }
    let ratio: Vec<f64> = overs.iter().zip(&loops).map(|(over, alone)| over / alone).collect();
    table.row(&format!("{name}: durable updates/s, database loop alone"), spread(&loops, 0), "");
    table.row(&format!("{name}: durable updates/s over HTTP"), spread(&overs, 0), ">= 10000");
    table.row(&format!("{name}: over HTTP against the loop"), spread(&ratio, 2), "");
    let figure = format!("{:.0} us, load program {:.0} us", median(costs), median(own));
    table.row(&format!("{name}: CPU of the server per update"), figure, "");
    Ok(())
}

fn fields(step: Status) -> String {
    let carrier = if step == Status::Shipped { r#","carrier":"FedEx","trackingNumber":"986578788855""# } else { "" };
    format!(r#""status":"{}"{carrier}"#, step.code())
}

/// Updates a second over HTTP, and the CPU of server and load program per update in microseconds.
fn over_http(place: &Place, seeds: &Seeds) -> Result<(f64, f64, f64)> {
    let server = Server::start(place)?;
    let mut traffic = Traffic::new(server.address, seeds)?;
    traffic.add_posters(IN_FLIGHT)?;
    // The first requests open connections and prepare statements.
    for order in 0..seeds.orders.len().min(IN_FLIGHT) {
        traffic.note(order, 30)?;
    }
    traffic.settle(0)?;
    let (begin, before, own) = (Instant::now(), cpu(server.pid())?, cpu(std::process::id())?);
    for step in STEPS {
        let fields = fields(step);
        for order in 0..seeds.orders.len() {
            while !traffic.has_poster() || traffic.is_busy(order) {
                traffic.turn(PATIENCE)?;
            }
            traffic.update(order, &fields)?;
        }
    }
    traffic.settle(0)?;
    let count = (STEPS.len() * seeds.orders.len()) as f64;
    let each = |spent: Duration| spent.as_secs_f64() * 1e6 / count;
    let rate = count / begin.elapsed().as_secs_f64();
    let (spent, own) = (cpu(server.pid())?.saturating_sub(before), cpu(std::process::id())?.saturating_sub(own));
    traffic.check(&[])?;
    Ok((rate, each(spent), each(own)))
}

/// Updates a second of the loop, which runs as a child on the measured core.
fn database_loop(place: &Place, orders: usize) -> Result<f64> {
    let mut command = machine::pinned(MEASURED_CORE);
    command.arg(std::env::current_exe()?).args(["--part", "database"]).arg(format!("--connections={orders}"));
    command.env("ORDERCAST_DATA_DIR", place.folder.path());
    command.envs(place.database.iter().map(|url| ("DATABASE_URL", url)));
    let output = command.output().context("the database loop")?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    said.parse().with_context(|| format!("{said} {}", String::from_utf8_lossy(&output.stderr)))
}

/// The child's side: calls the verb itself, with as many under way as over HTTP, and prints updates a second.
pub fn loop_alone(orders: usize) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let config = super::server::from_environment()?;
    let rate = runtime.block_on(async move {
        let db = Db::open(&config)?;
        let nobody: Announce = Arc::new(|tellings| {
            for Telling { events, told } in tellings {
                told(vec![Reach::default(); events.len()]);
            }
            std::future::ready(()).boxed()
        });
        let together = (config.commit_group, config.commit_queue);
        let terms = Terms {
            hold_days: config.hold_days,
            release_every: std::time::Duration::from_secs(config.release_seconds.into()),
            release_at_once: config.release_at_once,
            payout_file_rows: config.payout_file_rows,
            commission_on_confirmation: config.commission_on_confirmation,
            release_on_confirmation: config.release_on_confirmation,
        };
        let verb = Orders::start(db, Clock::System, nobody, Metrics::new(), (terms, Patience::default()), together);
        let begin = Instant::now();
        for step in STEPS {
            let change = Change {
                status: Some(step),
                carrier: (step == Status::Shipped).then(|| "FedEx".into()),
                tracking_number: (step == Status::Shipped).then(|| "986578788855".into()),
                ..Change::default()
            };
            let advance = |at: usize| {
                let (verb, change) = (verb.clone(), change.clone());
                // A task each, as requests are.
                tokio::spawn(async move {
                    let target = OrderRef::Number(format!("L-{at:06}"));
                    verb.advance(Actor::System("load"), target, change, None).await.map(|done| done.event.is_some())
                })
            };
            let mut done = stream::iter(0..orders).map(advance).buffer_unordered(IN_FLIGHT);
            while let Some(done) = done.next().await {
                ensure!(done??, "an update changed nothing");
            }
        }
        Ok((STEPS.len() * orders) as f64 / begin.elapsed().as_secs_f64())
    })?;
    println!("{rate}");
    Ok(())
}
