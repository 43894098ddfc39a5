//! What a delivery costs, and what an idle connection holds: the server against the raw send loop, in turns.
//!
//! A delivery costs what an update of a watched order costs more than one of an order that nobody watches, divided by the
//! watchers. Both are measured in the same run, on the same database, with all connections open: unwatched, watched,
//! unwatched again, and the mean of the two is taken off, so that neither the database's growth nor the machine's mood
//! counts as delivery. The row "with the request and its commit in it" takes nothing off. The database is PostgreSQL: its
//! work is not the server's, so that what is taken off is small; an update on SQLite costs more CPU than its two
//! deliveries, and differs by as much from one run to the next. The readers of both never sleep (`Swarm::is_sleepless`).

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rand::seq::index::sample;

use super::machine::{cpu, memory};
use super::postgres::Cluster;
use super::raw::Raw;
use super::server::{Place, Seeds, Server};
use super::swarm::Swarm;
use super::table::{Table, spread};
use super::traffic::{PATIENCE, Traffic};
use super::{Engine, Load, RUNS};

/// Orders of many rooms that get an event at once: by one request in one transaction, so that the commits are the same
/// with watchers and without. Single requests fall into other groups as soon as deliveries come between them, and that
/// costs more than the deliveries.
const AT_ONCE: usize = 500;
/// Requests under way at once before the measuring; while it lasts there is one.
const POSTERS: usize = 64;
/// What is put off (a batch of counts, a look at time-outs) is done within this time, and belongs to what caused it.
const AFTERWARDS: Duration = Duration::from_millis(500);
/// Length of the note, which makes the frame about 250 bytes long.
const NOTE: usize = 30;

/// One shape of load.
struct Shape {
    name: &'static str,
    rooms: usize,
    goal: f64,
    /// Times each room (one room), or groups of [`AT_ONCE`] rooms (many), get an event.
    rounds: usize,
}

impl Shape {
    /// Rooms that get an event at once. The orders behind the rooms, as many again, are not watched by anybody.
    fn pick(&self) -> Vec<usize> {
        if self.rooms == 1 { vec![0] } else { sample(&mut rand::rng(), self.rooms, AT_ONCE.min(self.rooms)).into_vec() }
    }
}

/// One room with every connection, then rooms of two.
pub fn run(load: &Load, table: &mut Table) -> Result<()> {
    let rooms = load.connections / 2;
    shape(load, &Shape { name: "one room", rooms: 1, goal: 1.3, rounds: load.less(30) }, table)?;
    shape(load, &Shape { name: "rooms of two", rooms, goal: 1.45, rounds: load.less(80) }, table)
}

fn shape(load: &Load, shape: &Shape, table: &mut Table) -> Result<()> {
    let cluster = (load.engine != Some(Engine::Sqlite)).then(Cluster::start).transpose()?;
    let place = Place::new(cluster.as_ref().map(Cluster::database).transpose()?)?;
    let seeds = place.seed(2 * shape.rooms, shape.rooms)?;
    let server = Server::start(&place)?;
    let (mut floors, mut updates, mut results) = (Vec::new(), Vec::new(), Vec::new());
    let mut frame = 250;
    let mut traffic = Traffic::new(server.address, &seeds)?;
    traffic.swarm.is_sleepless = true;
    traffic.add_posters(POSTERS)?;
    // Everything that is made once is made before it is measured.
    traffic.look_at_all()?;
    traffic.drop_posters();
    measure(&server, &mut traffic, shape, 5, 0)?;
    for run in 0..RUNS {
        let before = memory(server.pid())?;
        let watchers = watch(load, shape, &mut traffic)?;
        if run == 0 {
            let held = (memory(server.pid())?.saturating_sub(before)) as f64 / load.connections as f64;
            let figure = format!("{held:.0} bytes");
            table.row(&format!("{}: memory per idle connection", title(load, shape)), figure, "<= 13312, on to 2048");
        }
        let earlier = measure(&server, &mut traffic, shape, shape.rounds, 0)?;
        results.push(measure(&server, &mut traffic, shape, shape.rounds, load.connections / shape.rooms)?);
        let later = measure(&server, &mut traffic, shape, shape.rounds, 0)?;
        eprintln!("an unwatched update: {earlier:.1} us before, {later:.1} us after");
        updates.push(f64::midpoint(earlier, later));
        traffic.check(&watchers)?;
        frame = traffic.swarm.frame_length;
        traffic.swarm.cut(watchers.into_iter().map(|(who, _)| who));
        floors.push(floor(load, shape, frame)?);
    }
    report(load, shape, table, &floors, &updates, &results);
    eprintln!("frame of {frame} bytes");
    Ok(())
}

fn title(load: &Load, shape: &Shape) -> String {
    match shape.rooms {
        1 => format!("one room x {}", load.connections),
        rooms => format!("{rooms} {}", shape.name),
    }
}

fn report(load: &Load, shape: &Shape, table: &mut Table, floors: &[f64], updates: &[f64], results: &[f64]) {
    let per_update = (load.connections / shape.rooms) as f64;
    let own: Vec<f64> = results.iter().zip(updates).map(|(all, post)| (all - post) / per_update).collect();
    let ratio = |values: &[f64]| values.iter().zip(floors).map(|(value, floor)| value / floor).collect::<Vec<_>>();
    let whole: Vec<f64> = results.iter().map(|all| all / per_update).collect();
    let title = title(load, shape);
    table.row(&format!("{title}: raw send loop, CPU per delivery"), format!("{} us", spread(floors, 2)), "");
    table.row(&format!("{title}: CPU per delivery"), format!("{} us", spread(&own, 2)), "");
    table.row(
        &format!("{title}: CPU per delivery against the raw loop"),
        spread(&ratio(&own), 2),
        &format!("<= {}", shape.goal),
    );
    table.row(&format!("{title}: CPU of a durable update nobody watches"), format!("{} us", spread(updates, 1)), "");
    let whole = spread(&ratio(&whole), 2);
    table.row(&format!("{title}: the same with the request and its commit in it"), whole, "");
}

/// Connects the watchers; each with its order.
fn watch(load: &Load, shape: &Shape, traffic: &mut Traffic<'_>) -> Result<Vec<(usize, usize)>> {
    let orders: Vec<usize> = (0..load.connections).map(|at| at % shape.rooms).collect();
    let watchers = traffic.add_watchers(orders.iter().copied())?;
    let end = Instant::now() + load.rest();
    while Instant::now() < end {
        traffic.turn(Duration::from_millis(50))?;
    }
    Ok(watchers.into_iter().zip(orders).collect())
}

/// Microseconds of CPU of the server per update, each delivered to so many watchers; without any, of unwatched orders.
fn measure(server: &Server, traffic: &mut Traffic<'_>, shape: &Shape, rounds: usize, watchers: usize) -> Result<f64> {
    traffic.add_posters(1)?;
    let before = cpu(server.pid())?;
    let mut posted = 0_u64;
    // Without watchers an update is cheap: more of them, or the clock is too coarse.
    let rounds = if watchers == 0 && shape.rooms == 1 { rounds * 50 } else { rounds };
    let first = if watchers == 0 { shape.rooms } else { 0 };
    for _ in 0..rounds {
        let due = traffic.delivered;
        let picked: Vec<usize> = shape.pick().into_iter().map(|room| first + room).collect();
        match picked.as_slice() {
            [one] => traffic.note(*one, NOTE)?,
            many => traffic.note_all(many, NOTE)?,
        }
        posted += picked.len() as u64;
        traffic.settle(due + (picked.len() * watchers) as u64)?;
    }
    let end = Instant::now() + AFTERWARDS;
    while Instant::now() < end {
        traffic.turn(Duration::from_millis(50))?;
    }
    let spent = cpu(server.pid())?.saturating_sub(before);
    traffic.drop_posters();
    Ok(spent.as_secs_f64() * 1e6 / posted as f64)
}

/// Microseconds of CPU per delivery of the raw loop in the same shape.
fn floor(load: &Load, shape: &Shape, frame: usize) -> Result<f64> {
    let mut raw = Raw::start(load.connections, frame)?;
    let mut swarm = readers(load, &raw)?;
    raw.ready()?;
    let before = cpu(raw.pid())?;
    let mut due = 0;
    for _ in 0..shape.rounds {
        let picked = if shape.rooms == 1 { Vec::new() } else { shape.pick() };
        let sends = if picked.is_empty() { load.connections } else { picked.len() * 2 };
        raw.send(&picked)?;
        due += sends as u64;
        let begin = Instant::now();
        while swarm.bare_bytes < due * frame as u64 {
            swarm.turn(Duration::from_millis(100))?;
            ensure!(begin.elapsed() < PATIENCE, "the raw loop is stuck");
        }
    }
    let spent = cpu(raw.pid())?.saturating_sub(before);
    Ok(spent.as_secs_f64() * 1e6 / due as f64)
}

/// Readers of the raw loop, each of them greeted: connecting faster than it accepts would overflow the kernel's queue.
fn readers(load: &Load, raw: &Raw) -> Result<Swarm> {
    let mut swarm = Swarm::new()?;
    swarm.is_sleepless = true;
    for at in 1..=load.connections {
        swarm.bare(raw.address)?;
        let (begin, ahead) = (Instant::now(), if at == load.connections { 0 } else { 64 });
        while swarm.bare_bytes + ahead < at as u64 {
            swarm.turn(Duration::from_millis(100))?;
            ensure!(begin.elapsed() < PATIENCE, "the raw loop takes no connections");
        }
    }
    swarm.bare_bytes = 0;
    Ok(swarm)
}

/// Seeds of a scenario that needs rooms of two.
pub fn rooms_of_two(load: &Load, place: &Place) -> Result<Seeds> {
    place.seed(load.connections / 2, load.connections / 2)
}
