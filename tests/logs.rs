//! The last look of a whole run: no line that any instance of any test has logged holds a secret.
//!
//! A program of its own, for it is run after `it`, when all tests are over; `cargo test` runs them by name. What `it`
//! leaves in `target/tmp` is what is looked at: the logs, and the list of the secrets that its tests made.

#![cfg(test)]

#[path = "it/app/leaks.rs"]
mod leaks;

use std::path::{Path, PathBuf};

/// The runs whose traces are still there; the next run of `it` removes them.
fn runs() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let folders = root.read_dir().into_iter().flatten().flatten().map(|entry| entry.path());
    folders.filter(|path| path.join("logs").is_dir()).collect()
}

#[test]
fn no_log_of_the_last_run_holds_a_secret() {
    let runs = runs();
    assert!(!runs.is_empty(), "there is nothing to look at: `cargo test` runs the other tests first");
    for run in runs {
        let secrets = leaks::Secrets::read(&std::fs::read_to_string(run.join("secrets")).expect("the secrets"));
        assert!(secrets.count() > 0, "the tests of {} made no secret", run.display());
        let (mut lines, mut found) = (0, Vec::new());
        for log in run.join("logs").read_dir().expect("logs").map(|entry| entry.expect("a log").path()) {
            let text = String::from_utf8_lossy(&std::fs::read(&log).expect("a log")).into_owned();
            lines += text.lines().count();
            found.extend(secrets.found_in(&text).into_iter().map(|one| format!("{}: {one}", log.display())));
        }
        println!("{}: {lines} lines, {} secrets", run.display(), secrets.count());
        assert!(lines > 0, "the instances of {} have logged nothing", run.display());
        assert!(found.is_empty(), "{} secrets in the logs:\n{}", found.len(), found.join("\n"));
    }
}
