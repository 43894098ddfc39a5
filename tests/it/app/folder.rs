//! Folders of tests: under `target/tmp`, one tree for each run of the test program, so that what a killed one leaves
//! behind is found and removed by the next.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use tempfile::TempDir;

/// Begins the name of a run's tree; its process follows.
const RUN: &str = "run-";
/// The same for what the user of PostgreSQL must reach, in the system's folder.
const SHARED: &str = "ordercast-tests-";

/// This run's tree, made after those of dead runs were removed.
static TREE: LazyLock<PathBuf> = LazyLock::new(|| {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
    remove_stale(root, RUN);
    let tree = root.join(format!("{RUN}{}", std::process::id()));
    std::fs::create_dir_all(&tree).expect("a folder");
    tree
});

/// This run's tree.
pub fn tree() -> &'static Path {
    &TREE
}

/// A new folder, removed when dropped.
pub fn fresh() -> TempDir {
    TempDir::new_in(&*TREE).expect("a folder")
}

/// How `mktemp` is to name a folder outside the tree.
pub fn shared_pattern() -> String {
    static SWEPT: LazyLock<()> = LazyLock::new(|| remove_stale(&std::env::temp_dir(), SHARED));
    LazyLock::force(&SWEPT);
    format!("{}/{SHARED}{}.XXXXXX", std::env::temp_dir().display(), std::process::id())
}

/// Removes what test programs that are no more have left in `root`.
fn remove_stale(root: &Path, prefix: &str) {
    for entry in root.read_dir().into_iter().flatten().flatten() {
        let name = entry.file_name();
        let process = name.to_str().and_then(|name| name.strip_prefix(prefix)?.split('.').next()?.parse::<u32>().ok());
        if process.is_some_and(|process| !Path::new(&format!("/proc/{process}")).exists()) {
            // Another run may be removing it too, or it belongs to somebody else.
            std::fs::remove_dir_all(entry.path()).ok();
        }
    }
}

#[test]
fn what_dead_test_programs_have_left_is_removed_and_nothing_else() {
    let root = fresh();
    let mut dead = std::process::Command::new("true").spawn().expect("a process");
    dead.wait().expect("its end");
    let made = |name: String| {
        std::fs::create_dir_all(root.path().join(&name).join("inside")).expect("a folder");
        root.path().join(name)
    };
    let gone = [made(format!("{RUN}{}", dead.id())), made(format!("{RUN}{}.a1B2c3", dead.id()))];
    let kept = [made(format!("{RUN}{}", std::process::id())), made("shots".into()), made(format!("{RUN}x"))];
    remove_stale(root.path(), RUN);
    assert!(gone.iter().all(|path| !path.exists()) && kept.iter().all(|path| path.exists()));
}
