//! PostgreSQL over TLS: with the right authority only, and without a password in any error.

use std::fmt::Write as _;
use std::path::PathBuf;

use ordercast::app::App;
use ordercast::base::{Clock, Error};
use ordercast::db::Db;

use crate::app::guarded::as_user;
use crate::app::postgres::Cluster;
use crate::app::{certificates, folder};
use crate::rows::number;
use crate::still_app::config;

/// A cluster that lets in over TLS and by password only, and the folder of its certificates.
struct Secured {
    cluster: Cluster,
    folder: PathBuf,
}

const PASSWORD: &str = "hushhush";

impl Secured {
    async fn start() -> Self {
        let folder = certificates::make(Some("postgres"));
        let cluster = Cluster::start();
        let settings = format!(
            "ALTER ROLE postgres PASSWORD '{PASSWORD}'; \
             DO $$ BEGIN EXECUTE format('COPY (SELECT ''hostssl all all 127.0.0.1/32 scram-sha-256'') TO %L', \
             current_setting('hba_file')); END $$"
        );
        for (name, file) in [("ssl_cert_file", "server.pem"), ("ssl_key_file", "server.key")] {
            let path = folder.join(file);
            cluster.execute("postgres", &format!("ALTER SYSTEM SET {name} = '{}'", path.display())).await;
        }
        cluster.execute("postgres", "ALTER SYSTEM SET ssl = on").await;
        cluster.execute("postgres", &settings).await;
        cluster.execute("postgres", "SELECT pg_reload_conf()").await;
        Self { cluster, folder }
    }

    fn url(&self, host: &str, password: &str, mode: &str) -> String {
        let url = self.cluster.url("postgres").replace("postgres@127.0.0.1", &format!("postgres:{password}@{host}"));
        url.replace("sslmode=disable", &format!("sslmode={mode}"))
    }

    /// Opens the database and asks it something.
    async fn try_open(&self, url: &str, ca: Option<&str>) -> Result<Db, Error> {
        let folder = folder::fresh();
        let ca = ca.map(|name| self.folder.join(name).to_str().expect("a path").to_owned());
        let flags = ca.iter().flat_map(|path| ["--database-ca-file", path.as_str()]).collect::<Vec<_>>();
        let db = Db::open(&config(folder.path(), url, &flags))?;
        db.read(|conn| Box::pin(async move { Ok(ordercast::execute!(conn, diesel::sql_query("SELECT 1"))?) })).await?;
        Ok(db)
    }
}

impl Drop for Secured {
    fn drop(&mut self) {
        let removed = as_user(Some("postgres")).args(["rm", "-rf", "--"]).arg(&self.folder).status();
        assert!(removed.is_ok_and(|status| status.success()) || std::thread::panicking());
    }
}

/// An error with all its causes, as a log would show it.
fn whole(error: &Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        write!(text, " {next} {next:?}").expect("text");
        cause = next.source();
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_right_authority_is_trusted_and_no_error_tells_the_password() {
    let server = Secured::start().await;
    let good = server.url("127.0.0.1", PASSWORD, "require");
    let db = server.try_open(&good, Some("ca.pem")).await.expect("the right authority");
    let encrypted = "SELECT count(*) AS n FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl";
    assert_eq!(number(&db, encrypted).await, 1);
    let prefers = server.url("127.0.0.1", PASSWORD, "prefer");
    let db = server.try_open(&prefers, Some("ca.pem")).await.expect("TLS is preferred");
    assert_eq!(number(&db, encrypted).await, 1);

    for (what, host, password, mode, ca) in [
        ("another authority", "127.0.0.1", PASSWORD, "require", Some("other.pem")),
        ("the system's authorities", "127.0.0.1", PASSWORD, "require", None),
        ("preferring TLS is no excuse", "127.0.0.1", PASSWORD, "prefer", Some("other.pem")),
        ("a name the certificate does not hold", "localhost", PASSWORD, "require", Some("ca.pem")),
        ("no encryption", "127.0.0.1", PASSWORD, "disable", Some("ca.pem")),
        ("a wrong password", "127.0.0.1", "hushhush-wrong", "require", Some("ca.pem")),
    ] {
        let refused = server.try_open(&server.url(host, password, mode), ca).await;
        let error = refused.err().unwrap_or_else(|| panic!("{what} was let in"));
        assert!(matches!(error, Error::Unavailable(..)), "{what}: {error:?}");
        assert!(!whole(&error).contains("hush"), "{what}: {}", whole(&error));
    }
    for (file, words) in [("server.csr", "no usable certificate"), ("nothing.pem", "no usable certificate")] {
        let error = server.try_open(&good, Some(file)).await.err().expect("refused");
        assert!(matches!(error, Error::Invalid(_)) && whole(&error).contains(words), "{file}: {error:?}");
        assert!(!whole(&error).contains("hush"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_runs_over_tls() {
    let server = Secured::start().await;
    let folder = folder::fresh();
    let ca = server.folder.join("ca.pem");
    let flags = ["--database-ca-file", ca.to_str().expect("a path")];
    let app = App::build(config(folder.path(), &server.url("127.0.0.1", PASSWORD, "require"), &flags), Clock::System);
    let app = app.await.expect("an app");
    let order = crate::still_app::order(&app, ordercast::orders::NewOrder::default()).await;
    assert_eq!(app.parts.timeline.events_since(order.id, 0, 10).await.expect("the log").len(), 1);
}
