//! The vault is a standard repository: stock restic lists it, checks it and extracts from it.

use std::io::Write;
use std::process::{Command, Stdio};

use dbkeep_backup::vault::{
    OPEN_PASSPHRASE, Passphrase, Vault, VaultErrorKind, VaultOptions, VerifyOptions, WriteOptions, encode_name,
};

use crate::support::{Place, ids, noise, read, rows, write};

const MIB: usize = 1 << 20;
const PASSPHRASE: &str = "correct horse battery staple";

struct Restic<'a> {
    place: &'a Place,
}

impl Restic<'_> {
    fn command(&self) -> Command {
        let mut command = Command::new("restic");
        command.env("RESTIC_PASSWORD", PASSPHRASE).args(["--no-cache", "--repo"]).arg(self.place.path());
        command
    }

    fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.command().args(arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "restic {arguments:?}: {said}{}", String::from_utf8_lossy(&output.stdout));
        output.stdout
    }
}

/// Without restic there is nothing to compare with; where `DBKEEP_REQUIRE` lists it, that is a failure.
fn restic_is_missing() -> bool {
    let missing = Command::new("restic").arg("version").output().is_err();
    if missing {
        assert!(
            !std::env::var("DBKEEP_REQUIRE").unwrap_or_default().contains("restic"),
            "restic is required and is not installed"
        );
        eprintln!("skipped: restic is not installed");
    }
    missing
}

fn vault(place: &Place) -> Vault {
    Vault::open_or_init(place.path(), &Passphrase::new(PASSPHRASE), &VaultOptions::default()).unwrap()
}

#[test]
fn stock_restic_lists_checks_dumps_and_restores_a_vault() {
    if restic_is_missing() {
        return;
    }
    let place = Place::new();
    let vault = vault(&place);
    let odd = format!("data/{}.tsv", encode_name("größe \"x\"/..\\🚀"));
    let streams = [
        ("schema/10-tables.sql", b"CREATE TABLE users (id int);".to_vec()),
        ("data/empty.tsv", Vec::new()),
        ("data/noise.bin", noise(1, 20 * MIB)),
        ("data/rows.tsv", rows(20 * MIB)),
        (&odd, b"1\todd\n".to_vec()),
    ];
    write(&vault, &[("data/rows.tsv", rows(19 * MIB))]).unwrap();
    let options = WriteOptions {
        started_at: Some("2024-05-02T01:00:00.123456Z".parse().unwrap()),
        hostname: "db1".into(),
        tags: vec!["nightly".into()],
        ..WriteOptions::default()
    };
    vault.write(options).unwrap().finish(b"{}").unwrap();
    let written = write(&vault, &streams).unwrap();

    let restic = Restic { place: &place };
    let checked = String::from_utf8(restic.run(&["check", "--read-data"])).unwrap();
    assert!(checked.contains("no errors were found"), "{checked}");
    let snapshots: serde_json::Value = serde_json::from_slice(&restic.run(&["snapshots", "--json"])).unwrap();
    assert_eq!(snapshots.as_array().unwrap().len(), 3);
    let dated = snapshots.as_array().unwrap().iter().find(|snapshot| snapshot["hostname"] == "db1").unwrap();
    assert_eq!(dated["tags"], serde_json::json!(["nightly"]));
    assert!(dated["time"].as_str().unwrap().starts_with("2024-05-02T01:00:00.123456"), "{dated}");
    assert!(snapshots.as_array().unwrap().iter().any(|snapshot| snapshot["id"] == written.id.to_string()));

    for (name, content) in &streams {
        assert!(restic.run(&["dump", "latest", name]) == *content, "{name}");
    }
    let listed: Vec<serde_json::Value> = String::from_utf8(restic.run(&["ls", "--json", "latest"]))
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let node = listed.iter().find(|node| node["path"] == "/data/rows.tsv").unwrap();
    assert_eq!((node["type"].as_str().unwrap(), node["size"].as_u64().unwrap()), ("file", 20 * MIB as u64));

    let target = tempfile::tempdir().unwrap();
    restic.run(&["restore", "latest", "--verify", "--target", target.path().to_str().unwrap()]);
    for (name, content) in &streams {
        assert!(std::fs::read(target.path().join(name)).unwrap() == *content, "{name}");
    }
}

#[test]
fn a_vault_without_a_passphrase_is_opened_by_the_one_everybody_knows() {
    if restic_is_missing() {
        return;
    }
    let place = Place::new();
    let written = write(&place.vault(), &[("data/a", noise(1, 3 * MIB))]).unwrap();
    let restic = Restic { place: &place };
    let output =
        restic.command().env("RESTIC_PASSWORD", OPEN_PASSPHRASE).args(["check", "--read-data"]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let vault = Vault::open(place.path(), &Passphrase::new(OPEN_PASSPHRASE), &VaultOptions::default()).unwrap();
    assert_eq!(ids(&vault), [written.id]);
}

#[test]
fn what_stock_restic_keeps_in_the_vault_is_no_backup_and_its_prune_harms_none() {
    if restic_is_missing() {
        return;
    }
    let place = Place::new();
    let vault = vault(&place);
    let first = write(&vault, &[("data/a", noise(1, 20 * MIB)), ("data/b", noise(2, 3 * MIB))]).unwrap();
    let second = write(&vault, &[("data/b", noise(2, 3 * MIB))]).unwrap();
    let restic = Restic { place: &place };
    let mut foreign = restic
        .command()
        .args(["backup", "--stdin", "--stdin-filename", "foreign"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    foreign.stdin.take().unwrap().write_all(b"something else").unwrap();
    assert!(foreign.wait().unwrap().success());
    assert_eq!(place.files("snapshots").len(), 3);
    assert_eq!(ids(&vault), [first.id, second.id]);

    vault.remove(&first.id).unwrap();
    restic.run(&["prune", "--max-unused", "0"]);
    restic.run(&["check", "--read-data"]);
    assert_eq!(ids(&vault), [second.id]);
    assert!(read(&vault, &second.id, "data/b") == noise(2, 3 * MIB));
    assert!(vault.verify(&VerifyOptions::default()).unwrap().is_ok());
    let third = write(&vault, &[("data/a", noise(1, 20 * MIB))]).unwrap();
    assert!(third.bytes_stored > 19 * MIB as u64, "what was pruned is stored again");
    restic.run(&["check", "--read-data"]);
}

#[test]
fn a_prune_by_stock_restic_during_a_backup_is_noticed() {
    if restic_is_missing() {
        return;
    }
    let place = Place::new();
    let vault = vault(&place);
    let writer = vault.write(WriteOptions::default()).unwrap();
    let mut stream = writer.stream("data/a").unwrap();
    stream.send_blocking(noise(1, 40 * MIB).into()).unwrap();
    while writer.progress().bytes_stored < 16 * MIB as u64 {
        std::thread::yield_now();
    }
    Restic { place: &place }.run(&["prune", "--max-unused", "0"]);
    stream.end_blocking().unwrap();
    let err = writer.finish(b"{}").unwrap_err();
    assert_eq!(err.kind(), VaultErrorKind::Damaged);
    assert!(err.to_string().ends_with("vanished while the backup ran"), "{err}");
    assert!(ids(&vault).is_empty());
    write(&vault, &[("data/a", noise(1, 40 * MIB))]).unwrap();
    Restic { place: &place }.run(&["check", "--read-data"]);
}

#[test]
fn a_vault_made_by_stock_restic_is_a_vault() {
    if restic_is_missing() {
        return;
    }
    let place = Place::new();
    let restic = Restic { place: &place };
    restic.run(&["init"]);
    let vault = Vault::open(place.path(), &Passphrase::new(PASSPHRASE), &VaultOptions::default()).unwrap();
    let written = write(&vault, &[("data/a", noise(1, 3 * MIB))]).unwrap();
    assert_eq!(ids(&vault), [written.id]);
    restic.run(&["check", "--read-data"]);
}

#[test]
fn a_killed_run_leaves_a_vault_that_stock_restic_finds_sound() {
    if restic_is_missing() {
        return;
    }
    let place = Place::new();
    let vault = vault(&place);
    write(&vault, &[("data/a", noise(1, 3 * MIB))]).unwrap();
    // A pack that no index file names, as a killed writer leaves it.
    let writer = vault.write(WriteOptions::default()).unwrap();
    let mut stream = writer.stream("data/b").unwrap();
    stream.send_blocking(noise(2, 40 * MIB).into()).unwrap();
    while writer.progress().bytes_stored < 16 * MIB as u64 {
        std::thread::yield_now();
    }
    let index_files = place.files("index");
    writer.abort();
    drop(stream);
    for path in place.files("index").into_iter().filter(|path| !index_files.contains(path)) {
        std::fs::remove_file(path).unwrap();
    }
    // And a file it had not finished.
    std::fs::write(place.path().join("data/00/.dbkeep-tmp-x"), "half a pack").unwrap();
    std::fs::write(place.path().join("snapshots/.dbkeep-tmp-x"), "half a record").unwrap();
    Restic { place: &place }.run(&["check", "--read-data"]);
    assert!(vault.verify(&VerifyOptions::default()).unwrap().is_ok());
    assert_eq!(ids(&vault).len(), 1);
}

#[test]
fn stock_restic_finds_a_repaired_vault_in_order() {
    if restic_is_missing() {
        return;
    }
    let place = Place::new();
    let vault = vault(&place);
    let streams = [("data/noise.bin", noise(1, 20 * MIB)), ("data/rows.tsv", rows(2 * MIB))];
    write(&vault, &streams).unwrap();
    let pack = place.files("data").into_iter().max_by_key(|path| path.metadata().unwrap().len()).unwrap();
    let mut bytes = std::fs::read(&pack).unwrap();
    bytes[1000] ^= 1;
    std::fs::write(&pack, bytes).unwrap();
    let restic = Restic { place: &place };
    assert!(!restic.command().args(["check", "--read-data"]).output().unwrap().status.success());
    vault.repair(&vault.verify(&VerifyOptions::default()).unwrap()).unwrap();
    write(&vault, &streams).unwrap();
    // The damaged file is still there; nothing needs it.
    let checked = String::from_utf8(restic.run(&["check", "--read-data"])).unwrap();
    assert!(checked.contains("no errors were found"), "{checked}");
    for (name, content) in &streams {
        assert!(restic.run(&["dump", "latest", name]) == *content, "{name}");
    }
    restic.run(&["prune"]);
    assert!(!pack.exists());
    assert!(vault.verify(&VerifyOptions::default()).unwrap().is_ok());
}
