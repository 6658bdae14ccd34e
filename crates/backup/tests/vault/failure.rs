//! A run that fails leaves no backup, says why, and the next one succeeds.

use std::io::{Error, ErrorKind};
use std::sync::atomic::Ordering;

use bytes::Bytes;
use dbkeep_backup::vault::{CancelFlag, Passphrase, Vault, VaultErrorKind, VaultOptions, VerifyOptions, WriteOptions};
use rustic_core::repofile::FileType;

use crate::support::{Faulty, Place, ids, noise, read, write};

const MIB: usize = 1 << 20;

fn streams() -> Vec<(&'static str, Vec<u8>)> {
    vec![("data/a", noise(1, 18 * MIB)), ("data/b", noise(2, MIB)), ("schema/c", b"text".to_vec())]
}

/// The next run succeeds, and what is in the vault is sound.
fn the_next_run_succeeds(place: &Place) {
    let vault = place.vault();
    assert!(ids(&vault).is_empty());
    let written = write(&vault, &streams()).unwrap();
    assert_eq!(ids(&vault), [written.id]);
    for (name, content) in streams() {
        assert!(read(&vault, &written.id, name) == content);
    }
    let report = vault.verify(&VerifyOptions::default()).unwrap();
    assert!(report.is_ok(), "{:?}", report.errors);
}

#[test]
fn a_producer_that_breaks_off_leaves_no_backup() {
    let place = Place::new();
    let vault = place.vault();
    let writer = vault.write(WriteOptions::default()).unwrap();
    let mut whole = writer.stream("data/whole").unwrap();
    whole.send_blocking(noise(1, 20 * MIB).into()).unwrap();
    whole.end_blocking().unwrap();
    let mut broken = writer.stream("data/broken").unwrap();
    broken.send_blocking(noise(2, MIB).into()).unwrap();
    drop(broken);
    let err = writer.stream("data/later").unwrap_err();
    assert_eq!(
        (err.kind(), err.to_string().as_str()),
        (VaultErrorKind::Incomplete, "the stream `data/broken` broke off before its end")
    );
    assert_eq!(writer.finish(b"{}").unwrap_err().to_string(), err.to_string());
    the_next_run_succeeds(&place);
}

#[test]
fn a_stream_that_is_still_open_keeps_the_backup_from_being_finished() {
    let place = Place::new();
    let writer = place.vault().write(WriteOptions::default()).unwrap();
    let mut open = writer.stream("data/open").unwrap();
    open.send_blocking(Bytes::from_static(b"x")).unwrap();
    assert_eq!(writer.finish(b"{}").unwrap_err().kind(), VaultErrorKind::Incomplete);
    assert_eq!(open.send_blocking(Bytes::from_static(b"y")).unwrap_err().kind(), VaultErrorKind::Incomplete);
    the_next_run_succeeds(&place);
}

#[tokio::test]
async fn a_send_that_is_cancelled_halfway_cannot_be_continued() {
    let place = Place::new();
    let vault = place.vault();
    let writer = vault.write(WriteOptions::default()).unwrap();
    let mut stream = writer.stream("data/a").unwrap();
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    // 64 MiB do not fit into the channel at once, so that the first poll leaves a part of them unsent.
    let polled = std::pin::pin!(stream.send(noise(1, 64 * MIB).into())).poll(&mut context);
    assert!(polled.is_pending());
    assert_eq!(stream.send(Bytes::from_static(b"x")).await.unwrap_err().kind(), VaultErrorKind::Incomplete);
    assert_eq!(stream.end().await.unwrap_err().kind(), VaultErrorKind::Incomplete);
    assert_eq!(writer.finish(b"{}").unwrap_err().kind(), VaultErrorKind::Incomplete);
}

#[test]
fn giving_up_leaves_no_backup() {
    let place = Place::new();
    let vault = place.vault();
    for drop_it in [true, false] {
        let writer = vault.write(WriteOptions::default()).unwrap();
        let mut stream = writer.stream("data/a").unwrap();
        stream.send_blocking(noise(1, 20 * MIB).into()).unwrap();
        stream.end_blocking().unwrap();
        if drop_it { drop(writer) } else { writer.abort() }
    }
    the_next_run_succeeds(&place);
}

#[test]
fn what_a_failed_run_has_stored_is_used_by_the_next() {
    let place = Place::new();
    let vault = place.vault();
    let writer = vault.write(WriteOptions::default()).unwrap();
    let mut stream = writer.stream("data/a").unwrap();
    stream.send_blocking(noise(1, 40 * MIB).into()).unwrap();
    while writer.progress().bytes_stored < 30 * MIB as u64 {
        std::thread::yield_now();
    }
    writer.abort();
    assert_eq!(stream.end_blocking().unwrap_err().kind(), VaultErrorKind::Cancelled);
    let written = write(&vault, &[("data/a", noise(1, 40 * MIB))]).unwrap();
    assert!(written.bytes_stored < 12 * MIB as u64, "{}", written.bytes_stored);
}

#[test]
fn raising_the_flag_cancels_the_run() {
    let place = Place::new();
    let vault = place.vault();
    let cancel = CancelFlag::default();
    let writer = vault.write(WriteOptions { cancel: cancel.clone(), ..WriteOptions::default() }).unwrap();
    let mut stream = writer.stream("data/a").unwrap();
    stream.send_blocking(noise(1, MIB).into()).unwrap();
    cancel.store(true, Ordering::SeqCst);
    assert_eq!(stream.send_blocking(noise(1, MIB).into()).unwrap_err().kind(), VaultErrorKind::Cancelled);
    assert_eq!(writer.finish(b"{}").unwrap_err().kind(), VaultErrorKind::Cancelled);
    the_next_run_succeeds(&place);
}

#[test]
fn whichever_write_fails_there_is_no_backup_and_the_next_run_succeeds() {
    let place = Place::new();
    place.vault();
    let faultless = Place::new();
    faultless.vault();
    let counted = Faulty::new(dbkeep_backup::vault::LocalStore::new(faultless.path()), Box::new(|_, _| None));
    write(&faultless.vault_on(|_| counted.clone()), &streams()).unwrap();
    let writes = counted.operations.load(Ordering::SeqCst);
    assert!(writes >= 5, "two packs of data, one of trees, an index file and the record");

    for failing in 0..writes {
        let place = Place::new();
        place.vault();
        for kind in [ErrorKind::StorageFull, ErrorKind::Other] {
            let vault = place.vault_on(|store| {
                Faulty::new(
                    store,
                    Box::new(move |number, _| (number >= failing).then(|| Error::new(kind, "simulated"))),
                )
            });
            let expected = if kind == ErrorKind::StorageFull { VaultErrorKind::DiskFull } else { VaultErrorKind::Io };
            // What the first round has stored is not written again, so that the second may need fewer writes.
            match write(&vault, &streams()) {
                Err(err) => assert_eq!(err.kind(), expected, "write {failing}"),
                Ok(written) => vault.remove(&written.id).unwrap(),
            }
            assert!(ids(&vault).is_empty(), "write {failing}");
        }
        the_next_run_succeeds(&place);
    }
}

#[test]
fn the_record_is_written_after_everything_else() {
    let place = Place::new();
    place.vault();
    let order = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = order.clone();
    let vault = place.vault_on(|store| {
        Faulty::new(
            store,
            Box::new(move |_, file_type| {
                seen.lock().unwrap().push(file_type);
                None
            }),
        )
    });
    write(&vault, &streams()).unwrap();
    let mut order = order.lock().unwrap().clone();
    assert_eq!(order.pop(), Some(FileType::Snapshot));
    assert_eq!(order.pop(), Some(FileType::Index));
    assert!(order.iter().all(|file_type| *file_type == FileType::Pack));
}

#[test]
fn a_full_disk_is_called_a_full_disk() {
    let disk = tempfile::tempdir().unwrap();
    let mount = |arguments: &[&str]| {
        std::process::Command::new(arguments[0])
            .args(&arguments[1..])
            .arg(disk.path())
            .output()
            .is_ok_and(|run| run.status.success())
    };
    if !mount(&["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs"]) {
        eprintln!("skipped: mounting a small disk needs root");
        return;
    }
    struct Unmount<'a>(&'a std::path::Path);
    impl Drop for Unmount<'_> {
        fn drop(&mut self) {
            let _ = std::process::Command::new("umount").arg(self.0).status();
        }
    }
    let _unmount = Unmount(disk.path());
    let vault = Vault::open_or_init(disk.path(), &Passphrase::none(), &VaultOptions::default()).unwrap();
    let err = write(&vault, &[("data/a", noise(1, 40 * MIB))]).unwrap_err();
    assert_eq!(err.kind(), VaultErrorKind::DiskFull);
    assert_eq!(err.hint(), Some("free some space or point [backup] path at another disk, then run it again"));
    assert!(ids(&vault).is_empty());
    let written = write(&vault, &[("data/a", noise(2, MIB))]).unwrap();
    assert!(read(&vault, &written.id, "data/a") == noise(2, MIB));
}
