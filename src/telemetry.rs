//! What an instance says about itself: log lines without secrets, the span of a request, and its metrics.

use std::borrow::Cow;
use std::io::{self, IsTerminal as _, Write};
use std::sync::Arc;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::base::{Error, Result};

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people, in colour.
    Pretty,
    /// One JSON object a line, for collectors.
    Json,
}

/// Starts logging to standard error. `filter` is as in `ordercast=debug,info`.
///
/// Every line passes through [`redact`], so a credential that slips into a field or an error text still does not reach
/// the log.
///
/// # Errors
/// `Invalid` when the filter cannot be read, `Conflict` when logging was started before.
pub fn start(format: Format, filter: &str) -> Result<()> {
    start_to(format, filter, io::stderr().is_terminal(), io::stderr)
}

/// The same to anything that takes lines: a file, for whoever reads them afterwards.
///
/// # Errors
/// As [`start`].
pub fn start_to<M>(format: Format, filter: &str, in_colour: bool, writer: M) -> Result<()>
where
    M: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::try_new(filter)
        .map_err(|e| Error::invalid("bad_setting", format!("ORDERCAST_LOG cannot be read: {e}")))?;
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_ansi(in_colour).with_writer(Redacting(writer));
    let started = match format {
        Format::Pretty => registry.with(lines.with_target(false)).try_init(),
        Format::Json => registry.with(lines.json().flatten_event(true).with_span_list(false)).try_init(),
    };
    started.map_err(|_| Error::conflict("logging_started", "logging was started before"))
}

/// The span in which a request is handled: every log line inside it carries the request's id. `path` is redacted here.
#[must_use]
pub fn request_span(id: &str, method: &str, path: &str) -> tracing::Span {
    tracing::info_span!("request", request.id = id, http.method = method, http.path = %redact(path))
}

/// What stands in a secret's place.
const HIDDEN: &str = "[hidden]";

/// What comes right before a secret, in lower case. The value that follows ends at the first character that cannot stand
/// in a token, a pass or a password of a URL.
const MARKS: &[&str] = &[
    "token=",
    "pass=",
    "password=",
    "secret=",
    "otp=",
    "oc_session=",
    "oc_access=",
    "/track/",
    "/setup/",
    "bearer ",
    "oc_live_",
    "oc_test_",
    "whsec_", // How every JSON Web Token begins: `{"typ"` and `{"alg"`.
    "eyj0exai",
    "eyjhbgci",
];

/// The text without what is secret in it: `token=` and `pass=` values, the pass in `/track/{pass}`, the
/// key in `/setup/{key}`, bearer credentials,
/// API tokens, webhook secrets and JSON Web Tokens anywhere, one-time codes and session cookies by their names, and the
/// password of a URL.
#[must_use]
pub fn redact(text: &str) -> Cow<'_, str> {
    let mut clean = String::new();
    let mut rest = text;
    while let Some((start, end)) = next_secret(rest) {
        clean.push_str(&rest[..start]);
        clean.push_str(HIDDEN);
        rest = &rest[end..];
    }
    if clean.is_empty() && rest.len() == text.len() {
        return Cow::Borrowed(text);
    }
    clean.push_str(rest);
    Cow::Owned(clean)
}

/// Where the first secret of the text begins and ends.
fn next_secret(text: &str) -> Option<(usize, usize)> {
    let bytes = text.as_bytes();
    let marked = |at: usize| {
        let rest = &bytes[at..];
        let mark = MARKS
            .iter()
            .find(|mark| rest.get(..mark.len()).is_some_and(|head| head.eq_ignore_ascii_case(mark.as_bytes())))?;
        let start = at + mark.len();
        let length = bytes[start..].iter().take_while(|byte| is_secret_byte(**byte)).count();
        (length > 0).then_some((start, start + length))
    };
    (0..bytes.len()).find_map(|at| match bytes[at] {
        b':' if bytes[at..].starts_with(b"://") => url_password(bytes, at + 3),
        _ => marked(at),
    })
}

/// The password in `user:password@host`, where the text after `://` begins at `from`.
fn url_password(bytes: &[u8], from: usize) -> Option<(usize, usize)> {
    let authority = &bytes[from..];
    let length = authority.iter().take_while(|byte| !matches!(byte, b'/' | b'?' | b'#' | b'"' | b' ' | b'\n')).count();
    let at_sign = authority[..length].iter().rposition(|byte| *byte == b'@')?;
    let colon = authority[..at_sign].iter().position(|byte| *byte == b':')?;
    (colon + 1 < at_sign).then_some((from + colon + 1, from + at_sign))
}

fn is_secret_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'%' | b'+' | b'=') || !byte.is_ascii()
}

/// A log writer that redacts. The formatter hands over one whole line at a time.
struct Redacting<M>(M);

struct RedactingWriter<W>(W);

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for Redacting<M> {
    type Writer = RedactingWriter<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        RedactingWriter(self.0.make_writer())
    }
}

impl<W: Write> Write for RedactingWriter<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(line);
        self.0.write_all(redact(&text).as_bytes())?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Labels of a finished HTTP request.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// The route's pattern, never the path itself: `/track/{pass}`.
    pub route: String,
    /// The method.
    pub method: String,
    /// `2xx`, `4xx`…
    pub class: &'static str,
}

/// A route's pattern alone.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RouteLabel {
    /// As in [`RequestLabels`].
    pub route: String,
}

/// What came of a wish to change an order.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct OutcomeLabel {
    /// `changed`, `same` or `refused`.
    pub outcome: &'static str,
}

/// How a client is connected.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TransportLabel {
    /// `websocket`, `sse` or `poll`.
    pub transport: &'static str,
}

/// A state of things that are counted by state.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct StateLabel {
    /// Jobs: `queued`, `dead`. Database connections: `used`, `max`.
    pub state: &'static str,
}

/// The metrics of one instance. Cheap to clone; clones count together.
#[derive(Clone)]
pub struct Metrics {
    registry: Arc<Registry>,
    /// HTTP requests answered.
    pub http_requests: Family<RequestLabels, Counter>,
    /// Seconds from a request's arrival to its answer's head.
    pub http_duration: Family<RouteLabel, Histogram, fn() -> Histogram>,
    /// Wishes to change an order.
    pub updates: Family<OutcomeLabel, Counter>,
    /// Events written to the log.
    pub events: Counter,
    /// Live connections now.
    pub live_connections: Family<TransportLabel, Gauge>,
    /// Live messages handed to connections.
    pub deliveries: Counter,
    /// Times a slow reader fell behind and was sent back to the log.
    pub behind: Counter,
    /// Live connections that were closed by us: slow, silent, revoked, over a limit, draining.
    pub closed: Counter,
    /// Holes found in what the bus brought, and filled from the log.
    pub holes: Counter,
    /// Jobs by state.
    pub jobs: Family<StateLabel, Gauge>,
    /// 1 while messages flow between instances.
    pub bus_up: Gauge,
    /// Database connections by state.
    pub db_pool: Family<StateLabel, Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// Metrics that all stand at nothing.
    #[must_use]
    pub fn new() -> Self {
        let mut metrics = Self {
            registry: Arc::default(),
            http_requests: Family::default(),
            http_duration: Family::new_with_constructor(buckets),
            updates: Family::default(),
            events: Counter::default(),
            live_connections: Family::default(),
            deliveries: Counter::default(),
            behind: Counter::default(),
            closed: Counter::default(),
            holes: Counter::default(),
            jobs: Family::default(),
            bus_up: Gauge::default(),
            db_pool: Family::default(),
        };
        let mut registry = Registry::with_prefix("ordercast");
        let m = &metrics;
        registry.register("http_requests", "HTTP requests answered", m.http_requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Time from a request's arrival to its answer",
            Unit::Seconds,
            m.http_duration.clone(),
        );
        registry.register("order_updates", "Wishes to change an order, by what came of them", m.updates.clone());
        registry.register("events", "Events written to the log", m.events.clone());
        registry.register("live_connections", "Live connections now", m.live_connections.clone());
        registry.register("live_deliveries", "Live messages handed to connections", m.deliveries.clone());
        registry.register("live_behind", "Times a slow reader was sent back to the log", m.behind.clone());
        registry.register("live_closed", "Live connections closed by this side", m.closed.clone());
        registry.register("live_holes", "Holes in what the bus brought, filled from the log", m.holes.clone());
        registry.register("jobs", "Queued work", m.jobs.clone());
        registry.register("bus_up", "Whether messages flow between instances", m.bus_up.clone());
        registry.register("db_connections", "Database connections", m.db_pool.clone());
        metrics.registry = Arc::new(registry);
        metrics
    }

    /// Counts one answered request. `route` must be a pattern, so that the number of series stays small.
    pub fn request_answered(&self, route: &str, method: &str, status: u16, seconds: f64) {
        let class = match status / 100 {
            1 => "1xx",
            2 => "2xx",
            3 => "3xx",
            4 => "4xx",
            _ => "5xx",
        };
        let labels = RequestLabels { route: route.to_owned(), method: method.to_owned(), class };
        self.http_requests.get_or_create(&labels).inc();
        self.http_duration.get_or_create(&RouteLabel { route: route.to_owned() }).observe(seconds);
    }

    /// All of them in the OpenMetrics text format (`application/openmetrics-text; version=1.0.0; charset=utf-8`), which
    /// Prometheus reads.
    ///
    /// # Errors
    /// `Internal` when they cannot be written as text.
    pub fn encode(&self) -> Result<String> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).map_err(Error::internal)?;
        Ok(text)
    }
}

fn buckets() -> Histogram {
    Histogram::new([0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0])
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[test]
    fn secrets_are_cut_out_wherever_they_stand() {
        for (text, clean) in [
            ("GET /api/update-order?token=abc_-123&x=1", "GET /api/update-order?token=[hidden]&x=1"),
            ("/live/sse?since=4&pass=Qq-_9~", "/live/sse?since=4&pass=[hidden]"),
            ("https://t.example/track/Zm9v?lang=en", "https://t.example/track/[hidden]?lang=en"),
            ("GET /setup/abc", "GET /setup/[hidden]"),
            ("Authorization: BEARER a.b.c, next", "Authorization: BEARER [hidden], next"),
            ("mail to smtp://u:p%40w@mail.example:587/x", "mail to smtp://u:[hidden]@mail.example:587/x"),
            ("redis://:p@w@h/0", "redis://:[hidden]@h/0"),
            ("two token=a and TOKEN=b", "two token=[hidden] and TOKEN=[hidden]"),
            ("?token=%6Fc&pass=é", "?token=[hidden]&pass=[hidden]"),
            ("refresh eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJz.c-_9 was", "refresh eyJ0eXAi[hidden] was"),
            ("Cookie: oc_session=a.b; oc_access=c", "Cookie: oc_session=[hidden]; oc_access=[hidden]"),
            ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_[hidden]"),
        ] {
            assert_eq!(redact(text), clean);
        }
        assert_eq!(redact(&format!("\"{}{}\"", "oc_live_", "a".repeat(36))), "\"oc_live_[hidden]\"");
    }

    #[test]
    fn other_text_is_left_as_it_is() {
        for text in ["", "token", "/track/", "/track", "tracking=1", "https://a.example/b", "p@x", "über=1 €"] {
            assert!(matches!(redact(text), Cow::Borrowed(same) if same == text), "{text}");
        }
    }

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_json_line_carries_the_request_and_no_secret() {
        let kept = Kept::default();
        let writer = kept.clone();
        let lines = tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_span_list(false)
            .with_writer(Redacting(move || writer.clone()));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            let _in = request_span("req-1", "GET", "/track/abcdef").entered();
            tracing::warn!(url = "https://h/x?token=abcdef", "said {}", "Bearer abcdef");
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        assert!(!text.contains("abcdef"), "{text}");
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["span"]["request.id"], "req-1");
        assert_eq!(line["span"]["http.path"], "/track/[hidden]");
        assert_eq!(line["url"], "https://h/x?token=[hidden]");
        assert_eq!(line["message"], "said Bearer [hidden]");
        assert_eq!(line.get("spans"), None);
    }

    #[test]
    fn metrics_are_written_under_their_names() {
        let metrics = Metrics::new();
        metrics.request_answered("/track/{pass}", "GET", 204, 0.004);
        metrics.clone().behind.inc();
        metrics.live_connections.get_or_create(&TransportLabel { transport: "sse" }).inc();
        metrics.bus_up.set(1);
        let text = metrics.encode().unwrap();
        for line in [
            "ordercast_http_requests_total{route=\"/track/{pass}\",method=\"GET\",class=\"2xx\"} 1",
            "ordercast_http_request_duration_seconds_bucket{le=\"0.005\",route=\"/track/{pass}\"} 1",
            "ordercast_live_behind_total 1",
            "ordercast_live_connections{transport=\"sse\"} 1",
            "ordercast_bus_up 1",
            "# EOF",
        ] {
            assert!(text.lines().any(|other| other == line), "{line} is not in\n{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_redaction_fail_and_twice_changes_nothing(text in "(token=|pass=|/track/|://|:|@|[a-zé&/ \"]){0,20}") {
            let once = redact(&text).into_owned();
            // What is hidden is put in brackets, which end a value, so a second pass finds nothing to hide.
            assert_eq!(redact(&once), once);
        }
    }
}
