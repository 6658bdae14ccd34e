//! Scripts cut as each engine's own client would cut them.

#![allow(clippy::unwrap_used)]

use dbkeep_sql::{Lexicon, ScriptError, split};
use proptest::prelude::*;

fn mysql() -> Lexicon {
    Lexicon {
        backslash_escapes: true,
        backtick_names: true,
        hash_comments: true,
        dash_comments_need_space: true,
        delimiter_command: true,
        compound_bodies: true,
        version_comments: true,
        ..Lexicon::default()
    }
}

fn postgres() -> Lexicon {
    Lexicon {
        dollar_quotes: true,
        escape_strings: true,
        nested_comments: true,
        atomic_bodies: true,
        rule_actions: true,
        backslash_commands: true,
        copy_data: true,
        ..Lexicon::default()
    }
}

fn sqlite() -> Lexicon {
    Lexicon { backtick_names: true, bracket_names: true, compound_bodies: true, ..Lexicon::default() }
}

fn texts(script: &str, lexicon: &Lexicon) -> Vec<String> {
    split(script, lexicon).unwrap().iter().map(|s| s.text.to_owned()).collect()
}

/// The script is one statement and a second, `SELECT 2`.
#[track_caller]
fn holds_together(statement: &str, lexicon: &Lexicon) {
    let script = format!("{statement};\nSELECT 2;");
    assert_eq!(texts(&script, lexicon), [statement, "SELECT 2"]);
    // Without the last semicolon and with a comment after it, too.
    assert_eq!(texts(&format!("{statement} -- done"), lexicon), [statement]);
}

fn error(script: &str, lexicon: &Lexicon) -> ScriptError {
    split(script, lexicon).unwrap_err()
}

#[test]
fn statements_stand_where_their_first_token_stands() {
    let script =
        "\u{feff}-- über\r\n  SELECT 'é', 1; /* two */ SELECT 2\r\n;;\r\n\r\n/* only a comment */;\n  SELECT\n3";
    let statements = split(script, &Lexicon::default()).unwrap();
    let found: Vec<_> = statements.iter().map(|s| (s.line, s.column, s.text)).collect();
    assert_eq!(found, [(2, 3, "SELECT 'é', 1"), (2, 28, "SELECT 2"), (6, 3, "SELECT\n3")]);
    for statement in statements {
        assert!(script[statement.offset..].starts_with(statement.text));
    }
    assert!(texts(" \n-- nothing\n/* at all */ ; ;", &Lexicon::default()).is_empty());
}

#[test]
fn semicolons_in_strings_names_and_comments_end_nothing() {
    for lexicon in [mysql(), postgres(), sqlite()] {
        holds_together("SELECT 'a;''b;', \"c;\"\"d\" /* e; */ + -- f;\n 1", &lexicon);
    }
    holds_together(r#"SELECT 'it\'s;', "say \";\"", `a``;b`, 5 --1"#, &mysql());
    holds_together("SELECT 1 # not here;\n + 1", &mysql());
    // Two minus signs without white space after them are two minus signs there.
    assert_eq!(texts("SELECT 1 --;\nSELECT 2", &mysql()), ["SELECT 1 --", "SELECT 2"]);
    holds_together(r"SELECT 'a\', E'b\';', $$c;$$, $x$ $$ ; $y$ $x$, a$b, $1, e.x", &postgres());
    holds_together("SELECT /* a /* ; */ b; */ 1 # 2", &postgres());
    holds_together("SELECT [a;b], `c;d`, 'e\\'", &sqlite());
    holds_together("BEGIN", &sqlite());
    assert_eq!(texts("BEGIN; COMMIT; END; BEGIN WORK; ROLLBACK", &mysql()).len(), 5);
    assert_eq!(texts("BEGIN IMMEDIATE; END TRANSACTION;", &sqlite()).len(), 2);
    assert_eq!(texts("BEGIN ISOLATION LEVEL SERIALIZABLE; END;", &postgres()).len(), 2);
}

#[test]
fn delimiters_change_as_in_the_client() {
    let script = "DELIMITER $$\nCREATE PROCEDURE p()\nBEGIN\n  SELECT 1; -- $$ no end\nEND$$\n\
                  delimiter ;; -- next\nCREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET @a = ';;';;\nDELIMITER ;\nSELECT 1;";
    assert_eq!(
        texts(script, &mysql()),
        [
            "CREATE PROCEDURE p()\nBEGIN\n  SELECT 1; -- $$ no end\nEND",
            "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW SET @a = ';;'",
            "SELECT 1"
        ]
    );
    assert_eq!(
        texts("DELIMITER //\nSELECT 1 //SELECT 4/2//\n/* c */ SELECT 3//", &mysql()),
        ["SELECT 1", "SELECT 4/2", "SELECT 3"]
    );
    assert_eq!(texts("DELIMITER go\nSELECT gopher, cargo go SELECT 2", &mysql()), ["SELECT gopher, cargo", "SELECT 2"]);
    // Not a command in the middle of a statement, and not one for other engines.
    assert_eq!(texts("SELECT\ndelimiter FROM t;", &mysql()), ["SELECT\ndelimiter FROM t"]);
    assert_eq!(texts("DELIMITER $$\n;", &sqlite()), ["DELIMITER $$"]);
    assert_eq!(
        error("SELECT 1;\n  DELIMITER\n", &mysql()).to_string(),
        "line 2, column 3: DELIMITER names no delimiter"
    );
    assert_eq!(
        error("DELIMITER // SELECT 1//", &mysql()).to_string(),
        "line 1, column 1: DELIMITER stands on a line of its own"
    );
}

#[test]
fn bodies_hold_together_without_a_delimiter_command() {
    for body in [
        "CREATE PROCEDURE p() SELECT begin, end, IF(a, b, c) FROM t",
        "CREATE PROCEDURE p() BEGIN END",
        "CREATE OR REPLACE DEFINER=`root`@`localhost` PROCEDURE IF NOT EXISTS d.p(IN a SET('x;'), OUT b INT)\n  COMMENT 'x;' READS SQL DATA\nBEGIN\n  SELECT 1; SELECT 2;\nEND",
        "CREATE DEFINER = root@localhost FUNCTION f(a INT) RETURNS INT DETERMINISTIC RETURN IF(a > 1, 2, 3)",
        "CREATE FUNCTION f(a INT) RETURNS INT BEGIN IF a > 1 THEN RETURN CASE WHEN a = 2 THEN IF(a, 1, 2) ELSE 3 END; ELSEIF a THEN BEGIN END; ELSE IF (a) THEN RETURN 1; END IF; END IF; RETURN 0; END",
        "CREATE PROCEDURE p() outer_loop: LOOP SET @a = 1; IF @a THEN LEAVE outer_loop; END IF; END LOOP outer_loop",
        "CREATE PROCEDURE p() BEGIN l: WHILE a < CASE WHEN b THEN 1 ELSE 2 END DO SET a = a + 1; END WHILE l; REPEAT SET b = REPEAT('x', 2); UNTIL b > CASE a WHEN 1 THEN 2 END END REPEAT; END",
        "CREATE PROCEDURE p() BEGIN CASE a WHEN 1 THEN SELECT 1; ELSE BEGIN END; END CASE; SELECT 2; END",
        "CREATE PROCEDURE p() BEGIN DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; END; DECLARE CONTINUE HANDLER FOR NOT FOUND SET done = IF(1, 2, 3); DECLARE c CURSOR FOR SELECT 1; START TRANSACTION; END",
        "CREATE PROCEDURE p() BEGIN DROP TABLE IF EXISTS a; CREATE TABLE IF NOT EXISTS a (`begin` INT); INSERT INTO a (begin, end) VALUES (1, 2); SELECT NEW.end, t.case FROM t WHERE end > 1; END",
        "CREATE PROCEDURE p() BEGIN FOR i IN 1..10 DO INSERT INTO t VALUES (i); END FOR; SELECT 1; END",
        "CREATE PROCEDURE p() BEGIN SELECT CASE WHEN a < end AND end > b THEN 1 END; SELECT 2; END",
        "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW IF NEW.a IS NULL THEN SET NEW.a = 1; END IF",
        "CREATE TRIGGER t BEFORE UPDATE ON x FOR EACH ROW FOLLOWS s BEGIN SET NEW.a = IF(NEW.a, 1, 2); SET NEW.b = 2; END",
        "CREATE TRIGGER t AFTER DELETE ON x FOR EACH ROW INSERT INTO log (begin) VALUES (IF(OLD.a, 1, 2))",
        "CREATE EVENT e ON SCHEDULE EVERY 1 DAY STARTS CURRENT_TIMESTAMP + INTERVAL 1 HOUR ON COMPLETION PRESERVE COMMENT 'a;b' DO BEGIN DELETE FROM a; DELETE FROM b; END",
        "ALTER EVENT e DO IF 1 THEN SELECT 1; END IF",
        "BEGIN NOT ATOMIC SELECT 1; SELECT 2; END",
        "IF 1 THEN SELECT 1; END IF",
        "CREATE TABLE event (begin INT, end INT)",
        "CREATE VIEW v AS SELECT CASE WHEN a THEN 1 ELSE 2 END AS x FROM t",
        "DROP TRIGGER IF EXISTS t",
        "/*!50003 CREATE*/ /*!50017 DEFINER=`a`@`%`*/ /*!50003 TRIGGER t BEFORE INSERT ON x FOR EACH ROW BEGIN SET NEW.a = 1; SET NEW.b = '*/'; END */",
    ] {
        holds_together(body, &mysql());
    }
    for body in [
        "CREATE TRIGGER t AFTER INSERT ON x BEGIN INSERT INTO log VALUES (new.a); SELECT CASE WHEN new.b THEN RAISE(ABORT, 'no;') END; END",
        "CREATE TEMP TRIGGER IF NOT EXISTS main.t INSTEAD OF UPDATE OF a, b ON v FOR EACH ROW WHEN CASE WHEN new.a THEN 1 ELSE 0 END BEGIN UPDATE x SET begin = 1, end = 2 WHERE end > 1; END",
        "CREATE TABLE t (begin INTEGER, end INTEGER)",
        "CREATE VIEW v AS SELECT CASE WHEN 1 THEN 2 END",
    ] {
        holds_together(body, &sqlite());
    }
    for body in [
        "CREATE FUNCTION f(a int DEFAULT 1) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN a > 1 THEN 2 END; SELECT 3; END",
        "CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC INSERT INTO t VALUES (1); MERGE INTO t USING s ON a = b WHEN MATCHED THEN DELETE; END",
        "CREATE FUNCTION f() RETURNS trigger AS $body$ BEGIN IF 1 THEN RETURN NEW; END IF; END; $body$ LANGUAGE plpgsql",
        "CREATE RULE r AS ON INSERT TO t DO ALSO (INSERT INTO a VALUES (1); DELETE FROM b)",
        "CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW EXECUTE FUNCTION f()",
        "DO $$ BEGIN PERFORM 1; END $$",
    ] {
        holds_together(body, &postgres());
    }
}

#[test]
fn version_comments_are_statements() {
    let dump = "/*!40101 SET @OLD=@@X */;\n/*M!100616 SET NOTE_VERBOSITY=0*/;\n/* plain */;\n/*+ hint */ SELECT 1;\nCREATE TABLE a (b INT) /*!50100 PARTITION BY HASH (b) */;";
    assert_eq!(
        texts(dump, &mysql()),
        [
            "/*!40101 SET @OLD=@@X */",
            "/*M!100616 SET NOTE_VERBOSITY=0*/",
            "SELECT 1",
            "CREATE TABLE a (b INT) /*!50100 PARTITION BY HASH (b) */"
        ]
    );
    assert_eq!(texts("/*!40101 SET x */; SELECT 1", &sqlite()), ["SELECT 1"]);
}

#[test]
fn dumps_for_the_client_of_postgres_read() {
    let dump = "\\restrict aB3\n\nSET a = b;\nCOPY public.t (a, b) FROM stdin;\n1\tx;y'z\n2\t\\N\n\\.\n\n\
                COPY t FROM '/tmp/file';\nCOPY (SELECT a FROM stdin) TO stdout;\n\\unrestrict aB3\n";
    let statements = split(dump, &postgres()).unwrap();
    let found: Vec<_> = statements.iter().map(|s| (s.line, s.text, s.data)).collect();
    assert_eq!(
        found,
        [
            (3, "SET a = b", None),
            (4, "COPY public.t (a, b) FROM stdin", Some("1\tx;y'z\n2\t\\N\n")),
            (9, "COPY t FROM '/tmp/file'", None),
            (10, "COPY (SELECT a FROM stdin) TO stdout", None),
        ]
    );
    assert_eq!(
        error("SELECT 1;\n  \\connect other\n", &postgres()).to_string(),
        "line 2, column 3: \\connect is a command of a client, not SQL; take it out of the script"
    );
    assert_eq!(
        error("SELECT 1 \\gexec", &postgres()).to_string(),
        "line 1, column 10: \\gexec is a command of a client, not SQL; take it out of the script"
    );
    assert_eq!(
        error("\nCOPY t FROM stdin;\n1\n", &postgres()).to_string(),
        "line 2, column 1: the data of this COPY is not closed with a line \\."
    );
}

#[test]
fn what_is_not_closed_is_named_where_it_starts() {
    for (script, lexicon, message) in [
        ("SELECT 1;\n SELECT 'a;", mysql(), "line 2, column 9: the string that starts here is not closed"),
        (r"SELECT 'a\'", mysql(), "line 1, column 8: the string that starts here is not closed"),
        ("SELECT \"a", postgres(), "line 1, column 8: the quoted text that starts here is not closed"),
        ("SELECT `a", sqlite(), "line 1, column 8: the quoted name that starts here is not closed"),
        ("SELECT [a", sqlite(), "line 1, column 8: the quoted name that starts here is not closed"),
        ("SELECT $a$ $b$", postgres(), "line 1, column 8: the $a$ string that starts here is not closed"),
        ("SELECT 1;\n/* a /* */", postgres(), "line 2, column 1: the comment that starts here is not closed"),
        ("/*!50003 SELECT 1;", mysql(), "line 1, column 1: the comment that starts here is not closed"),
        (
            "SELECT 1;\nCREATE TRIGGER t AFTER INSERT ON x\nBEGIN SELECT 1;",
            sqlite(),
            "line 3, column 1: the body that starts here is not closed with END",
        ),
        (
            "CREATE PROCEDURE p() BEGIN IF 1 THEN SELECT 1; END IF;",
            mysql(),
            "line 1, column 22: the body that starts here is not closed with END",
        ),
    ] {
        assert_eq!(error(script, &lexicon).to_string(), message, "{script}");
    }
}

/// Pieces that make scripts go wrong when they meet.
fn hard_piece() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(vec![
            "'",
            "\"",
            "`",
            "[",
            "]",
            "\\",
            "$$",
            "$a$",
            "$",
            "--",
            "-- ",
            "#",
            "/*",
            "*/",
            "/*!50003 ",
            ";",
            "\n",
            " ",
            "BEGIN ",
            "END ",
            "CASE ",
            "IF ",
            "LOOP ",
            "DELIMITER ;;\n",
            "DELIMITER é\n",
            "é",
            "CREATE TRIGGER t ",
            "CREATE RULE r ",
            "FOR EACH ROW ",
            "COPY t FROM stdin;\n",
            "\\.\n",
            "\\restrict x\n",
            "(",
            ")",
            "E'",
            "ATOMIC ",
            "\0",
            "\u{feff}",
            "1",
            ".",
            "@",
            ":",
        ])
        .prop_map(str::to_owned),
        ".{0,4}",
    ]
}

/// What may stand between statements.
fn is_between(gap: &str, lexicon: &Lexicon) -> bool {
    // Whatever is left out, cutting it alone finds no statement in it.
    let without_marks: String = gap.chars().filter(|c| *c != '\u{feff}').collect();
    split(&without_marks, lexicon).is_ok_and(|statements| statements.is_empty())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_text_never_panics_and_pieces_cover_it(pieces in proptest::collection::vec(hard_piece(), 0..40)) {
        let script = pieces.concat();
        for lexicon in [mysql(), postgres(), sqlite(), Lexicon::default()] {
            let Ok(statements) = split(&script, &lexicon) else { continue };
            let changes_delimiter = script.to_ascii_lowercase().contains("delimiter");
            let mut at = 0;
            for statement in &statements {
                prop_assert!(!statement.text.is_empty());
                prop_assert!(script[statement.offset..].starts_with(statement.text));
                prop_assert!(statement.offset >= at);
                prop_assert!(changes_delimiter || is_between(&script[at..statement.offset], &lexicon), "{:?}", &script[at..statement.offset]);
                let line = script[..statement.offset].matches('\n').count() + 1;
                prop_assert_eq!(statement.line, line);
                at = statement.offset + statement.text.len();
                if let Some(data) = statement.data {
                    at = data.as_ptr() as usize - script.as_ptr() as usize + data.len();
                    at += script[at..].find('.').unwrap() + 1;
                }
            }
            prop_assert!(changes_delimiter || is_between(&script[at..], &lexicon), "{:?}", &script[at..]);
        }
    }

    #[test]
    fn statements_joined_by_semicolons_come_apart_again(strings in proptest::collection::vec("[^\\\\]{0,12}", 1..6)) {
        let statements: Vec<String> = strings.iter().map(|s| format!("SELECT '{}'", s.replace('\'', "''"))).collect();
        for lexicon in [mysql(), postgres(), sqlite()] {
            prop_assert_eq!(&texts(&statements.join(";\n"), &lexicon), &statements);
        }
    }
}
