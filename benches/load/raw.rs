//! The floor: one thread that loops send(2) of one pre-built frame over its sockets, without parsing anything.

use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, Stdio};

use anyhow::{Context as _, Result, bail};

use super::machine::{self, MEASURED_CORE};

/// What each connection is greeted with: the load program connects no faster than it is accepted.
const HELLO: u8 = b'x';

/// The loop as a child process; killed when dropped.
pub struct Raw {
    child: Child,
    input: ChildStdin,
    output: BufReader<std::process::ChildStdout>,
    /// Where it takes connections.
    pub address: SocketAddr,
}

impl Raw {
    /// Starts it on the measured core, for so many connections and frames of this length.
    pub fn start(connections: usize, frame: usize) -> Result<Self> {
        let mut command: Command = machine::pinned(MEASURED_CORE);
        command.arg(std::env::current_exe()?).args(["--part", "raw"]);
        command.arg(format!("--connections={connections}")).arg(format!("--frame={frame}"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("the raw loop")?;
        let input = child.stdin.take().context("no input")?;
        let mut output = BufReader::new(child.stdout.take().context("no output")?);
        let mut line = String::new();
        output.read_line(&mut line)?;
        Ok(Self { child, input, output, address: line.trim().parse().context("the raw loop's address")? })
    }

    /// Waits until all its connections are there.
    pub fn ready(&mut self) -> Result<()> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        if line.trim() == "ready" { Ok(()) } else { bail!("the raw loop ended") }
    }

    /// Sends the frame to these connections, or to all when there are none named.
    pub fn send(&mut self, pairs: &[usize]) -> Result<()> {
        let words: Vec<String> = pairs.iter().map(ToString::to_string).collect();
        Ok(writeln!(self.input, "{}", words.join(" "))?)
    }

    /// The process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Raw {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to do.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}

/// The child's side: takes its connections, then sends as each line of input says.
pub fn run(connections: usize, frame: usize) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!("{}", listener.local_addr()?);
    let mut streams = Vec::with_capacity(connections);
    while streams.len() < connections {
        let (stream, _) = listener.accept()?;
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        send(&stream, &[HELLO])?;
        streams.push(stream);
    }
    println!("ready");
    let frame = vec![b'x'; frame];
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if line.is_empty() {
            streams.iter().try_for_each(|stream| send(stream, &frame))?;
        }
        for pair in line.split_whitespace() {
            // The pair came as far apart as the two watchers of a room do.
            let pair: usize = pair.parse()?;
            send(streams.get(pair).context("no such pair")?, &frame)?;
            send(streams.get(pair + connections / 2).context("no such pair")?, &frame)?;
        }
    }
    Ok(())
}

fn send(mut stream: &TcpStream, frame: &[u8]) -> Result<()> {
    loop {
        match stream.write(frame) {
            Ok(sent) if sent == frame.len() => return Ok(()),
            Ok(_) => bail!("half a frame was sent"),
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(error) => return Err(error.into()),
        }
    }
}
