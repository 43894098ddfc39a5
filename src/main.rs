//! The command line: serve, demo, and the commands of an operator.

use clap::{Parser, Subcommand};
use ordercast::app::App;
use ordercast::base::{Clock, Error, Keys, Result};
use ordercast::config::Config;
use ordercast::db::Db;

mod commands;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Real-time order tracking hub: one order update reaches every watching customer, live, and nothing is lost.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Config,
}

#[derive(Subcommand)]
enum Command {
    /// Serve (the default command)
    Serve {
        #[command(flatten)]
        config: Config,
    },
    /// Serve with a sample shop, orders and a simulated courier that moves them; prints a tracking page to open
    Demo {
        /// Seconds between the courier's steps
        #[arg(long, default_value_t = 4.0)]
        every: f64,
        #[command(flatten)]
        config: Config,
    },
    /// Bring the database's tables up to date, and stop
    Migrate {
        #[command(flatten)]
        config: Config,
    },
    /// Make, list and revoke API tokens
    Token {
        #[command(subcommand)]
        command: commands::token::Token,
    },
    /// Make people who run the platform, and give anybody a way back in
    Admin {
        #[command(subcommand)]
        command: commands::admin::Admin,
    },
    /// Look through the audit trail for whatever was tampered with, and export it
    Audit {
        #[command(subcommand)]
        command: commands::audit::Audit,
    },
    /// Prove that the ledger of vendors' money is right
    Wallet {
        #[command(subcommand)]
        command: commands::wallet::Wallet,
    },
    /// Print a new key for ORDERCAST_SECRET_KEY
    Keygen,
}

fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    let done = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Error::internal)
        .and_then(|runtime| runtime.block_on(run(cli)));
    match done {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ordercast: {}", commands::explain(&error));
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<()> {
    match cli.command.unwrap_or(Command::Serve { config: cli.serve }) {
        Command::Serve { config } => serve(config.load()?).await,
        Command::Demo { every, config } => {
            let config = config.load()?;
            commands::start_logging(&config)?;
            commands::demo::run(config, std::time::Duration::from_secs_f64(every.clamp(0.1, 3600.0))).await
        }
        Command::Migrate { config } => Db::open(&config.load()?)?.migrate().await,
        Command::Token { command } => command.run().await,
        Command::Admin { command } => command.run().await,
        Command::Audit { command } => command.run().await,
        Command::Wallet { command } => command.run().await,
        Command::Keygen => {
            println!("{}", Keys::generate().expose());
            Ok(())
        }
    }
}

async fn serve(config: Config) -> Result<()> {
    commands::start_logging(&config)?;
    let app = App::build(config, Clock::System).await?;
    let mut news = format!("Ordercast listens on http://{}\n", app.address()?);
    if let Some(link) = app.parts.admins.setup_link().await? {
        let home = &app.parts.home.0;
        news += &format!("Set up the admin here (works once, for a day): {home}/setup/{}\n", link.expose());
    }
    commands::announce(&news);
    app.run().await
}
