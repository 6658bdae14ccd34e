//! Where the demo's databases live: in files of its folder, or on a server, where they are made and dropped.

use crate::commands::Context;
use crate::config::{Chosen, Variables};
use crate::error::{Error, Result, connecting};
use dbkeep::engine::Location;
use dbkeep::{ConnectOptions, Settings};
use std::path::Path;

/// Where the demo's databases live.
pub(super) struct Place {
    options: ConnectOptions,
    copy: ConnectOptions,
    /// What dbkeep.toml says, without a password.
    pub(super) url: String,
}

const FILE: &str = "club.db";
const COPY: &str = "club-restored.db";

impl Place {
    /// Embedded, or on the server that `--url` names. The folder must not hold anything yet.
    pub(super) fn choose(context: &Context, folder: &Path) -> Result<Self> {
        let taken =
            folder.exists() && !std::fs::read_dir(folder).map(|mut entries| entries.next().is_none()).unwrap_or(false);
        if taken {
            return Err(Error::refused(format!("{} is there already and is not an empty folder", folder.display()))
                .hint("name another folder, as in: dbkeep demo my-demo"));
        }
        let embedded = || format!("sqlite://{FILE}").parse::<ConnectOptions>();
        let given = match &context.chosen.url {
            Some(url) => url
                .parse::<ConnectOptions>()
                .map_err(|error| Error::from(error).context("the URL given by --url is wrong"))?,
            None => embedded()?,
        };
        if given.engine.location() == Location::File {
            let options = given.with_database(folder.join(FILE).display().to_string());
            let copy = given.with_database(folder.join(COPY).display().to_string());
            let scheme = given.engine.schemes()[0];
            return Ok(Self { options, copy, url: format!("{scheme}://{FILE}") });
        }
        // A name of its own, so that nothing that exists is touched.
        let name = format!("dbkeep_demo_{:08x}", fastrand::u32(..));
        let url = context.chosen.url.as_deref().map(|url| without_password(url, &name)).unwrap_or_default();
        Ok(Self { options: given.with_database(&name), copy: given.with_database(format!("{name}_copy")), url })
    }

    /// The engine's short name.
    pub(super) fn engine(&self) -> &'static str {
        self.options.engine.name()
    }

    fn is_file(&self) -> bool {
        self.options.engine.location() == Location::File
    }

    /// How the demo's own commands find the database: through its dbkeep.toml, which names the password's variable.
    pub(super) fn chosen(&self, folder: &Path) -> Chosen {
        let password = self.options.password.as_ref();
        Chosen {
            config: Some(folder.join("dbkeep.toml")),
            // Named, so that no DATABASE_URL of the environment takes its place.
            connection: Some("app".to_owned()),
            variables: password.map(|secret| Variables::one("DB_PASSWORD", secret.expose())).unwrap_or_default(),
            ..Chosen::default()
        }
    }

    /// Makes the database.
    pub(super) async fn create(&self) -> Result<()> {
        if self.is_file() {
            return Ok(());
        }
        self.options.engine.create_database(&self.options).await.map_err(|error| {
            let target = self.options.target();
            if error.is_transient()
                || Error::from(dbkeep::engine::Error::new(error.kind(), "")).code == crate::ExitCode::CannotConnect
            {
                connecting(error, &target)
            } else {
                Error::from(error)
                    .context(format!("the database {target} cannot be made"))
                    .or_hint("the demo needs an account that may create and drop databases")
            }
        })
    }

    /// The settings of the database that the backup is restored into.
    pub(super) fn copy(&self, settings: &Settings) -> Settings {
        let mut copy = settings.clone().named("copy");
        copy.options = self.copy.clone();
        copy
    }

    /// Its name, for people.
    pub(super) fn copy_name(&self) -> String {
        if self.is_file() { COPY.to_owned() } else { self.copy.database.clone() }
    }

    /// Drops what was made on a server.
    pub(super) async fn tidy_up(&self) -> Result<()> {
        if self.is_file() {
            return Ok(());
        }
        let mut first = None;
        for options in [&self.copy, &self.options] {
            if let Err(error) = self.options.engine.drop_database(options).await {
                first.get_or_insert(
                    Error::from(error).context(format!("the database {} was left behind", options.database)),
                );
            }
        }
        first.map_or(Ok(()), Err)
    }

    /// What to try next.
    pub(super) fn next(&self, folder: &Path) -> String {
        match self.is_file() {
            true => format!(
                "next: cd {} && dbkeep migrate status && dbkeep schema show && dbkeep backup list",
                folder.display()
            ),
            false => format!("the databases were dropped; {} holds the project and its backups", folder.display()),
        }
    }
}

/// The URL with another database and without its password, for a file that others may read.
fn without_password(url: &str, database: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or((url, ""));
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let query = tail.find('?').map_or("", |at| &tail[at..]);
    let authority = match authority.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _)) => format!("{user}:${{DB_PASSWORD}}@{host}"),
            None => authority.to_owned(),
        },
        None => authority.to_owned(),
    };
    format!("{scheme}://{authority}/{database}{query}")
}

#[cfg(test)]
mod tests {
    use super::without_password;

    #[test]
    fn the_project_holds_no_password() {
        for (url, written) in [
            ("mysql://app:p%40ss@db:3306/old?tls=require", "mysql://app:${DB_PASSWORD}@db:3306/demo?tls=require"),
            ("postgres://app@db", "postgres://app@db/demo"),
            ("postgres://db/old", "postgres://db/demo"),
            ("mysql://a:b@c@db/x", "mysql://a:${DB_PASSWORD}@db/demo"),
        ] {
            assert_eq!(without_password(url, "demo"), written);
        }
    }
}
