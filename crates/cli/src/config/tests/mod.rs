//! What every source of configuration says, which one wins, and what is said of mistakes.

#![allow(clippy::unwrap_used)]

mod file;
mod sources;

use super::*;
use crate::error::{Error, Result};
use std::fs;

/// A folder with a configuration in it, and the program's surroundings.
#[derive(Default)]
struct Given {
    toml: Option<String>,
    dotenv: Option<String>,
    variables: Vec<(&'static str, &'static str)>,
    chosen: Chosen,
    /// Where the program is started, below the folder.
    below: &'static str,
}

fn toml(text: &str) -> Given {
    Given { toml: Some(text.to_owned()), ..Given::default() }
}

fn variables(variables: &[(&'static str, &'static str)]) -> Given {
    Given { variables: variables.to_vec(), ..Given::default() }
}

impl Given {
    fn dotenv(mut self, text: &str) -> Self {
        self.dotenv = Some(text.to_owned());
        self
    }

    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    fn url(mut self, url: &str) -> Self {
        self.chosen.url = Some(url.to_owned());
        self
    }

    fn connection(mut self, name: &str) -> Self {
        self.chosen.connection = Some(name.to_owned());
        self
    }

    /// The configuration and the folder it was in.
    fn try_load(&self) -> Result<(Config, tempfile::TempDir)> {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &Option<String>| {
            if let Some(text) = text {
                fs::write(folder.path().join(name), text).unwrap();
            }
        };
        write("dbkeep.toml", &self.toml);
        write(".env", &self.dotenv);
        let here = folder.path().join(self.below);
        fs::create_dir_all(&here).unwrap();
        match load(&self.chosen, Variables::of(&self.variables), &here) {
            Ok(config) => Ok((config, folder)),
            Err(mut error) => {
                let folder = format!("{}/", folder.path().display());
                error.message = error.message.replace(&folder, "");
                if let Some(at) = &mut error.location {
                    at.file = at.file.replace(&folder, "");
                }
                Err(error)
            }
        }
    }

    fn load(&self) -> Config {
        self.try_load().unwrap_or_else(|error| panic!("{error:?}")).0
    }

    /// Everything that is said of a mistake, which holds no secret.
    fn complaint(&self) -> String {
        let error = match self.try_load() {
            Ok((config, _)) => panic!("{config:?} is not refused"),
            Err(error) => error,
        };
        assert_eq!(error.code, crate::exit_code::ExitCode::Configuration, "{error:?}");
        let shown = told(&error);
        assert!(!format!("{shown} {error:?} {}", error.to_json()).contains("hunter2"), "{error:?}");
        shown
    }

    fn default_connection(&self) -> Connection {
        let config = self.load();
        config.connections[&config.default].clone()
    }
}

/// File, line and column, the message, what lies beneath, the line and the hint.
fn told(error: &Error) -> String {
    let mut out = String::new();
    if let Some(at) = &error.location {
        out += &format!("{}:{}:{}: ", at.file, at.line, at.column);
    }
    out += &error.message;
    for cause in &error.causes {
        out += &format!(": {cause}");
    }
    if let Some(line) = error.location.as_ref().and_then(|at| at.text.as_ref()) {
        out += &format!("\n| {line}");
    }
    if let Some(hint) = &error.hint {
        out += &format!("\n? {hint}");
    }
    out
}
