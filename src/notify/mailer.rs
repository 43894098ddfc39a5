//! Delivers mail: to an SMTP server, into a folder (and the log) by default, or into memory for tests.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder, MultiPart};
use lettre::transport::smtp::response::Category;
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};
use tokio::io::AsyncWriteExt as _;
use uuid::Uuid;

use super::letters::Rendered;
use crate::base::{Clock, Error, Result, Secret};
use crate::jobs::Verdict;

/// One mail to one person.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The same for every attempt, so that a server that got it twice can tell.
    pub id: Uuid,
    /// Address of the recipient.
    pub to: String,
    /// Their name.
    pub to_name: Option<String>,
    /// The name it comes from: the shop's. The address is always ours.
    pub from_name: Option<String>,
    /// What it says.
    pub letter: Rendered,
    /// Where one click stops such mail (RFC 8058), if anywhere. An https address.
    pub unsubscribe_url: Option<String>,
}

/// How long a mail server may take for one mail, connecting included. Below the lease of a job, so that no other instance
/// sends the same mail meanwhile.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How long connecting alone may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Sends mail. Cheap to clone.
#[derive(Clone)]
pub struct Mailer {
    from: Mailbox,
    clock: Clock,
    way: Way,
}

#[derive(Clone)]
enum Way {
    Smtp { transport: AsyncSmtpTransport<Tokio1Executor>, server: Arc<str>, patience: Duration },
    Folder(Arc<Path>),
    Memory(Arc<Mutex<Vec<Sent>>>),
}

/// A mail that was "sent" into memory.
#[derive(Clone, Debug)]
pub struct Sent {
    /// As it was handed over.
    pub mail: Mail,
    /// The message as it would have gone over the wire.
    pub raw: String,
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.way {
            Way::Smtp { server, .. } => write!(f, "Mailer(smtp, {server})"),
            Way::Folder(path) => write!(f, "Mailer(folder, {})", path.display()),
            Way::Memory(_) => f.write_str("Mailer(memory)"),
        }
    }
}

impl Mailer {
    /// Sends through the server at `url`: `smtps://…` (TLS from the start), `smtp://…?tls=required` (STARTTLS or
    /// nothing) or `smtp://…` (unencrypted). User and password are percent-encoded in it.
    ///
    /// `patience` is [`PATIENCE`] outside tests. Each mail has its own connection.
    ///
    /// # Errors
    /// `Invalid` when the address or `from` cannot be read. Neither is repeated in the error: a password may be in it.
    pub fn smtp(url: &Secret, from: &str, clock: Clock, patience: Duration) -> Result<Self> {
        let refuse = || {
            let message =
                "SMTP_URL must look like smtp://user:password@host:587?tls=required or smtps://user:password@host:465";
            Error::invalid("bad_setting", message)
        };
        let parsed = url::Url::parse(url.expose()).map_err(|_| refuse())?;
        let host = parsed.host_str().filter(|host| !host.is_empty()).ok_or_else(refuse)?.to_owned();
        let builder = AsyncSmtpTransport::<Tokio1Executor>::from_url(url.expose()).map_err(|_| refuse())?;
        let is_open = parsed.scheme() == "smtp" && !parsed.query_pairs().any(|(key, _)| key == "tls");
        if is_open && parsed.password().is_some() && !is_loopback(&host) {
            tracing::warn!(mail.server = %host, "the mail password travels unencrypted; add ?tls=required to SMTP_URL");
        }
        let transport = builder.timeout(Some(CONNECT.min(patience))).build();
        let way = Way::Smtp { transport, server: host.into(), patience };
        Ok(Self { from: sender(from)?, clock, way })
    }

    /// Keeps mail as `.eml` files in a folder, which is made when the first one comes, and says so in the log.
    ///
    /// # Errors
    /// `Invalid` when `from` cannot be read.
    pub fn folder(path: PathBuf, from: &str, clock: Clock) -> Result<Self> {
        Ok(Self { from: sender(from)?, clock, way: Way::Folder(path.into()) })
    }

    /// Keeps mail in memory, for tests to look at.
    ///
    /// # Errors
    /// `Invalid` when `from` cannot be read.
    pub fn memory(from: &str, clock: Clock) -> Result<Self> {
        Ok(Self { from: sender(from)?, clock, way: Way::Memory(Arc::default()) })
    }

    /// What was sent into memory so far, oldest first; nothing for other ways.
    #[must_use]
    pub fn sent(&self) -> Vec<Sent> {
        match &self.way {
            Way::Memory(sent) => sent.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            Way::Smtp { .. } | Way::Folder(_) => Vec::new(),
        }
    }

    /// Sends one mail and says what came of it. `GiveUp` when the server refused it for good (5xx) or it could never be
    /// sent at all; `Retry` for everything that may pass: a 4xx reply, no connection, no answer in time, and a refused
    /// login, which the operator can mend.
    pub async fn send(&self, mail: &Mail) -> Verdict {
        let message = match self.compose(mail) {
            Ok(message) => message,
            Err(error) => return Verdict::GiveUp(error),
        };
        match &self.way {
            Way::Smtp { transport, server, patience } => {
                match tokio::time::timeout(*patience, transport.send(message)).await {
                    Ok(Ok(_)) => Verdict::Done,
                    Ok(Err(error)) => judge(server, &error),
                    Err(_) => {
                        Verdict::Retry(Error::Unavailable(format!("Mail server {server} (no answer in time)"), None))
                    }
                }
            }
            Way::Folder(path) => match self.keep(path, mail, &message.formatted()).await {
                Ok(()) => Verdict::Done,
                Err(error) => Verdict::Retry(Error::unavailable("The mail folder", error)),
            },
            Way::Memory(sent) => {
                let raw = String::from_utf8_lossy(&message.formatted()).into_owned();
                sent.lock().unwrap_or_else(PoisonError::into_inner).push(Sent { mail: mail.clone(), raw });
                Verdict::Done
            }
        }
    }

    fn compose(&self, mail: &Mail) -> Result<Message> {
        let address: Address =
            mail.to.trim().parse().map_err(|_| Error::invalid("bad_address", "The e-mail address is not one."))?;
        let headers = [mail.to_name.as_deref(), mail.from_name.as_deref(), mail.unsubscribe_url.as_deref()];
        if headers
            .into_iter()
            .flatten()
            .chain([mail.letter.subject.as_str()])
            .any(|text| text.contains(char::is_control))
        {
            return Err(Error::invalid("bad_header", "A header of the mail holds a control character."));
        }
        let named = mail.from_name.clone().filter(|name| !name.is_empty());
        let from = Mailbox::new(named.or_else(|| self.from.name.clone()), self.from.email.clone());
        let message = Message::builder()
            .date(SystemTime::from(self.clock.now()))
            .message_id(Some(format!("<{}@{}>", mail.id, self.from.email.domain())))
            .from(from)
            .to(Mailbox::new(mail.to_name.clone().filter(|name| !name.is_empty()), address))
            .subject(mail.letter.subject.as_str())
            // RFC 3834: keeps holiday notices from being sent in answer.
            .raw_header(header("Auto-Submitted", "auto-generated"));
        let message = unsubscribe(message, mail.unsubscribe_url.as_deref())?;
        let body = MultiPart::alternative_plain_html(mail.letter.text.clone(), mail.letter.html.clone());
        message.multipart(body).map_err(Error::internal)
    }

    /// Writes the file under another name first, so that whoever watches the folder never reads half a mail.
    async fn keep(&self, folder: &Path, mail: &Mail, bytes: &[u8]) -> std::io::Result<()> {
        tokio::fs::create_dir_all(folder).await?;
        let name = format!("{}-{}", self.clock.now().strftime("%Y%m%dT%H%M%S"), mail.id);
        let (part, path) = (folder.join(format!(".{name}.part")), folder.join(format!("{name}.eml")));
        let mut options = tokio::fs::OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        options.mode(0o600);
        let mut file = options.open(&part).await?;
        file.write_all(bytes).await?;
        file.flush().await?;
        tokio::fs::rename(&part, &path).await?;
        tracing::info!(mail.to = %mail.to, mail.subject = %mail.letter.subject, mail.file = %path.display(), "mail kept\n{}", mail.letter.text);
        Ok(())
    }
}

fn sender(from: &str) -> Result<Mailbox> {
    from.parse().map_err(|_| {
        Error::invalid("bad_setting", "ORDERCAST_MAIL_FROM must look like Ordercast <no-reply@shop.example>")
    })
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

/// The two headers of RFC 8058, only where there is an address for them.
fn unsubscribe(message: MessageBuilder, url: Option<&str>) -> Result<MessageBuilder> {
    let Some(url) = url else { return Ok(message) };
    let url = url::Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
    let url = url.ok_or_else(|| Error::invalid("bad_header", "The unsubscribe address is not a web address."))?;
    Ok(message
        .raw_header(header("List-Unsubscribe", &format!("<{url}>")))
        .raw_header(header("List-Unsubscribe-Post", "List-Unsubscribe=One-Click")))
}

/// What an error of the SMTP conversation means. Texts of replies are repeated only where they speak of the mail itself
/// (x5x): in other places a server may echo the login.
fn judge(server: &str, error: &lettre::transport::smtp::Error) -> Verdict {
    let Some(code) = error.status() else {
        let what = if error.is_timeout() {
            "no answer in time"
        } else if error.is_tls() {
            "no secure connection"
        } else if error.is_client() {
            "it lacks what we need: STARTTLS, a way to log in, or addresses in other scripts"
        } else {
            "connection failed"
        };
        return Verdict::Retry(Error::Unavailable(format!("Mail server {server} ({what})"), None));
    };
    let reply = match std::error::Error::source(error) {
        Some(text) if code.category == Category::MailSystem => format!("{code} {}", first_line(&text.to_string())),
        _ => code.to_string(),
    };
    let is_login = code.category == Category::Unspecified3;
    if error.is_permanent() && !is_login {
        Verdict::GiveUp(Error::Unprocessable(format!("Mail server {server} refused the mail: {reply}")))
    } else {
        let what = if is_login { "it refuses our user and password: " } else { "" };
        Verdict::Retry(Error::Unavailable(format!("Mail server {server} ({what}{reply})"), None))
    }
}

fn first_line(text: &str) -> String {
    super::letters::one_line(text.lines().next().unwrap_or_default()).chars().take(200).collect()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, BufReader};
    use tokio::net::TcpListener;

    use super::*;

    const FROM: &str = "Ordercast <no-reply@shop.example>";

    fn clock() -> Clock {
        Clock::manual("2026-11-21T09:12:00Z".parse().unwrap())
    }

    fn mail() -> Mail {
        Mail {
            id: Uuid::from_u128(7),
            to: "ayesha@mail.example".into(),
            to_name: Some("Ayesha Rahman".into()),
            from_name: Some("Jüniper & Co.".into()),
            letter: Rendered {
                subject: "Your order has shipped!".into(),
                text: "Hello,\n.\nBye.\n".into(),
                html: "<p>Hello</p>".into(),
            },
            unsubscribe_url: None,
        }
    }

    /// A mail server that answers commands as told, and keeps what it heard. An answer of "" is silence.
    struct Server {
        address: std::net::SocketAddr,
        heard: Arc<Mutex<Vec<String>>>,
    }

    impl Server {
        async fn start(answers: Answers) -> Self {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let server = Self { address: listener.local_addr().unwrap(), heard: Arc::default() };
            let heard = server.heard.clone();
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    tokio::spawn(converse(stream, answers, heard.clone()));
                }
            });
            server
        }

        fn heard(&self) -> Vec<String> {
            self.heard.lock().unwrap().clone()
        }

        fn mailer(&self, login: &str, query: &str) -> Mailer {
            let url = Secret::new(format!("smtp://{login}127.0.0.1:{}{query}", self.address.port()));
            Mailer::smtp(&url, FROM, clock(), PATIENCE).unwrap()
        }
    }

    /// What the server says to a command that begins so.
    type Answers = &'static [(&'static str, &'static str)];

    const DEFAULTS: Answers = &[
        ("hello", "220 ready"),
        ("EHLO", "250-mail.example\r\n250-8BITMIME\r\n250 AUTH PLAIN LOGIN"),
        ("DATA", "354 go on"),
        ("QUIT", "221 bye"),
        ("", "250 fine"),
    ];

    async fn converse(
        mut stream: tokio::net::TcpStream,
        answers: Answers,
        heard: Arc<Mutex<Vec<String>>>,
    ) -> Option<()> {
        let (reader, mut writer) = stream.split();
        let mut lines = BufReader::new(reader).lines();
        let mut command = "hello".to_owned();
        let mut in_data = false;
        loop {
            if !in_data {
                let by = |table: Answers| {
                    table.iter().find(|(start, _)| command.starts_with(start)).map(|(_, answer)| *answer)
                };
                let answer = by(answers).or_else(|| by(DEFAULTS))?;
                if !answer.is_empty() {
                    writer.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
                }
                in_data = answer.starts_with("354");
            }
            let line = lines.next_line().await.ok()??;
            heard.lock().unwrap().push(line.clone());
            command = if in_data && line == "." { "end".to_owned() } else { line };
            in_data = in_data && command != "end";
        }
    }

    #[tokio::test]
    async fn a_mail_reaches_the_server_whole() {
        let server = Server::start(&[]).await;
        let mut mail = mail();
        mail.unsubscribe_url = Some("https://t.example/stop?a=1".into());
        assert!(matches!(server.mailer("us%40er:p%3Aw@", "").send(&mail).await, Verdict::Done));
        let heard = server.heard();
        let has = |line: &str| assert!(heard.iter().any(|heard| heard == line), "{line} is not in {heard:#?}");
        has("AUTH PLAIN AHVzQGVyAHA6dw==");
        has("RCPT TO:<ayesha@mail.example>");
        has("Subject: Your order has shipped!");
        has("To: \"Ayesha Rahman\" <ayesha@mail.example>");
        has("Date: Sat, 21 Nov 2026 09:12:00 +0000");
        has("Message-ID: <00000000-0000-0000-0000-000000000007@shop.example>");
        has("Auto-Submitted: auto-generated");
        has("List-Unsubscribe: <https://t.example/stop?a=1>");
        has("List-Unsubscribe-Post: List-Unsubscribe=One-Click");
        has("..");
        has("<p>Hello</p>");
        assert!(heard.iter().any(|line| line.starts_with("MAIL FROM:<no-reply@shop.example>")));
        assert!(heard.iter().any(|line| line.starts_with("From: =?utf-8?")), "{heard:#?}");
    }

    #[tokio::test]
    async fn the_class_of_the_reply_decides_whether_to_try_again() {
        #[rustfmt::skip]
        let cases: [(Answers, bool, &str); 8] = [
            (&[("RCPT", "550 5.1.1 no such user")], false, "550 5.1.1 no such user"),
            (&[("RCPT", "450 greylisted")], true, "450"),
            (&[("end", "554 looks like spam")], false, "554 looks like spam"),
            (&[("end", "452 disk full")], true, "452"),
            (&[("MAIL", "552 too big")], false, "552"),
            (&[("hello", "421 busy")], true, "421"),
            (&[("AUTH", "535 wrong: AHUAaHVzaGh1c2g=")], true, "refuses our user and password: 535)"),
            (&[("hello", "nonsense")], true, "connection failed"),
        ];
        for (answers, again, word) in cases {
            let server = Server::start(answers).await;
            let verdict = server.mailer("u:hushhush@", "").send(&mail()).await;
            let (Verdict::Retry(error) | Verdict::GiveUp(error)) = &verdict else { panic!("{answers:?}: {verdict:?}") };
            assert_eq!(matches!(verdict, Verdict::Retry(_)), again, "{verdict:?}");
            let text = error.to_string();
            assert!(text.contains(word), "{text}");
            assert!(!format!("{verdict:?}").contains("hush") && !format!("{verdict:?}").contains("AHUAaHVzaGh1c2g"));
        }
    }

    #[tokio::test]
    async fn silence_and_a_closed_door_are_worth_another_try() {
        const WORDLESS: Answers = &[("hello", "")];
        const SPEECHLESS_AT_THE_END: Answers = &[("end", "")];
        for answers in [WORDLESS, SPEECHLESS_AT_THE_END] {
            let url = Secret::new(format!("smtp://{}", Server::start(answers).await.address));
            let mailer = Mailer::smtp(&url, FROM, clock(), Duration::from_millis(200)).unwrap();
            let verdict = mailer.send(&mail()).await;
            let Verdict::Retry(error) = verdict else { panic!("{verdict:?}") };
            assert!(error.to_string().contains("no answer in time"), "{error}");
        }
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let mailer = Mailer::smtp(&Secret::new(format!("smtp://{closed}")), FROM, clock(), PATIENCE);
        assert!(matches!(mailer.unwrap().send(&mail()).await, Verdict::Retry(_)));
    }

    #[tokio::test]
    async fn where_encryption_is_required_nothing_is_said_without_it() {
        let server = Server::start(&[]).await;
        let verdict = server.mailer("u:hushhush@", "?tls=required").send(&mail()).await;
        let Verdict::Retry(error) = verdict else { panic!("{verdict:?}") };
        assert!(error.to_string().contains("STARTTLS"), "{error}");
        assert!(server.heard().iter().all(|line| line.starts_with("EHLO") || line == "QUIT"), "{:?}", server.heard());
    }

    #[tokio::test]
    async fn settings_that_cannot_be_read_are_refused_without_being_repeated() {
        for url in [
            "",
            "hushhush",
            "http://u:hushhush@h",
            "smtp://",
            "smtp://u:hushhush@h?tls=maybe",
            "smtp://u:%FFhushhush@h",
        ] {
            let error = Mailer::smtp(&Secret::new(url), FROM, clock(), PATIENCE).unwrap_err();
            assert!(error.to_string().starts_with("SMTP_URL must look like"), "{url}");
            assert!(!format!("{error:?}").contains("hush"));
        }
        assert!(Mailer::memory("nobody", clock()).is_err());
        let mailer = Mailer::smtp(&Secret::new("smtps://u:hushhush@mail.example"), FROM, clock(), PATIENCE).unwrap();
        assert_eq!(format!("{mailer:?}"), "Mailer(smtp, mail.example)");
    }

    #[tokio::test]
    async fn nobody_can_smuggle_in_a_header_or_a_recipient() {
        let mailer = Mailer::memory(FROM, clock()).unwrap();
        let evil = "x\r\nBcc: all@mail.example";
        let bad = [
            Mail { to: format!("a@mail.example{evil}"), ..mail() },
            Mail { to: "a@mail.example, b@mail.example".into(), ..mail() },
            Mail { to: "Ayesha <a@mail.example>".into(), ..mail() },
            Mail { to: String::new(), ..mail() },
            Mail { to_name: Some(evil.into()), ..mail() },
            Mail { from_name: Some(evil.into()), ..mail() },
            Mail { unsubscribe_url: Some(format!("https://t.example/{evil}")), ..mail() },
            Mail { unsubscribe_url: Some("mailto:x@mail.example".into()), ..mail() },
            Mail { letter: Rendered { subject: evil.into(), ..mail().letter }, ..mail() },
        ];
        for mail in bad {
            let verdict = mailer.send(&mail).await;
            assert!(matches!(verdict, Verdict::GiveUp(Error::Invalid(_))), "{mail:?}: {verdict:?}");
        }
        assert_eq!(mailer.sent().len(), 0);
        assert!(matches!(mailer.send(&mail()).await, Verdict::Done));
        assert!(!mailer.sent()[0].raw.contains("List-Unsubscribe"));
    }

    #[tokio::test]
    async fn without_a_server_mail_is_kept_in_files() {
        let folder = tempfile::tempdir().unwrap();
        let mailer = Mailer::folder(folder.path().join("mail"), FROM, clock()).unwrap();
        assert!(matches!(mailer.send(&mail()).await, Verdict::Done));
        let files: Vec<_> = std::fs::read_dir(folder.path().join("mail")).unwrap().map(|file| file.unwrap()).collect();
        assert_eq!(files.len(), 1);
        let name = files[0].file_name().into_string().unwrap();
        assert_eq!(name, "20261121T091200-00000000-0000-0000-0000-000000000007.eml");
        let text = std::fs::read_to_string(files[0].path()).unwrap();
        assert!(text.contains("Subject: Your order has shipped!\r\n"), "{text}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(files[0].metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
