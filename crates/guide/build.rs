//! Puts the set-up that every example of the guides has in common around each of them.
//!
//! A page shows what one types and nothing else. rustdoc hides lines that begin with `# `, but code hosts show them; so the pages
//! have none, and the set-up comes in here: in front of an example's first line, so that errors name the line of the page.

use std::path::Path;
use std::{env, fs, io};

const BEFORE: &str = "use dbkeep_guide::imports::*; dbkeep_guide::run(async |db: &Database| { ";
const AFTER: &str = "Ok(()) });";

fn main() -> io::Result<()> {
    let home = |name| env::var_os(name).ok_or_else(|| io::Error::other(format!("cargo did not set {name}")));
    let (docs, out) = (Path::new(&home("CARGO_MANIFEST_DIR")?).join("../../docs"), home("OUT_DIR")?);
    for page in ["queries.md", "schema.md"] {
        let from = docs.join(page);
        println!("cargo::rerun-if-changed={}", from.display());
        let text = fs::read_to_string(&from)
            .map_err(|error| io::Error::new(error.kind(), format!("failed to read {}: {error}", from.display())))?;
        fs::write(Path::new(&out).join(page), with_set_up(&text))?;
    }
    Ok(())
}

fn with_set_up(page: &str) -> String {
    let mut out = String::with_capacity(2 * page.len());
    let (mut is_rust, mut is_first, mut is_added) = (false, false, false);
    for line in page.lines() {
        let is_blank_behind = is_added && line.is_empty();
        is_added = false;
        if is_blank_behind {
            continue;
        }
        if line == "```rust" {
            (is_rust, is_first) = (true, true);
        } else if is_rust && line == "```" {
            // A line more, for which the blank one behind the example goes.
            out.push_str(AFTER);
            out.push('\n');
            (is_rust, is_added) = (false, true);
        } else if is_first {
            out.push_str(BEFORE);
            is_first = false;
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}
