//! Questions before something is destroyed.

use crate::config::{Config, Environment};
use crate::error::{Error, Result};
use crate::output::Output;
use std::io::{BufRead, Write};

/// What the command line said of questions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Consent {
    /// `--yes`.
    pub(crate) yes: bool,
    /// `--confirm NAME`.
    pub(crate) name: Option<String>,
}

/// Makes sure that somebody wants this. In production the database's name must be typed or given with `--confirm`;
/// elsewhere a yes is enough.
pub(crate) fn confirm(output: &Output, config: &Config, consent: &Consent, what: &str, database: &str) -> Result<()> {
    if config.environment == Environment::Production {
        return in_production(output, consent, what, database);
    }
    if consent.yes || consent.name.as_deref() == Some(database) {
        return Ok(());
    }
    if !output.can_ask() {
        return Err(Error::refused(format!("this would {what}")).hint("without a terminal to ask on, give --yes"));
    }
    match ask(output, &format!("This will {what}. Go on? [y/N] "))?.to_ascii_lowercase().as_str() {
        "y" | "yes" => Ok(()),
        _ => Err(Error::refused("nothing was done")),
    }
}

fn in_production(output: &Output, consent: &Consent, what: &str, database: &str) -> Result<()> {
    let typed = match &consent.name {
        Some(name) => name.clone(),
        None if output.can_ask() => ask(
            output,
            &format!(
                "This will {what}, and the environment is production.\nType the name of the database ({database}) to go on: "
            ),
        )?,
        None => {
            return Err(Error::refused(format!("this would {what}, and the environment is production"))
                .hint(format!("give --confirm {database} if that is what you want; --yes is not enough here")));
        }
    };
    if typed == database {
        return Ok(());
    }
    Err(Error::refused(format!("nothing was done: the database is named {database:?}, not {typed:?}")))
}

fn ask(output: &Output, question: &str) -> Result<String> {
    let mut out = output.stderr();
    let _ = write!(out, "{question}");
    let _ = out.flush();
    drop(out);
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).map_err(|error| Error::io("the answer cannot be read", error))?;
    Ok(line.trim().to_owned())
}
