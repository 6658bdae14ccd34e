//! Backs a database up, proves what is stored, and restores it: `cargo run -p dbkeep-backup --example backup`.

// An example speaks.
#![allow(clippy::print_stdout)]

use dbkeep::{Database, Settings};
use dbkeep_backup::vault::{Passphrase, Vault, VaultOptions, VerifyOptions};
use dbkeep_backup::{BackupError, CreateOptions, Kind, RestorePlan, RestoreRun, blocking, create, find};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let url = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    let db = Database::connect(&url("club.db")).await?;
    db.script("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT); INSERT INTO users VALUES (1, 'Mae')").await?;

    // The vault's methods block, so they run beside the runtime. A passphrase that is lost takes the backups with it.
    let path = folder.path().join("backups");
    let vault = blocking(move || {
        let passphrase = Passphrase::new("correct horse battery staple");
        Ok(Vault::open_or_init(path, &passphrase, &VaultOptions::default())?)
    })
    .await?;

    let first = create(&vault, db.settings(), CreateOptions::default()).await?;
    println!(
        "{} {}: {} table, {} row, {} bytes stored",
        first.kind,
        &first.id[..8],
        first.tables,
        first.rows,
        first.bytes_stored
    );

    db.script("INSERT INTO users VALUES (2, 'Galileo')").await?;
    let mut options = CreateOptions::default();
    options.kind = Kind::Incremental;
    options.tag = Some("after-enrolment".to_owned());
    let second = create(&vault, db.settings(), options).await?;
    println!("{} {}: {} rows", second.kind, &second.id[..8], second.rows);

    let report = {
        let vault = vault.clone();
        blocking(move || Ok::<_, BackupError>(vault.verify(&VerifyOptions::default())?)).await?
    };
    println!("verified {} backups, intact: {}", report.backups.len(), report.is_ok());

    // A plan first, which touches nothing; then the restore, which reads everything back and compares.
    let target = Settings::from_url(&url("copy.db"))?;
    let plan = RestorePlan::new(&find(&vault, "latest", db.settings()).await?, &target)?;
    println!("restoring {} rows of {}", plan.manifest().rows(), plan.manifest().product);
    let report = plan.apply(&vault, RestoreRun::default()).await?;
    println!("equal to the backup: {:?}", report.digests_match);

    let copy = Database::open(target).await?;
    println!("users in the copy: {}", copy.table("users").count().await?);
    copy.close().await;
    db.close().await;
    Ok(())
}
