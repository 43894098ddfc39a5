//! Instances that are built but not served: nothing happens in them unasked, so a test may count what is left to do.

use std::path::Path;

use clap::Parser;
use ordercast::app::App;
use ordercast::base::{Actor, Clock};
use ordercast::config::Config;
use ordercast::orders::{NewOrder, Order};
use tempfile::TempDir;

use crate::app::postgres::Cluster;
use crate::app::{Stack, folder, journal};

/// The party that acts in tests.
pub const TESTS: Actor = Actor::System("tests");

/// A database of a test's own, and the folder beside it.
pub struct Ground {
    /// Holds keys, mail and, on SQLite, the database.
    pub folder: TempDir,
    /// The database's address.
    pub database_url: String,
}

#[derive(Parser)]
struct Flags {
    #[command(flatten)]
    config: Config,
}

impl Ground {
    /// An empty database on the engine of this run.
    pub async fn lay() -> Self {
        let folder = folder::fresh();
        let database_url = match Stack::of_this_run() {
            Stack::Postgres => Cluster::shared().database().await,
            Stack::Sqlite => format!("sqlite:{}", folder.path().join("db").display()),
        };
        Self { folder, database_url }
    }

    /// Settings for this ground; further flags win.
    pub fn config(&self, flags: &[&str]) -> Config {
        config(self.folder.path(), &self.database_url, flags)
    }

    /// An instance on it; there may be several.
    pub async fn build(&self, flags: &[&str], clock: Clock) -> App {
        journal::start();
        App::build(self.config(flags), clock).await.expect("an app")
    }
}

/// Settings with a folder and a database.
pub fn config(folder: &Path, database_url: &str, flags: &[&str]) -> Config {
    let folder = folder.to_str().expect("a path in UTF-8");
    let own = ["ordercast", "--bind", "127.0.0.1:0", "--data-dir", folder, "--database-url", database_url];
    Flags::parse_from(own.into_iter().chain(flags.iter().copied())).config.load().expect("settings")
}

/// A new order of the instance's own shop.
pub async fn order(app: &App, new: NewOrder) -> Order {
    let company = app.parts.companies.first().await.expect("the shop").id;
    app.parts.orders.create(TESTS, NewOrder { company, ..new }, None).await.expect("an order").order
}
