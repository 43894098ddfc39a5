//! The network between an instance and PostgreSQL, which a test can cut at the very commit of a change.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What is lost at a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The commit itself: the database rolls back.
    Commit,
    /// Its answer: the database has committed, and the instance cannot know.
    Answer,
}

/// What to lose, and a text that the transaction to lose it of has written.
type Plan = Arc<Mutex<Option<(Loss, &'static str)>>>;

/// Passes connections on until it is told to cut one.
pub struct Cutter {
    /// The database's address through it.
    pub url: String,
    plan: Plan,
}

/// How PostgreSQL's protocol names a commit, as a query and as what was completed.
const COMMIT: &[u8] = b"COMMIT\0";

impl Cutter {
    /// A way to the database at `url`.
    pub async fn to(url: &str) -> Self {
        let (start, rest) = url.split_once("127.0.0.1:").expect("a database on this machine");
        let (port, rest) = rest.split_once('/').expect("a database's name");
        let target = format!("127.0.0.1:{port}");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("{start}{}/{rest}", listener.local_addr().expect("its address"));
        let plan = Plan::default();
        let shared = Arc::clone(&plan);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(pass_on(near, target.clone(), Arc::clone(&shared)));
            }
        });
        Self { url, plan }
    }

    /// Cuts the next connection that commits a transaction in which `mark` was written, once.
    pub fn cut(&self, loss: Loss, mark: &'static str) {
        *self.plan.lock().expect("the plan") = Some((loss, mark));
    }

    /// Whether the cut is still to come.
    pub fn is_waiting(&self) -> bool {
        self.plan.lock().expect("the plan").is_some()
    }
}

fn holds(said: &[u8], text: &[u8]) -> bool {
    said.windows(text.len()).any(|part| part == text)
}

/// Ends, and with it both connections, when either side hangs up or the plan is met.
async fn pass_on(mut near: TcpStream, target: String, plan: Plan) -> Option<()> {
    let mut far = TcpStream::connect(target).await.ok()?;
    let (mut from_near, mut from_far) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut transaction = Vec::new();
    loop {
        tokio::select! {
            read = near.read(&mut from_near) => {
                let said = &from_near[..read.ok().filter(|read| *read > 0)?];
                transaction.extend_from_slice(said);
                let met = transaction.ends_with(COMMIT).then(|| {
                    plan.lock().expect("the plan").take_if(|(_, mark)| holds(&transaction, mark.as_bytes()))
                });
                match met.flatten() {
                    Some((Loss::Commit, _)) => return None,
                    Some((Loss::Answer, _)) => {
                        far.write_all(said).await.ok()?;
                        let mut answer = Vec::new();
                        while !holds(&answer, COMMIT) {
                            assert_ne!(far.read_buf(&mut answer).await.ok()?, 0, "it has committed");
                        }
                        return None;
                    }
                    None => far.write_all(said).await.ok()?,
                }
                if transaction.ends_with(COMMIT) {
                    transaction.clear();
                }
            }
            read = far.read(&mut from_far) => {
                near.write_all(&from_far[..read.ok().filter(|read| *read > 0)?]).await.ok()?;
            }
        }
    }
}
