//! A PostgreSQL cluster of its own: a folder under /tmp, a free port, `fsync` on, gone with the load program.
//!
//! Its processes may run on both cores, as a database beside the server would.

use std::cell::Cell;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, bail, ensure};

/// The cluster; stopped and deleted when dropped.
pub struct Cluster {
    folder: PathBuf,
    port: u16,
    server: Child,
    made: Cell<u32>,
}

impl Cluster {
    /// Makes and starts a cluster.
    pub fn start() -> Result<Self> {
        let folder = said(postgres_user().args(["mktemp", "-d", "/tmp/ordercast-load.XXXXXX"]))?;
        let folder = PathBuf::from(folder.trim());
        let made = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"];
        said(postgres_user().arg(program("initdb")?).args(made).arg("-D").arg(&folder))?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut command = postgres_user();
        command.args(["taskset", "--cpu-list", "0,1"]).arg(program("postgres")?).arg("-D").arg(&folder);
        command.args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1", "-c", "logging_collector=off"]);
        command.args(["-c", "lc_messages=C", "-c", "fsync=on", "-c", "synchronous_commit=on"]);
        command.args(["-c", &format!("unix_socket_directories={}", folder.display())]);
        let mut server = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let mut log = BufReader::new(server.stderr.take().context("no log")?);
        let mut line = String::new();
        while !line.contains("ready to accept connections") {
            line.clear();
            ensure!(log.read_line(&mut line)? > 0, "PostgreSQL did not start");
        }
        // Read to the end, or a full pipe would stop the server.
        std::thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Ok(Self { folder, port, server, made: Cell::new(0) })
    }

    /// Makes an empty database and returns its address.
    pub fn database(&self) -> Result<String> {
        let name = format!("load_{}", self.made.replace(self.made.get() + 1));
        let port = self.port.to_string();
        let make = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres", &name];
        said(postgres_user().arg(program("createdb")?).args(make))?;
        Ok(format!("postgres://postgres@127.0.0.1:{port}/{name}?sslmode=disable"))
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // INT asks for a fast shutdown.
        let pid = self.server.id().to_string();
        Command::new("kill").args(["-INT", &pid]).status().map(drop).unwrap_or_default();
        self.server.wait().map(drop).unwrap_or_default();
        std::fs::remove_dir_all(&self.folder).unwrap_or_default();
    }
}

/// A command as the user `postgres`, since PostgreSQL refuses root; it ends with this program.
fn postgres_user() -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "postgres", "--regid", "postgres", "--clear-groups", "--pdeathsig", "INT"]);
    command.current_dir("/tmp");
    command
}

fn said(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A program of the newest PostgreSQL on this machine.
fn program(name: &str) -> Result<PathBuf> {
    let root = Path::new("/usr/lib/postgresql");
    let versions = root.read_dir().into_iter().flatten().flatten();
    let newest = versions.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).max();
    match newest {
        Some(version) => Ok(root.join(version.to_string()).join("bin").join(name)),
        None => bail!("the Debian package postgresql is needed"),
    }
}
