//! Server programs started by tests, which never outlive them, however the tests end.
//!
//! Between the test program and the server stands a shell that waits for the end of its own input. That end comes when
//! the handle is dropped and also when the test program is killed; the shell then stops the server and deletes its
//! folder. Nothing depends on a destructor, so servers may live in statics.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use super::journal;

/// Runs a program in the background until input ends, stops it by a signal, then deletes the folder if one is given.
/// Interrupts from the terminal are left to the test program. The shell lets go of the output, so that it ends with the
/// server. A server of ours logs into a file of its own.
const GUARD: &str = r#"trap "" INT; signal=$1; folder=$2; log=$3; shift 3
if [ -n "$log" ]; then "$@" 2>"$log" & else "$@" 2>&1 & fi; server=$!
exec >/dev/null; cat; kill -s "$signal" "$server" 2>/dev/null; wait "$server"; [ -z "$folder" ] || rm -rf "$folder""#;

/// How long a server may take until it says that it is ready; far above what it takes on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(120);

/// A server program and how it is stopped.
pub struct Program<'a> {
    /// The program itself.
    pub path: &'a Path,
    /// The Debian package that brings it.
    pub package: &'a str,
    /// Signal that stops it, as `kill -s` names it.
    pub signal: &'a str,
    /// The user it runs as when the tests run as root; `None` for the same user.
    pub user: Option<&'a str>,
    /// Deleted once the program has stopped.
    pub folder: Option<PathBuf>,
}

/// A running server; stopped when dropped.
pub struct Guarded {
    guard: Child,
    input: Option<ChildStdin>,
}

impl Guarded {
    /// Starts the program and waits until a line of its output is one that `ready` takes something from.
    ///
    /// # Errors
    /// All it said, when it ended or stayed silent instead.
    pub fn start<T>(
        program: &Program<'_>,
        arguments: &[String],
        ready: impl Fn(&str) -> Option<T> + Send + 'static,
    ) -> Result<(Self, T), String>
    where
        T: Send + 'static,
    {
        require(program.path, program.package);
        let mut command = as_user(program.user);
        command.args(["sh", "-c", GUARD, "guard", program.signal]);
        command.arg(program.folder.as_deref().unwrap_or(Path::new("")));
        command.arg(if program.package == "ordercast" { journal::another() } else { PathBuf::new() });
        command.arg(program.path).args(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut guard = command.spawn().map_err(|error| error.to_string())?;
        let output = BufReader::new(guard.stdout.take().ok_or("no output")?);
        let input = guard.stdin.take();
        let guarded = Self { guard, input };

        let (tell, told) = sync_channel(1);
        std::thread::spawn(move || {
            let mut said = String::new();
            let mut tell = Some(tell);
            // Goes on to the end after the server is ready, so that it never blocks on a full pipe.
            for line in output.lines().map_while(Result::ok) {
                let Some(teller) = &tell else { continue };
                said += &line;
                said.push('\n');
                if let Some(found) = ready(&line) {
                    // Nobody listens any more only when the wait below has ended in a time-out.
                    drop(teller.send(Ok(found)));
                    tell = None;
                }
            }
            if let Some(teller) = tell {
                drop(teller.send(Err(said)));
            }
        });
        match told.recv_timeout(READY_WITHIN) {
            Ok(answer) => answer.map(|found| (guarded, found)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                Err(format!("{} was not ready within {READY_WITHIN:?}", program.path.display()))
            }
        }
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        drop(self.input.take());
        // The shell has nothing left to wait for; a failure here must not hide the test's own.
        if let Err(error) = self.guard.wait() {
            eprintln!("a guarded server could not be waited for: {error}");
        }
    }
}

/// A command that runs what follows as that user when the tests run as root (PostgreSQL refuses root), else unchanged.
pub fn as_user(user: Option<&str>) -> Command {
    let root = std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
    match user {
        Some(user) if root => {
            let mut command = Command::new("setpriv");
            command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--init-groups", "--"]);
            command
        }
        _ => Command::new("env"),
    }
}

/// Ends the test with the name of the missing Debian package unless the program is there.
pub fn require(program: &Path, package: &str) {
    assert!(
        program.exists(),
        "{} is missing: install the Debian package {package}, or run tests/run",
        program.display()
    );
}

/// A port of 127.0.0.1 nobody listened on a moment ago.
pub fn free_port() -> u16 {
    let probe = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    probe.local_addr().expect("its address").port()
}
