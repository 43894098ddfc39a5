//! The links to Redis 6 or later, and the only home of the `redis` crate: dialling, joining, publishing, hearing.
//!
//! A link is, for every server that matters, one connection to hear on and one to speak on. Servers that matter: the one
//! there is, the master Sentinel names, or every master of a Cluster, where channels are sharded if all offer it. What
//! the servers push goes to the ear at once, on the task that reads it: a slow ear slows reading, never grows a queue;
//! Redis cuts off a reader that falls too far behind, which is one more broken link.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::{join_all, try_join_all};
use redis::aio::MultiplexedConnection as Connection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ErrorKind, IntoConnectionInfo, Pipeline, ProtocolVersion, PushInfo,
    PushKind, RedisConnectionInfo, RedisError, RedisResult, TlsCertificates, Value, cmd,
};
use tokio::sync::watch;
use tokio::time::timeout;

use super::address::{Address, Kind, Login, Node};
use super::settings::RedisSettings;
use super::topics::Batch;
use super::{Topic, slots};

/// Why a link is of no use, or could not be made. Never holds a credential.
pub(super) type Broken = RedisError;

/// What a link tells its ear.
pub(super) enum Heard<'a> {
    /// A message of this topic.
    Message(&'a str, Bytes),
    /// The server ended this subscription. The ear says whether that was unasked for.
    Ended(&'a str),
}

/// Hears what the servers push; `true` to an end nobody asked for breaks the link.
pub(super) type Ear = Arc<dyn Fn(Heard<'_>) -> bool + Send + Sync>;

/// Makes links.
#[derive(Clone)]
pub(super) struct Dialer {
    pub(super) settings: RedisSettings,
    pub(super) address: Address,
    pub(super) ear: Ear,
}

const JOINS_PER_PIPELINE: usize = 1024;

/// Connections to every server that matters.
pub(super) struct Link {
    shards: Vec<Shard>,
    /// Which shard serves which slot; empty when there is only one shard.
    owners: Vec<usize>,
    sharded: bool,
    needs_master: bool,
    prefix: String,
    broken: watch::Receiver<&'static str>,
}

struct Shard {
    speak: Connection,
    hear: Connection,
}

impl Link {
    /// Whether channels are sharded over the nodes of a cluster.
    pub(super) fn is_sharded(&self) -> bool {
        self.sharded
    }

    fn channel(&self, topic: &str) -> String {
        format!("{}{topic}", self.prefix)
    }

    fn shard_of(&self, channel: &str) -> usize {
        self.owners.get(usize::from(slots::slot(channel.as_bytes()))).copied().unwrap_or(0)
    }

    /// Waits until something is amiss.
    pub(super) async fn break_up(&self) -> Broken {
        let mut signal = self.broken.clone();
        broken(signal.wait_for(|why| !why.is_empty()).await.map_or("every connection is gone", |why| *why))
    }

    /// Joins and leaves; returns once the servers have confirmed each.
    pub(super) async fn apply(&self, batch: &Batch) -> Result<(), Broken> {
        let verbs = if self.sharded { ["SSUBSCRIBE", "SUNSUBSCRIBE"] } else { ["SUBSCRIBE", "UNSUBSCRIBE"] };
        let mut lists = vec![Vec::new(); self.shards.len()];
        for (verb, topics) in verbs.into_iter().zip([&batch.join, &batch.leave]) {
            for topic in topics {
                let channel = self.channel(topic);
                if let Some(list) = lists.get_mut(self.shard_of(&channel)) {
                    list.push((verb, channel));
                }
            }
        }
        try_join_all(self.shards.iter().zip(lists).map(|(shard, list)| async move {
            // One command a channel: in a cluster the channels of one command must share a slot.
            for chunk in list.chunks(JOINS_PER_PIPELINE) {
                let mut pipeline = Pipeline::with_capacity(chunk.len());
                for (verb, channel) in chunk {
                    pipeline.cmd(verb).arg(channel);
                }
                let replies = shard.hear.clone().send_packed_commands(&pipeline, 0, chunk.len()).await?;
                replies.into_iter().try_for_each(|reply| reply.extract_error().map(drop))?;
            }
            Ok(())
        }))
        .await
        .map(drop)
    }

    /// Publishes channel by channel, in order, in one round trip. Says for each how many instances it was sent to, and
    /// what went wrong if anything did: then the link should be given up.
    pub(super) async fn publish(&self, messages: &[&(Topic, Bytes)]) -> (Vec<Option<u32>>, Option<Broken>) {
        let verb = if self.sharded { "SPUBLISH" } else { "PUBLISH" };
        let mut parts: Vec<_> = self.shards.iter().map(|_| (Pipeline::new(), Vec::new())).collect();
        for (at, (topic, payload)) in messages.iter().enumerate() {
            let channel = self.channel(topic);
            if let Some((pipeline, places)) = parts.get_mut(self.shard_of(&channel)) {
                pipeline.cmd(verb).arg(channel).arg(payload.as_ref());
                places.push(at);
            }
        }
        let sent = self.shards.iter().zip(&parts).filter(|(_, (_, places))| !places.is_empty()).map(
            async |(shard, (pipeline, places))| {
                let replies = shard.speak.clone().send_packed_commands(pipeline, 0, places.len()).await?;
                RedisResult::Ok(places.iter().copied().zip(replies).collect::<Vec<_>>())
            },
        );
        let mut reach = vec![None; messages.len()];
        let mut failure = None;
        for answered in join_all(sent).await {
            let replies = answered.unwrap_or_else(|why| {
                failure = Some(why);
                Vec::new()
            });
            for (at, reply) in replies {
                match (reply.extract_error().and_then(|count| Ok(redis::from_redis_value(count)?)), reach.get_mut(at)) {
                    (Ok(count), Some(place)) => *place = Some(count),
                    (Ok(_), None) => {}
                    (Err(why), _) => failure = Some(why),
                }
            }
        }
        (reach, failure)
    }

    /// Asks every connection for a sign of life.
    pub(super) async fn check(&self) -> Result<(), Broken> {
        try_join_all(self.shards.iter().map(async |shard| {
            cmd("PING").exec_async(&mut shard.speak.clone()).await?;
            cmd("PING").exec_async(&mut shard.hear.clone()).await?;
            if self.needs_master { require_master(&shard.speak).await } else { Ok(()) }
        }))
        .await
        .map(drop)
    }
}

impl Dialer {
    /// Makes a link that is joined to nothing yet. `known` are cluster nodes met so far: also worth asking.
    pub(super) async fn dial(&self, known: &mut Vec<Node>) -> Result<Link, Broken> {
        let (signal, broken) = watch::channel("");
        let (nodes, owners) = match &self.address.kind {
            Kind::Single => (self.address.nodes.clone(), Vec::new()),
            Kind::Sentinel(name) => (vec![self.ask_sentinels(name).await?], Vec::new()),
            Kind::Cluster => self.ask_cluster(known).await?,
        };
        let shards = try_join_all(nodes.iter().map(async |node| {
            RedisResult::Ok(Shard {
                speak: self.open(node, Some(&signal)).await?,
                hear: self.open(node, Some(&signal)).await?,
            })
        }))
        .await?;
        let mut sharded = !owners.is_empty();
        for shard in &shards {
            match self.address.kind {
                Kind::Single => {}
                Kind::Sentinel(_) => require_master(&shard.speak).await?,
                Kind::Cluster => sharded &= offers_sharded_pubsub(&shard.speak).await?,
            }
        }
        let needs_master = matches!(self.address.kind, Kind::Sentinel(_));
        Ok(Link { shards, owners, sharded, needs_master, prefix: self.settings.prefix.clone(), broken })
    }

    /// Asks one Sentinel after the other where the master is.
    async fn ask_sentinels(&self, name: &str) -> RedisResult<Node> {
        let mut last = broken("no Sentinel to ask");
        for sentinel in &self.address.nodes {
            let asked = async {
                let mut connection = self.open_as(sentinel, &self.address.sentinel_login, 0, None).await?;
                cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(name).query_async(&mut connection).await
            };
            match timeout(self.settings.link_timeout / 3, asked).await {
                Ok(Ok(Some((host, port)))) => return Ok(Node::Tcp(host, port)),
                Ok(Ok(None)) => last = broken("the Sentinels do not know a master of that name"),
                Ok(Err(error)) => last = error,
                Err(_) => last = broken("a Sentinel did not answer in time"),
            }
        }
        Err(last)
    }

    /// Asks one node after the other which node serves which slot.
    async fn ask_cluster(&self, known: &mut Vec<Node>) -> RedisResult<(Vec<Node>, Vec<usize>)> {
        let mut last = broken("no cluster node to ask");
        for node in self.address.nodes.iter().chain(&*known) {
            let asked = async {
                let mut connection = self.open(node, None).await?;
                read_slots(cmd("CLUSTER").arg("SLOTS").query_async(&mut connection).await?, node)
            };
            match timeout(self.settings.link_timeout / 3, asked).await {
                Ok(Ok((nodes, owners))) => {
                    known.clone_from(&nodes);
                    return Ok((nodes, owners));
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = broken("a cluster node did not answer in time"),
            }
        }
        Err(last)
    }

    async fn open(&self, node: &Node, signal: Option<&watch::Sender<&'static str>>) -> RedisResult<Connection> {
        self.open_as(node, &self.address.login, self.address.db, signal).await
    }

    async fn open_as(
        &self,
        node: &Node,
        login: &Login,
        db: i64,
        signal: Option<&watch::Sender<&'static str>>,
    ) -> RedisResult<Connection> {
        let address = match node {
            Node::Unix(path) => ConnectionAddr::Unix(path.clone()),
            Node::Tcp(host, port) if self.address.tls => {
                ConnectionAddr::TcpTls { host: host.clone(), port: *port, insecure: false, tls_params: None }
            }
            Node::Tcp(host, port) => ConnectionAddr::Tcp(host.clone(), *port),
        };
        let mut who = RedisConnectionInfo::default().set_db(db).set_protocol(ProtocolVersion::RESP3);
        if let Some(user) = &login.user {
            who = who.set_username(user);
        }
        if let Some(password) = &login.password {
            who = who.set_password(password.expose());
        }
        // Nagle's algorithm would hold a small publish back until the one before it is acknowledged.
        let tcp = TcpSettings::default().set_nodelay(true);
        let info = address.into_connection_info()?.set_redis_settings(who).set_tcp_settings(tcp);
        let client = match &self.settings.ca_pem {
            Some(pem) if self.address.tls => {
                Client::build_with_tls(info, TlsCertificates { client_tls: None, root_cert: Some(pem.clone()) })?
            }
            _ => Client::open(info)?,
        };
        let mut config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.settings.link_timeout))
            .set_response_timeout(Some(self.settings.link_timeout));
        if let Some(signal) = signal {
            let (prefix, ear, signal) = (self.settings.prefix.clone(), self.ear.clone(), signal.clone());
            config = config.set_push_sender(move |push| dispatch(push, &prefix, &ear, &signal));
        }
        client.get_multiplexed_async_connection_with_config(&config).await
    }
}

/// Passes on what a server pushes, on the task that reads it.
fn dispatch(push: PushInfo, prefix: &str, ear: &Ear, signal: &watch::Sender<&'static str>) -> RedisResult<()> {
    let PushInfo { kind, data } = push;
    let mut data = data.into_iter();
    let (channel, rest) = (data.next(), data.next());
    let topic = match &channel {
        Some(Value::BulkString(channel)) => std::str::from_utf8(channel).ok().and_then(|it| it.strip_prefix(prefix)),
        _ => None,
    };
    match (kind, topic, rest) {
        (PushKind::Message | PushKind::SMessage, Some(topic), Some(Value::BulkString(payload))) => {
            ear(Heard::Message(topic, payload.into()));
        }
        (PushKind::Unsubscribe | PushKind::SUnsubscribe, Some(topic), _) if ear(Heard::Ended(topic)) => {
            signal.send_replace("a slot has moved to another node");
        }
        (PushKind::Disconnection, ..) => {
            signal.send_replace("a connection was closed");
        }
        _ => {}
    }
    Ok(())
}

/// A link given up for a reason of ours.
pub(super) fn broken(why: &'static str) -> RedisError {
    RedisError::from((ErrorKind::Client, why))
}

async fn require_master(connection: &Connection) -> RedisResult<()> {
    match cmd("ROLE").query_async(&mut connection.clone()).await? {
        Value::Array(role) if matches!(role.first(), Some(Value::BulkString(name)) if name != b"master") => {
            Err(broken("the server is not the master"))
        }
        _ => Ok(()),
    }
}

/// Since Redis 7. All nodes of a cluster must offer it: instances that used different kinds would not hear each other.
async fn offers_sharded_pubsub(connection: &Connection) -> RedisResult<bool> {
    let command = cmd("COMMAND").arg("INFO").arg("SSUBSCRIBE").query_async(&mut connection.clone()).await?;
    Ok(matches!(command, Value::Array(found) if matches!(found.first(), Some(Value::Array(_) | Value::Map(_)))))
}

/// Reads `CLUSTER SLOTS`: rows of first slot, last slot, master `[host, port, …]`, replicas. A host may be empty: then it
/// is the one that was asked.
fn read_slots(rows: Vec<Vec<Value>>, asked: &Node) -> RedisResult<(Vec<Node>, Vec<usize>)> {
    let mut nodes = Vec::new();
    let mut owners = vec![None; usize::from(slots::COUNT)];
    for row in &rows {
        let [Value::Int(first), Value::Int(last), Value::Array(master), ..] = row.as_slice() else { continue };
        let [host, Value::Int(port), ..] = master.as_slice() else { continue };
        let host = match (redis::from_redis_value_ref::<Option<String>>(host)?, asked) {
            (Some(host), _) if !host.is_empty() => host,
            (_, Node::Tcp(host, _)) => host.clone(),
            _ => continue,
        };
        let node = Node::Tcp(host, u16::try_from(*port).map_err(|_| broken("a cluster node has no usable port"))?);
        let at = nodes.iter().position(|known| *known == node).unwrap_or_else(|| {
            nodes.push(node);
            nodes.len() - 1
        });
        let range = usize::try_from(*first).unwrap_or(0)..usize::try_from(*last).unwrap_or(0).saturating_add(1);
        owners.get_mut(range).into_iter().flatten().for_each(|owner| *owner = Some(at));
    }
    let owners = owners.into_iter().collect::<Option<Vec<_>>>();
    Ok((nodes, owners.ok_or_else(|| broken("the cluster does not serve every slot"))?))
}
