//! The tables of a benchmark, in a database of their own that is dropped when the measuring is over, also when it failed. It is
//! named after the process, so that what a killed one left is in nobody's way.

use dbkeep::{ConnectOptions, Database, Error, Settings, TlsMode};
use url::Url;

pub struct Ground {
    server: Url,
    url: Url,
    name: String,
}

impl Ground {
    /// A new database on the server of this URL, after these statements.
    ///
    /// # Errors
    /// When the URL is none, the server cannot be reached, or it refuses the database or one of the statements.
    pub fn make(url: &str, statements: &[&str]) -> dbkeep::Result<Self> {
        // Whoever does not understand a setting of somebody else's URL would refuse all of it.
        let mut server: Url = url.parse().map_err(|error| Error::settings(format!("no URL of a server: {error}")))?;
        server.set_query(None);
        let name = format!("dbkeep_bench_{}", std::process::id());
        let mut url = server.clone();
        url.set_path(&name);
        run(&server, &[&format!("CREATE DATABASE {name}")])?;
        // From here on it is dropped whatever happens.
        let ground = Self { server, url, name };
        run(&ground.url, statements)?;
        Ok(ground)
    }

    /// The database.
    pub fn url(&self) -> &Url {
        &self.url
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // The last connections may not be closed yet, which PostgreSQL minds unless it is forced.
        let force = if self.server.scheme().starts_with("postgres") { " WITH (FORCE)" } else { "" };
        if let Err(error) = run(&self.server, &[&format!("DROP DATABASE {}{force}", self.name)]) {
            eprintln!("the database {} could not be dropped, drop it by hand: {error}", self.name);
        }
    }
}

/// Where this URL leads, unencrypted: what encryption costs is the same for every pool, and some of the peers have none.
pub fn options(url: &Url) -> dbkeep::Result<ConnectOptions> {
    let mut options: ConnectOptions = url.as_str().parse()?;
    options.tls = TlsMode::Disable;
    Ok(options)
}

fn run(url: &Url, scripts: &[&str]) -> dbkeep::Result<()> {
    let runtime = crate::runtime();
    runtime.block_on(async {
        let database = Database::open(Settings::new(options(url)?)).await?;
        for script in scripts {
            database.script(script).await?;
        }
        database.close().await;
        Ok(())
    })
}
