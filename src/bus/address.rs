//! Reads `REDIS_URL`: where the Redis servers are, how they are arranged, who we are to them. Pure.
//!
//! | form | meaning |
//! |---|---|
//! | `redis://[user:password@]host[:6379][/db]` | one server |
//! | `unix:///path?db=0&user=…&password=…` | one server behind a socket file |
//! | `redis+sentinel://[user:password@]host[:26379],…/master_name[?db=0&sentinel_user=…&sentinel_password=…]` | the master that Sentinel names; the credentials before the hosts are for the master |
//! | `redis+cluster://[user:password@]host[:6379],…` | a Redis Cluster; the hosts are where to ask for the others |
//!
//! `rediss` in place of `redis` speaks TLS to every server, Sentinels included. User, password and path are
//! percent-encoded. No message made here repeats any part of the text, since it may hold a password.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;

use crate::base::{Error, Result, Secret};

/// Where the servers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address {
    pub(super) kind: Kind,
    pub(super) tls: bool,
    pub(super) nodes: Vec<Node>,
    pub(super) login: Login,
    pub(super) sentinel_login: Login,
    pub(super) db: i64,
}

/// How the servers are arranged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Single,
    /// Holds the name by which the Sentinels know the master.
    Sentinel(String),
    Cluster,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Tcp(String, u16),
    Unix(PathBuf),
}

/// Who we are to a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: Option<String>,
    pub(super) password: Option<Secret>,
}

impl Address {
    /// # Errors
    /// `Invalid` when the text has none of the forms above.
    pub(super) fn parse(text: &str) -> Result<Self> {
        let (scheme, rest) = text.split_once("://").ok_or_else(|| refuse("it needs a scheme such as redis://"))?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let tls = scheme.starts_with("rediss");
        let mut address = match scheme {
            "unix" | "redis+unix" => Self::at(Kind::Single, false, vec![Node::Unix(decode(rest)?.into())]),
            "redis" | "rediss" => Self::on_hosts(Kind::Single, tls, rest)?,
            "redis+sentinel" | "rediss+sentinel" => Self::on_hosts(Kind::Sentinel(String::new()), tls, rest)?,
            "redis+cluster" | "rediss+cluster" => Self::on_hosts(Kind::Cluster, tls, rest)?,
            _ => {
                return Err(refuse(
                    "its scheme is not one of redis, rediss, unix, redis(s)+sentinel, redis(s)+cluster",
                ));
            }
        };
        for (name, value) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            address.set(name, decode(value)?)?;
        }
        address.check()
    }

    fn at(kind: Kind, tls: bool, nodes: Vec<Node>) -> Self {
        Self { kind, tls, nodes, login: Login::default(), sentinel_login: Login::default(), db: 0 }
    }

    fn on_hosts(kind: Kind, tls: bool, rest: &str) -> Result<Self> {
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (read_login(login)?, hosts),
            None => (Login::default(), authority),
        };
        let port = if matches!(kind, Kind::Sentinel(_)) { 26_379 } else { 6379 };
        let nodes = hosts.split(',').map(|host| read_host(host, port)).collect::<Result<_>>()?;
        let mut address = Self { login, ..Self::at(kind, tls, nodes) };
        match &mut address.kind {
            Kind::Sentinel(master) => *master = decode(path)?,
            Kind::Single | Kind::Cluster if path.is_empty() => {}
            Kind::Single | Kind::Cluster => address.set("db", path.to_owned())?,
        }
        Ok(address)
    }

    fn set(&mut self, name: &str, value: String) -> Result<()> {
        match name {
            "db" => self.db = value.parse().map_err(|_| refuse("its database must be a number"))?,
            "user" => self.login.user = Some(value),
            "password" | "pass" => self.login.password = Some(Secret::new(value)),
            "sentinel_user" => self.sentinel_login.user = Some(value),
            "sentinel_password" => self.sentinel_login.password = Some(Secret::new(value)),
            _ => {
                return Err(refuse(
                    "it has a parameter that is not db, user, password, sentinel_user, sentinel_password",
                ));
            }
        }
        Ok(())
    }

    fn check(self) -> Result<Self> {
        match &self.kind {
            Kind::Single if self.nodes.len() != 1 => {
                Err(refuse("several hosts need the scheme redis+sentinel or redis+cluster"))
            }
            Kind::Sentinel(name) if name.is_empty() => Err(refuse("it must name the master: …/master_name")),
            Kind::Cluster if self.db != 0 => Err(refuse("a cluster has only database 0")),
            _ if self.nodes.contains(&Node::Unix(PathBuf::new())) => Err(refuse("it must name a socket file")),
            _ => Ok(self),
        }
    }
}

/// Shows where, never who: fit for logs.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match (&self.kind, self.tls) {
            (Kind::Single, false) => "redis://",
            (Kind::Single, true) => "rediss://",
            (Kind::Sentinel(_), false) => "redis+sentinel://",
            (Kind::Sentinel(_), true) => "rediss+sentinel://",
            (Kind::Cluster, false) => "redis+cluster://",
            (Kind::Cluster, true) => "rediss+cluster://",
        })?;
        for (at, node) in self.nodes.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match node {
                Node::Tcp(host, port) => write!(f, "{comma}{host}:{port}")?,
                Node::Unix(path) => write!(f, "{comma}{}", path.display())?,
            }
        }
        Ok(())
    }
}

fn read_login(text: &str) -> Result<Login> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    Ok(Login {
        user: Some(decode(user)?).filter(|user| !user.is_empty()),
        password: Some(decode(password)?).filter(|password| !password.is_empty()).map(Secret::new),
    })
}

fn read_host(text: &str, default_port: u16) -> Result<Node> {
    // An IPv6 address stands in brackets, as everywhere in URLs; its colons are not the port's.
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = match port {
        Some(port) => port.parse().map_err(|_| refuse("a port must be a number from 1 to 65535"))?,
        None => default_port,
    };
    if host.is_empty() {
        return Err(refuse("a host is missing"));
    }
    Ok(Node::Tcp(host.to_owned(), port))
}

fn decode(text: &str) -> Result<String> {
    let text = percent_decode_str(text).decode_utf8().map_err(|_| refuse("its percent-encoding is not UTF-8"))?;
    Ok(text.into_owned())
}

fn refuse(why: &str) -> Error {
    Error::invalid_field("REDIS_URL", "bad_redis_url", format!("REDIS_URL cannot be read: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Node {
        Node::Tcp(host.to_owned(), port)
    }

    #[test]
    fn every_documented_form_is_read() {
        let one = Address::parse("redis://cache").unwrap();
        assert_eq!((one.kind, one.tls, one.nodes, one.db), (Kind::Single, false, vec![tcp("cache", 6379)], 0));
        let login = Address::parse("rediss://ann:p%40ss%3A@[::1]:7000/3").unwrap();
        assert_eq!((login.tls, login.nodes, login.db), (true, vec![tcp("::1", 7000)], 3));
        assert_eq!(login.login, Login { user: Some("ann".into()), password: Some(Secret::new("p@ss:")) });
        let file = Address::parse("unix:///run/redis.sock?db=2&password=x").unwrap();
        assert_eq!((file.nodes, file.db), (vec![Node::Unix("/run/redis.sock".into())], 2));
        let sentinel = Address::parse("redis+sentinel://:pw@a,b:1/main?sentinel_password=other&db=1").unwrap();
        assert_eq!(sentinel.kind, Kind::Sentinel("main".into()));
        assert_eq!(sentinel.nodes, vec![tcp("a", 26_379), tcp("b", 1)]);
        assert_eq!(sentinel.login, Login { user: None, password: Some(Secret::new("pw")) });
        assert_eq!(sentinel.sentinel_login.password, Some(Secret::new("other")));
        let cluster = Address::parse("rediss+cluster://a:1,b:2").unwrap();
        assert_eq!((cluster.kind, cluster.tls, cluster.nodes.len()), (Kind::Cluster, true, 2));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_without_repeating_it() {
        for text in [
            "cache:6379",
            "http://sesame@a",
            "redis://",
            "redis://sesame@a:x",
            "redis://sesame@a:70000",
            "redis://sesame@a/x",
            "redis://a,b",
            "redis://a?sesame=1",
            "redis://%ff@a",
            "unix://",
            "redis+sentinel://sesame@a",
            "redis+cluster://sesame@a/1",
        ] {
            let error = Address::parse(text).expect_err(text);
            assert!(matches!(error, Error::Invalid(_)) && !format!("{error:?}").contains("sesame"), "{error:?}");
        }
    }

    #[test]
    fn neither_form_of_output_shows_the_password() {
        let address = Address::parse("rediss+sentinel://ann:sesame@a,b/main?sentinel_password=sesame").unwrap();
        assert_eq!(address.to_string(), "rediss+sentinel://a:26379,b:26379");
        assert!(!format!("{address:?}").contains("sesame"));
    }
}
