//! A mail server of a test's own: takes mail over SMTP, hands it to the test, and refuses what it is told to refuse.
//!
//! It has threads of its own, so that it answers even while a test's thread waits for an instance to stop.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::mpsc;

/// How long a test waits for a mail; only a broken one waits so long.
const COMES_WITHIN: Duration = Duration::from_secs(60);

/// The server.
pub struct PostOffice {
    address: SocketAddr,
    refusal: Arc<Mutex<Option<&'static str>>>,
    box_of_mail: mpsc::UnboundedReceiver<Arrived>,
}

/// What came: a mail that was taken, or the refusal of one.
#[derive(Debug)]
pub struct Arrived {
    /// Whom it was for.
    pub to: String,
    /// The reply to it when it was refused.
    pub refused: Option<&'static str>,
    /// The message, its soft line breaks undone.
    pub text: String,
}

impl Arrived {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let head = self.text.split("\n\n").next()?;
        head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The two ways the message is written in: plain text, and HTML.
    pub fn parts(&self) -> [&str; 2] {
        let (text, html) = self.text.split_once("Content-Type: text/html").expect("text, then HTML");
        assert!(text.contains("Content-Type: text/plain"), "{text}");
        [text, html]
    }
}

/// The pass in a part's link to the tracking page of a deployment.
pub fn pass<'a>(part: &'a str, home: &str) -> &'a str {
    let start = format!("{home}/track/");
    let (_, rest) = part.split_once(&start).unwrap_or_else(|| panic!("no tracking link in\n{part}"));
    let pass = rest.split(|c: char| !c.is_ascii_alphanumeric() && !"-_".contains(c)).next().expect("a pass");
    super::journal::secret(pass);
    pass
}

impl PostOffice {
    /// Opens on a free port.
    pub fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (post, box_of_mail) = mpsc::unbounded_channel();
        let refusal = Arc::<Mutex<Option<&'static str>>>::default();
        let to_refuse = Arc::clone(&refusal);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (to_refuse, post) = (Arc::clone(&to_refuse), post.clone());
                std::thread::spawn(move || converse(stream, &to_refuse, &post));
            }
        });
        Self { address, refusal, box_of_mail }
    }

    /// The setting that sends an instance's mail here.
    pub fn flag(&self) -> String {
        format!("--smtp-url=smtp://{}", self.address)
    }

    /// Refuses every recipient so from now on; `None` takes all mail.
    pub fn refuse(&self, reply: Option<&'static str>) {
        *self.refusal.lock().expect("the refusal") = reply;
    }

    /// The next mail, or the next refusal.
    pub async fn next(&mut self) -> Arrived {
        let next = tokio::time::timeout(COMES_WITHIN, self.box_of_mail.recv()).await;
        next.expect("a mail in time").expect("the post office is open")
    }

    /// Whether nothing has come that was not looked at.
    pub fn is_empty(&self) -> bool {
        self.box_of_mail.is_empty()
    }
}

fn converse(
    mut stream: TcpStream,
    refusal: &Mutex<Option<&'static str>>,
    post: &mpsc::UnboundedSender<Arrived>,
) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines().map_while(Result::ok);
    stream.write_all(b"220 post office\r\n").ok()?;
    let mut to = String::new();
    while let Some(line) = lines.next() {
        let reply = match line.split_once(':').map_or(line.as_str(), |(verb, _)| verb) {
            "RCPT TO" => {
                to = line.trim_start_matches("RCPT TO:<").trim_end_matches('>').to_owned();
                let refused = *refusal.lock().expect("the refusal");
                if refused.is_some() {
                    post.send(Arrived { to: to.clone(), refused, text: String::new() }).ok()?;
                }
                refused.unwrap_or("250 fine")
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").ok()?;
                let mut text = String::new();
                for line in lines.by_ref().take_while(|line| line != ".") {
                    text.push_str(&line);
                    text.push('\n');
                }
                let text = text.replace("=\n", "").replace("=3D", "=");
                post.send(Arrived { to: to.clone(), refused: None, text }).ok()?;
                "250 taken"
            }
            "QUIT" => "221 bye",
            _ => "250 fine",
        };
        stream.write_all(format!("{reply}\r\n").as_bytes()).ok()?;
    }
    Some(())
}
