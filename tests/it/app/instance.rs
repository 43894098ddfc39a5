//! The built program as child processes of a test, to be killed without warning and started again.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::guarded::free_port;
use super::postgres::Cluster;
use super::test_app::Stack;
use super::{folder, journal, redis};

/// What the instances of one deployment share, and where they listen.
pub struct Deployment {
    /// Holds their keys; removed with them.
    _folder: TempDir,
    flags: Vec<String>,
    instances: Vec<(u16, Option<Child>)>,
    /// Where each logs; kept after the test.
    logs: Vec<std::path::PathBuf>,
}

impl Deployment {
    /// On the stack of this run: one instance on SQLite, two on PostgreSQL and Redis.
    pub async fn on_this_stack() -> Self {
        match Stack::of_this_run() {
            Stack::Sqlite => {
                let folder = folder::fresh();
                let database = format!("sqlite:{}", folder.path().join("db").display());
                Self::start(folder, &database, None, 1)
            }
            Stack::Postgres => Self::pair(&Cluster::shared().database().await, redis::shared()),
        }
    }

    /// Two instances over a PostgreSQL database and a Redis.
    pub fn pair(database: &str, redis: &str) -> Self {
        Self::start(folder::fresh(), database, Some(redis), 2)
    }

    fn start(folder: TempDir, database: &str, redis: Option<&str>, count: usize) -> Self {
        let mut flags = vec![format!("--database-url={database}"), format!("--data-dir={}", folder.path().display())];
        if let Some(redis) = redis {
            flags.extend([format!("--redis-url={redis}"), format!("--redis-prefix={}:", uuid::Uuid::now_v7())]);
        }
        let mut deployment = Self { _folder: folder, flags, instances: Vec::new(), logs: Vec::new() };
        for nth in 0..count {
            deployment.instances.push((free_port(), None));
            deployment.logs.push(journal::another());
            deployment.start_instance(nth);
        }
        deployment
    }

    /// Where the instances listen: `127.0.0.1:1234`. The addresses outlive every crash.
    pub fn addresses(&self) -> Vec<String> {
        self.instances.iter().map(|(port, _)| format!("127.0.0.1:{port}")).collect()
    }

    /// A token made by the command line.
    pub fn token(&self, scopes: &str) -> String {
        let name = uuid::Uuid::now_v7().to_string();
        let said = self.command(&["token", "generate", &name, scopes]);
        let token = said.lines().last().expect("the token on the last line");
        journal::secret(token);
        token.to_owned()
    }

    /// What a command of the operator says that succeeds.
    pub fn command(&self, arguments: &[&str]) -> String {
        let done = self.program().args(arguments).args(&self.flags).output().expect("the program runs");
        let said = String::from_utf8(done.stdout).expect("UTF-8");
        assert!(done.status.success(), "{said}{}", String::from_utf8_lossy(&done.stderr));
        said
    }

    /// Runs a command of the program on the deployment, to its end.
    pub fn run(&self, command: &[&str]) -> std::process::Output {
        self.program().args(command).args(&self.flags).output().expect("the program runs")
    }

    /// Kills an instance (`kill -9`): nothing is finished, nothing is said.
    pub fn kill(&mut self, nth: usize) {
        let mut child = self.instances[nth].1.take().expect("a running instance");
        child.kill().expect("it can be killed");
        child.wait().expect("it has ended");
    }

    /// Tells an instance to stop (`kill -TERM`), and says how it ended.
    pub fn end(&mut self, nth: usize) -> std::process::ExitStatus {
        let mut child = self.instances[nth].1.take().expect("a running instance");
        let told = Command::new("kill").arg("-TERM").arg(child.id().to_string()).status().expect("kill runs");
        assert!(told.success());
        child.wait().expect("it has ended")
    }

    /// Starts an instance on its address and waits until it listens.
    pub fn start_instance(&mut self, nth: usize) {
        let port = self.instances[nth].0;
        let log = std::fs::File::options().create(true).append(true).open(&self.logs[nth]).expect("a log");
        let mut command = self.program();
        command.args([
            "serve",
            "--log-check=1",
            "--rate-api=1000000",
            "--rate-public=1000000",
            "--rate-live=1000000",
            "--workers=2",
        ]);
        command.args(&self.flags).arg(format!("--bind=127.0.0.1:{port}"));
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines().map_while(Result::ok);
        let up = lines.any(|line| line.starts_with("Ordercast listens on"));
        // Reads on to the end, so that the instance never meets a closed or full pipe.
        std::thread::spawn(move || lines.for_each(drop));
        self.instances[nth].1 = Some(child);
        assert!(up, "instance {nth} did not start: {}", self.logs());
    }

    /// What all instances have logged, for the message of a failed test.
    pub fn logs(&self) -> String {
        let read = |nth| std::fs::read_to_string(&self.logs[nth]).unwrap_or_default();
        (0..self.instances.len()).map(|nth| format!("--- instance {nth}\n{}", read(nth))).collect()
    }

    /// The program, killed by the kernel should the test's thread end without ending it.
    fn program(&self) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", env!("CARGO_BIN_EXE_ordercast")]).stdin(Stdio::null());
        command
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        for child in self.instances.iter_mut().filter_map(|(_, child)| child.as_mut()) {
            child.kill().ok(); // it may have ended by itself, which the test has then noticed
            child.wait().ok();
        }
    }
}
