//! `ordercast audit verify|export`.

use std::fs::File;
use std::io::{BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use ordercast::audit::{self, chain::Report, examine};
use ordercast::base::{Error, Result};
use ordercast::config::Config;
use ordercast::db::Db;

/// What to do with the audit trail.
#[derive(Subcommand)]
pub enum Audit {
    /// Look whether any row was changed, removed, added or moved since it was written; names those, and fails then
    Verify {
        /// An exported trail; the database's when left out
        file: Option<PathBuf>,
        /// Ends of chains noted before, as this command or an export writes them: finds a trail that was written anew
        #[arg(long)]
        ends: Option<PathBuf>,
        #[command(flatten)]
        config: Box<Config>,
    },
    /// Write the trail as it stands, one JSON object a line
    Export {
        /// Where to; standard output when left out
        #[arg(long)]
        to: Option<PathBuf>,
        #[command(flatten)]
        config: Box<Config>,
    },
}

impl Audit {
    /// Runs the command.
    pub async fn run(self) -> Result<()> {
        match self {
            Self::Verify { file, ends, config } => {
                let noted = match ends {
                    Some(path) => examine::noted(read(&path)?)?,
                    None => Vec::new(),
                };
                let report = match file {
                    Some(path) => examine::export(read(&path)?, noted)?,
                    None => examine::database(&open(*config).await?, noted).await?,
                };
                tell(&report)
            }
            Self::Export { to, config } => {
                let db = open(*config).await?;
                let mut out: Box<dyn Write + Send> = match &to {
                    Some(path) => Box::new(File::create(path).map_err(|error| unusable(path, &error))?),
                    None => Box::new(std::io::stdout()),
                };
                let mut out = BufWriter::new(&mut out);
                examine::write(&db, &mut out).await?;
                out.flush().map_err(Error::internal)
            }
        }
    }
}

/// The ends of the chains are told too, so that they can be noted where nobody who reaches the database does.
fn tell(report: &Report) -> Result<()> {
    for fault in &report.faults {
        println!("{fault}");
    }
    if !report.faults.is_empty() {
        let message =
            format!("The audit trail is not as it was written: {} faults in {} rows", report.faults.len(), report.rows);
        return Err(Error::invalid("audit_faults", message));
    }
    let chains = report.heads.iter().filter(|head| head.n > 0).count();
    println!("{} rows in {chains} chains, all as they were written. They end with:", report.rows);
    examine::write_ends(&report.heads, &mut std::io::stdout())
}

fn read(path: &Path) -> Result<BufReader<File>> {
    File::open(path).map(BufReader::new).map_err(|error| unusable(path, &error))
}

fn unusable(path: &Path, error: &std::io::Error) -> Error {
    Error::invalid("bad_file", format!("The file {} cannot be used: {error}", path.display()))
}

async fn open(config: Config) -> Result<Db> {
    let db = Db::open(&config.load()?)?;
    db.migrate().await?;
    audit::seal_earlier(&db).await?;
    Ok(db)
}
