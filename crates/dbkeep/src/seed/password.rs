//! Passwords: hashed with Argon2 when they are new, and left alone while the stored hash is theirs.

use super::{Error, ErrorKind, Result};
use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use std::thread::available_parallelism;
use tokio::task::spawn_blocking;

/// A password, and the hash that is stored for it.
pub(super) struct Job {
    pub(super) secret: String,
    pub(super) stored: Option<String>,
}

/// The hash to store for each password; `None` where the stored one is right.
///
/// Argon2id with the parameters OWASP recommends takes some 20 ms each, on as many threads as there are processors.
pub(super) async fn hashes(jobs: Vec<Job>) -> Result<Vec<Option<String>>> {
    let lanes = available_parallelism().map_or(1, usize::from).min(8);
    let size = jobs.len().div_ceil(lanes).max(1);
    let mut jobs = jobs.into_iter();
    let mut running = Vec::new();
    loop {
        let lane: Vec<Job> = jobs.by_ref().take(size).collect();
        if lane.is_empty() {
            break;
        }
        running.push(spawn_blocking(move || lane.iter().map(hash).collect::<Result<Vec<_>>>()));
    }
    let mut out = Vec::new();
    for lane in running {
        out.extend(
            lane.await
                .map_err(|error| Error::new(ErrorKind::Row, "hashing passwords was stopped").with_source(error))??,
        );
    }
    Ok(out)
}

fn hash(job: &Job) -> Result<Option<String>> {
    let argon2 = Argon2::default();
    if let Some(stored) = job.stored.as_deref().and_then(|stored| PasswordHash::new(stored).ok())
        && argon2.verify_password(job.secret.as_bytes(), &stored).is_ok()
    {
        return Ok(None);
    }
    let hash = argon2.hash_password(job.secret.as_bytes());
    // The reason says nothing about the password itself.
    hash.map(|hash| Some(hash.to_string()))
        .map_err(|error| Error::new(ErrorKind::Row, format!("a password cannot be hashed: {error}")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn a_hash_is_kept_as_long_as_it_is_the_passwords() {
        let job =
            |secret: &str, stored: Option<&str>| Job { secret: secret.to_owned(), stored: stored.map(str::to_owned) };
        let new = hashes(vec![job("a", None), job("a", Some("plain text"))]).await.unwrap();
        let first = new[0].as_deref().unwrap();
        assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
        assert_ne!(new[0], new[1]);
        let again = hashes(vec![job("a", Some(first)), job("b", Some(first))]).await.unwrap();
        assert_eq!(again[0], None);
        assert!(again[1].is_some());
    }
}
