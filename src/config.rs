//! Every setting: one struct, read once from flags and environment; the defaults run the whole product on one machine.
//!
//! Imports no feature: parts take the plain values they need from here in `app`.

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use crate::base::keys::DEVELOPMENT_PREFIX;
use crate::base::{Error, Keys, Result, Secret};

/// The name of a shop that nobody has named.
pub const UNNAMED: &str = "My shop";

/// How strict the instance is about its surroundings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// One machine: keys are made at first start, mail is kept as files.
    #[default]
    Development,
    /// Refuses to start with missing or development keys; JSON logs.
    Production,
}

/// Settings of an instance. Each has a flag, an environment name, a default and one line of help.
#[derive(Args, Clone, Debug)]
pub struct Config {
    /// Address to listen on
    #[arg(long, env = "ORDERCAST_BIND", default_value = "127.0.0.1:8080")]
    pub bind: SocketAddr,
    /// Folder for the SQLite database, keys and kept mail
    #[arg(long, env = "ORDERCAST_DATA_DIR", default_value = "./data")]
    pub data_dir: PathBuf,
    /// Address customers reach this instance by, for links in mail [default: http:// and the address it listens on]
    #[arg(long, env = "ORDERCAST_PUBLIC_URL")]
    pub public_url: Option<String>,
    /// Name of the shop that orders belong to while no other company is named
    #[arg(long, env = "ORDERCAST_SHOP_NAME", default_value = UNNAMED)]
    pub shop_name: String,
    /// Where customers get help, behind "Get help" on the tracking page: https://…, http://… or mailto:… [default: no such link]
    #[arg(long, env = "ORDERCAST_SUPPORT_URL")]
    pub support_url: Option<String>,
    /// development or production
    #[arg(long, env = "ORDERCAST_MODE", value_enum, default_value_t)]
    pub mode: Mode,
    /// Worker threads for requests and sockets [default: the number of cores]
    #[arg(long, env = "ORDERCAST_WORKERS")]
    pub workers: Option<usize>,
    /// Database: sqlite:PATH or postgres://user:password@host/name?sslmode=require [default: SQLite in the data folder]
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, value_parser = secret)]
    pub database_url: Option<Secret>,
    /// File that holds the database address, in place of DATABASE_URL
    #[arg(long, env = "DATABASE_URL_FILE")]
    pub database_url_file: Option<PathBuf>,
    /// PEM file of certificate authorities to trust for PostgreSQL in place of the system's
    #[arg(long, env = "ORDERCAST_DATABASE_CA_FILE")]
    pub database_ca_file: Option<PathBuf>,
    /// Connections for reading (SQLite), or in all (PostgreSQL)
    #[arg(long, env = "ORDERCAST_DATABASE_POOL", default_value_t = 8)]
    pub database_pool: usize,
    /// Most order changes committed in one transaction
    #[arg(long, env = "ORDERCAST_COMMIT_GROUP", default_value_t = 256)]
    pub commit_group: usize,
    /// Order changes that may wait for a commit before further ones are refused with 503
    #[arg(long, env = "ORDERCAST_COMMIT_QUEUE", default_value_t = 4096)]
    pub commit_queue: usize,
    /// Redis between instances: redis://, rediss://, redis+sentinel://, redis+cluster:// [default: in-process]
    #[arg(long, env = "REDIS_URL", hide_env_values = true, value_parser = secret)]
    pub redis_url: Option<Secret>,
    /// File that holds the Redis address, in place of REDIS_URL
    #[arg(long, env = "REDIS_URL_FILE")]
    pub redis_url_file: Option<PathBuf>,
    /// Authorities that Redis' certificate may come from, PEM [default: the system's]
    #[arg(long, env = "ORDERCAST_REDIS_CA_FILE")]
    pub redis_ca_file: Option<PathBuf>,
    /// Prefix of everything this deployment says on Redis
    #[arg(long, env = "ORDERCAST_REDIS_PREFIX", default_value = "ordercast:")]
    pub redis_prefix: String,
    /// Mail server: smtp://user:password@host:587?tls=required or smtps://… [default: mail is logged and kept as files]
    #[arg(long, env = "SMTP_URL", hide_env_values = true, value_parser = secret)]
    pub smtp_url: Option<Secret>,
    /// File that holds the mail server's address, in place of SMTP_URL
    #[arg(long, env = "SMTP_URL_FILE")]
    pub smtp_url_file: Option<PathBuf>,
    /// Sender of all mail
    #[arg(long, env = "ORDERCAST_MAIL_FROM", default_value = "Ordercast <no-reply@localhost.localdomain>")]
    pub mail_from: String,
    /// Key that signs tracking passes and sessions, as `ordercast keygen` prints it [development: made at first start]
    #[arg(long, env = "ORDERCAST_SECRET_KEY", hide_env_values = true, value_parser = secret)]
    pub secret_key: Option<Secret>,
    /// File that holds the key, in place of ORDERCAST_SECRET_KEY
    #[arg(long, env = "ORDERCAST_SECRET_KEY_FILE")]
    pub secret_key_file: Option<PathBuf>,
    /// The key that comes next and those of before, comma-separated: what they sign or seal is believed
    #[arg(long, env = "ORDERCAST_SECRET_KEY_ACCEPTED", hide_env_values = true, value_parser = secret, value_delimiter = ',')]
    pub secret_key_accepted: Vec<Secret>,
    /// File that holds such keys, one a line
    #[arg(long, env = "ORDERCAST_SECRET_KEY_ACCEPTED_FILE")]
    pub secret_key_accepted_file: Option<PathBuf>,
    /// Days a tracking pass goes on working after the order has ended
    #[arg(long, env = "ORDERCAST_PASS_DAYS", default_value_t = 30)]
    pub pass_days: u32,
    /// Days after which a sign-up or an invitation is forgotten that nobody has answered
    #[arg(long, env = "ORDERCAST_UNPROVEN_DAYS", default_value_t = 14)]
    pub unproven_days: u32,
    /// Minutes an access token of a person works
    #[arg(long, env = "ORDERCAST_ACCESS_MINUTES", default_value_t = 15)]
    pub access_minutes: u32,
    /// Days after which a sign-in ends that was not used
    #[arg(long, env = "ORDERCAST_REFRESH_DAYS", default_value_t = 30)]
    pub refresh_days: u32,
    /// Days after which a sign-in ends, however much it was used
    #[arg(long, env = "ORDERCAST_SESSION_DAYS", default_value_t = 90)]
    pub session_days: u32,
    /// Passwords checked at once; each takes 19 MiB for a moment
    #[arg(long, env = "ORDERCAST_PASSWORDS_AT_ONCE", default_value_t = 4)]
    pub passwords_at_once: usize,
    /// Days the bodies of received webhooks are kept; 0 keeps them
    #[arg(long, env = "ORDERCAST_INBOX_DAYS", default_value_t = 90)]
    pub inbox_days: u32,
    /// Days between the delivery of a vendor's order and the release of its money, unless the company has its own
    #[arg(long, env = "ORDERCAST_HOLD_DAYS", default_value_t = 7)]
    pub hold_days: u32,
    /// Seconds between two looks for money whose days of hold are over
    #[arg(long, env = "ORDERCAST_RELEASE_SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub release_seconds: u32,
    /// Orders whose money is released in one transaction
    #[arg(long, env = "ORDERCAST_RELEASE_AT_ONCE", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=5000))]
    pub release_at_once: u32,
    /// Payouts of one payout file; what is over stands in the next one, after these are paid
    #[arg(long, env = "ORDERCAST_PAYOUT_FILE_ROWS", default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub payout_file_rows: u32,
    /// Calculate an order's commission by itself when the order is confirmed
    #[arg(long, env = "ORDERCAST_COMMISSION_ON_CONFIRMATION")]
    pub commission_on_confirmation: bool,
    /// Release a vendor's money at once when the customer confirms the delivery, in place of after the days of hold
    #[arg(long, env = "ORDERCAST_RELEASE_ON_CONFIRMATION")]
    pub release_on_confirmation: bool,
    /// Hours a step waits for a second person's approval before it expires, where its company does not say
    #[arg(long, env = "ORDERCAST_APPROVAL_HOURS", default_value_t = 72, value_parser = clap::value_parser!(u32).range(1..=720))]
    pub approval_hours: u32,
    /// Days after which a step that waits for its customer counts as confirmed, where its company does not say
    #[arg(long, env = "ORDERCAST_AUTO_CONFIRM_DAYS", default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=90))]
    pub auto_confirm_days: u32,
    /// What is logged, as `info` or `ordercast=debug,info`
    #[arg(long, env = "ORDERCAST_LOG", default_value = "info")]
    pub log: String,
    /// Origins besides our own whose pages may open live connections and call the tracking API, comma-separated; `*` for all
    #[arg(long, env = "ORDERCAST_ALLOWED_ORIGINS", value_delimiter = ',', default_value = "*")]
    pub allowed_origins: Vec<String>,
    /// Networks of proxies whose X-Forwarded-For is believed, comma-separated, as 10.0.0.0/8
    #[arg(long, env = "ORDERCAST_TRUSTED_PROXIES", value_delimiter = ',')]
    pub trusted_proxies: Vec<String>,
    /// Largest request body in bytes
    #[arg(long, env = "ORDERCAST_MAX_BODY", default_value_t = 1 << 20)]
    pub max_body: usize,
    /// Most documents a company may send with its business details
    #[arg(long, env = "ORDERCAST_KYC_DOCUMENTS", default_value_t = 5)]
    pub kyc_documents: usize,
    /// Largest such document in bytes
    #[arg(long, env = "ORDERCAST_KYC_DOCUMENT_SIZE", default_value_t = 5 << 20)]
    pub kyc_document_size: usize,
    /// Companies that may send such documents at once before further ones are answered 503; each takes memory for all of its own
    #[arg(long, env = "ORDERCAST_KYC_UPLOADS", default_value_t = 8)]
    pub kyc_uploads: usize,
    /// Seconds within which such documents must have come
    #[arg(long, env = "ORDERCAST_KYC_UPLOAD_SECONDS", default_value_t = 300)]
    pub kyc_upload_seconds: u64,
    /// Requests per minute each API token may make
    #[arg(long, env = "ORDERCAST_RATE_API", default_value_t = 6_000)]
    pub rate_api: u32,
    /// Requests per minute each address may make without a credential
    #[arg(long, env = "ORDERCAST_RATE_PUBLIC", default_value_t = 300)]
    pub rate_public: u32,
    /// Live connections and polls per minute and address, wide enough for an office that comes back at once; 0 for no limit
    #[arg(long, env = "ORDERCAST_RATE_LIVE", default_value_t = 6_000)]
    pub rate_live: u32,
    /// Look-ups by number and e-mail, and wrong credentials, per minute and address
    #[arg(long, env = "ORDERCAST_RATE_GUESS", default_value_t = 10)]
    pub rate_guess: u32,
    /// Live connections one instance holds before it answers 503
    #[arg(long, env = "ORDERCAST_MAX_CONNECTIONS", default_value_t = 100_000)]
    pub max_connections: usize,
    /// Seconds between WebSocket pings
    #[arg(long, env = "ORDERCAST_HEARTBEAT", default_value_t = 25)]
    pub heartbeat: u64,
    /// Seconds a reader may stay too slow for its events before its connection is closed with 4100
    #[arg(long, env = "ORDERCAST_SLOW_READER", default_value_t = 30)]
    pub slow_reader: u64,
    /// Seconds between comparisons of every watched order's position with the log
    #[arg(long, env = "ORDERCAST_LOG_CHECK", default_value_t = 5)]
    pub log_check: u64,
    /// Milliseconds an update's reply waits for other instances to say who received it
    #[arg(long, env = "ORDERCAST_REACH_WAIT", default_value_t = 300)]
    pub reach_wait: u64,
    /// Seconds over which connections are closed when the instance is told to stop
    #[arg(long, env = "ORDERCAST_DRAIN", default_value_t = 5)]
    pub drain: u64,
}

impl Config {
    /// Reads the `…_FILE` settings into their twins and checks what can be checked without a connection.
    ///
    /// # Errors
    /// `Invalid` that names the setting and what to write there.
    pub fn load(mut self) -> Result<Self> {
        self.database_url = from_file(self.database_url, self.database_url_file.as_ref(), "DATABASE_URL_FILE")?;
        self.redis_url = from_file(self.redis_url, self.redis_url_file.as_ref(), "REDIS_URL_FILE")?;
        self.smtp_url = from_file(self.smtp_url, self.smtp_url_file.as_ref(), "SMTP_URL_FILE")?;
        self.secret_key = from_file(self.secret_key, self.secret_key_file.as_ref(), "ORDERCAST_SECRET_KEY_FILE")?;
        let accepted = from_file(None, self.secret_key_accepted_file.as_ref(), "ORDERCAST_SECRET_KEY_ACCEPTED_FILE")?;
        self.secret_key_accepted
            .extend(accepted.iter().flat_map(|keys| keys.expose().split_whitespace().map(Secret::new)));
        if let Some(url) = &self.public_url {
            let parsed = url::Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
            let parsed =
                parsed.ok_or_else(|| refuse("ORDERCAST_PUBLIC_URL must look like https://track.example.com"))?;
            self.public_url = Some(parsed.as_str().trim_end_matches('/').to_owned());
        }
        if let Some(url) = &self.support_url {
            let parsed = url::Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https" | "mailto"));
            parsed
                .ok_or_else(|| refuse("ORDERCAST_SUPPORT_URL must look like https://… or mailto:help@example.com"))?;
        }
        if [self.access_minutes, self.refresh_days, self.session_days, self.unproven_days].contains(&0) {
            return Err(refuse(
                "ORDERCAST_ACCESS_MINUTES, _REFRESH_DAYS, _SESSION_DAYS and _UNPROVEN_DAYS must be at least 1",
            ));
        }
        if self.hold_days > 3650 {
            return Err(refuse("ORDERCAST_HOLD_DAYS must be at most 3650"));
        }
        let sizes = [self.commit_group, self.commit_queue, self.database_pool];
        if sizes.contains(&0) || self.workers == Some(0) {
            return Err(refuse(
                "ORDERCAST_WORKERS, _DATABASE_POOL, _COMMIT_GROUP and _COMMIT_QUEUE must be at least 1",
            ));
        }
        Ok(self)
    }

    /// Whose pages they are where no order tells it: the shop's, once it has a name.
    #[must_use]
    pub fn brand(&self) -> &str {
        if self.shop_name == UNNAMED { "Ordercast" } else { &self.shop_name }
    }

    /// The base of links we make, without a slash at its end.
    #[must_use]
    pub fn public_url(&self, bound: SocketAddr) -> String {
        self.public_url.clone().unwrap_or_else(|| format!("http://{bound}"))
    }

    /// The database's address; SQLite in the data folder when none is set.
    #[must_use]
    pub fn database_url(&self) -> Secret {
        let default = || Secret::new(format!("sqlite:{}", self.data_dir.join("ordercast.db").display()));
        self.database_url.clone().unwrap_or_else(default)
    }

    /// The signing key: the one that is set or, in development, the one made at the first start and kept (mode 0600).
    ///
    /// # Errors
    /// `Invalid` when a key is too short, or in production when none is set or one was made for development.
    pub fn keys(&self) -> Result<Keys> {
        let key = match &self.secret_key {
            Some(key) => key.clone(),
            None if self.is_production() => {
                return Err(refuse("ORDERCAST_SECRET_KEY is required in production; `ordercast keygen` prints one"));
            }
            None => development_key(&self.data_dir.join("signing.key"))?,
        };
        let mut all = std::iter::once(&key).chain(&self.secret_key_accepted);
        if self.is_production() && all.any(|key| key.expose().starts_with(DEVELOPMENT_PREFIX)) {
            return Err(refuse(
                "ORDERCAST_SECRET_KEY, or one of ORDERCAST_SECRET_KEY_ACCEPTED, is a development key; `ordercast keygen` \
                 prints one for production",
            ));
        }
        let short = "ORDERCAST_SECRET_KEY and each of ORDERCAST_SECRET_KEY_ACCEPTED must have at least 32 characters";
        Keys::new(key, self.secret_key_accepted.clone()).ok_or_else(|| refuse(short))
    }

    /// Whether the instance refuses development keys and speaks JSON in its log.
    #[must_use]
    pub fn is_production(&self) -> bool {
        self.mode == Mode::Production
    }
}

/// Reads the kept key, or makes one. Two instances that start at once end with the same: only one can create the file.
fn development_key(path: &Path) -> Result<Secret> {
    let fail = |error: std::io::Error| refuse(format!("The key file {} cannot be used: {error}", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(fail)?;
    }
    let fresh = format!("{DEVELOPMENT_PREFIX}{}", Keys::generate().expose());
    // Written aside and linked into place, so that nobody ever reads half a key.
    let aside = path.with_extension(format!("{}.new", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&aside).map_err(fail)?;
    file.write_all(fresh.as_bytes()).and_then(|()| file.sync_all()).map_err(fail)?;
    let linked = std::fs::hard_link(&aside, path);
    std::fs::remove_file(&aside).map_err(fail)?;
    match linked {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => return Err(fail(error)),
        _ => {}
    }
    Ok(Secret::new(std::fs::read_to_string(path).map_err(fail)?.trim()))
}

fn secret(text: &str) -> Result<Secret, std::convert::Infallible> {
    Ok(Secret::new(text))
}

fn from_file(value: Option<Secret>, file: Option<&PathBuf>, name: &str) -> Result<Option<Secret>> {
    let Some(path) = file else { return Ok(value) };
    if value.is_some() {
        return Err(refuse(format!("{name} and its twin without _FILE are both set; keep one")));
    }
    let text =
        std::fs::read_to_string(path).map_err(|e| refuse(format!("{name}: {} cannot be read: {e}", path.display())))?;
    Ok(Some(Secret::new(text.trim())))
}

fn refuse(message: impl Into<String>) -> Error {
    Error::invalid("bad_setting", message)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Cli {
        #[command(flatten)]
        config: Config,
    }

    fn parse(flags: &[&str]) -> Result<Config> {
        Cli::parse_from([&["ordercast"], flags].concat()).config.load()
    }

    #[test]
    fn a_public_url_loses_its_last_slash_and_nonsense_is_refused() {
        assert_eq!(parse(&["--public-url", "https://t.example/"]).unwrap().public_url.unwrap(), "https://t.example");
        assert!(parse(&["--public-url", "t.example"]).is_err());
    }

    #[test]
    fn help_is_a_page_or_a_mail_address_and_nothing_a_browser_would_run() {
        for good in ["https://shop.example/help", "mailto:help@shop.example"] {
            assert_eq!(parse(&["--support-url", good]).unwrap().support_url.unwrap(), good);
        }
        for bad in ["javascript:alert(1)", "shop.example/help", ""] {
            assert!(parse(&["--support-url", bad]).is_err(), "{bad}");
        }
    }

    #[test]
    fn development_makes_one_key_and_production_refuses_it() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().to_str().unwrap();
        let config = parse(&["--data-dir", folder]).unwrap();
        let id = uuid::Uuid::now_v7();
        let text = config.keys().unwrap().sign("test", id);
        assert_eq!(config.keys().unwrap().open("test", &text), Some(id), "the second start reads the key of the first");
        let kept = std::fs::read_to_string(config.data_dir.join("signing.key")).unwrap();
        assert!(parse(&["--mode", "production"]).unwrap().keys().is_err());
        assert!(parse(&["--mode", "production", "--secret-key", &kept]).unwrap().keys().is_err());
        assert!(parse(&["--mode", "production", "--secret-key", Keys::generate().expose()]).unwrap().keys().is_ok());
        assert!(parse(&["--secret-key", "short"]).unwrap().keys().is_err());
    }

    #[test]
    fn a_secret_comes_from_its_file_and_never_from_both() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(&file, "redis://r/0\n").unwrap();
        let path = file.path().to_str().unwrap();
        assert_eq!(parse(&["--redis-url-file", path]).unwrap().redis_url.unwrap().expose(), "redis://r/0");
        assert!(parse(&["--redis-url-file", path, "--redis-url", "redis://x"]).is_err());
        assert!(!format!("{:?}", parse(&["--redis-url-file", path]).unwrap()).contains("redis://r"));
    }
}
