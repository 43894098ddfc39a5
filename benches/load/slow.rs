//! Some readers of a busy room stop reading: the others must not notice, and the server must not grow.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::Load;
use super::machine::memory;
use super::server::{Place, Server};
use super::swarm::What;
use super::table::{Table, ms, share};
use super::traffic::{PATIENCE, Traffic};

const READERS: usize = 50;
const STOPPED: usize = 5;
/// Length of the note, in the manner of ENGINE's 2 KB messages.
const NOTE: usize = 1_800;
/// Updates a second; slow enough that none waits for the one before.
const RATE: f64 = 1_000.0;

/// Five of fifty stop reading while the order changes again and again, then read on.
pub fn run(load: &Load, table: &mut Table) -> Result<()> {
    let place = Place::new(None)?;
    let seeds = place.seed(1, 1)?;
    let server = Server::start(&place)?;
    let mut traffic = Traffic::new(server.address, &seeds)?;
    traffic.add_posters(8)?;
    let watchers = traffic.add_watchers(std::iter::repeat_n(0, READERS))?;
    let (stopped, reading) = watchers.split_at(STOPPED);
    let (count, name) = (load.less(10_000), format!("{READERS} readers of one order, 2 KB events"));
    let start = memory(server.pid())?;
    for (how, is_stopped) in [("all read", false), ("5 stop reading", true)] {
        if is_stopped {
            stopped.iter().try_for_each(|who| traffic.swarm.pause(*who, true))?;
        }
        let before = memory(server.pid())?;
        let (mut took, peak) = drive(&mut traffic, reading, count, server.pid())?;
        took.sort_unstable();
        let figure = format!("p50 {} p99 {}", ms(share(&took, 0.5)), ms(share(&took, 0.99)));
        table.row(&format!("{name}, {how}: delivery to the 45"), figure, "");
        let grown = |since: u64| peak.saturating_sub(since) as f64 / 1e6;
        let figure = format!("{:.1} MB, {:.1} MB since the start", grown(before), grown(start));
        table.row(&format!("{name}, {how}: the server grows by, in {count} updates"), figure, "");
    }
    let (complete, back) = read_on(&mut traffic, stopped)?;
    let whole: Vec<_> = reading.iter().map(|who| (*who, 0)).collect();
    traffic.check(&whole)?;
    let figure = format!("{complete} read on, {back} came back with their position; all complete");
    table.row(&format!("{name}: those who stopped"), figure, "0 lost");
    Ok(())
}

/// Changes the order at a steady rate, never before the readers have the change before. Says how long each delivery
/// took, and how large the server has been.
fn drive(traffic: &mut Traffic<'_>, reading: &[usize], count: usize, server: u32) -> Result<(Vec<Duration>, u64)> {
    let gap = Duration::from_secs_f64(1.0 / RATE);
    let (mut took, mut peak, mut next) = (Vec::with_capacity(count * READERS), 0, Instant::now());
    for at in 0..count {
        next = (next + gap).max(Instant::now());
        while Instant::now() < next {
            traffic.turn(next.saturating_duration_since(Instant::now()))?;
        }
        traffic.note(0, NOTE)?;
        let begin = Instant::now();
        let mut due = reading.len();
        while due > 0 || traffic.under_way() > 0 {
            for happened in traffic.turn(Duration::from_millis(100))? {
                if let What::Event(seq) = happened.what
                    && seq == traffic.seq[0]
                    && reading.contains(&happened.who)
                {
                    took.push(happened.at.duration_since(traffic.sent[0]));
                    due -= 1;
                }
            }
            ensure!(begin.elapsed() < PATIENCE, "the readers are stuck: {:?}", traffic.swarm.faults);
        }
        if at % 100 == 0 {
            peak = memory(server)?.max(peak);
        }
    }
    Ok((took, peak))
}

/// Lets the stopped ones read again. Each gets everything in order: on its connection or, where that was closed, by
/// coming back with its position. Says how many did without coming back, and how many had to.
fn read_on(traffic: &mut Traffic<'_>, stopped: &[usize]) -> Result<(usize, usize)> {
    // By connection: which of the stopped it serves, and where that one stands.
    let mut readers: HashMap<usize, (usize, i64)> = HashMap::new();
    for who in stopped {
        readers.insert(*who, (*who, traffic.swarm.position(*who).context("it had subscribed")?));
        traffic.swarm.pause(*who, false)?;
    }
    let (begin, mut came_back) = (Instant::now(), HashSet::new());
    while readers.values().any(|(_, position)| *position < traffic.seq[0]) {
        for happened in traffic.turn(Duration::from_millis(100))? {
            let Some((reader, position)) = readers.get_mut(&happened.who) else { continue };
            match happened.what {
                What::Event(seq) => *position = seq,
                What::Closed(code) => {
                    // Once for having stood still; whoever reads must not be closed.
                    ensure!(matches!(code, None | Some(4100)), "a slow reader was closed with {code:?}");
                    ensure!(came_back.insert(*reader), "a reader that came back was closed again at {position}");
                    let (reader, position) = (*reader, *position);
                    readers.remove(&happened.who);
                    let again = traffic.swarm.watch(traffic.server(), traffic.pass(0)?, Some(position))?;
                    readers.insert(again, (reader, position));
                }
                _ => {}
            }
        }
        ensure!(begin.elapsed() < PATIENCE, "stopped readers stand at {readers:?} of {}", traffic.seq[0]);
    }
    Ok((stopped.len() - came_back.len(), came_back.len()))
}
