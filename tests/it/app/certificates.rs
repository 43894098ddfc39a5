//! Certificates for servers of the tests, made by openssl.

use std::path::PathBuf;

use super::folder;
use super::guarded::{as_user, require};

/// Run in a folder of the server's user.
const CERTIFICATES: &str = r#"set -e; umask 077; folder=$(mktemp -d "$1"); cd "$folder"
for ca in ca other; do
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $ca.key -out $ca.pem -days 2 \
        -subj "/CN=Ordercast test $ca" -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign
done
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout server.key -out server.csr -subj /CN=server
printf 'subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n' >server.ext
openssl x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile server.ext -out server.pem
chmod 755 "$folder"; chmod 644 ca.pem other.pem; echo "$folder""#;

/// A folder with two authorities (`ca.pem`, `other.pem`) and a certificate of the first, for 127.0.0.1 and for no name
/// (`server.pem`, `server.key`). Whoever starts as `user` may read it.
pub fn make(user: Option<&str>) -> PathBuf {
    require("/usr/bin/openssl".as_ref(), "openssl");
    let pattern = folder::shared_pattern();
    let made = as_user(user).args(["sh", "-c", CERTIFICATES, "certificates", &pattern]).output().expect("sh runs");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    PathBuf::from(String::from_utf8(made.stdout).expect("text").trim())
}
