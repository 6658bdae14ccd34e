//! Stored bytes are damaged on purpose: reading never returns other bytes, and verifying names what is damaged.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dbkeep_backup::vault::{BackupId, CancelFlag, Vault, VaultErrorKind, VerifyOptions, VerifyReport};

use crate::support::{Place, name_of, noise, read, rows, write};

const MIB: usize = 1 << 20;

struct Sample {
    place: Place,
    vault: Vault,
    backup: BackupId,
}

fn content() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("data/noise.bin", noise(1, 36 * MIB)),
        ("data/rows.tsv", rows(2 * MIB)),
        ("schema/10.sql", b"CREATE".to_vec()),
    ]
}

impl Sample {
    fn new() -> Self {
        let place = Place::new();
        let vault = place.vault();
        let backup = write(&vault, &content()).unwrap().id;
        Self { place, vault, backup }
    }

    /// The first pack holds noise and nothing else: it is full long before the noise is at its end.
    fn large_pack(&self) -> PathBuf {
        let written = |path: &PathBuf| path.metadata().unwrap().modified().unwrap();
        self.place.files("data").into_iter().min_by_key(written).unwrap()
    }

    /// The pack without which no directory can be read. There is one; which, only its absence tells.
    fn tree_pack(&self) -> PathBuf {
        let aside = self.place.path().join("aside");
        let is_it = |pack: &PathBuf| {
            fs::rename(pack, &aside).unwrap();
            let texts = self.texts();
            fs::rename(&aside, pack).unwrap();
            texts.iter().any(|text| text.contains("needed by `*` of backup"))
        };
        self.place.files("data").into_iter().find(is_it).unwrap()
    }

    fn verify(&self) -> VerifyReport {
        self.vault.verify(&VerifyOptions::default()).unwrap()
    }

    /// Every entry either comes back as it was, or is an error; those that are an error.
    fn unreadable(&self) -> Vec<&'static str> {
        // A new handle, because the other one may remember an index.
        let vault = self.place.vault();
        let mut unreadable = Vec::new();
        for (name, expected) in content() {
            let mut found = Vec::new();
            match vault.read(&self.backup, name).map(|mut reader| reader.read_to_end(&mut found)) {
                Ok(Ok(_)) => assert!(found == expected, "{name}"),
                Ok(Err(err)) => {
                    assert_eq!(err.kind(), std::io::ErrorKind::InvalidData);
                    assert!(expected.starts_with(&found), "{name}: what was read before the damage is right");
                    unreadable.push(name);
                }
                Err(err) => {
                    assert_eq!(err.kind(), VaultErrorKind::Damaged);
                    unreadable.push(name);
                }
            }
        }
        unreadable
    }

    fn texts(&self) -> Vec<String> {
        self.verify().errors.iter().map(ToString::to_string).collect()
    }
}

#[test]
fn a_flipped_bit_in_a_pack_is_found_and_named() {
    let sample = Sample::new();
    let pack = sample.large_pack();
    let whole = fs::read(&pack).unwrap();
    for at in [0, 1000, whole.len() / 2] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        fs::write(&pack, &bytes).unwrap();
        let [text] = &sample.texts()[..] else { panic!("one damage") };
        assert!(text.starts_with(&format!("the pack {} is damaged: 1 of its ", name_of(&pack))), "{text}");
        let needed =
            format!(" blocks are not what was written; needed by `data/noise.bin` of backup {}", sample.backup.short());
        assert!(text.ends_with(&needed), "{text}");
        assert_eq!(sample.unreadable(), ["data/noise.bin"]);
    }
    // The list of blocks at the end of a pack is used by nobody while there is an index.
    let mut bytes = whole.clone();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&pack, &bytes).unwrap();
    let expected =
        format!("the pack {} is damaged outside of the blocks that are used; no entry is lost by it", name_of(&pack));
    assert_eq!(sample.texts(), [expected]);
    assert!(sample.unreadable().is_empty());
}

#[test]
fn a_missing_pack_is_found_and_the_next_backup_heals_it() {
    let sample = Sample::new();
    let pack = sample.large_pack();
    fs::remove_file(&pack).unwrap();
    let backup = sample.backup.short();
    assert_eq!(
        sample.texts(),
        [format!("the pack {} is missing; needed by `data/noise.bin` of backup {backup}", name_of(&pack))]
    );
    assert_eq!(sample.unreadable(), ["data/noise.bin"]);
    let mut reader = sample.place.vault().read(&sample.backup, "data/noise.bin").unwrap();
    let err = reader.next_block().unwrap_err();
    assert_eq!(err.to_string(), "`data/noise.bin` cannot be read back");
    assert_eq!(std::error::Error::source(&err).unwrap().to_string(), format!("the pack {} is missing", name_of(&pack)));
    assert!(reader.next_block().is_err(), "a reader that has failed fails again");

    // The same content is stored again, because the index alone is not relied on.
    let again = write(&sample.place.vault(), &content()).unwrap();
    assert!(again.bytes_stored > 15 * MIB as u64);
    assert!(sample.unreadable().is_empty(), "the earlier backup is whole again, too");
    assert!(sample.verify().is_ok(), "{:?}", sample.texts());
}

#[test]
fn after_a_repair_what_was_sound_is_there_and_the_next_backup_heals_the_rest() {
    for cut in [false, true] {
        let sample = Sample::new();
        let pack = sample.large_pack();
        let size = pack.metadata().unwrap().len();
        if cut {
            fs::File::options().write(true).open(&pack).unwrap().set_len(size / 2).unwrap();
        } else {
            let mut bytes = fs::read(&pack).unwrap();
            bytes[1000] ^= 1;
            fs::write(&pack, bytes).unwrap();
        }
        // As long as nothing is done about it, a new backup relies on it.
        let relying = write(&sample.place.vault(), &content()).unwrap();
        if !cut {
            assert!(relying.bytes_stored < MIB as u64);
        }
        let found = sample.verify();
        let healed_by_now = found.is_ok();
        let repaired = sample.vault.repair(&found).unwrap();
        if healed_by_now {
            // A pack of a wrong size is not relied on in the first place.
            assert_eq!(repaired.packs, 0);
            continue;
        }
        assert_eq!((repaired.packs, repaired.lost), (1, 1));
        assert!(repaired.saved > 5, "{repaired:?}");
        assert!(pack.exists(), "nothing is deleted");
        // Nothing is lost that was not lost before.
        assert_eq!(sample.unreadable(), ["data/noise.bin"]);
        let text = sample.texts().join("; ");
        assert!(text.contains("blocks are in no index file: they are lost"), "{text}");
        // A repair of what is repaired changes nothing.
        assert_eq!(sample.vault.repair(&sample.verify()).unwrap(), Default::default());

        let again = write(&sample.place.vault(), &content()).unwrap();
        assert!(again.bytes_stored > MIB as u64 / 4 && again.bytes_stored < 10 * MIB as u64, "only what is lost");
        assert!(sample.unreadable().is_empty(), "the earlier backup is whole again, too");
        assert!(sample.verify().is_ok(), "{:?}", sample.texts());
    }
}

#[test]
fn a_repair_of_a_sound_vault_changes_nothing() {
    let sample = Sample::new();
    let before = (sample.place.files("index"), sample.place.files("data"));
    assert_eq!(sample.vault.repair(&sample.verify()).unwrap(), Default::default());
    assert_eq!((sample.place.files("index"), sample.place.files("data")), before);
}

#[test]
fn a_lost_pack_of_directories_is_repaired_too() {
    let sample = Sample::new();
    fs::remove_file(sample.tree_pack()).unwrap();
    let repaired = sample.vault.repair(&sample.verify()).unwrap();
    assert_eq!((repaired.packs, repaired.saved), (1, 0));
    assert!(repaired.lost > 0);
    // A directory holds times, too, so that none is ever stored again: the earlier backup stays lost, the new one is whole.
    let again = write(&sample.place.vault(), &content()).unwrap();
    assert!(again.bytes_stored < MIB as u64 / 4, "the blocks themselves are still there");
    assert_eq!(sample.unreadable().len(), 3);
    for (name, expected) in content() {
        assert!(read(&sample.place.vault(), &again.id, name) == expected, "{name}");
    }
    let one = VerifyOptions { backup: Some(again.id), ..VerifyOptions::default() };
    assert!(sample.vault.verify(&one).unwrap().is_ok());
    let text = sample.texts().join("; ");
    assert!(text.contains(&sample.backup.short()) && !text.contains(&again.id.short()), "{text}");
}

#[test]
fn a_pack_that_is_cut_short_is_found() {
    let sample = Sample::new();
    let pack = sample.large_pack();
    let size = pack.metadata().unwrap().len();
    fs::File::options().write(true).open(&pack).unwrap().set_len(size / 2).unwrap();
    let texts = sample.texts();
    assert_eq!(texts[0], format!("the pack {} has {} bytes and should have {size}", name_of(&pack), size / 2));
    assert!(texts[1].contains("blocks are not what was written; needed by `data/noise.bin`"), "{texts:?}");
    assert_eq!(sample.unreadable(), ["data/noise.bin"]);
}

#[test]
fn a_missing_index_file_is_found() {
    let sample = Sample::new();
    for path in sample.place.files("index") {
        fs::remove_file(path).unwrap();
    }
    let report = sample.verify();
    assert!(!report.is_ok());
    let text = report.errors[0].to_string();
    assert!(text.contains("is in no index file") && text.contains(&sample.backup.short()), "{text}");
    assert_eq!(sample.unreadable().len(), 3);
    let listing = sample.place.vault().list().unwrap();
    assert!(listing.backups.is_empty());
    assert_eq!(listing.damaged[0].id, sample.backup);
    let err = sample.place.vault().find("latest").unwrap_err();
    assert_eq!(err.kind(), VaultErrorKind::Damaged);
}

#[test]
fn a_damaged_index_file_is_named_and_no_backup_relies_on_it() {
    let sample = Sample::new();
    let index = sample.place.files("index").remove(0);
    let mut bytes = fs::read(&index).unwrap();
    bytes[40] ^= 1;
    fs::write(&index, bytes).unwrap();
    assert!(sample.texts()[0].starts_with(&format!("the index file {} is not what was written", name_of(&index))));
    let err = write(&sample.place.vault(), &content()).unwrap_err();
    assert_eq!(err.kind(), VaultErrorKind::Damaged);
    assert!(err.hint().unwrap().contains("rebuild-index"));
}

#[test]
fn a_damaged_record_is_neither_hidden_nor_hides_the_others() {
    let sample = Sample::new();
    let record = sample.place.files("snapshots").remove(0);
    let other = write(&sample.vault, &[("a", b"x".to_vec())]).unwrap();
    let mut bytes = fs::read(&record).unwrap();
    bytes[40] ^= 1;
    fs::write(&record, bytes).unwrap();
    let listing = sample.vault.list().unwrap();
    assert_eq!(listing.backups.iter().map(|backup| backup.id).collect::<Vec<_>>(), [other.id]);
    assert_eq!(listing.damaged[0].id, sample.backup);
    assert_eq!(sample.texts(), [format!("the snapshot record {} is not what was written", name_of(&record))]);
    assert_eq!(sample.vault.find(&sample.backup.to_string()).unwrap_err().kind(), VaultErrorKind::Damaged);
    assert_eq!(read(&sample.vault, &other.id, "a"), b"x");
}

#[test]
fn a_lost_directory_is_named_with_the_entries_below_it() {
    let sample = Sample::new();
    fs::remove_file(sample.tree_pack()).unwrap();
    let texts = sample.texts();
    assert!(texts[0].contains("is missing") && texts[0].contains("needed by `*` of backup"), "{texts:?}");
    assert_eq!(sample.unreadable().len(), 3);
}

#[test]
fn one_backup_or_one_part_can_be_verified() {
    let sample = Sample::new();
    let other = write(&sample.vault, &[("data/other.bin", noise(9, 3 * MIB))]).unwrap();
    let all = sample.verify();
    let one = sample.vault.verify(&VerifyOptions { backup: Some(other.id), ..VerifyOptions::default() }).unwrap();
    assert_eq!(one.backups, [other.id]);
    assert!(one.checked_bytes < all.checked_bytes / 2);

    let parts = std::num::NonZeroU32::new(3).unwrap();
    let mut checked = 0;
    for part in 1..=3 {
        checked += sample
            .vault
            .verify(&VerifyOptions { subset: Some((part, parts)), ..VerifyOptions::default() })
            .unwrap()
            .checked_bytes;
    }
    assert_eq!(checked, all.checked_bytes);

    // Damage elsewhere is not this backup's.
    fs::remove_file(sample.large_pack()).unwrap();
    assert!(
        sample.vault.verify(&VerifyOptions { backup: Some(other.id), ..VerifyOptions::default() }).unwrap().is_ok()
    );
    assert!(
        !sample
            .vault
            .verify(&VerifyOptions { backup: Some(sample.backup), ..VerifyOptions::default() })
            .unwrap()
            .is_ok()
    );
    let nobody = "00".repeat(32).parse().unwrap();
    let err = sample.vault.verify(&VerifyOptions { backup: Some(nobody), ..VerifyOptions::default() }).unwrap_err();
    assert_eq!(err.kind(), VaultErrorKind::NotFound);
}

#[test]
fn verifying_tells_its_progress_and_can_be_cancelled() {
    let sample = Sample::new();
    let seen = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
    let told = seen.clone();
    let progress = Arc::new(move |done, total| {
        told.0.fetch_max(done, Ordering::SeqCst);
        told.1.store(total, Ordering::SeqCst);
    });
    let report = sample.vault.verify(&VerifyOptions { progress: Some(progress), ..VerifyOptions::default() }).unwrap();
    assert_eq!(seen.0.load(Ordering::SeqCst), report.checked_bytes);
    assert_eq!(seen.1.load(Ordering::SeqCst), report.checked_bytes);

    let cancel = CancelFlag::default();
    cancel.store(true, Ordering::SeqCst);
    let err = sample.vault.verify(&VerifyOptions { cancel, ..VerifyOptions::default() }).unwrap_err();
    assert_eq!(err.kind(), VaultErrorKind::Cancelled);
}
