//! The process is killed: no backup is left, and the next run succeeds.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use dbkeep_backup::vault::{Passphrase, Vault, VaultOptions, VerifyOptions, WriteOptions};

use crate::support::{Place, ids, noise, read, write};

const MIB: usize = 1 << 20;
const PATH: &str = "DBKEEP_TEST_VAULT";

/// Not a test: the program that the test below starts and kills. It writes for ever.
#[test]
#[ignore = "no test but the program that a_killed_run_leaves_no_backup_and_the_next_succeeds starts and kills; by itself it would write for ever"]
fn a_program_that_writes_until_it_is_killed() {
    let Some(path) = std::env::var_os(PATH) else { return };
    let vault =
        Vault::open_or_init(std::path::PathBuf::from(path), &Passphrase::none(), &VaultOptions::default()).unwrap();
    let writer = vault.write(WriteOptions::default()).unwrap();
    let mut stream = writer.stream("data/endless").unwrap();
    for number in 0.. {
        stream.send_blocking(noise(number, MIB).into()).unwrap();
        println!("\nstored {}", writer.progress().bytes_stored);
    }
}

#[test]
fn a_killed_run_leaves_no_backup_and_the_next_succeeds() {
    let place = Place::new();
    // Killed after nothing, one, and some packs.
    for packs in [0_u64, 1, 3] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "killed::a_program_that_writes_until_it_is_killed", "--ignored", "--nocapture"])
            .env(PATH, place.path())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let reached = lines.find_map(|line| {
            let stored: u64 = line.unwrap().strip_prefix("stored ")?.parse().unwrap();
            (stored >= packs * 16 * MIB as u64).then_some(stored)
        });
        assert!(reached.is_some(), "the program ended by itself");
        child.kill().unwrap();
        child.wait().unwrap();

        let vault = place.vault();
        assert!(ids(&vault).is_empty());
        let written = write(&vault, &[("data/a", noise(0, 3 * MIB))]).unwrap();
        assert!(read(&vault, &written.id, "data/a") == noise(0, 3 * MIB));
        assert!(vault.verify(&VerifyOptions::default()).unwrap().is_ok());
        vault.remove(&written.id).unwrap();
    }
}

#[test]
fn unfinished_files_of_killed_writers_are_swept_up_after_a_day() {
    let place = Place::new();
    let vault = place.vault();
    let (old, new) = (place.path().join("data/00/.dbkeep-tmp-old"), place.path().join("data/ff/.dbkeep-tmp-new"));
    for path in [&old, &new] {
        std::fs::write(path, "half a pack").unwrap();
    }
    let two_days_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(2 * 24 * 60 * 60);
    std::fs::File::options().write(true).open(&old).unwrap().set_modified(two_days_ago).unwrap();
    write(&vault, &[]).unwrap();
    assert!(!old.exists() && new.exists());
}
