//! The real server as a child process on its own core, and the data it begins with.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use ordercast::accounts::tokens::NewToken;
use ordercast::app::App;
use ordercast::base::{Actor, Clock};
use ordercast::config::Config;
use ordercast::orders::{NewOrder, Status};

use super::machine::{self, MEASURED_CORE};

/// Where a server keeps its data.
pub struct Place {
    /// Its folder: keys, kept mail, and the SQLite database.
    pub folder: tempfile::TempDir,
    /// PostgreSQL instead of SQLite.
    pub database: Option<String>,
}

/// The data a server begins with.
#[derive(Default)]
pub struct Seeds {
    /// A token that may update orders.
    pub token: String,
    /// Numbers of the orders.
    pub orders: Vec<String>,
    /// A tracking pass of each, as far as asked for.
    pub passes: Vec<String>,
}

#[derive(Parser)]
struct Settings {
    #[command(flatten)]
    config: Config,
}

/// The settings as the environment says.
pub fn from_environment() -> Result<Config> {
    Ok(Settings::try_parse_from(["load"])?.config.load()?)
}

impl Place {
    /// A fresh place.
    pub fn new(database: Option<String>) -> Result<Self> {
        Ok(Self { folder: tempfile::tempdir()?, database })
    }

    /// The settings of an instance in this place.
    pub fn config(&self) -> Result<Config> {
        let folder = self.folder.path().to_str().context("the folder's name")?;
        let mut words = vec!["load", "--data-dir", folder, "--bind", "127.0.0.1:0"];
        words.extend(self.database.iter().flat_map(|url| ["--database-url", url]));
        Ok(Settings::try_parse_from(words)?.config.load()?)
    }

    /// Fills the database with paid orders and passes for the first of them, and makes a token.
    pub fn seed(&self, orders: usize, passes: usize) -> Result<Seeds> {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let config = self.config()?;
        runtime.block_on(async move {
            let parts = App::build(config, Clock::System).await?.parts;
            let company = parts.companies.first().await?.id;
            let actor = Actor::System("load");
            let scopes = "orders:read,orders:write,orders:update_status".parse()?;
            let token = NewToken { name: "load".into(), scopes, company: None, expires_at: None };
            let (_, token) = parts.tokens.generate(actor.clone(), token).await?;
            let create = |at: usize| {
                let (verb, actor) = (parts.orders.clone(), actor.clone());
                let number = Some(format!("L-{at:06}"));
                let new = NewOrder { company, number, status: Some(Status::Paid), ..NewOrder::default() };
                async move { verb.create(actor, new, None).await }
            };
            let made = stream::iter(0..orders).map(create).buffered(256).try_collect::<Vec<_>>().await?;
            let link = |id| {
                let verb = Arc::new(parts.passes.clone());
                async move { verb.create(id, None).await.map(|(_, text)| text) }
            };
            let ids = made.iter().take(passes).map(|made| made.order.id);
            let passes = stream::iter(ids).map(link).buffered(64).try_collect().await?;
            let orders = made.into_iter().map(|made| made.order.number).collect();
            Ok(Seeds { token: token.expose().to_owned(), orders, passes })
        })
    }
}

/// The running server; killed when dropped.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Server {
    /// Starts the server on the measured core and waits until it listens.
    pub fn start(place: &Place) -> Result<Self> {
        let mut command = machine::pinned(MEASURED_CORE);
        let log = std::fs::File::create(place.folder.path().join("log"))?;
        command.arg(env!("CARGO_BIN_EXE_ordercast")).arg("serve").stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(log).current_dir(place.folder.path());
        let kept: Vec<_> = std::env::vars_os().filter(|(name, _)| name == "PATH").collect();
        command.env_clear().envs(kept).env("ORDERCAST_DATA_DIR", place.folder.path());
        command.envs(place.database.iter().map(|url| ("DATABASE_URL", url)));
        // What protects a server from one caller would be measured instead of the server.
        for limit in ["ORDERCAST_RATE_API", "ORDERCAST_RATE_PUBLIC", "ORDERCAST_RATE_LIVE"] {
            command.env(limit, "1000000000");
        }
        command.env("ORDERCAST_BIND", "127.0.0.1:0").env("ORDERCAST_WORKERS", "1").env("ORDERCAST_LOG", "warn");
        let mut child = command.spawn().context("starting the server")?;
        let output = child.stdout.take().context("no output")?;
        let address = listening(BufReader::new(output)).with_context(|| log_of(place.folder.path()))?;
        Ok(Self { child, address })
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

fn listening(mut output: BufReader<std::process::ChildStdout>) -> Result<SocketAddr> {
    let mut line = String::new();
    while output.read_line(&mut line)? > 0 {
        if let Some((_, address)) = line.rsplit_once("listens on http://") {
            let address = address.trim().parse()?;
            // Read to the end, or a full pipe would stop the server.
            std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
            return Ok(address);
        }
        line.clear();
    }
    bail!("the server did not say where it listens")
}

fn log_of(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
}
