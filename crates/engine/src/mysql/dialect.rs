//! How MySQL and MariaDB spell SQL.

use dbkeep_sql::{
    Ansi, CastType, Conflict, DateNode, DatePart, DateUnit, Dialect, Expr, Feature, IndexHint, Insert, JsonNode,
    JsonQuestion, JsonStep, Lexicon, Lock, NewRow, Nulls, Order, Path, SchemaDialect, Search, SearchMode, Select,
    Spelled, SqlWriter, Unsupported, Value, col, json_of,
};

/// Which of the two products a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Flavor {
    /// MySQL.
    MySql,
    /// MariaDB.
    MariaDb,
}

/// The spelling of MySQL or MariaDB at one version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MySqlDialect {
    flavor: Flavor,
    version: (u32, u32, u32),
}

impl MySqlDialect {
    /// The spelling of this product at this version (major, minor, patch).
    pub const fn new(flavor: Flavor, version: (u32, u32, u32)) -> Self {
        Self { flavor, version }
    }

    /// Which of the two products.
    pub const fn flavor(&self) -> Flavor {
        self.flavor
    }

    /// The version whose spelling this is.
    pub const fn version(&self) -> (u32, u32, u32) {
        self.version
    }

    /// The first version of this product that knows something; `None` where none does.
    fn since(self, mysql: Option<Since>, mariadb: Option<Since>) -> Option<Since> {
        match self.flavor {
            Flavor::MySql => mysql,
            Flavor::MariaDb => mariadb,
        }
    }

    /// The function that knows the new row in an upsert: VALUE since MariaDB 10.3.3, where VALUES begins a list of rows in queries.
    /// <https://mariadb.com/kb/en/values-value/>
    fn new_row_function(self) -> NewRow {
        let is_value = self.flavor == Flavor::MariaDb && self.version >= (10, 3, 3);
        NewRow::Function(if is_value { "VALUE" } else { "VALUES" })
    }

    /// Whether an insert gives its new row a name, as `VALUES()` is deprecated: MySQL since 8.0.19.
    /// <https://dev.mysql.com/doc/refman/8.4/en/insert-on-duplicate.html>
    fn names_new_row(self) -> bool {
        self.flavor == Flavor::MySql && self.version >= (8, 0, 19)
    }
}

/// A version, as numbers and as a text for messages.
type Since = ((u32, u32, u32), &'static str);

const ALWAYS: Option<Since> = Some(((0, 0, 0), "0"));

impl Dialect for MySqlDialect {
    fn engine(&self) -> &'static str {
        match self.flavor {
            Flavor::MySql => "MySQL",
            Flavor::MariaDb => "MariaDB",
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/identifiers.html
    fn quote(&self) -> char {
        '`'
    }

    // https://dev.mysql.com/doc/refman/8.4/en/identifier-length.html, https://dev.mysql.com/doc/refman/8.4/en/identifiers.html
    fn name_problem(&self, name: &str) -> Option<&'static str> {
        if name.chars().count() > 64 {
            Some("is longer than 64 characters")
        } else if name.ends_with([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']) {
            Some("ends in a blank")
        } else if name.chars().any(|c| c > '\u{ffff}') {
            Some("holds a character beyond U+FFFF")
        } else {
            None
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/comments.html, https://dev.mysql.com/doc/refman/8.4/en/string-literals.html
    fn lexicon(&self) -> Lexicon {
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

    fn require(&self, feature: Feature) -> Result<(), Unsupported> {
        let (clause, since, hint) = match feature {
            // https://mariadb.com/kb/en/insertreturning/
            Feature::InsertReturning => (
                "INSERT … RETURNING",
                self.since(None, Some(((10, 5, 0), "10.5"))),
                "read the new row by its key: an insert reports the last number that was given",
            ),
            Feature::UpdateReturning => (
                "UPDATE … RETURNING",
                None,
                "read the rows in the same transaction, with for_update(), before the update",
            ),
            // https://mariadb.com/kb/en/delete/
            Feature::DeleteReturning => (
                "DELETE … RETURNING",
                self.since(None, ALWAYS),
                "read the rows in the same transaction, with for_update(), before the delete",
            ),
            Feature::FullJoin => ("FULL JOIN", None, "ask once with left_join and once with right_join"),
            // https://dev.mysql.com/doc/refman/8.4/en/innodb-locking-reads.html, https://mariadb.com/kb/en/select/
            Feature::NoWait => (
                "FOR UPDATE … NOWAIT",
                self.since(Some(((8, 0, 1), "8.0.1")), Some(((10, 3, 0), "10.3"))),
                "set innodb_lock_wait_timeout for the session",
            ),
            Feature::SkipLocked => (
                "FOR UPDATE … SKIP LOCKED",
                self.since(Some(((8, 0, 1), "8.0.1")), Some(((10, 6, 0), "10.6"))),
                "take rows one by one with no_wait()",
            ),
            // https://dev.mysql.com/doc/refman/8.4/en/innodb-locking-reads.html
            Feature::LockOf => (
                "FOR UPDATE OF",
                self.since(Some(((8, 0, 1), "8.0.1")), None),
                "it locks the rows of all tables: leave lock_of() out",
            ),
            // https://dev.mysql.com/doc/refman/8.4/en/with.html, https://mariadb.com/kb/en/with/
            Feature::With => (
                "WITH",
                self.since(Some(((8, 0, 1), "8.0.1")), Some(((10, 2, 2), "10.2.2"))),
                "read the query as a table: from(query.alias(…))",
            ),
            Feature::Materialized => ("WITH … AS MATERIALIZED", None, "leave it to the planner"),
            Feature::DistinctOn => {
                ("DISTINCT ON", None, "number the rows with row_number() over a window, and keep the first of each")
            }
            // https://dev.mysql.com/doc/refman/8.4/en/lateral-derived-tables.html
            Feature::Lateral => (
                "LATERAL",
                self.since(Some(((8, 0, 14), "8.0.14")), None),
                "read the value with a query among the columns",
            ),
            // https://dev.mysql.com/doc/refman/8.4/en/set-operations.html, https://mariadb.com/kb/en/intersect/
            Feature::Intersect => (
                "INTERSECT and EXCEPT",
                self.since(Some(((8, 0, 31), "8.0.31")), Some(((10, 3, 0), "10.3"))),
                "ask with in_query(…) and not_in_query(…)",
            ),
            Feature::IntersectAll => (
                "INTERSECT ALL and EXCEPT ALL",
                self.since(Some(((8, 0, 31), "8.0.31")), Some(((10, 5, 0), "10.5"))),
                "number equal rows with row_number() first, to tell them apart",
            ),
            // https://dev.mysql.com/doc/refman/8.4/en/window-functions.html, https://mariadb.com/kb/en/window-functions-overview/
            Feature::Windows => (
                "OVER",
                self.since(Some(((8, 0, 2), "8.0.2")), Some(((10, 2, 0), "10.2"))),
                "read the value with a query among the columns",
            ),
            Feature::GroupsFrame => ("frames that count GROUPS", None, "count ROWS, or a RANGE of values"),
            // https://mariadb.com/kb/en/window-frames/
            Feature::IdleFrame => (
                "a frame of a function that numbers rows or looks at others",
                self.since(ALWAYS, None),
                "leave the frame out: it has no effect there",
            ),
            // https://mariadb.com/kb/en/lag/
            Feature::ShiftDefault => {
                ("what LAG and LEAD give where there is no row", self.since(ALWAYS, None), "say it with coalesce(…)")
            }
            // https://dev.mysql.com/doc/refman/8.4/en/window-functions.html, https://mariadb.com/kb/en/aggregate-functions-as-window-functions/
            Feature::StringAggOver => {
                ("string_agg() over a window", None, "put the texts together with a query among the columns")
            }
            Feature::AggregateFilter => ("FILTER", None, "choose the values with case()"),
            Feature::AggregateOrder => {
                ("ORDER BY in an aggregate", None, "of texts, string_agg() knows an order; order other rows first")
            }
            Feature::UpsertWhere => ("a condition of an upsert", None, "choose the values with case() in upsert_set()"),
            _ => return Ok(()),
        };
        match since {
            Some((version, _)) if self.version >= version => Ok(()),
            _ => Err(Unsupported { clause, engine: self.engine(), since: since.map(|(_, text)| text), hint }),
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/string-literals.html: a backslash escapes, unless the session says otherwise; a
    // quote is doubled and ends nothing in either case.
    fn write_literal(&self, out: &mut String, value: &Value) {
        match value {
            Value::Text(text) | Value::Json(text) => write_text(out, text),
            value => dbkeep_sql::Ansi.write_literal(out, value),
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/timestamp-initialization.html: the default of a column has its precision.
    fn current_timestamp(&self) -> &'static str {
        "CURRENT_TIMESTAMP(6)"
    }

    // A parameter among the columns comes back as a text unless it is a number of the machine, and a date as a time.
    fn write_standalone(&self, out: &mut SqlWriter<'_>, value: &Value) {
        let name = match value {
            Value::Bytes(_) => "BINARY",
            Value::Date(_) => "DATE",
            Value::Time(_) => "TIME(6)",
            Value::DateTime(_) | Value::Timestamp(_) => "DATETIME(6)",
            Value::Decimal(number) => {
                let scale = number.as_str().split_once('.').map_or(0, |(_, digits)| digits.len());
                out.sql("CAST(");
                out.value(value);
                out.sql(" AS DECIMAL(65, ");
                out.number(u32::try_from(scale.min(38)).unwrap_or(38));
                return out.sql("))");
            }
            _ => return out.value(value),
        };
        out.cast(&Expr::from(value.clone()), name);
    }

    // https://dev.mysql.com/doc/refman/8.4/en/prepare.html: the types of parameters are derived when a statement is prepared.
    // MySQL 9.7 takes two that are compared with each other only for numbers: '9' > '10' is false.
    fn write_compared(&self, out: &mut SqlWriter<'_>, value: &Value) {
        match value {
            Value::Text(_) if self.flavor == Flavor::MySql => out.cast(&Expr::from(value.clone()), "CHAR"),
            _ => out.value(value),
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/json.html#json-comparison: a text beside JSON is one of its strings. MariaDB's JSON is
    // text, of which JSON_EXTRACT in a comparison loses its quotes.
    fn write_json_value(&self, out: &mut SqlWriter<'_>, value: &Value, beside_json: bool) {
        let json = beside_json.then(|| value.to_json_scalar()).flatten();
        match self.flavor {
            Flavor::MySql => match json.or_else(|| Some(value.clone()).filter(|value| matches!(value, Value::Json(_))))
            {
                Some(json) => out.cast(&Expr::from(json), "JSON"),
                None => out.value(value),
            },
            Flavor::MariaDb => out.value(value),
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/update.html: "Single-table UPDATE assignments are generally evaluated from left to
    // right." https://mariadb.com/kb/en/update/
    fn sets_one_by_one(&self) -> bool {
        true
    }

    // https://dev.mysql.com/doc/refman/8.4/en/string-functions.html#function_concat: || is OR there.
    fn write_concat(&self, out: &mut SqlWriter<'_>, parts: &[Expr]) {
        out.sql("CONCAT(");
        out.list(parts, SqlWriter::expr);
        out.sql(")");
    }

    // https://dev.mysql.com/doc/refman/8.4/en/working-with-null.html: NULL is less than everything, and there is no NULLS LAST.
    fn write_order(&self, out: &mut SqlWriter<'_>, order: &Order) {
        let comes_by_itself = if order.descending { Nulls::Last } else { Nulls::First };
        if order.nulls.is_some_and(|nulls| nulls != comes_by_itself) {
            // Not IS NULL: of an alias that stands for a column of a query, MariaDB orders by anything but that.
            out.side(&order.expr);
            out.sql(if order.descending { " <=> NULL DESC, " } else { " <=> NULL, " });
        }
        out.order(&Order { nulls: None, ..order.clone() });
    }

    // https://dev.mysql.com/doc/refman/8.4/en/select.html: OFFSET needs a LIMIT; the manual itself gives this number.
    fn write_limit(&self, out: &mut SqlWriter<'_>, limit: Option<u64>, offset: Option<u64>) {
        match limit {
            Some(limit) => {
                out.sql(" LIMIT ");
                out.most_rows(limit);
            }
            None => out.sql(" LIMIT 18446744073709551615"),
        }
        if let Some(offset) = offset {
            out.sql(" OFFSET ");
            out.row_count(offset);
        }
    }

    // https://mariadb.com/kb/en/lock-in-share-mode/: MariaDB and old versions of MySQL have no FOR SHARE.
    fn write_lock(&self, out: &mut SqlWriter<'_>, lock: &Lock) {
        if !lock.shared || self.flavor == Flavor::MySql && self.version >= (8, 0, 1) {
            return out.lock(lock);
        }
        out.sql(" LOCK IN SHARE MODE");
        out.lock_wait(lock.wait);
    }

    // https://dev.mysql.com/doc/refman/8.4/en/insert.html
    fn write_default_values(&self, out: &mut SqlWriter<'_>) {
        out.sql(" () VALUES ()");
    }

    // https://dev.mysql.com/doc/refman/8.4/en/insert-on-duplicate.html, https://mariadb.com/kb/en/insert-on-duplicate-key-update/
    fn write_conflict(&self, out: &mut SqlWriter<'_>, insert: &Insert, conflict: &Conflict) {
        let set = match conflict {
            Conflict::Update { set, .. } => set.as_slice(),
            _ => &[],
        };
        if set.is_empty() {
            // INSERT IGNORE would also cut long values short and let rows without a parent pass in silence; giving a column
            // the value it has touches nothing but a taken key.
            let Some(column) = insert.column_names().first() else {
                return out.unsupported(Unsupported {
                    clause: "leaving out rows whose key is taken without naming columns",
                    engine: self.engine(),
                    since: None,
                    hint: "name the columns of the insert",
                });
            };
            out.sql(" ON DUPLICATE KEY UPDATE ");
            let same = (column.clone(), col(Path::from(column)));
            return out.upsert_set(insert.table(), self.new_row_function(), &[same]);
        }
        if !self.names_new_row() || insert.is_from_query() {
            out.sql(" ON DUPLICATE KEY UPDATE ");
            return out.upsert_set(insert.table(), self.new_row_function(), set);
        }
        // The name that the other engines give it, unless the table has it.
        let is_taken = insert.table().name().eq_ignore_ascii_case("excluded");
        let (clause, row) = if is_taken {
            (" AS `new_row` ON DUPLICATE KEY UPDATE ", "`new_row`")
        } else {
            (" AS `excluded` ON DUPLICATE KEY UPDATE ", "`excluded`")
        };
        out.sql(clause);
        out.upsert_set(insert.table(), NewRow::Word(row), set);
    }

    // https://dev.mysql.com/doc/refman/8.4/en/insert-on-duplicate.html: what is said of a taken key sees the columns of the query,
    // and of two tables of one name would not know which.
    fn write_insert_query(&self, out: &mut SqlWriter<'_>, insert: &Insert, query: &Select) {
        let hides = insert.has_conflict() && query.reads_from(insert.table().name());
        out.sql(if hides { "SELECT * FROM (" } else { "" });
        out.select(query);
        out.sql(if hides { ") AS `inserted`" } else { "" });
    }

    // https://mariadb.com/kb/en/with/: WITH begins no query in parentheses that is put together with another.
    fn nested_query(&self, has_ctes: bool) -> (&'static str, &'static str) {
        match self.flavor {
            Flavor::MariaDb if has_ctes => ("SELECT * FROM (", ") AS `part`"),
            _ => ("(", ")"),
        }
    }

    // MariaDB does not find as many columns in queries put together within each other as it looks for
    // ("The used SELECT statements have a different number of columns"), unless they are a table.
    fn combined_in_exists(&self) -> (&'static str, &'static str) {
        match self.flavor {
            Flavor::MariaDb => ("SELECT 1 FROM (", ") AS `rows`"),
            Flavor::MySql => ("", ""),
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/subquery-restrictions.html: IN takes no LIMIT, but takes a table that has one.
    fn limited_in_list(&self) -> (&'static str, &'static str) {
        ("SELECT * FROM (", ") AS `limited`")
    }

    // https://dev.mysql.com/doc/refman/8.4/en/explain.html, https://mariadb.com/kb/en/analyze-statement/
    fn write_explain(&self, out: &mut SqlWriter<'_>, analyze: bool) {
        match (analyze, self.flavor) {
            (false, _) => out.sql("EXPLAIN "),
            (true, Flavor::MariaDb) => out.sql("ANALYZE "),
            (true, Flavor::MySql) => {
                if self.version < (8, 0, 18) {
                    out.unsupported(Unsupported {
                        clause: "EXPLAIN ANALYZE",
                        engine: self.engine(),
                        since: Some("8.0.18"),
                        hint: "ask for the plan without analyze()",
                    });
                }
                out.sql("EXPLAIN ANALYZE ");
            }
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/index-hints.html
    fn write_index_hints(&self, out: &mut SqlWriter<'_>, hints: &[IndexHint]) {
        for hint in hints {
            let (clause, indexes) = match hint {
                IndexHint::Use(indexes) => (" USE INDEX ", indexes),
                IndexHint::Force(indexes) => (" FORCE INDEX ", indexes),
                IndexHint::Ignore(indexes) => (" IGNORE INDEX ", indexes),
                _ => continue,
            };
            if indexes.is_empty() && !matches!(hint, IndexHint::Use(_)) {
                out.unsupported(Unsupported {
                    clause: "an index hint without an index",
                    engine: self.engine(),
                    since: None,
                    hint: "name the indexes, or keep the query from all of them with use_index of none",
                });
            }
            out.sql(clause);
            out.names(indexes);
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/comparison-operators.html#operator_equal-to
    fn write_distinct(&self, out: &mut SqlWriter<'_>, one: &Expr, other: &Expr, negated: bool) {
        out.sql(if negated { "NOT (" } else { "" });
        out.side(one);
        out.sql(" <=> ");
        out.side(other);
        out.sql(if negated { ")" } else { "" });
    }

    fn function_name(&self, function: Spelled) -> &'static str {
        match function {
            Spelled::Random => "RAND()",
            Spelled::CurrentDate => "CURRENT_DATE",
            Spelled::CurrentTimestamp => self.current_timestamp(),
            other => Ansi.function_name(other),
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/aggregate-functions.html#function_group-concat: the separator is a literal.
    fn write_string_agg(
        &self,
        out: &mut SqlWriter<'_>,
        text: &Expr,
        separator: &Expr,
        distinct: bool,
        order_by: &[Order],
    ) {
        out.sql(if distinct { "GROUP_CONCAT(DISTINCT " } else { "GROUP_CONCAT(" });
        out.expr(text);
        if !order_by.is_empty() {
            out.sql(" ");
            out.orders(order_by);
        }
        out.sql(" SEPARATOR ");
        match separator.as_value() {
            Some(value @ Value::Text(_)) => out.literal(value),
            _ => out.unsupported(Unsupported {
                clause: "string_agg() with a separator that is no text",
                engine: self.engine(),
                since: None,
                hint: "give the separator as a text",
            }),
        }
        out.sql(")");
    }

    // https://dev.mysql.com/doc/refman/8.4/en/cast-functions.html#function_cast, https://mariadb.com/kb/en/cast/
    fn write_cast(&self, out: &mut SqlWriter<'_>, expr: &Expr, to: CastType) {
        match to {
            CastType::Integer => out.cast(expr, "SIGNED"),
            CastType::Unsigned => out.cast(expr, "UNSIGNED"),
            CastType::Double => {
                let since = self.since(Some(((8, 0, 17), "8.0.17")), ALWAYS);
                if since.is_some_and(|(version, _)| self.version < version) {
                    out.unsupported(Unsupported {
                        clause: "a cast to DOUBLE",
                        engine: self.engine(),
                        since: since.map(|(_, text)| text),
                        hint: "add 0e0 to it",
                    });
                }
                out.cast(expr, "DOUBLE");
            }
            CastType::Text => out.cast(expr, "CHAR"),
            CastType::Bytes => out.cast(expr, "BINARY"),
            CastType::DateTime => out.cast(expr, "DATETIME(6)"),
            // MariaDB's documents are texts.
            CastType::Json if self.flavor == Flavor::MariaDb => {
                out.sql("JSON_COMPACT(");
                out.expr(expr);
                out.sql(")");
            }
            other => Ansi.write_cast(out, expr, other),
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/json-functions.html, https://mariadb.com/kb/en/json-functions/
    fn write_json(&self, out: &mut SqlWriter<'_>, json: &JsonNode) {
        let path = |out: &mut SqlWriter<'_>| out.owned_value(Value::from(json.path.to_string()));
        let call = |out: &mut SqlWriter<'_>, function: &'static str| {
            out.sql(function);
            out.expr(&json.document);
            out.sql(", ");
            path(out);
            out.sql(")");
        };
        // A key that begins with a minus is found by none of MariaDB's functions that read.
        let is_lost = |step: &JsonStep| matches!(step, JsonStep::Key(key) if key.starts_with('-'));
        if self.flavor == Flavor::MariaDb && json.path.steps().iter().any(is_lost) {
            out.unsupported(Unsupported {
                clause: "a key that begins with a minus in a JSON path",
                engine: self.engine(),
                since: None,
                hint: "read the document, and look inside in the program",
            });
        }
        let place = |out: &mut SqlWriter<'_>| {
            let is_guarded = write_guard(out, json);
            call(out, "JSON_EXTRACT(");
            out.sql(if is_guarded { " END)" } else { "" });
        };
        let changed = |out: &mut SqlWriter<'_>, change: &dyn Fn(&mut SqlWriter<'_>)| {
            let is_guarded = write_guard(out, json);
            change(out);
            if is_guarded {
                out.sql(" ELSE ");
                out.expr(&json.document);
                out.sql(" END)");
            }
        };
        match &json.question {
            JsonQuestion::Value => place(out),
            JsonQuestion::Text => {
                // JSON's null, unquoted, would be the text null. MariaDB, of documents, would compare without quotes, too.
                out.sql(match self.flavor {
                    Flavor::MySql => "JSON_UNQUOTE(NULLIF(",
                    Flavor::MariaDb => "JSON_UNQUOTE(NULLIF(CONCAT(",
                });
                place(out);
                out.sql(match self.flavor {
                    Flavor::MySql => ", CAST('null' AS JSON)))",
                    Flavor::MariaDb => "), 'null'))",
                });
            }
            JsonQuestion::Exists => {
                out.sql("(");
                place(out);
                out.sql(" IS NOT NULL)");
            }
            JsonQuestion::Length => {
                out.sql("(CASE JSON_TYPE(");
                place(out);
                call(out, ") WHEN 'ARRAY' THEN JSON_LENGTH(");
                out.sql(" END)");
            }
            // JSON_CONTAINS looks into arrays within arrays, too: only for versions that know nothing better.
            JsonQuestion::Contains(value) => match self.flavor {
                // https://dev.mysql.com/doc/refman/8.4/en/json-search-functions.html#operator_member-of
                Flavor::MySql if self.version >= (8, 0, 17) => {
                    out.sql("COALESCE(");
                    out.cast(&json_of(value).into(), "JSON");
                    out.sql(" MEMBER OF (");
                    place(out);
                    out.sql("), FALSE)");
                }
                // https://mariadb.com/kb/en/json_overlaps/
                flavor => {
                    let overlaps = flavor == Flavor::MariaDb && self.version >= (10, 9, 0);
                    out.sql(if overlaps { "COALESCE(JSON_OVERLAPS(" } else { "COALESCE(JSON_CONTAINS(" });
                    place(out);
                    out.sql(", ");
                    out.owned_value(json_of(value));
                    out.sql("), FALSE)");
                }
            },
            JsonQuestion::Set(value) => changed(out, &|out| {
                out.sql("JSON_SET(");
                out.expr(&json.document);
                out.sql(", ");
                path(out);
                out.sql(", ");
                match self.flavor {
                    Flavor::MySql => out.cast(&json_of(value).into(), "JSON"),
                    Flavor::MariaDb => {
                        out.sql("JSON_EXTRACT(");
                        out.owned_value(json_of(value));
                        out.sql(", '$')");
                    }
                }
                out.sql(")");
            }),
            JsonQuestion::Remove => changed(out, &|out| call(out, "JSON_REMOVE(")),
            other => out.unsupported(Unsupported {
                clause: other.name(),
                engine: self.engine(),
                since: None,
                hint: "write it with raw(…)",
            }),
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/date-and-time-functions.html
    fn write_date(&self, out: &mut SqlWriter<'_>, date: &DateNode) {
        match date {
            DateNode::Add { from, amount, unit, backwards } => {
                out.sql(if *backwards { "DATE_SUB(" } else { "DATE_ADD(" });
                // Days after a date would be a date, hours a date and time.
                out.cast(from, "DATETIME(6)");
                out.sql(", INTERVAL ");
                out.atom(amount);
                out.sql(match unit {
                    DateUnit::Year => " YEAR)",
                    DateUnit::Month => " MONTH)",
                    DateUnit::Week => " WEEK)",
                    DateUnit::Day => " DAY)",
                    DateUnit::Hour => " HOUR)",
                    DateUnit::Minute => " MINUTE)",
                    DateUnit::Second => " SECOND)",
                });
            }
            DateNode::Part(of, part) => {
                out.sql(match part {
                    DatePart::Year => "YEAR(",
                    DatePart::Month => "MONTH(",
                    DatePart::Day => "DAYOFMONTH(",
                    DatePart::Weekday => "(WEEKDAY(",
                    DatePart::Hour => "HOUR(",
                    DatePart::Minute => "MINUTE(",
                    DatePart::Second => "SECOND(",
                });
                out.expr(of);
                out.sql(if *part == DatePart::Weekday { ") + 1)" } else { ")" });
            }
            DateNode::Seconds(from, to) => {
                out.sql("TIMESTAMPDIFF(SECOND, ");
                out.expr(from);
                out.sql(", ");
                out.expr(to);
                out.sql(")");
            }
            other => Ansi.write_date(out, other),
        }
    }

    // https://dev.mysql.com/doc/refman/8.4/en/fulltext-search.html
    fn write_search(&self, out: &mut SqlWriter<'_>, search: &Search) {
        if search.language.is_some() {
            out.unsupported(Unsupported {
                clause: "the language of a search",
                engine: self.engine(),
                since: None,
                hint: "the parser is chosen with the index; leave language() out",
            });
        }
        out.sql("MATCH (");
        out.list(&search.columns, SqlWriter::expr);
        out.sql(") AGAINST (");
        out.expr(&search.words);
        out.sql(match search.mode {
            SearchMode::Natural => " IN NATURAL LANGUAGE MODE)",
            SearchMode::Boolean => " IN BOOLEAN MODE)",
        });
    }

    fn ddl(&self) -> &dyn SchemaDialect {
        self
    }
}

/// Appends the beginning of a choice that asks whether arrays are where the path of a document has positions, if it has any: the
/// position 0 of anything else would be that thing itself.
/// <https://dev.mysql.com/doc/refman/8.4/en/json.html#json-paths>
fn write_guard(out: &mut SqlWriter<'_>, json: &JsonNode) -> bool {
    let mut is_guarded = false;
    for array in json.path.arrays() {
        out.sql(if is_guarded { " AND JSON_TYPE(JSON_EXTRACT(" } else { "(CASE WHEN JSON_TYPE(JSON_EXTRACT(" });
        out.expr(&json.document);
        out.sql(", ");
        out.owned_value(Value::from(array.to_string()));
        out.sql(")) = 'ARRAY'");
        is_guarded = true;
    }
    out.sql(if is_guarded { " THEN " } else { "" });
    is_guarded
}

fn write_text(out: &mut String, text: &str) {
    out.push('\'');
    for c in text.chars() {
        match c {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            c => out.push(c),
        }
    }
    out.push('\'');
}
