//! The network between a browser and an instance, which a test can cut and mend.

use std::sync::Arc;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes every connection on while it is whole; a cut ends those that are open and refuses further ones.
pub struct Relay {
    /// Where it listens, as `http://127.0.0.1:1234`.
    pub url: String,
    whole: Arc<watch::Sender<bool>>,
    refused: watch::Receiver<usize>,
}

impl Relay {
    /// A relay to `url` of an instance, whole.
    pub async fn to(url: &str) -> Self {
        let target = url.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("its address"));
        let whole = Arc::new(watch::Sender::new(true));
        let state = Arc::clone(&whole);
        let (count, refused) = watch::channel(0);
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                if *state.borrow() {
                    tokio::spawn(pass_on(near, target.clone(), state.subscribe()));
                } else {
                    count.send_modify(|count| *count += 1);
                }
            }
        });
        Self { url, whole, refused }
    }

    /// Waits until so many connections were refused while it was cut.
    pub async fn has_refused(&self, count: usize) {
        self.refused.clone().wait_for(|refused| *refused >= count).await.expect("it listens");
    }

    /// Cuts or mends the network.
    pub fn set_whole(&self, whole: bool) {
        self.whole.send_replace(whole);
    }
}

async fn pass_on(mut near: TcpStream, target: String, mut whole: watch::Receiver<bool>) {
    let Ok(mut far) = TcpStream::connect(target).await else { return };
    tokio::select! {
        // Either side may hang up at any time; that is what networks do.
        _ended = tokio::io::copy_bidirectional(&mut near, &mut far) => {}
        _cut = whole.wait_for(|whole| !whole) => {}
    }
}
