//! What is written is what is read.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;

use bytes::Bytes;
use dbkeep_backup::vault::{VaultErrorKind, VerifyOptions, WriteOptions, encode_name};

use crate::support::{Faulty, Gate, Place, ids, noise, read, rows, write};

const MIB: usize = 1 << 20;

#[test]
fn streams_of_every_size_come_back_as_they_were() {
    let place = Place::new();
    let vault = place.vault();
    let streams = [
        ("schema/10-tables.sql", b"CREATE TABLE users (id int);".to_vec()),
        ("data/empty.tsv", Vec::new()),
        ("data/one.tsv", b"x".to_vec()),
        ("data/noise.bin", noise(1, 50 * MIB)),
        ("data/rows.tsv", rows(50 * MIB)),
        ("a-last-name-first", b"order does not matter".to_vec()),
    ];
    let written = write(&vault, &streams).unwrap();
    let total: usize = streams.iter().map(|(_, content)| content.len()).sum();
    assert_eq!(written.bytes_read, total as u64 + 17);
    assert!(
        written.bytes_stored > 50 * MIB as u64 && written.bytes_stored < 65 * MIB as u64,
        "{}",
        written.bytes_stored
    );

    assert_eq!(ids(&vault), [written.id]);
    for (name, content) in &streams {
        assert!(read(&vault, &written.id, name) == *content, "{name}");
    }
    let entries: Vec<_> =
        vault.entries(&written.id).unwrap().into_iter().map(|entry| (entry.name, entry.size)).collect();
    let mut expected: Vec<_> =
        streams.iter().map(|(name, content)| ((*name).to_owned(), content.len() as u64)).collect();
    expected.push(("manifest.json".into(), 17));
    expected.sort();
    assert_eq!(entries, expected);
    assert_eq!(vault.manifest("latest").unwrap(), "{\"manifest\":true}");
    assert_eq!(vault.manifest(&written.id.short()).unwrap(), "{\"manifest\":true}");

    let report = vault.verify(&VerifyOptions::default()).unwrap();
    assert!(report.is_ok(), "{:?}", report.errors);
    assert!(report.checked_bytes > 50 * MIB as u64);
    assert_eq!(report.backups, [written.id]);

    // The same again, with a few rows more: little is added.
    let mut more = rows(50 * MIB);
    more.extend(b"one row more\n");
    let again = write(&vault, &[("data/rows.tsv", more), ("data/noise.bin", noise(1, 50 * MIB))]).unwrap();
    assert!(again.bytes_stored < 2 * MIB as u64, "{}", again.bytes_stored);
    assert_eq!(ids(&vault).len(), 2);
}

#[test]
fn two_thousand_tiny_streams_share_a_few_packs() {
    let place = Place::new();
    let vault = place.vault();
    let names: Vec<String> = (0..2000).map(|number| format!("data/table{number}.tsv")).collect();
    let streams: Vec<(&str, Vec<u8>)> =
        names.iter().map(|name| (name.as_str(), format!("row of {name}\n").into_bytes())).collect();
    let written = write(&vault, &streams).unwrap();
    assert_eq!(place.files("data").len(), 2, "one pack of data, one of trees");
    assert_eq!(vault.entries(&written.id).unwrap().len(), 2001);
    for (name, content) in streams.iter().step_by(97) {
        assert_eq!(read(&vault, &written.id, name), *content);
    }
}

#[test]
fn tables_may_be_called_anything() {
    let place = Place::new();
    let vault = place.vault();
    let tables = [
        "users",
        "größe",
        "订单",
        "..",
        ".",
        "",
        "a/b",
        "a\\b",
        "tab\tnew\nline",
        "\"quoted\"",
        "emoji 🚀",
        "nul\0",
        "%2e",
        &"x".repeat(300),
    ];
    let names: Vec<String> = tables.iter().map(|table| format!("data/{}.tsv", encode_name(table))).collect();
    let streams: Vec<(&str, Vec<u8>)> =
        names.iter().zip(tables).map(|(name, table)| (name.as_str(), table.as_bytes().to_vec())).collect();
    let written = write(&vault, &streams).unwrap();
    for (name, content) in &streams {
        assert_eq!(read(&vault, &written.id, name), *content);
    }
}

#[test]
fn a_name_is_checked_before_anything_is_written() {
    let place = Place::new();
    let writer = place.vault().write(WriteOptions::default()).unwrap();
    for name in ["", "/etc/passwd", "../up", "a//b", "manifest.json", "nul\0"] {
        assert_eq!(writer.stream(name).unwrap_err().kind(), VaultErrorKind::InvalidName, "{name:?}");
    }
    writer.stream("twice").unwrap().end_blocking().unwrap();
    assert_eq!(writer.stream("twice").unwrap_err().to_string(), "the entry name \"twice\" is taken already");
    assert_eq!(writer.stream("twice/below").unwrap_err().kind(), VaultErrorKind::InvalidName);
    let options = WriteOptions { tags: vec!["a,b".into()], ..WriteOptions::default() };
    assert_eq!(place.vault().write(options).unwrap_err().kind(), VaultErrorKind::InvalidName);
}

#[test]
fn records_carry_their_time_machine_and_tags() {
    let place = Place::new();
    let vault = place.vault();
    for (time, tag) in [("2024-05-02T01:00:00Z", "second"), ("2024-05-01T01:00:00Z", "first")] {
        let options = WriteOptions {
            started_at: Some(time.parse().unwrap()),
            hostname: "db1".into(),
            tags: vec![tag.into(), "nightly".into()],
            ..WriteOptions::default()
        };
        vault.write(options).unwrap().finish(tag.as_bytes()).unwrap();
    }
    let listing = vault.list().unwrap();
    let told: Vec<_> = listing
        .backups
        .iter()
        .map(|backup| (backup.time.to_string(), backup.tags.join(" "), backup.manifest.clone()))
        .collect();
    assert_eq!(
        told,
        [
            ("2024-05-01T01:00:00Z".into(), "first nightly".into(), Bytes::from("first")),
            ("2024-05-02T01:00:00Z".into(), "nightly second".into(), Bytes::from("second")),
        ]
    );
    assert_eq!(listing.backups[0].hostname, "db1");
    assert_eq!(vault.find("latest").unwrap().id, listing.backups[1].id);

    vault.remove(&listing.backups[1].id).unwrap();
    assert_eq!(vault.manifest("latest").unwrap(), "first");
    assert_eq!(vault.remove(&listing.backups[1].id).unwrap_err().kind(), VaultErrorKind::NotFound);
    assert_eq!(vault.find(&listing.backups[1].id.to_string()).unwrap_err().kind(), VaultErrorKind::NotFound);
    assert_eq!(vault.read(&listing.backups[0].id, "no/such").unwrap_err().kind(), VaultErrorKind::NotFound);
    assert_eq!(vault.find("zz").unwrap_err().kind(), VaultErrorKind::NotFound);
    assert_eq!(vault.find("").unwrap_err().kind(), VaultErrorKind::NotFound);
}

#[test]
fn streams_may_be_written_at_the_same_time() {
    let place = Place::new();
    let vault = place.vault();
    let writer = vault.write(WriteOptions::default()).unwrap();
    thread::scope(|scope| {
        for number in 0..6 {
            let mut stream = writer.stream(&format!("data/{number}.bin")).unwrap();
            scope.spawn(move || {
                for piece in noise(number, 3 * MIB).chunks(77_777) {
                    stream.send_blocking(Bytes::copy_from_slice(piece)).unwrap();
                }
                stream.end_blocking().unwrap();
            });
        }
    });
    let written = writer.finish(b"{}").unwrap();
    for number in 0..6 {
        assert!(read(&vault, &written.id, &format!("data/{number}.bin")) == noise(number, 3 * MIB));
    }
}

#[test]
fn two_writers_at_once_both_succeed() {
    let place = Place::new();
    let (one, two) = (place.vault(), place.vault());
    let (first, second) = (one.write(WriteOptions::default()).unwrap(), two.write(WriteOptions::default()).unwrap());
    for writer in [&first, &second] {
        let mut stream = writer.stream("data/same.bin").unwrap();
        stream.send_blocking(noise(1, 3 * MIB).into()).unwrap();
        stream.end_blocking().unwrap();
    }
    let written = [first.finish(b"{}").unwrap(), second.finish(b"{}").unwrap()];
    assert_eq!(ids(&one).len(), 2);
    for written in written {
        assert!(read(&two, &written.id, "data/same.bin") == noise(1, 3 * MIB));
    }
    assert!(one.verify(&VerifyOptions::default()).unwrap().is_ok());
}

#[tokio::test]
async fn streams_are_fed_from_asynchronous_code() {
    let place = Place::new();
    let vault = place.vault();
    let writer = vault.write(WriteOptions::default()).unwrap();
    let mut stream = writer.stream("data/a").unwrap();
    for piece in noise(3, 8 * MIB).chunks(MIB) {
        stream.send(Bytes::copy_from_slice(piece)).await.unwrap();
    }
    stream.end().await.unwrap();
    let written = tokio::task::spawn_blocking(move || writer.finish(b"{}")).await.unwrap().unwrap();
    assert!(read(&vault, &written.id, "data/a") == noise(3, 8 * MIB));
}

#[test]
fn a_store_that_stands_still_holds_the_producer_back() {
    let place = Place::new();
    place.vault();
    let gate = Arc::new(Gate::default());
    let waiting = gate.clone();
    let vault = place.vault_on(|store| {
        Faulty::new(
            store,
            Box::new(move |_, _| {
                waiting.pass();
                None
            }),
        )
    });
    let writer = vault.write(WriteOptions::default()).unwrap();
    let mut stream = writer.stream("data/endless").unwrap();
    let accepted = Arc::new(AtomicU64::new(0));
    let (done, finished) = mpsc::channel();
    let count = accepted.clone();
    let producer = thread::spawn(move || {
        let total = 300 * MIB as u64;
        let mut number = 0;
        while count.load(Ordering::SeqCst) < total {
            stream.send_blocking(noise(number, MIB).into()).unwrap();
            count.fetch_add(MIB as u64, Ordering::SeqCst);
            number += 1;
        }
        stream.end_blocking().unwrap();
        done.send(()).unwrap();
    });
    // No pack is stored, so the producer comes to a stand: nothing is accepted any more, however long one waits.
    let mut before = u64::MAX;
    while before != accepted.load(Ordering::SeqCst) {
        before = accepted.load(Ordering::SeqCst);
        assert!(finished.recv_timeout(std::time::Duration::from_secs(2)).is_err());
    }
    // One pack at the store, one waiting, one being filled and one held by each worker, with the blocks on their way.
    let workers = thread::available_parallelism().map_or(2, usize::from).min(8);
    let bound = (3 + workers) * 18 * MIB + (2 * workers + 1) * 8 * MIB + 3 * MIB;
    assert!(before < bound as u64 && before < 290 * MIB as u64, "{before} bytes were accepted, {bound} are the bound");
    gate.open();
    producer.join().unwrap();
    let written = writer.finish(b"{}").unwrap();
    assert_eq!(written.bytes_read, 300 * MIB as u64 + 2);
    assert!(vault.verify(&VerifyOptions::default()).unwrap().is_ok());
}

#[test]
fn progress_only_grows_and_ends_at_what_was_written() {
    let place = Place::new();
    let vault = place.vault();
    let seen = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
    let told = seen.clone();
    let options = WriteOptions {
        progress: Some(Arc::new(move |progress| {
            told.0.fetch_max(progress.bytes_read, Ordering::SeqCst);
            told.1.fetch_max(progress.bytes_stored, Ordering::SeqCst);
        })),
        ..WriteOptions::default()
    };
    let writer = vault.write(options).unwrap();
    let mut stream = writer.stream("a").unwrap();
    stream.send_blocking(noise(1, 3 * MIB).into()).unwrap();
    stream.end_blocking().unwrap();
    let written = writer.finish(b"{}").unwrap();
    assert_eq!(
        (seen.0.load(Ordering::SeqCst), seen.1.load(Ordering::SeqCst)),
        (written.bytes_read, written.bytes_stored)
    );
    let on_disk: u64 = ["data", "index", "snapshots"]
        .iter()
        .flat_map(|part| place.files(part))
        .map(|path| path.metadata().unwrap().len())
        .sum();
    assert_eq!(on_disk, written.bytes_stored);
}
