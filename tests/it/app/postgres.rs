//! PostgreSQL clusters of the tests' own: in a folder of their own, on a free port, gone with the test program.
//!
//! `fsync` is off (a killed server loses nothing by that, only a killed machine would), everything else is as in
//! production. Tests that stop and start the server take a cluster for themselves; all others share one and get a
//! database each.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};

use super::folder;
use super::guarded::{Guarded, Program, as_user, free_port, require};

const PACKAGE: &str = "postgresql";

/// One cluster, running unless stopped.
pub struct Cluster {
    folder: PathBuf,
    port: u16,
    /// The last one runs unless it was crashed; the first deletes the folder.
    servers: Vec<Guarded>,
    made: AtomicU32,
}

impl Cluster {
    /// The cluster all tests share that do not stop it.
    pub fn shared() -> &'static Self {
        static SHARED: LazyLock<Cluster> = LazyLock::new(Cluster::start);
        &SHARED
    }

    /// Makes and starts a cluster.
    pub fn start() -> Self {
        let initdb = program("initdb");
        require(&initdb, PACKAGE);
        let folder = said(as_user(Some("postgres")).args(["mktemp", "-d", &folder::shared_pattern()]));
        let folder = PathBuf::from(folder.trim());
        let settings = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"];
        said(as_user(Some("postgres")).arg(initdb).args(settings).arg("-D").arg(&folder));
        let mut cluster = Self { folder, port: 0, servers: Vec::new(), made: AtomicU32::new(0) };
        for _ in 0..5 {
            // Someone else may take the port between the look and the start; then another one is tried.
            cluster.port = free_port();
            match cluster.run() {
                Ok(()) => return cluster,
                Err(said) => eprintln!("PostgreSQL did not start: {said}"),
            }
        }
        panic!("PostgreSQL did not start five times");
    }

    fn run(&mut self) -> Result<(), String> {
        let path = program("postgres");
        let server = Program {
            path: &path,
            package: PACKAGE,
            signal: "QUIT",
            user: Some("postgres"),
            folder: self.servers.is_empty().then(|| self.folder.clone()),
        };
        let folder = self.folder.to_string_lossy();
        let mut arguments = vec!["-D".to_owned(), folder.to_string(), "-p".to_owned(), self.port.to_string()];
        let settings = [
            "listen_addresses=127.0.0.1",
            &format!("unix_socket_directories={folder}"),
            "fsync=off",
            "max_connections=400",
            "shared_buffers=64MB",
            "logging_collector=off",
            "lc_messages=C",
        ];
        arguments.extend(settings.iter().flat_map(|setting| ["-c".to_owned(), (*setting).to_owned()]));
        let ready = |line: &str| line.contains("database system is ready to accept connections").then_some(());
        let (server, ()) = Guarded::start(&server, &arguments, ready)?;
        self.servers.push(server);
        Ok(())
    }

    /// Kills the server as a crash would (`kill -9` of all its processes) without starting it again.
    pub fn crash(&self) {
        let file = self.folder.join("postmaster.pid");
        let text = said(as_user(Some("postgres")).arg("cat").arg(file));
        let pid = text.lines().next().expect("postmaster.pid begins with the process");
        // Its children end at once by themselves when they see that the postmaster is gone.
        said(as_user(Some("postgres")).args(["kill", "-s", "KILL", pid]));
    }

    /// Starts the server again on the same port after a crash; it recovers from its log first.
    pub fn restart(&mut self) {
        let mut last = String::new();
        for _ in 0..200 {
            match self.run() {
                Ok(()) => return,
                // A child of the crashed server may hold the shared memory a moment longer.
                Err(said) => last = said,
            }
        }
        panic!("PostgreSQL did not start again: {last}");
    }

    /// The address of one of its databases.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// Makes an empty database and returns its address.
    pub async fn database(&self) -> String {
        let name = format!("test_{}", self.made.fetch_add(1, Ordering::Relaxed));
        self.execute("postgres", &format!("CREATE DATABASE {name}")).await;
        self.url(&name)
    }

    /// Runs statements in one of its databases.
    pub async fn execute(&self, database: &str, statements: &str) {
        let (client, connection) =
            tokio_postgres::connect(&self.url(database), tokio_postgres::NoTls).await.expect("a connection");
        let driver = tokio::spawn(connection);
        client.batch_execute(statements).await.unwrap_or_else(|error| panic!("{statements}: {error:?}"));
        drop(client);
        driver.await.expect("the driver ends").expect("the connection ended well");
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The first one deletes the folder, so it goes last.
        while self.servers.pop().is_some() {}
    }
}

/// Runs a command to its end and returns what it said; ends the test when it failed.
fn said(command: &mut std::process::Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A program of the newest PostgreSQL on this machine.
fn program(name: &str) -> PathBuf {
    let root = Path::new("/usr/lib/postgresql");
    let versions = root.read_dir().into_iter().flatten().flatten().filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        entry.path().join("bin/initdb").exists().then_some(version)
    });
    root.join(versions.max().unwrap_or(15).to_string()).join("bin").join(name)
}

#[tokio::test]
async fn a_cluster_starts_and_makes_databases_apart() {
    let cluster = Cluster::shared();
    let (one, two) = (cluster.database().await, cluster.database().await);
    assert_ne!(one, two);
    let name = one.rsplit('/').next().and_then(|tail| tail.split('?').next()).expect("a name");
    cluster.execute(name, "CREATE TABLE a (b int); INSERT INTO a VALUES (1)").await;
}

#[tokio::test]
async fn a_crashed_cluster_comes_back_with_what_was_committed() {
    let mut cluster = Cluster::start();
    cluster.execute("postgres", "CREATE TABLE a (b int); INSERT INTO a VALUES (1)").await;
    cluster.crash();
    cluster.restart();
    cluster.execute("postgres", "DO $$ BEGIN ASSERT (SELECT count(*) FROM a) = 1; END $$").await;
}
