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
    match decide(config.environment, consent, output.can_ask(), what, database)? {
        Step::Go => Ok(()),
        Step::Ask { question, wanted } => judge(wanted, &ask(output, &question)?),
    }
}

/// What is to be done before something is destroyed.
#[derive(Debug, PartialEq, Eq)]
enum Step<'d> {
    Go,
    Ask { question: String, wanted: Wanted<'d> },
}

/// Which answer means yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wanted<'d> {
    Yes,
    /// The name of the database.
    Name(&'d str),
}

fn decide<'d>(
    environment: Environment,
    consent: &Consent,
    can_ask: bool,
    what: &str,
    database: &'d str,
) -> Result<Step<'d>> {
    let in_production = environment == Environment::Production;
    match &consent.name {
        Some(name) if name == database => return Ok(Step::Go),
        // A name that was given and is another's is a mistake anywhere.
        Some(name) => return Err(another(database, name)),
        None if consent.yes && !in_production => return Ok(Step::Go),
        None => {}
    }
    match (in_production, can_ask) {
        (true, true) => Ok(Step::Ask {
            question: format!(
                "This will {what}, and the environment is production.\nType the name of the database ({database}) to go on: "
            ),
            wanted: Wanted::Name(database),
        }),
        (true, false) => Err(Error::refused(format!("this would {what}, and the environment is production"))
            .hint(format!("give --confirm {database} if that is what you want; --yes is not enough here"))),
        (false, true) => Ok(Step::Ask { question: format!("This will {what}. Go on? [y/N] "), wanted: Wanted::Yes }),
        (false, false) => {
            Err(Error::refused(format!("this would {what}")).hint("without a terminal to ask on, give --yes"))
        }
    }
}

fn judge(wanted: Wanted<'_>, answer: &str) -> Result<()> {
    match wanted {
        Wanted::Yes if ["y", "yes"].iter().any(|yes| answer.eq_ignore_ascii_case(yes)) => Ok(()),
        Wanted::Yes => Err(Error::refused("nothing was done")),
        Wanted::Name(database) if answer == database => Ok(()),
        Wanted::Name(database) => Err(another(database, answer)),
    }
}

fn another(database: &str, named: &str) -> Error {
    Error::refused(format!("nothing was done: the database is named {database:?}, not {named:?}"))
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::exit_code::ExitCode;

    const EVERYWHERE: [Environment; 4] =
        [Environment::Development, Environment::Test, Environment::Staging, Environment::Production];

    fn consent(yes: bool, name: Option<&str>) -> Consent {
        Consent { yes, name: name.map(str::to_owned) }
    }

    fn decided(environment: Environment, consent: &Consent, can_ask: bool) -> Result<Step<'static>, String> {
        decide(environment, consent, can_ask, "drop all tables of shop", "shop").map_err(|error| {
            assert_eq!(error.code, ExitCode::Refused);
            format!("{}; {}", error.message, error.hint.unwrap_or_default())
        })
    }

    #[test]
    fn the_databases_name_is_consent_everywhere_and_a_yes_is_not_in_production() {
        for environment in EVERYWHERE {
            for can_ask in [false, true] {
                for yes in [false, true] {
                    assert_eq!(decided(environment, &consent(yes, Some("shop")), can_ask), Ok(Step::Go));
                    assert_eq!(
                        decided(environment, &consent(yes, Some("Shop")), can_ask).unwrap_err(),
                        r#"nothing was done: the database is named "shop", not "Shop"; "#
                    );
                }
                let outcome = decided(environment, &consent(true, None), can_ask);
                assert_eq!(outcome == Ok(Step::Go), environment != Environment::Production, "{environment:?}");
            }
        }
    }

    #[test]
    fn without_consent_it_asks_on_a_terminal_and_refuses_elsewhere() {
        let nothing = consent(false, None);
        let question = "This will drop all tables of shop. Go on? [y/N] ".to_owned();
        assert_eq!(decided(Environment::Test, &nothing, true), Ok(Step::Ask { question, wanted: Wanted::Yes }));
        assert_eq!(
            decided(Environment::Test, &nothing, false).unwrap_err(),
            "this would drop all tables of shop; without a terminal to ask on, give --yes"
        );
        for yes in [false, true] {
            let question = "This will drop all tables of shop, and the environment is production.\n\
                            Type the name of the database (shop) to go on: "
                .to_owned();
            let asked = Step::Ask { question, wanted: Wanted::Name("shop") };
            assert_eq!(decided(Environment::Production, &consent(yes, None), true), Ok(asked));
            assert_eq!(
                decided(Environment::Production, &consent(yes, None), false).unwrap_err(),
                "this would drop all tables of shop, and the environment is production; \
                 give --confirm shop if that is what you want; --yes is not enough here"
            );
        }
    }

    #[test]
    fn only_a_clear_answer_is_a_yes() {
        for answer in ["y", "Y", "yes", "YES"] {
            judge(Wanted::Yes, answer).unwrap();
        }
        for answer in ["", "n", "no", "ye", "yess", "shop"] {
            assert_eq!(judge(Wanted::Yes, answer).unwrap_err().message, "nothing was done");
        }
        judge(Wanted::Name("shop"), "shop").unwrap();
        for answer in ["", "y", "SHOP", "shop2"] {
            assert_eq!(judge(Wanted::Name("shop"), answer).unwrap_err().code, ExitCode::Refused);
        }
    }
}
