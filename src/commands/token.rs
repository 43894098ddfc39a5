//! `ordercast token generate|list|revoke`.

use clap::Subcommand;
use jiff::Timestamp;
use ordercast::accounts::tokens::NewToken;
use ordercast::accounts::{Companies, Scopes, Tokens};
use ordercast::base::{Actor, Clock, Result};
use ordercast::config::Config;
use ordercast::db::Db;

/// What to do with API tokens.
#[derive(Subcommand)]
pub enum Token {
    /// Make a token; it is printed alone on the last line and never shown again
    Generate {
        /// Its name, unique among the tokens that work
        name: String,
        /// What it may do, as "orders:read,orders:write,orders:update_status"
        scopes: Scopes,
        /// Bind it to this company (slug or id); without, it reaches all
        #[arg(long)]
        company: Option<String>,
        /// When it ends, as 2027-01-31T00:00:00Z
        #[arg(long)]
        expires: Option<Timestamp>,
        #[command(flatten)]
        config: Box<Config>,
    },
    /// List all tokens, newest first
    List {
        #[command(flatten)]
        config: Box<Config>,
    },
    /// Revoke a token; requests with it fail at once
    Revoke {
        /// Its name
        name: String,
        #[command(flatten)]
        config: Box<Config>,
    },
}

const OPERATOR: Actor = Actor::System("command line");

impl Token {
    /// Runs the command.
    pub async fn run(self) -> Result<()> {
        match self {
            Self::Generate { name, scopes, company, expires, config } => {
                let (db, tokens) = open(*config).await?;
                let company = match company {
                    Some(name) => Some(Companies::new(db, Clock::System).get(&name).await?.id),
                    None => None,
                };
                let new = NewToken { name, scopes, company, expires_at: expires };
                let (token, text) = tokens.generate(OPERATOR, new).await?;
                println!("Token \"{}\" with {}. It is shown this once:", token.name, token.scopes);
                println!("{}", text.expose());
            }
            Self::List { config } => {
                let (_, tokens) = open(*config).await?;
                let time = |at: Option<Timestamp>| at.map_or_else(|| "-".into(), |at| at.strftime("%F %T").to_string());
                println!(
                    "{:<32} {:<8} {:<20} {:<20} {:<20} scopes",
                    "name", "ends in", "last used", "expires", "revoked"
                );
                for token in tokens.list().await? {
                    let (used, expires, revoked) =
                        (time(token.last_used_at), time(token.expires_at), time(token.revoked_at));
                    println!(
                        "{:<32} …{:<7} {used:<20} {expires:<20} {revoked:<20} {}",
                        token.name, token.last_four, token.scopes
                    );
                }
            }
            Self::Revoke { name, config } => {
                let (_, tokens) = open(*config).await?;
                tokens.revoke(OPERATOR, &name).await?;
                println!("Token \"{name}\" is revoked; requests with it fail from now on.");
            }
        }
        Ok(())
    }
}

async fn open(config: Config) -> Result<(Db, Tokens)> {
    let db = Db::open(&config.load()?)?;
    db.migrate().await?;
    Ok((db.clone(), Tokens::start(db, Clock::System)))
}
