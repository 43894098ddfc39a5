//! `ordercast admin create|reset`: people who run the platform, from the command line.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use clap::Subcommand;
use ordercast::accounts::{Codes, Passwords, People, Role};
use ordercast::base::{Actor, Clock, Error, Result, Secret};
use ordercast::config::Config;
use ordercast::db::Db;
use rand::Rng as _;

/// What to do with the people who run the platform.
#[derive(Subcommand)]
pub enum Admin {
    /// Make an account that runs the platform; its password is printed alone on the last line and never shown again
    Create {
        /// The e-mail address it signs in with
        email: String,
        /// What colleagues and the audit trail call the person
        #[arg(long)]
        name: String,
        /// admin, or super_admin who also decides who is one
        #[arg(long, default_value = "super_admin")]
        role: Role,
        /// Take the password from this file's first line in place of a new one
        #[arg(long)]
        password_file: Option<PathBuf>,
        #[command(flatten)]
        config: Box<Config>,
    },
    /// Give anybody a new password and a way back in: unlocked, not suspended, all sign-ins ended
    Reset {
        /// The e-mail address of the account
        email: String,
        /// Take the password from this file's first line in place of a new one
        #[arg(long)]
        password_file: Option<PathBuf>,
        #[command(flatten)]
        config: Box<Config>,
    },
}

const OPERATOR: Actor = Actor::System("command line");

impl Admin {
    /// Runs the command.
    pub async fn run(self) -> Result<()> {
        match self {
            Self::Create { email, name, role, password_file, config } => {
                if !role.is_staff() {
                    return Err(Error::invalid("bad_role", "role must be admin or super_admin"));
                }
                let (people, password) = (open(*config).await?, choose(password_file.as_deref())?);
                let person = people.create_staff(OPERATOR, role, &email, &name, password.clone()).await?;
                tell(
                    &format!("{} ({}) may sign in as {}.", person.name, person.role, person.email),
                    &password,
                    &password_file,
                );
            }
            Self::Reset { email, password_file, config } => {
                let (people, password) = (open(*config).await?, choose(password_file.as_deref())?);
                let person = people.rescue(OPERATOR, &email, password.clone()).await?;
                tell(
                    &format!("{} ({}) may sign in again as {}.", person.name, person.role, person.email),
                    &password,
                    &password_file,
                );
            }
        }
        Ok(())
    }
}

/// A password that was chosen is known already and is not printed.
fn tell(news: &str, password: &Secret, chosen: &Option<PathBuf>) {
    println!("{news}");
    if chosen.is_none() {
        println!("The password, shown this once:\n{}", password.expose());
    }
}

fn choose(file: Option<&Path>) -> Result<Secret> {
    let Some(path) = file else {
        let mut bytes = [0; 18];
        rand::rng().fill_bytes(&mut bytes);
        return Ok(Secret::new(URL_SAFE_NO_PAD.encode(bytes)));
    };
    let text = std::fs::read_to_string(path).map_err(|error| {
        Error::invalid("bad_setting", format!("The password file {} cannot be read: {error}", path.display()))
    })?;
    Ok(Secret::new(text.lines().next().unwrap_or_default()))
}

async fn open(config: Config) -> Result<People> {
    let config = config.load()?;
    let (keys, db) = (config.keys()?, Db::open(&config)?);
    db.migrate().await?;
    let passwords = Passwords::new(db.runtime().clone(), 1);
    let codes = Codes::new(db.clone(), Clock::System, keys);
    Ok(People::new(db, Clock::System, codes, passwords, config.unproven_days))
}
