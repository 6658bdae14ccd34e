//! Nothing outlives the test: a small process that waits for ours to end and cleans up behind it.

use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// Reads process numbers until its input ends, which it does when we close it and also when we are killed; then kills the
/// last one named and removes the folder. Its own process group keeps it alive when the test's group is signalled.
const SCRIPT: &str = r#"
    trap '' HUP INT TERM
    process=0
    while read -r line; do process=$line; done
    if [ "$process" != 0 ]; then kill -KILL "$process" 2>/dev/null; fi
    for attempt in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        rm -rf -- "$1" 2>/dev/null && break
        sleep 0.1
    done
"#;

/// A watch over one folder and the server process that uses it.
#[derive(Debug)]
pub(crate) struct Guard {
    process: Child,
    input: Option<ChildStdin>,
}

impl Guard {
    pub(crate) fn over(folder: &Path) -> Guard {
        let mut process = Command::new("bash")
            .args(["-c", SCRIPT, "guard"])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start bash: {error}"));
        let input = process.stdin.take();
        Guard { process, input }
    }

    /// The process to end with ours from now on; `None` when there is none.
    pub(crate) fn watch(&mut self, process: Option<u32>) {
        if let Some(input) = &mut self.input {
            // A guard that is gone costs a left-over folder, not the test.
            let _ = writeln!(input, "{}", process.unwrap_or(0));
        }
    }

    /// Kills and removes now, and waits until that is done.
    pub(crate) fn finish(&mut self) {
        drop(self.input.take());
        // It has no way to fail that we could do anything about.
        let _ = self.process.wait();
    }
}
