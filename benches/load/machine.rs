//! What the machine is asked for and asked about: cores, file descriptors, CPU time and memory of a process.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};

/// The core of whatever is measured: the server, the raw loop, the database loop.
pub const MEASURED_CORE: &str = "0";
/// The core of the load program.
pub const LOAD_CORE: &str = "1";

/// Pins this process to the load's core and lets it have as many file descriptors as it may.
pub fn settle() -> Result<()> {
    let pid = std::process::id().to_string();
    ensure!(std::thread::available_parallelism()?.get() >= 2, "two cores are needed: one for each side");
    run(Command::new("taskset").args(["--all-tasks", "--cpu-list", "--pid", LOAD_CORE, &pid]))?;
    let limits = std::fs::read_to_string("/proc/self/limits")?;
    let files = limits.lines().find(|line| line.starts_with("Max open files")).context("no limit of files")?;
    let hard = files.split_whitespace().nth(4).context("no hard limit of files")?;
    run(Command::new("prlimit").args([format!("--pid={pid}"), format!("--nofile={hard}:{hard}")]))
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?} (Debian package util-linux)"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

/// A command whose process runs on these cores only and is killed when this program ends.
pub fn pinned(cores: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "taskset", "--cpu-list", cores]);
    command
}

/// CPU time of a process so far: all its threads, also those that have ended. The kernel counts in 10 ms.
pub fn cpu(pid: u32) -> Result<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, rest) = text.rsplit_once(')').context("/proc/PID/stat")?;
    let ticks = |at: usize| rest.split_whitespace().nth(at).and_then(|field| field.parse::<u64>().ok());
    let (user, system) = ticks(11).zip(ticks(12)).context("/proc/PID/stat")?;
    Ok(Duration::from_millis((user + system) * 10))
}

/// Private memory of a process in bytes.
pub fn memory(pid: u32) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = text.lines().find(|line| line.starts_with("RssAnon:")).context("RssAnon")?;
    let kib: u64 = line.split_whitespace().nth(1).context("RssAnon")?.parse()?;
    Ok(kib * 1024)
}
