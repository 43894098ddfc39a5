//! PostgreSQL: connections over plain TCP or TLS (rustls), opened on the main runtime.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use diesel::{ConnectionError, ConnectionResult};
use diesel_async::AsyncPgConnection;
use diesel_async::pooled_connection::deadpool::{self, PoolError};
use diesel_async::pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod};
use futures_util::FutureExt as _;
use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::base::{Error, Result, Secret};

/// All connections to one database.
pub type Pool = deadpool::Pool<AsyncPgConnection>;
/// One connection, returned to its pool when dropped.
pub type Pooled = deadpool::Object<AsyncPgConnection>;

/// How long a connection may take to be had, and what was sent to be acknowledged. `connect_timeout` and
/// `tcp_user_timeout` in the address say otherwise.
const PATIENCE: Duration = Duration::from_secs(15);

/// A pool that opens connections as they are needed.
///
/// TLS follows `sslmode` of the address (disable, prefer, require); certificates are always checked, against the
/// system's authorities or those of `ca_file`.
///
/// # Errors
/// `Invalid` when the file of authorities cannot be used.
pub fn open(url: &Secret, size: usize, ca_file: Option<&Path>) -> Result<Pool> {
    let tls = MakeRustlsConnect::new(client_config(ca_file)?);
    let mut config = ManagerConfig::default();
    // A test query at every borrow would cost more than most queries; a closed connection is noticed without it.
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new(move |url| connect(url.to_owned(), tls.clone()).boxed());
    let manager = AsyncDieselConnectionManager::new_with_config(url.expose(), config);
    let patience = Some(PATIENCE);
    let pool = Pool::builder(manager).max_size(size).runtime(::deadpool::Runtime::Tokio1);
    pool.wait_timeout(patience).create_timeout(patience).recycle_timeout(patience).build().map_err(Error::internal)
}

/// The error for a connection that cannot be had. The cause names no credential.
pub fn unavailable(error: PoolError) -> Error {
    Error::unavailable("The database", error)
}

async fn connect(url: String, tls: MakeRustlsConnect) -> ConnectionResult<AsyncPgConnection> {
    // The parser's own words may quote the address and with it the password.
    let bad_url = |_| ConnectionError::InvalidConnectionUrl("DATABASE_URL is not a PostgreSQL address".into());
    let mut config: tokio_postgres::Config = url.parse().map_err(bad_url)?;
    notice_silence(&mut config);
    let refused = |error: tokio_postgres::Error| ConnectionError::BadConnection(error.to_string());
    let (client, connection) = config.connect(tls).await.map_err(refused)?;
    AsyncPgConnection::try_from_client_and_connection(client, connection).await
}

/// A server that neither answers nor refuses must not hang us, unless the address itself says how long it may.
fn notice_silence(config: &mut tokio_postgres::Config) {
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(PATIENCE);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(PATIENCE);
    }
}

fn client_config(ca_file: Option<&Path>) -> Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(Error::internal)?;
    if let Some(path) = ca_file {
        return Ok(builder.with_root_certificates(read_authorities(path)?).with_no_client_auth());
    }
    match rustls_platform_verifier::Verifier::new(provider) {
        Ok(verifier) => {
            Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
        }
        // A slim container has no authorities of its own.
        Err(_) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter().cloned());
            Ok(builder.with_root_certificates(roots).with_no_client_auth())
        }
    }
}

fn read_authorities(path: &Path) -> Result<RootCertStore> {
    let refuse = |why: String| {
        let message = format!("ORDERCAST_DATABASE_CA_FILE: {} holds no usable certificate: {why}", path.display());
        Error::invalid("bad_setting", message)
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| refuse(error.to_string()))? {
        let certificate = certificate.map_err(|error| refuse(error.to_string()))?;
        roots.add(certificate).map_err(|error| refuse(error.to_string()))?;
    }
    if roots.is_empty() { Err(refuse("it is empty".into())) } else { Ok(roots) }
}
