//! A schema with every feature, read back.

use super::open;
use super::product::Product;
use dbkeep_engine::{Catalog, CatalogOptions, ColumnInfo, ConnectOptions, Connection, RoutineKind, Table};

const DROP: &str = "DROP VIEW IF EXISTS conf_view; DROP TABLE IF EXISTS conf_tags; DROP TABLE IF EXISTS conf_posts; DROP TABLE IF EXISTS conf_users;";

/// The parts that every product spells alike, around its own spellings of a key, a moment and a generated column.
fn tables(product: Product) -> String {
    let (key, options) = (product.counted_key(), product.table_options());
    let moment = if product == Product::Postgres { "TIMESTAMP" } else { "DATETIME" };
    format!(
        "CREATE TABLE conf_users (
             id {key},
             email VARCHAR(60) NOT NULL,
             name VARCHAR(40) DEFAULT 'nobody',
             fee DECIMAL(10,2) NOT NULL DEFAULT 1.50,
             created {moment} DEFAULT CURRENT_TIMESTAMP,
             CONSTRAINT conf_users_email UNIQUE (email)
         ){options};
         CREATE TABLE conf_posts (
             id {key},
             user_id BIGINT NOT NULL,
             title VARCHAR(80) NOT NULL,
             words INTEGER NOT NULL DEFAULT 0,
             double_words INTEGER GENERATED ALWAYS AS (words * 2) STORED,
             CONSTRAINT conf_posts_user FOREIGN KEY (user_id) REFERENCES conf_users (id) ON DELETE CASCADE ON UPDATE RESTRICT,
             CONSTRAINT conf_posts_words CHECK (words >= 0)
         ){options};
         CREATE INDEX conf_posts_title ON conf_posts (title, user_id DESC);
         CREATE TABLE conf_tags (
             post_id BIGINT NOT NULL,
             tag VARCHAR(20) NOT NULL,
             note {text},
             PRIMARY KEY (tag, post_id)
         ){options};
         CREATE VIEW conf_view AS SELECT id, email FROM conf_users WHERE fee > 0;",
        text = product.long_text()
    )
}

fn own_features(product: Product) -> &'static str {
    match product {
        Product::MySql | Product::MariaDb => {
            "ALTER TABLE conf_users COMMENT = 'who may log in', MODIFY email VARCHAR(60) NOT NULL COMMENT 'where to write';
             CREATE TRIGGER conf_trigger AFTER INSERT ON conf_posts FOR EACH ROW UPDATE conf_users SET fee = fee + 1 WHERE id = NEW.user_id;
             DROP FUNCTION IF EXISTS conf_double;
             CREATE FUNCTION conf_double(n INT) RETURNS INT DETERMINISTIC RETURN n * 2;
             DROP PROCEDURE IF EXISTS conf_nothing;
             CREATE PROCEDURE conf_nothing() SELECT 1;"
        }
        Product::Postgres => {
            "COMMENT ON TABLE conf_users IS 'who may log in';
             COMMENT ON COLUMN conf_users.email IS 'where to write';
             CREATE INDEX conf_posts_long ON conf_posts (lower(title)) WHERE words > 100;
             CREATE OR REPLACE FUNCTION conf_count() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
             CREATE TRIGGER conf_trigger AFTER INSERT ON conf_posts FOR EACH ROW EXECUTE FUNCTION conf_count();
             CREATE OR REPLACE FUNCTION conf_double(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS $$ SELECT n * 2 $$;
             DROP SEQUENCE IF EXISTS conf_sequence;
             CREATE SEQUENCE conf_sequence START 5 INCREMENT 2 MAXVALUE 100 CYCLE;"
        }
        Product::Sqlite => {
            "CREATE INDEX conf_posts_long ON conf_posts (lower(title)) WHERE words > 100;
             CREATE TRIGGER conf_trigger AFTER INSERT ON conf_posts BEGIN UPDATE conf_users SET fee = fee + 1 WHERE id = NEW.user_id; END;"
        }
    }
}

async fn read(connection: &mut Connection) -> Catalog {
    connection.catalog(&CatalogOptions::default()).await.unwrap_or_else(|error| panic!("no catalog: {error:?}"))
}

fn column<'t>(table: &'t Table, name: &str) -> &'t ColumnInfo {
    table.columns.iter().find(|column| column.name == name).unwrap_or_else(|| panic!("{} has no {name}", table.name))
}

/// The text in lower case without what servers add to expressions: blanks, quotes, parentheses, casts.
fn plain(text: &str) -> String {
    let text = text.to_ascii_lowercase();
    let text = text.split("::").map(|part| part.trim_start_matches("character varying")).collect::<String>();
    text.chars().filter(|c| !c.is_whitespace() && !"`\"'()".contains(*c)).collect()
}

/// Tables, columns, keys, indexes, foreign keys, checks, views, triggers, routines and sequences as they were defined.
pub async fn the_catalog_tells_what_exists(options: &ConnectOptions) {
    let mut connection = open(options).await;
    let product = Product::of(connection.server());
    connection.script(DROP).await.expect("nothing left over");
    for script in [tables(product).as_str(), own_features(product)] {
        connection.script(script).await.unwrap_or_else(|error| panic!("{script}: {error}"));
    }
    connection.execute("INSERT INTO conf_users (email) VALUES ('a@b'), ('c@d')", &[]).await.expect("two rows");
    let catalog = read(&mut connection).await;

    let users = catalog.table("conf_users").expect("the table");
    let names: Vec<&str> = users.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["id", "email", "name", "fee", "created"]);
    assert_eq!(users.primary_key, ["id"]);
    assert!(column(users, "id").auto_increment);
    assert!(!column(users, "id").nullable && !column(users, "email").nullable && column(users, "name").nullable);
    assert!(!column(users, "email").auto_increment);
    assert_eq!(column(users, "email").default, None);
    assert!(column(users, "name").default.as_deref().is_some_and(|text| text.contains("nobody")));
    assert!(column(users, "fee").default.as_deref().is_some_and(|text| text.contains("1.5")));
    assert!(column(users, "created").default.as_deref().is_some_and(|text| plain(text).contains("current_timestamp")));
    let fee = column(users, "fee").type_name.to_ascii_lowercase();
    assert!(fee.contains("10,2"), "the exact type: {fee}");
    let unique = users.indexes.iter().find(|index| index.unique).expect("the unique constraint's index");
    assert_eq!(unique.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["email"]);
    assert_eq!(users.indexes.len(), 1, "the primary key's index is not among them: {:?}", users.indexes);

    let posts = catalog.table("conf_posts").expect("the table");
    let generated = column(posts, "double_words").generated.as_ref().expect("a generated column");
    assert!(generated.stored);
    assert_eq!(plain(&generated.expression), "words*2");
    assert!(column(posts, "words").generated.is_none());
    let index = posts.indexes.iter().find(|index| index.name == "conf_posts_title").expect("the index");
    assert!(!index.unique && index.predicate.is_none());
    let parts: Vec<(&str, bool, bool)> =
        index.columns.iter().map(|column| (column.name.as_str(), column.descending, column.expression)).collect();
    assert_eq!(parts, [("title", false, false), ("user_id", true, false)]);
    let [key] = posts.foreign_keys.as_slice() else { panic!("one foreign key: {:?}", posts.foreign_keys) };
    assert_eq!(key.name, "conf_posts_user");
    assert_eq!(
        (key.columns.as_slice(), key.referenced_table.as_str()),
        (["user_id".to_owned()].as_slice(), "conf_users")
    );
    assert_eq!(key.referenced_columns, ["id"]);
    assert_eq!((key.on_delete.as_str(), key.on_update.as_str()), ("CASCADE", "RESTRICT"));
    let [check] = posts.checks.as_slice() else { panic!("one check: {:?}", posts.checks) };
    assert_eq!(check.name, "conf_posts_words");
    assert_eq!(plain(&check.expression), "words>=0");
    assert_eq!(catalog.table("conf_tags").expect("the table").primary_key, ["tag", "post_id"]);

    let view = catalog.view("conf_view").expect("the view");
    assert_eq!(view.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["id", "email"]);
    assert!(view.definition.as_deref().is_some_and(|text| text.contains("fee")));
    assert!(catalog.table("conf_view").is_none(), "a view is no table");
    let trigger = catalog.triggers.iter().find(|trigger| trigger.name == "conf_trigger").expect("the trigger");
    assert_eq!(
        (trigger.table.as_str(), trigger.timing.as_str(), trigger.event.as_str()),
        ("conf_posts", "AFTER", "INSERT")
    );
    assert!(trigger.definition.is_some());

    if matches!(product, Product::MySql | Product::MariaDb | Product::Postgres) {
        assert_eq!(users.comment.as_deref(), Some("who may log in"));
        assert_eq!(column(users, "email").comment.as_deref(), Some("where to write"));
    }
    if let Some(index) = posts.indexes.iter().find(|index| index.name == "conf_posts_long") {
        assert!(index.columns[0].expression);
        // PostgreSQL writes out the cast of the VARCHAR.
        assert!(plain(&index.columns[0].name).starts_with("lowertitle"));
        assert_eq!(plain(index.predicate.as_deref().expect("a condition")), "words>100");
    }
    if connection.server().capabilities.routines {
        let routine = catalog.routines.iter().find(|routine| routine.name == "conf_double").expect("the function");
        assert_eq!(routine.kind, RoutineKind::Function);
        assert!(routine.definition.as_deref().is_some_and(|text| text.contains('2')));
    }
    if product == Product::Postgres {
        let [sequence] = catalog.sequences.as_slice() else { panic!("{:?}", catalog.sequences) };
        assert_eq!((sequence.name.as_str(), sequence.start, sequence.increment), ("conf_sequence", 5, 2));
        assert_eq!((sequence.maximum, sequence.cycle), (100, true));
    }

    let mut sorted: Vec<&str> = catalog.tables.iter().map(|table| table.name.as_str()).collect();
    sorted.sort_unstable();
    assert_eq!(catalog.tables.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), sorted);
    let some = connection.catalog(&CatalogOptions::default().tables(["conf_tags"])).await.expect("a catalog");
    assert_eq!(some.tables.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["conf_tags"]);
    assert!(some.views.is_empty());
    let again = read(&mut connection).await;
    assert_eq!(again.table("conf_posts"), catalog.table("conf_posts"), "the same schema reads the same");
    connection.script(DROP).await.expect("all goes");
}
