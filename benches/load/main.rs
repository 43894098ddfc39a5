//! The load program: what a delivery, a connection and a durable update cost, measured on the real server.
//!
//! `cargo bench --bench load -- SCENARIO…` (all when none is named). It stays on the loopback, stops by itself, and
//! fails when anything is lost, doubled, out of order or refused. The server runs as a child process on one core, this
//! program on another; what the server is compared with runs on the server's core in the same run. Every figure is a
//! median of three with the three beside it. It needs two cores, 20,000 file descriptors, and for `deliver` and `updates` the
//! Debian package postgresql.

mod deliver;
mod latency;
mod machine;
mod postgres;
mod raw;
mod server;
mod slow;
mod storm;
mod swarm;
mod table;
mod traffic;
mod updates;
mod wire;

use std::time::Duration;

use anyhow::Result;
use clap::{Parser, ValueEnum};

/// How often each figure is measured.
const RUNS: usize = 3;

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Scenario {
    /// CPU per delivery and memory per idle connection, against a raw send loop
    Deliver,
    /// Durable updates a second over HTTP, against the database loop
    Updates,
    /// Time from POST to delivery at a steady rate
    Latency,
    /// Everyone reconnects at once and resumes
    Storm,
    /// Some readers stop reading
    Slow,
}

/// A database engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Engine {
    /// SQLite
    Sqlite,
    /// PostgreSQL
    Postgres,
}

/// A part of the load program that runs as a child process.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Part {
    Raw,
    Database,
}

/// Measures the server under load.
#[derive(Parser)]
struct Load {
    /// What to measure [default: everything]
    scenarios: Vec<Scenario>,
    /// WebSocket connections
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// A hundredth of everything but connections, to try the program itself
    #[arg(long)]
    quick: bool,
    /// Only this engine in `updates`; in `deliver` this one [default: PostgreSQL]
    #[arg(long)]
    engine: Option<Engine>,
    #[arg(long, hide = true)]
    part: Option<Part>,
    #[arg(long, hide = true, default_value_t = 0)]
    frame: usize,
    /// Cargo says this to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

impl Load {
    /// A count, or a hundredth of it.
    fn less(&self, count: usize) -> usize {
        if self.quick { count.div_ceil(100) } else { count }
    }

    /// Seconds, or a tenth of them.
    fn seconds(&self, seconds: f64) -> f64 {
        if self.quick { seconds / 10.0 } else { seconds }
    }

    /// How long connections idle before their memory is read.
    fn rest(&self) -> Duration {
        Duration::from_secs_f64(self.seconds(2.0))
    }
}

fn main() -> Result<()> {
    let load = Load::parse();
    match load.part {
        Some(Part::Raw) => return raw::run(load.connections, load.frame),
        Some(Part::Database) => return updates::loop_alone(load.connections),
        None => machine::settle()?,
    }
    let mut table = table::Table::default();
    let named = |scenario: &Scenario| load.scenarios.is_empty() || load.scenarios.contains(scenario);
    for scenario in Scenario::value_variants().iter().filter(|scenario| named(scenario)) {
        match scenario {
            Scenario::Deliver => deliver::run(&load, &mut table)?,
            Scenario::Updates => updates::run(&load, &mut table)?,
            Scenario::Latency => latency::run(&load, &mut table)?,
            Scenario::Storm => storm::run(&load, &mut table)?,
            Scenario::Slow => slow::run(&load, &mut table)?,
        }
    }
    table.print();
    Ok(())
}
