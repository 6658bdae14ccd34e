//! What the server's and the driver's errors mean.

use crate::{Error, ErrorKind};
use mysql_async::{DriverError, IoError, ServerError};
use std::io;

/// An error of a statement, with its place in `sql` where the server says enough to find it.
pub(super) fn of_statement(error: mysql_async::Error, sql: &str) -> Error {
    let place = match &error {
        mysql_async::Error::Server(ServerError { code: 1064, message, .. }) => locate(sql, message),
        _ => None,
    };
    let error = of_driver(error);
    match place {
        Some(place) => error.with_position(place),
        None => error,
    }
}

/// An error of the driver on an open connection.
pub(super) fn of_driver(error: mysql_async::Error) -> Error {
    match error {
        mysql_async::Error::Server(error) => of_server(&error),
        mysql_async::Error::Io(IoError::Tls(error)) => {
            Error::new(ErrorKind::Tls, "the encrypted connection failed").with_source(error)
        }
        mysql_async::Error::Io(IoError::Io(error)) => {
            Error::new(ErrorKind::ConnectionLost, "the connection to the server was lost").with_source(error)
        }
        mysql_async::Error::Driver(error) => of_client(error),
        other => Error::new(ErrorKind::ConnectionLost, "the connection to the server failed").with_source(other),
    }
}

/// An error on the way to a connection.
pub(super) fn of_connecting(error: mysql_async::Error, target: &str) -> Error {
    match error {
        mysql_async::Error::Io(IoError::Io(error)) => of_way(error, target),
        mysql_async::Error::Io(IoError::Tls(error)) => untrusted(target).with_source(error),
        other => of_driver(other).context(target),
    }
}

fn of_way(error: io::Error, target: &str) -> Error {
    if error.get_ref().is_some_and(|source| source.is::<rustls::Error>()) {
        return untrusted(target).with_source(error);
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => {
            Error::new(ErrorKind::Refused, format!("nothing answers at {target}"))
                .with_hint("is the server running, and are host, port or socket right?")
        }
        io::ErrorKind::PermissionDenied => Error::new(ErrorKind::Io, format!("{target} may not be opened"))
            .with_hint("this account of the operating system lacks the right to use the socket"),
        io::ErrorKind::TimedOut => Error::new(ErrorKind::Timeout, format!("no answer from {target}")),
        io::ErrorKind::UnexpectedEof
        | io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => {
            Error::new(ErrorKind::Unavailable, format!("{target} closed the connection before it was set up"))
                .with_hint("is it starting up or shutting down?")
        }
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => {
            Error::new(ErrorKind::Options, format!("what answers at {target} does not speak this protocol"))
                .with_hint("is another kind of server behind this port?")
        }
        _ => Error::new(ErrorKind::Refused, format!("{target} cannot be reached"))
            .with_hint("is the host's name right, and can it be resolved and routed from here?"),
    }
    .with_source(error)
}

fn untrusted(target: &str) -> Error {
    Error::new(ErrorKind::Tls, format!("no trusted encrypted connection to {target}")).with_hint(
        "verify-full wants a certificate for this host's name from an authority in tls_ca; tls=require encrypts without \
         checking it",
    )
}

fn of_client(error: DriverError) -> Error {
    match &error {
        DriverError::NoClientSslFlagFromServer => Error::new(ErrorKind::Tls, "the server offers no encryption")
            .with_hint("tls=prefer or tls=disable connects without it"),
        // MySQL hides which accounts exist: of one that does not it asks for one of its own plugins, taken at random.
        // https://www.chatdba.com/blog/troubleshooting-mysql-authentication-warnings-deprecated-plugins-and-bug-analysis
        DriverError::UnknownAuthPlugin { name } if name == "sha256_password" => Error::new(
            ErrorKind::Authentication,
            "access denied, in all likelihood: the server asks for the authentication plugin sha256_password, which is not \
             known here",
        )
        .with_hint(
            "check the user's name: MySQL asks so, at random, where there is no such account; one that has this plugin needs \
             caching_sha2_password instead",
        ),
        DriverError::UnknownAuthPlugin { name } => Error::new(
            ErrorKind::Authentication,
            format!("the account uses the authentication plugin {name}, which is not known here"),
        )
        .with_hint("caching_sha2_password, mysql_native_password and ed25519 are known"),
        DriverError::MysqlOldPasswordDisabled | DriverError::CleartextPluginDisabled => {
            Error::new(ErrorKind::Authentication, "the server asks for the password in a form that would give it away")
        }
        DriverError::LocalInfile(_) => Error::new(
            ErrorKind::ConnectionLost,
            "the server asked for a file of this machine, which is never given; the connection was closed",
        )
        .with_hint("LOAD DATA without LOCAL reads a file of the server; seeds and restores load from here"),
        DriverError::PacketTooLarge => {
            Error::new(ErrorKind::ConnectionLost, "a packet was larger than 1 GiB; the connection was closed")
        }
        _ => Error::new(ErrorKind::ConnectionLost, "the connection is out of step with the server and was closed"),
    }
    .with_source(error)
}

/// An error of the server. Numbers: <https://dev.mysql.com/doc/mysql-errors/9.0/en/server-error-reference.html>,
/// <https://mariadb.com/kb/en/mariadb-error-code-reference/>.
pub(super) fn of_server(error: &ServerError) -> Error {
    let kind = kind(error.code, &error.message);
    let mut out = Error::new(kind, shown(error)).with_code(error.code.to_string());
    if let Some(name) = constraint(error.code, &error.message) {
        out = out.with_constraint(name);
    }
    match hint(error.code, kind) {
        Some(hint) => out.with_hint(hint),
        None => out,
    }
}

fn kind(code: u16, message: &str) -> ErrorKind {
    use ErrorKind::*;
    match code {
        1045 | 1129 | 1130 | 1251 | 1275 | 1524 | 1698 | 1820 | 1862 | 3118 | 4151 => Authentication,
        1049 => UnknownDatabase,
        1040 | 1203 => TooManyConnections,
        1226 if message.contains("connections") => TooManyConnections,
        1053 | 3032 => Unavailable,
        1152 | 1154..=1161 | 1184 | 1927 | 2006 | 2013 | 3169 | 4031 => ConnectionLost,
        1022 | 1062 | 1557 | 1586 | 1859 => UniqueViolation,
        1216 | 1217 | 1451 | 1452 => ForeignKeyViolation,
        1048 | 1263 | 1364 => NotNullViolation,
        3819 | 4025 => CheckViolation,
        1064 | 1065 | 1149 => Syntax,
        1008 | 1051 | 1054 | 1072 | 1091 | 1109 | 1128 | 1146 | 1176 | 1193 | 1305 | 1360 | 1449 | 1539 | 1630
        | 3568 | 3579 | 4009 | 4091 | 4092 => NotFound,
        1007 | 1050 | 1060 | 1061 | 1304 | 1359 | 1537 | 1826 | 3822 => AlreadyExists,
        1205 | 3572 => LockTimeout,
        1213 | 1614 => Deadlock,
        1020 | 3101 => Serialization,
        1290 if message.to_ascii_lowercase().replace('_', "-").contains("read-only") => ReadOnly,
        1036 | 1792 | 1836 => ReadOnly,
        1044 | 1095 | 1142 | 1143 | 1227 | 1290 | 1370 | 1410 | 1419 => PermissionDenied,
        1021 | 1114 => DiskFull,
        3 if message.contains("28") => DiskFull,
        1034 | 1035 | 1194 | 1195 | 1712 | 1817 | 1877 => Damaged,
        1317 => Cancelled,
        1969 | 3024 => Timeout,
        1153 | 1264 | 1265 | 1292 | 1300 | 1365 | 1366 | 1367 | 1406 | 1411 | 1416 | 1425 | 1426 | 1439 | 1525
        | 1690 | 3140 | 3141 | 3144 | 3854 | 3988 | 4078 => InvalidValue,
        1235 | 1286 | 1289 | 1295 | 1390 => Unsupported,
        _ => Statement,
    }
}

fn hint(code: u16, kind: ErrorKind) -> Option<&'static str> {
    Some(match (code, kind) {
        (1130, _) => "the server knows no account for this user from this machine's address",
        (1129, _) => "too many failed connections came from here; FLUSH HOSTS on the server lets it in again",
        (1820 | 1862, _) => "the account's password has expired; ALTER USER … IDENTIFIED BY sets a new one",
        (3118 | 4151, _) => "the account is locked; ALTER USER … ACCOUNT UNLOCK opens it",
        (_, ErrorKind::Authentication) => {
            "check user and password; accounts hold for a user and the host it comes from"
        }
        (_, ErrorKind::UnknownDatabase) => "check the name, or create the database first",
        (_, ErrorKind::TooManyConnections) => {
            "fewer connections in the pools of all processes, or a higher max_connections on the server"
        }
        (1044, _) => "the account lacks rights on this database; GRANT … ON database.* gives them",
        (1419, _) => "log_bin_trust_function_creators=1 on the server, or an account with more rights",
        (_, ErrorKind::Deadlock) => "run the whole transaction again",
        (_, ErrorKind::Serialization) => "the row was changed meanwhile; run the whole transaction again",
        (_, ErrorKind::LockTimeout) => {
            "another transaction holds the lock; shorter transactions, or a longer lock_timeout"
        }
        (_, ErrorKind::ReadOnly) => "connect to the primary, or without mode=ro",
        (1153, _) => "the statement is longer than the server's max_allowed_packet",
        (1114, _) => "the disk, the tablespace or a MEMORY table is full",
        (1055, _) => {
            "sql_mode has ONLY_FULL_GROUP_BY: group by the column, or use an aggregate such as ANY_VALUE or MIN"
        }
        (1412, _) => "the table was altered after the transaction began; run the whole transaction again",
        (1093, _) => {
            "it cannot read the table it changes: put the query into one more, which is worked out first: … IN (SELECT id FROM \
             (SELECT …) AS chosen)"
        }
        (1451, _) => "other rows still point to this one",
        (1452, _) => "the row it points to does not exist",
        _ => return None,
    })
}

/// The message without the values some messages repeat: they are the users' data.
fn shown(error: &ServerError) -> String {
    let text = &error.message;
    let cut = |from: &str, to: &str| {
        let start = text.find(from)? + from.len();
        let end = text.rfind(to).filter(|end| *end >= start)?;
        Some(format!("{}…{}", &text[..start], &text[end..]))
    };
    let redacted = match error.code {
        1062 | 1586 => cut("entry '", "' for key"),
        1366 => cut("value: '", "' for column"),
        1292 => cut("value: '", "' for column").or_else(|| cut("value: '", "'")),
        1411 | 1525 => cut("value: '", "'"),
        1300 => cut("string: '", "'"),
        1367 => cut("'", "' value"),
        1526 => cut("for value ", ""),
        // The expression, with the values in it.
        1690 => cut("in '", "'"),
        1761 | 1762 => cut("record '", "' would"),
        _ => None,
    };
    lower_first(redacted.as_deref().unwrap_or(text))
}

/// Errors are fragments: they begin in lower case, unless with an abbreviation or a name.
fn lower_first(text: &str) -> String {
    let mut chars = text.chars();
    match (chars.next(), chars.next()) {
        (Some(first), Some(second)) if first.is_uppercase() && !second.is_uppercase() => {
            let mut out: String = first.to_lowercase().collect();
            out.push_str(&text[first.len_utf8()..]);
            out
        }
        _ => text.to_owned(),
    }
}

fn constraint(code: u16, message: &str) -> Option<String> {
    let quoted = |from: &str, quote: char| {
        let start = message.rfind(from)? + from.len();
        let end = message[start..].find(quote)?;
        Some(message[start..start + end].to_owned())
    };
    match code {
        // MySQL since 8.0.19 names the table too: 'users.email'.
        1062 | 1586 => quoted("for key '", '\'').map(|name| match name.rsplit_once('.') {
            Some((_, key)) => key.to_owned(),
            None => name,
        }),
        1216 | 1217 | 1451 | 1452 | 4025 => {
            let start = message.find("CONSTRAINT `")? + "CONSTRAINT `".len();
            let end = message[start..].find('`')?;
            Some(message[start..start + end].to_owned())
        }
        3819 => quoted("onstraint '", '\''),
        // NOT NULL has no name of its own; the column's is what there is.
        1048 | 1364 => message.split('\'').nth(1).map(str::to_owned),
        _ => None,
    }
}

/// Where a syntax error lies, in characters: the server repeats what follows the place, and says the line.
fn locate(sql: &str, message: &str) -> Option<usize> {
    let start = message.find("near '")? + "near '".len();
    let (near, line) = message[start..].rsplit_once("' at line ")?;
    let line: usize = line.trim().parse().ok()?;
    let line_start: usize = sql.split_inclusive('\n').take(line.checked_sub(1)?).map(str::len).sum();
    let at = if near.is_empty() { sql.len() } else { line_start + sql.get(line_start..)?.find(near)? };
    Some(sql.get(..at)?.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(code: u16, message: &str) -> Error {
        of_server(&ServerError { code, message: message.to_owned(), state: "HY000".to_owned() })
    }

    #[test]
    fn values_of_rows_do_not_stand_in_errors() {
        let error = server(1062, "Duplicate entry 'ada@example.com' for key 'users.email'");
        assert_eq!(error.to_string(), "duplicate entry '…' for key 'users.email' (1062)");
        assert_eq!(error.constraint(), Some("email"));
        let error = server(1062, "Duplicate entry 'it's for key' for key 'PRIMARY'");
        assert_eq!(error.message(), "duplicate entry '…' for key 'PRIMARY'");
        assert_eq!(error.constraint(), Some("PRIMARY"));
        let error = server(1366, "Incorrect integer value: 'secret' for column `a`.`t`.`n` at row 1");
        assert_eq!(error.message(), "incorrect integer value: '…' for column `a`.`t`.`n` at row 1");
        let error = server(1690, "BIGINT UNSIGNED value is out of range in '(5713370 - `a`.`t`.`n`)'");
        assert_eq!(error.message(), "BIGINT UNSIGNED value is out of range in '…'");
        let error = server(1526, "Table has no partition for value 5713370");
        assert_eq!(error.message(), "table has no partition for value …");
        let error = server(1300, "Invalid utf8mb4 character string: '\\xE9s3cret'");
        assert_eq!(error.message(), "invalid utf8mb4 character string: '…'");
        let error = server(1292, "Truncated incorrect DOUBLE value: 'secret'");
        assert_eq!(error.message(), "truncated incorrect DOUBLE value: '…'");
    }

    #[test]
    fn constraints_are_named_in_both_flavors_messages() {
        let foreign = "Cannot add or update a child row: a foreign key constraint fails (`a`.`t`, CONSTRAINT `t_ibfk_1` \
                       FOREIGN KEY (`u`) REFERENCES `u` (`id`))";
        assert_eq!(server(1452, foreign).constraint(), Some("t_ibfk_1"));
        assert_eq!(server(3819, "Check constraint 'positive' is violated.").constraint(), Some("positive"));
        assert_eq!(server(4025, "CONSTRAINT `positive` failed for `a`.`t`").constraint(), Some("positive"));
        assert_eq!(server(1062, "Duplicate entry 'x' for key 'email'").constraint(), Some("email"));
        assert_eq!(server(1048, "Column 'email' cannot be null").constraint(), Some("email"));
    }

    #[test]
    fn a_syntax_error_has_its_place() {
        let sql = "SELECT 1,\n  é FORM t";
        let message = "You have an error in your SQL syntax; check the manual … to use near 'FORM t' at line 2";
        let error = of_statement(
            mysql_async::Error::Server(ServerError {
                code: 1064,
                message: message.to_owned(),
                state: "42000".to_owned(),
            }),
            sql,
        );
        assert_eq!(error.position(), Some(14));
        assert_eq!(error.kind(), ErrorKind::Syntax);
        assert_eq!(locate(sql, "… near '' at line 2"), Some(20));
        assert_eq!(locate(sql, "… near 'elsewhere' at line 9"), None);
    }

    #[test]
    fn what_may_pass_is_told_from_what_cannot() {
        for (code, message, kind) in [
            (1045, "Access denied for user 'a'@'b' (using password: YES)", ErrorKind::Authentication),
            (1040, "Too many connections", ErrorKind::TooManyConnections),
            (1226, "User 'a' has exceeded the 'max_user_connections' resource", ErrorKind::TooManyConnections),
            (1226, "User 'a' has exceeded the 'max_queries_per_hour' resource", ErrorKind::Statement),
            (1290, "The MySQL server is running with the --super-read-only option so it …", ErrorKind::ReadOnly),
            (1290, "The MySQL server is running with the --secure-file-priv option", ErrorKind::PermissionDenied),
        ] {
            assert_eq!(server(code, message).kind(), kind, "{code} {message}");
        }
    }
}
