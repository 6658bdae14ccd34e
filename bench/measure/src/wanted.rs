//! What is to be measured: subjects by the arguments, cases and rounds by the environment.

use std::process::ExitCode;

pub struct Wanted {
    pub json: bool,
    pub rounds: usize,
    subjects: Vec<String>,
    cases: String,
}

impl Wanted {
    /// # Errors
    /// After saying on stderr what is wrong.
    pub fn read() -> Result<Self, ExitCode> {
        let (mut json, mut subjects) = (false, Vec::new());
        for argument in std::env::args().skip(1) {
            match argument.as_str() {
                "--json" => json = true,
                option if option.starts_with('-') => {
                    eprintln!("there is no option {option}; --json is the only one");
                    return Err(ExitCode::from(2));
                }
                _ => subjects.push(argument),
            }
        }
        let rounds = match std::env::var("ROUNDS").as_deref().unwrap_or("15").parse() {
            Ok(rounds) if rounds > 0 => rounds,
            _ => {
                eprintln!("ROUNDS is to be a number, 1 or more");
                return Err(ExitCode::from(2));
            }
        };
        Ok(Self { json, rounds, subjects, cases: std::env::var("CASES").unwrap_or_default() })
    }

    /// Whether this subject is among those named, by a part of the name or after `=` by all of it, or none is named.
    pub fn subject(&self, name: &str) -> bool {
        self.subjects.is_empty()
            || self.subjects.iter().any(|wanted| match wanted.strip_prefix("=") {
                Some(whole) => name == whole,
                None => name.contains(wanted.as_str()),
            })
    }

    /// Whether CASES is part of this case's name, or not given.
    pub fn case(&self, name: &str) -> bool {
        name.contains(&self.cases)
    }
}
