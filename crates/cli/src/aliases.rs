//! Command names for people who come from Artisan-like tools: `migrate:rollback 2`, `db:backup`.

use std::ffi::OsString;

/// The colon names and what they stand for.
const ALIASES: [(&str, &[&str]); 20] = [
    ("migrate:up", &["migrate", "up"]),
    ("migrate:run", &["migrate", "up"]),
    ("migrate:rollback", &["migrate", "rollback"]),
    ("migrate:down", &["migrate", "rollback"]),
    ("migrate:status", &["migrate", "status"]),
    ("migrate:create", &["migrate", "create"]),
    ("make:migration", &["migrate", "create"]),
    ("db:migrate", &["migrate", "up"]),
    ("db:seed", &["seed"]),
    ("db:query", &["query"]),
    ("db:show", &["schema", "show"]),
    ("db:table", &["schema", "show"]),
    ("db:backup", &["backup"]),
    ("db:restore", &["restore"]),
    ("db:health", &["health"]),
    ("backup:create", &["backup", "create"]),
    ("backup:list", &["backup", "list"]),
    ("backup:verify", &["backup", "verify"]),
    ("config:show", &["config", "show"]),
    ("config:check", &["config", "check"]),
];

/// Global options that take a value, which is therefore no command.
const WITH_VALUE: [&str; 5] = ["--config", "--connection", "--url", "--color", "--confirm"];

/// The arguments with a colon name, if the command is one, written out. `migrate:rollback 2` becomes
/// `migrate rollback --steps 2`, `migrate:create NAME TABLE` becomes `migrate create NAME --table TABLE`.
pub(crate) fn expand(args: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let args: Vec<OsString> = args.into_iter().collect();
    let Some(at) = command(&args) else { return args };
    let name = args[at].to_string_lossy();
    let Some((_, words)) = ALIASES.iter().find(|(alias, _)| *alias == name) else { return args };
    let mut out: Vec<OsString> = args[..at].to_vec();
    out.extend(words.iter().map(OsString::from));
    let mut positional = 0;
    for (index, argument) in args[at + 1..].iter().enumerate() {
        let text = argument.to_string_lossy();
        let follows_option = index > 0 && takes_value(&args[at + index].to_string_lossy());
        if !text.starts_with('-') && !follows_option {
            positional += 1;
            match (*words, positional) {
                (["migrate", "rollback"], 1) if text.bytes().all(|b| b.is_ascii_digit()) => out.push("--steps".into()),
                (["migrate", "create"], 2) => out.push("--table".into()),
                _ => {}
            }
        }
        out.push(argument.clone());
    }
    out
}

fn takes_value(option: &str) -> bool {
    WITH_VALUE.contains(&option) || ["--steps", "--table", "--to", "--tag", "--into", "--database"].contains(&option)
}

/// Where the command stands: the first argument that is neither an option nor an option's value.
fn command(args: &[OsString]) -> Option<usize> {
    let mut at = 1;
    while at < args.len() {
        let text = args[at].to_string_lossy();
        if !text.starts_with('-') {
            return Some(at);
        }
        at += if WITH_VALUE.contains(&text.as_ref()) { 2 } else { 1 };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(line: &str) -> String {
        let args = line.split(' ').map(OsString::from);
        expand(args).iter().map(|arg| arg.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn colon_names_are_written_out() {
        for (line, full) in [
            ("dbkeep migrate:rollback 2", "dbkeep migrate rollback --steps 2"),
            ("dbkeep migrate:rollback --steps 2", "dbkeep migrate rollback --steps 2"),
            ("dbkeep migrate:rollback --all", "dbkeep migrate rollback --all"),
            ("dbkeep migrate:create add_age users", "dbkeep migrate create add_age --table users"),
            ("dbkeep migrate:create add_age --table users", "dbkeep migrate create add_age --table users"),
            ("dbkeep --json --url x:y db:backup", "dbkeep --json --url x:y backup"),
            ("dbkeep db:restore F.sql", "dbkeep restore F.sql"),
            ("dbkeep query db:seed", "dbkeep query db:seed"),
            ("dbkeep unknown:name", "dbkeep unknown:name"),
            ("dbkeep migrate:status", "dbkeep migrate status"),
            ("dbkeep db:health", "dbkeep health"),
            ("dbkeep db:seed users courses", "dbkeep seed users courses"),
            ("dbkeep migrate:rollback --url x:y 3", "dbkeep migrate rollback --url x:y --steps 3"),
            ("dbkeep migrate:rollback two", "dbkeep migrate rollback two"),
            ("dbkeep --config migrate:up migrate:run", "dbkeep --config migrate:up migrate up"),
            ("dbkeep -q -v --color never make:migration add_age", "dbkeep -q -v --color never migrate create add_age"),
            ("dbkeep --url=x:y db:show users", "dbkeep --url=x:y schema show users"),
            ("dbkeep", "dbkeep"),
        ] {
            assert_eq!(expanded(line), full);
        }
    }

    #[test]
    fn what_an_alias_stands_for_is_a_command() {
        use clap::CommandFactory as _;
        let program = crate::args::Cli::command();
        for (alias, words) in ALIASES {
            words.iter().fold(&program, |command, word| {
                command.find_subcommand(word).unwrap_or_else(|| panic!("{alias}: there is no command {word}"))
            });
        }
    }

    #[cfg(unix)]
    #[test]
    fn arguments_that_are_no_text_are_left_as_they_are() {
        use std::os::unix::ffi::OsStringExt as _;
        let odd = OsString::from_vec(b"caf\xe9.sql".to_vec());
        let expanded = expand(["dbkeep".into(), "db:restore".into(), odd.clone()]);
        assert_eq!(expanded, ["dbkeep".into(), "restore".into(), odd]);
    }
}
