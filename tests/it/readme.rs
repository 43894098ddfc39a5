//! Every command of the README is run as it stands there, from the demo on, against the built program.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Commands that are this test run itself.
const RUN_BY_CI: &str = "tests/run";

/// The `sh` blocks of the README in their order, without the indent of a list.
fn blocks() -> Vec<String> {
    let readme = std::fs::read_to_string("README.md").expect("README.md");
    let mut blocks = Vec::new();
    let mut open: Option<String> = None;
    for line in readme.lines() {
        match (&mut open, line.trim()) {
            (None, "```sh") => open = Some(String::new()),
            (Some(_), "```") => blocks.extend(open.take()),
            (Some(block), _) => block.extend([line.trim_start(), "\n"]),
            (None, _) => {}
        }
    }
    assert!(open.is_none(), "a block of the README is not closed");
    blocks
}

/// Stands in `cargo run --release -- …` for building: the tests have built the program already.
fn shim(folder: &Path) {
    let path = folder.join("cargo");
    let program = env!("CARGO_BIN_EXE_ordercast");
    let script = format!(
        "#!/usr/bin/env bash\n[ \"$1 $2 $3\" = 'run --release --' ] || {{ echo \"no such command: $*\" >&2; exit 64; }}\n\
         shift 3\nexec '{program}' \"$@\"\n"
    );
    std::fs::write(&path, script).expect("a shim");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("an executable shim");
}

fn bash(script: &str, folder: &Path) -> Command {
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("bash");
    // `exec` of the shim makes the program the child itself, so that ending the child ends the program.
    command.args(["-euo", "pipefail", "-c", script]).env("PATH", path);
    command.env("ORDERCAST_DATA_DIR", folder.join("data")).env("ORDERCAST_BIND", "127.0.0.1:0");
    command
}

/// Ended when the test is.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn every_command_of_the_readme_works_as_it_stands_there() {
    let folder = crate::app::folder::fresh();
    shim(folder.path());
    let blocks = blocks();
    let (ci, blocks): (Vec<_>, Vec<_>) = blocks.iter().partition(|block| block.trim() == RUN_BY_CI);
    assert_eq!(ci.len(), 1, "the README names the one command that tests everything");
    assert!(std::fs::read_to_string(".ci/run").expect(".ci/run").contains(RUN_BY_CI), ".ci/run runs it");

    let (demo, rest) = blocks.split_first().expect("commands");
    assert_eq!(demo.trim(), "cargo run --release -- demo");
    let mut demo = bash(&format!("exec {}", demo.trim()), folder.path());
    let mut demo = Running(
        demo.stdout(Stdio::piped())
            .stderr(std::fs::File::create(crate::app::journal::another()).expect("a log"))
            .spawn()
            .expect("the demo"),
    );
    let lines = BufReader::new(demo.0.stdout.take().expect("its output")).lines();
    let said: Vec<String> = lines.map(|line| line.expect("a line")).take(2).collect();
    let address = said[0].rsplit(' ').next().expect("an address");
    let page = said[1].rsplit(' ').next().expect("a page");
    assert!(page.starts_with(&format!("{address}/track/")), "{said:?}");

    let script = rest.iter().map(|block| block.replace("http://127.0.0.1:8080", address)).collect::<String>();
    let script = format!("curl -fsS -o {}/page '{page}'\n{script}", folder.path().display());
    let done = bash(&script, folder.path()).output().expect("bash");
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{script}\n{out}\n{err}");
    for expected in [
        "\"number\":\"ORD-12345678\"",
        "\"trackingUrl\":\"https://www.fedex.com/fedextrack/?tracknumbers=986578788855\"",
        "\"authenticatedAs\":\"erp\"",
        "/track/",
        "--public-url",
        "Token \"erp\" is revoked",
    ] {
        assert!(out.contains(expected), "{expected} is missing in:\n{out}\n{err}");
    }
}
