//! Redis servers of the tests' own: one alone, a master with a replica and a Sentinel, a cluster of three.
//!
//! They keep nothing on disk but a cluster's map, listen on free ports of 127.0.0.1, and die with the test process.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{LazyLock, Mutex, mpsc};
use std::time::Duration;

use tempfile::TempDir;

use super::folder;
use super::guarded::{Guarded, Program, free_port};

/// Generous, since it only bounds how long a broken test hangs.
const DEADLINE: Duration = Duration::from_secs(60);

/// One server process.
pub struct Server {
    port: u16,
    arguments: Vec<String>,
    child: Child,
    lines: mpsc::Receiver<String>,
    folder: TempDir,
}

impl Server {
    /// A server alone, ready to serve.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// A server with further settings, each as on the command line: `--requirepass`, `x`.
    pub fn start_with(settings: &[&str]) -> Self {
        let port = free_port();
        let mut arguments = vec!["redis-server".to_owned(), "--port".to_owned(), port.to_string()];
        arguments.extend(["--save", "", "--appendonly", "no", "--bind", "127.0.0.1"].map(str::to_owned));
        arguments.extend(settings.iter().map(|&setting| setting.to_owned()));
        Self::run(port, arguments, folder::fresh(), "Ready to accept connections")
    }

    fn run(port: u16, arguments: Vec<String>, folder: TempDir, ready: &str) -> Self {
        let (child, lines) = spawn(&arguments, folder.path());
        let server = Self { port, arguments, child, lines, folder };
        server.wait_for(ready);
        server
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its `REDIS_URL`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Waits until its log says this.
    pub fn wait_for(&self, text: &str) {
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(line) if line.contains(text) => return,
                Ok(_) => {}
                Err(error) => panic!("{:?} did not say {text:?}: {error}", self.arguments),
            }
        }
    }

    /// Kills it as a power cut would.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Starts it again on the same port, in the same folder.
    pub fn restart(&mut self) {
        (self.child, self.lines) = spawn(&self.arguments, self.folder.path());
        self.wait_for("Ready to accept connections");
    }

    /// Stops it (`STOP`: it neither answers nor closes anything) or lets it go on (`CONT`).
    pub fn signal(&self, name: &str) {
        run(Command::new("kill").arg(format!("-{name}")).arg(self.child.id().to_string()));
    }

    /// Gives it a command by redis-cli and returns what it prints.
    pub fn command(&self, words: &[&str]) -> String {
        run(Command::new("redis-cli").arg("-p").arg(self.port.to_string()).args(words))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok(); // it may be dead already, which is what some tests are about
        self.child.wait().ok();
    }
}

/// A master, its replica, and the Sentinel that watches them.
pub struct Watched {
    /// The master to begin with.
    pub master: Server,
    /// What the Sentinel makes the master when that one dies.
    pub replica: Server,
    /// Decides alone, within a second.
    pub sentinel: Server,
}

impl Watched {
    /// All three, the replica in step with its master.
    pub fn start() -> Self {
        let master = Server::start_with(&["--repl-diskless-sync-delay", "0"]);
        let replica = Server::start_with(&["--replicaof", &format!("127.0.0.1 {}", master.port)]);
        replica.wait_for("Finished with success");
        let folder = folder::fresh();
        let (port, file) = (free_port(), folder.path().join("sentinel.conf"));
        let watch = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 3000\n",
            master.port
        );
        std::fs::write(&file, watch).unwrap();
        let arguments = vec!["redis-server".to_owned(), file.display().to_string(), "--sentinel".to_owned()];
        let sentinel = Server::run(port, arguments, folder, "+slave slave");
        Self { master, replica, sentinel }
    }

    /// Its `REDIS_URL`.
    pub fn url(&self) -> String {
        format!("redis+sentinel://127.0.0.1:{}/main", self.sentinel.port)
    }
}

/// Three masters that share the slots.
pub struct Cluster {
    /// The masters, by the slots they begin with.
    pub nodes: Vec<Server>,
}

impl Cluster {
    /// All three, agreed on who serves what.
    pub fn start() -> Self {
        let nodes: Vec<_> = (0..3)
            .map(|_| {
                let bus = free_port().to_string();
                Server::start_with(&[
                    "--cluster-enabled",
                    "yes",
                    "--cluster-port",
                    &bus,
                    "--cluster-node-timeout",
                    "2000",
                ])
            })
            .collect();
        let mut create = Command::new("redis-cli");
        create.args(["--cluster", "create"]).args(nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)));
        run(create.arg("--cluster-yes"));
        for node in &nodes {
            node.wait_for("Cluster state changed: ok");
        }
        Self { nodes }
    }

    /// Its `REDIS_URL`: one node is enough to find the others.
    pub fn url(&self) -> String {
        format!("redis+cluster://127.0.0.1:{}", self.nodes[0].port)
    }
}

/// The `REDIS_URL` of the one server all instances under test share that do not stop it; each test has its own prefix.
pub fn shared() -> &'static str {
    static SHARED: LazyLock<(Guarded, String)> = LazyLock::new(|| {
        let folder = folder::fresh().keep(); // the guard deletes it, which a static would not
        let port = free_port().to_string();
        let path = Path::new("/usr/bin/redis-server");
        let program =
            Program { path, package: "redis-server", signal: "KILL", user: None, folder: Some(folder.clone()) };
        let arguments = ["--port", &port, "--save", "", "--bind", "127.0.0.1", "--dir", &folder.to_string_lossy()];
        let ready = |line: &str| line.contains("Ready to accept connections").then_some(());
        let (server, ()) = Guarded::start(&program, &arguments.map(str::to_owned), ready).unwrap();
        (server, format!("redis://127.0.0.1:{port}"))
    });
    &SHARED.1
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; {PACKAGES}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?} said {text} {}", String::from_utf8_lossy(&output.stderr));
    text
}

const PACKAGES: &str = "these tests need the Debian packages redis-server and redis-sentinel";

type Order = (Command, mpsc::SyncSender<std::io::Result<Child>>);

/// The kernel kills the servers when the thread that started them ends, so one that lasts starts them all.
static KEEPER: LazyLock<Mutex<mpsc::Sender<Order>>> = LazyLock::new(|| {
    let (sender, orders) = mpsc::channel::<Order>();
    std::thread::spawn(move || {
        for (mut command, reply) in orders {
            reply.send(command.spawn()).ok(); // a test that has failed meanwhile asks for nothing more
        }
    });
    Mutex::new(sender)
});

fn spawn(arguments: &[String], folder: &Path) -> (Child, mpsc::Receiver<String>) {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]).args(arguments).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let (reply, answer) = mpsc::sync_channel(1);
    KEEPER.lock().unwrap().send((command, reply)).unwrap();
    let mut child = answer.recv().unwrap().unwrap_or_else(|error| panic!("setpriv: {error}; {PACKAGES}"));
    let output = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = mpsc::channel();
    // Reads to the end, or a full pipe would stop the server.
    std::thread::spawn(move || output.lines().map_while(Result::ok).for_each(|line| drop(sender.send(line))));
    (child, lines)
}
