//! `ordercast wallet verify`: proves that the ledger is right, or names the first row that is not.

use clap::Subcommand;
use ordercast::base::Result;
use ordercast::config::Config;
use ordercast::db::Db;
use ordercast::wallet::verify;

/// What to do with wallets.
#[derive(Subcommand)]
pub enum Wallet {
    /// Compare balances, postings, credits, orders and payouts; name the first wrong row and end with 1 if there is one
    Verify {
        #[command(flatten)]
        config: Box<Config>,
    },
}

impl Wallet {
    /// Runs the command.
    pub async fn run(self) -> Result<()> {
        match self {
            Self::Verify { config } => {
                let db = Db::open(&config.load()?)?;
                let report = verify::verify(&db).await?;
                println!(
                    "The ledger is right: {} transactions, {} accounts, {} open credits.",
                    report.transactions, report.accounts, report.credits
                );
            }
        }
        Ok(())
    }
}
