//! What opens, what does not, and what is said then.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::thread;

use dbkeep_backup::vault::{Passphrase, Vault, VaultError, VaultErrorKind, VaultOptions, WriteOptions};

use crate::support::{Place, ids, noise, read, write};

fn open(place: &Place, passphrase: &Passphrase) -> Result<Vault, VaultError> {
    Vault::open(place.path(), passphrase, &VaultOptions::default())
}

fn open_or_init(place: &Place, passphrase: &Passphrase) -> Result<Vault, VaultError> {
    Vault::open_or_init(place.path(), passphrase, &VaultOptions::default())
}

#[test]
fn only_the_right_passphrase_opens_a_vault() {
    let place = Place::new();
    let right = Passphrase::new("correct horse");
    let vault = open_or_init(&place, &right).unwrap();
    let written = write(&vault, &[("a", noise(1, 1000))]).unwrap();

    let err = open(&place, &Passphrase::new("battery staple")).unwrap_err();
    assert_eq!(err.kind(), VaultErrorKind::WrongPassphrase);
    assert_eq!(err.to_string(), format!("the passphrase does not open the vault at `{}`", place.path().display()));
    let err = open_or_init(&place, &Passphrase::none()).unwrap_err();
    assert_eq!(err.kind(), VaultErrorKind::WrongPassphrase);
    assert_eq!(err.to_string(), format!("the vault at `{}` needs a passphrase", place.path().display()));

    let vault = open(&place, &right).unwrap();
    assert_eq!(read(&vault, &written.id, "a"), noise(1, 1000));
    for text in [format!("{right:?}"), format!("{vault:?}"), format!("{err:?}")] {
        assert!(!text.contains("horse"), "{text}");
    }
}

#[test]
fn a_vault_without_a_passphrase_says_so() {
    let place = Place::new();
    place.vault();
    let err = open(&place, &Passphrase::new("secret")).unwrap_err();
    assert_eq!(err.kind(), VaultErrorKind::WrongPassphrase);
    assert!(err.hint().unwrap().contains("encryption = false"));
}

#[test]
fn nothing_is_made_where_something_else_is() {
    let place = Place::new();
    assert_eq!(open(&place, &Passphrase::none()).unwrap_err().kind(), VaultErrorKind::NotAVault);
    assert!(!place.path().exists());

    fs::create_dir(place.path()).unwrap();
    fs::write(place.path().join("holiday.jpg"), "a picture").unwrap();
    let err = open_or_init(&place, &Passphrase::none()).unwrap_err();
    assert_eq!(err.kind(), VaultErrorKind::NotAVault);
    assert_eq!(err.to_string(), format!("`{}` holds other files and is no vault", place.path().display()));
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);

    let place = Place::new();
    fs::write(place.path(), "a file").unwrap();
    assert_eq!(open_or_init(&place, &Passphrase::none()).unwrap_err().kind(), VaultErrorKind::NotAVault);

    // A directory of this name is ours only if a vault's other directories are there, too.
    let place = Place::new();
    fs::create_dir(place.path()).unwrap();
    fs::write(place.path().join("config"), "[core]").unwrap();
    assert_eq!(open_or_init(&place, &Passphrase::none()).unwrap_err().kind(), VaultErrorKind::NotAVault);
}

#[test]
fn a_vault_whose_making_was_interrupted_is_made_anew() {
    let place = Place::new();
    place.vault();
    let old_keys = place.files("keys");
    fs::remove_file(place.path().join("config")).unwrap();
    let err = open(&place, &Passphrase::none()).unwrap_err();
    assert_eq!((err.kind(), err.hint()), (VaultErrorKind::NotAVault, Some("the next `dbkeep backup` makes it anew")));
    let vault = place.vault();
    assert_eq!(place.files("keys").len(), 2);
    assert_ne!(place.files("keys"), old_keys);
    write(&vault, &[("a", noise(1, 1000))]).unwrap();

    // Once it holds data it is a damaged vault, and nothing is made in its place.
    for part in ["config", "keys"] {
        let (part, aside) = (place.path().join(part), place.path().with_extension("aside"));
        fs::rename(&part, &aside).unwrap();
        let err = open_or_init(&place, &Passphrase::none()).unwrap_err();
        assert_eq!(err.kind(), VaultErrorKind::Damaged);
        assert_eq!(
            err.to_string(),
            format!("the vault at `{}` lacks its file `config` or its folder `keys`", place.path().display())
        );
        fs::rename(&aside, &part).unwrap();
    }
    open(&place, &Passphrase::none()).unwrap();
}

#[test]
fn a_changed_bit_in_a_key_is_damage_and_no_wrong_passphrase() {
    let place = Place::new();
    let right = Passphrase::new("correct horse");
    open_or_init(&place, &right).unwrap();
    let key = place.files("keys").remove(0);
    let whole = fs::read_to_string(&key).unwrap();
    let at = whole.find("\"data\":\"").unwrap() + 20;
    let other = if &whole[at..=at] == "A" { "B" } else { "A" };
    fs::write(&key, format!("{}{other}{}", &whole[..at], &whole[at + 1..])).unwrap();
    let err = open(&place, &right).unwrap_err();
    assert_eq!(err.kind(), VaultErrorKind::Damaged);
    assert_eq!(
        err.to_string(),
        format!("the key file {} is not what was written", key.file_name().unwrap().to_str().unwrap())
    );
}

#[test]
fn many_may_make_the_same_vault_at_once() {
    let place = Place::new();
    thread::scope(|scope| {
        for number in 0..8 {
            let place = &place;
            scope.spawn(move || write(&place.vault(), &[("a", noise(number, 1000))]).unwrap());
        }
    });
    assert_eq!(place.files("keys").len(), 2);
    assert_eq!(ids(&place.vault()).len(), 8);
}

#[test]
fn a_stray_key_does_not_hide_the_right_one() {
    let (one, other) = (Place::new(), Place::new());
    one.vault();
    other.vault();
    for key in other.files("keys") {
        fs::copy(&key, one.path().join("keys").join(key.file_name().unwrap())).unwrap();
    }
    fs::write(one.path().join("keys").join("00".repeat(32)), "no key").unwrap();
    write(&one.vault(), &[]).unwrap();
}

#[test]
fn a_damaged_key_or_configuration_is_named() {
    let place = Place::new();
    place.vault();
    let config = place.path().join("config");
    let whole = fs::read(&config).unwrap();
    fs::write(&config, &whole[..whole.len() / 2]).unwrap();
    let err = open(&place, &Passphrase::none()).unwrap_err();
    assert_eq!(err.to_string(), "the configuration is not what was written");
    fs::write(&config, &whole).unwrap();

    let mut keys = place.files("keys");
    let key = keys.remove(0);
    fs::remove_file(keys.remove(0)).unwrap();
    fs::write(&key, "{").unwrap();
    let err = open(&place, &Passphrase::none()).unwrap_err();
    let name = key.file_name().unwrap().to_str().unwrap();
    assert_eq!(err.to_string(), format!("the key file {name} cannot be read"));
    fs::write(&key, r#"{"kdf":"scrypt","N":2147483648,"r":8,"p":1,"data":"","salt":""}"#).unwrap();
    let err = open(&place, &Passphrase::none()).unwrap_err();
    assert_eq!(err.to_string(), format!("the key file {name} asks for an unreasonable key derivation"));
    fs::remove_file(&key).unwrap();
    let err = open(&place, &Passphrase::none()).unwrap_err();
    assert_eq!(err.to_string(), format!("the vault at `{}` has no key file", place.path().display()));
}

#[test]
fn only_the_owner_may_look_into_a_vault() {
    let place = Place::new();
    write(&place.vault(), &[("a", noise(1, 1000))]).unwrap();
    let mode = |path: std::path::PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for directory in ["", "data", "data/00", "index", "keys", "locks", "snapshots"] {
        assert_eq!(mode(place.path().join(directory)), 0o700, "{directory}");
    }
    for file in place.files("") {
        assert_eq!(mode(file.clone()), 0o600, "{}", file.display());
    }
}

#[test]
fn a_vault_on_a_read_only_medium_can_be_read_and_says_why_it_cannot_be_written() {
    let place = Place::new();
    let written = write(&place.vault(), &[("a", noise(1, 1000))]).unwrap();
    let bind = |arguments: &[&str]| {
        std::process::Command::new("mount").args(arguments).output().is_ok_and(|run| run.status.success())
    };
    let path = place.path();
    let path = path.to_str().unwrap();
    if !(bind(&["--bind", path, path]) && bind(&["-o", "remount,ro,bind", path])) {
        eprintln!("skipped: a read-only mount needs root");
        return;
    }
    let result = std::panic::catch_unwind(|| {
        let vault = place.vault();
        assert_eq!(read(&vault, &written.id, "a"), noise(1, 1000));
        let err = write(&vault, &[("b", noise(2, 1000))]).unwrap_err();
        assert_eq!(err.kind(), VaultErrorKind::AccessDenied);
        assert_eq!(err.hint(), Some("check the owner and the permissions of the vault's directory"));
    });
    std::process::Command::new("umount").arg(path).status().unwrap();
    result.unwrap();
}

#[test]
fn vaults_of_either_compression_are_read_alike() {
    let place = Place::new();
    let plain =
        Vault::open_or_init(place.path(), &Passphrase::none(), &VaultOptions::default().compression(false)).unwrap();
    let text = vec![b'x'; 100_000];
    let large = write(&plain, &[("a", text.clone())]).unwrap();
    assert!(large.bytes_stored > 100_000);
    let text = vec![b'y'; 100_000];
    let small = write(&place.vault(), &[("a", text.clone())]).unwrap();
    assert!(small.bytes_stored < 10_000);
    assert_eq!(read(&plain, &small.id, "a"), text);
    plain.write(WriteOptions::default()).unwrap().abort();
}
