//! The text of a CREATE TABLE, taken apart so that one piece of it can change and all others stay as they were written.

use super::definition::{Token, closing, split, tokens};

/// A CREATE TABLE in its pieces.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct TableSql {
    /// What stands between the parentheses, with the blanks and comments around it.
    pub(super) items: Vec<Item>,
    /// What stands behind the closing parenthesis: STRICT, WITHOUT ROWID.
    pub(super) options: String,
}

/// A column or a constraint of a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Item {
    /// As it was written.
    pub(super) text: String,
    pub(super) kind: ItemKind,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum ItemKind {
    Column(ColumnSql),
    Constraint(Clause),
}

/// A column in its pieces.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct ColumnSql {
    pub(super) name: String,
    /// The name as it was written, in its quotes.
    quoted_name: String,
    /// The declared type; empty where there is none.
    pub(super) type_name: String,
    pub(super) clauses: Vec<Clause>,
}

/// One constraint, of a column or of the table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Clause {
    /// Its name; empty where it has none.
    pub(super) name: String,
    pub(super) kind: ClauseKind,
    /// As it was written, with its name.
    pub(super) text: String,
    /// The columns of the table that it names before anything else, of a constraint of the table.
    pub(super) columns: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClauseKind {
    PrimaryKey,
    NotNull,
    Null,
    Unique,
    Check,
    Default,
    Collate,
    ForeignKey,
    Generated,
    /// What comes behind no word that is known here.
    Other,
}

impl TableSql {
    /// Takes a CREATE TABLE apart; `None` where it has no list of columns.
    pub(super) fn parse(sql: &str) -> Option<Self> {
        let all = tokens(sql);
        let open = all.iter().position(|token| token.is_symbol("("))?;
        let close = closing(&all, open);
        let end = all.get(close)?;
        let lists = split(&all[open + 1..close]);
        let mut items = Vec::with_capacity(lists.len());
        let mut from = all[open].start + 1;
        for list in lists {
            let (first, last) = (list.first()?, list.last()?);
            // Up to the comma or the parenthesis behind it, blanks and comments included.
            let next = all.iter().find(|token| token.start > last.start).map_or(sql.len(), |token| token.start);
            let kind = if is_constraint(first) {
                ItemKind::Constraint(Clause::parse(sql, list))
            } else {
                ItemKind::Column(ColumnSql::parse(sql, list)?)
            };
            items.push(Item { text: sql[from..next].to_owned(), kind });
            from = next + 1;
        }
        let options = sql[end.start + 1..].trim().trim_end_matches(';').to_owned();
        Some(Self { items, options })
    }

    /// The whole statement for a table of this name, in quotes.
    pub(super) fn create(&self, quoted_name: &str) -> String {
        let items: Vec<&str> = self.items.iter().map(|item| item.text.as_str()).collect();
        let blank = if self.options.is_empty() { "" } else { " " };
        format!("CREATE TABLE {quoted_name} ({}){blank}{}", items.join(","), self.options)
    }

    pub(super) fn column(&self, name: &str) -> Option<&ColumnSql> {
        self.items.iter().find_map(|item| match &item.kind {
            ItemKind::Column(column) if column.name.eq_ignore_ascii_case(name) => Some(column),
            _ => None,
        })
    }

    pub(super) fn column_mut(&mut self, name: &str) -> Option<&mut Item> {
        self.items
            .iter_mut()
            .find(|item| matches!(&item.kind, ItemKind::Column(column) if column.name.eq_ignore_ascii_case(name)))
    }

    /// Adds a column behind the last one.
    pub(super) fn add_column(&mut self, text: &str) {
        let is_column = |item: &Item| matches!(item.kind, ItemKind::Column(_));
        let at = self.items.iter().rposition(is_column).map_or(0, |at| at + 1);
        self.insert(at, text);
    }

    /// Adds a constraint at the end.
    pub(super) fn add_constraint(&mut self, text: &str) {
        self.insert(self.items.len(), text);
    }

    fn insert(&mut self, at: usize, text: &str) {
        let list = tokens(text);
        let kind = match list.first() {
            Some(first) if !is_constraint(first) => match ColumnSql::parse(text, &list) {
                Some(column) => ItemKind::Column(column),
                None => return,
            },
            _ => ItemKind::Constraint(Clause::parse(text, &list)),
        };
        // The line end before the closing parenthesis stays there.
        let mut tail = String::new();
        if at == self.items.len()
            && let Some(last) = self.items.last_mut()
        {
            let kept = last.text.trim_end().len();
            // Unless a comment ends with that line.
            if !last.text[..kept].rsplit('\n').next().is_some_and(|line| line.contains("--")) {
                tail = last.text.split_off(kept);
            }
        }
        self.items.insert(at, Item { text: format!("\n  {text}{tail}"), kind });
    }

    pub(super) fn is_without_rowid(&self) -> bool {
        tokens(&self.options).windows(2).any(|pair| pair[0].is("WITHOUT") && pair[1].is("ROWID"))
    }

    pub(super) fn is_autoincrement(&self) -> bool {
        self.items.iter().any(|item| match &item.kind {
            ItemKind::Column(column) => column.clauses.iter().any(|clause| {
                clause.kind == ClauseKind::PrimaryKey
                    && tokens(&clause.text).iter().any(|token| token.is("AUTOINCREMENT"))
            }),
            ItemKind::Constraint(_) => false,
        })
    }

    /// The column that is the row number, if one is: the primary key alone, declared INTEGER and nothing else, and not
    /// INTEGER PRIMARY KEY DESC. <https://www.sqlite.org/lang_createtable.html#rowid>
    pub(super) fn row_number(&self) -> Option<&str> {
        if self.is_without_rowid() {
            return None;
        }
        let is_integer = |column: &&ColumnSql| column.type_name.eq_ignore_ascii_case("INTEGER");
        self.items.iter().find_map(|item| match &item.kind {
            ItemKind::Column(column) => column
                .clauses
                .iter()
                .any(|clause| {
                    clause.kind == ClauseKind::PrimaryKey && !tokens(&clause.text).iter().any(|token| token.is("DESC"))
                })
                .then_some(column)
                .filter(is_integer)
                .map(|column| column.name.as_str()),
            ItemKind::Constraint(clause) if clause.kind == ClauseKind::PrimaryKey => match clause.columns.as_slice() {
                [only] => self.column(only).filter(is_integer).map(|column| column.name.as_str()),
                _ => None,
            },
            ItemKind::Constraint(_) => None,
        })
    }
}

impl ColumnSql {
    fn parse(sql: &str, list: &[Token<'_>]) -> Option<Self> {
        let (first, rest) = list.split_first()?;
        let starts = clause_starts(rest);
        let type_end = starts.first().copied().unwrap_or(rest.len());
        let clauses = starts.iter().enumerate().map(|(at, start)| {
            let end = starts.get(at + 1).copied().unwrap_or(rest.len());
            Clause::parse(sql, &rest[*start..end])
        });
        Some(Self {
            name: first.name(),
            quoted_name: first.text.to_owned(),
            type_name: text_of(sql, &rest[..type_end]).to_owned(),
            clauses: clauses.collect(),
        })
    }

    /// The column of its pieces.
    fn write(&self) -> String {
        let mut out = self.quoted_name.clone();
        for part in std::iter::once(&self.type_name).chain(self.clauses.iter().map(|clause| &clause.text)) {
            if !part.is_empty() {
                out.push(' ');
                out.push_str(part);
            }
        }
        out
    }

    pub(super) fn is_generated(&self) -> bool {
        self.clauses.iter().any(|clause| clause.kind == ClauseKind::Generated)
    }

    pub(super) fn is_not_null(&self) -> bool {
        self.clauses.iter().any(|clause| clause.kind == ClauseKind::NotNull)
    }
}

impl Item {
    /// Lets its column be changed; its text is then written anew, with the blanks before and behind it as they were.
    pub(super) fn edit(&mut self, edit: impl FnOnce(&mut ColumnSql)) {
        let ItemKind::Column(column) = &mut self.kind else { return };
        edit(column);
        let start = self.text.len() - self.text.trim_start().len();
        let end = self.text.trim_end().len();
        self.text = format!("{}{}{}", &self.text[..start], column.write(), &self.text[end..]);
    }
}

impl Clause {
    /// Reads one clause, with its name before it.
    pub(super) fn parse(sql: &str, list: &[Token<'_>]) -> Self {
        let named = list.first().is_some_and(|token| token.is("CONSTRAINT"));
        let name = if named { list.get(1).map(Token::name).unwrap_or_default() } else { String::new() };
        let rest = list.get(if named { 2 } else { 0 }..).unwrap_or_default();
        let kind = rest.first().map_or(ClauseKind::Other, |word| match () {
            () if word.is("PRIMARY") => ClauseKind::PrimaryKey,
            () if word.is("NOT") => ClauseKind::NotNull,
            () if word.is("NULL") => ClauseKind::Null,
            () if word.is("UNIQUE") => ClauseKind::Unique,
            () if word.is("CHECK") => ClauseKind::Check,
            () if word.is("DEFAULT") => ClauseKind::Default,
            () if word.is("COLLATE") => ClauseKind::Collate,
            () if word.is("REFERENCES") || word.is("FOREIGN") => ClauseKind::ForeignKey,
            () if word.is("GENERATED") || word.is("AS") => ClauseKind::Generated,
            () => ClauseKind::Other,
        });
        let columns = match rest.iter().position(|token| token.is_symbol("(")) {
            Some(open) if kind != ClauseKind::Check => split(&rest[open + 1..closing(rest, open)])
                .into_iter()
                .filter_map(|part| part.first().map(Token::name))
                .collect(),
            _ => Vec::new(),
        };
        Self { name, kind, text: text_of(sql, list).to_owned(), columns }
    }

    /// Reads one clause of a text of its own.
    pub(super) fn of(text: &str) -> Self {
        Self::parse(text, &tokens(text))
    }
}

fn is_constraint(token: &Token<'_>) -> bool {
    ["CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN"].iter().any(|word| token.is(word))
}

fn text_of<'s>(sql: &'s str, list: &[Token<'_>]) -> &'s str {
    match (list.first(), list.last()) {
        (Some(first), Some(last)) => &sql[first.start..last.start + last.text.len()],
        _ => "",
    }
}

/// Where the clauses of a column begin.
fn clause_starts(list: &[Token<'_>]) -> Vec<usize> {
    let mut starts = Vec::new();
    let mut at = 0;
    let mut named = false;
    while let Some(token) = list.get(at) {
        let before = at.checked_sub(1).and_then(|before| list.get(before));
        let follows = |word: &str| before.is_some_and(|before| before.is(word));
        if token.is_symbol("(") {
            at = closing(list, at);
        } else if token.is("CONSTRAINT") {
            starts.push(at);
            named = true;
            at += 1;
        } else {
            let begins = match () {
                () if token.is("NOT") => list.get(at + 1).is_some_and(|next| next.is("NULL")),
                // DEFAULT NULL, NOT NULL, ON DELETE SET NULL.
                () if token.is("NULL") => !follows("DEFAULT") && !follows("NOT") && !follows("SET"),
                () if token.is("DEFAULT") => !follows("SET"),
                () if token.is("AS") => !follows("ALWAYS"),
                () => ["PRIMARY", "UNIQUE", "CHECK", "COLLATE", "REFERENCES", "GENERATED"]
                    .iter()
                    .any(|word| token.is(word)),
            };
            if begins {
                if !named {
                    starts.push(at);
                }
                named = false;
            }
        }
        at += 1;
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    const ODD: &str = r#"CREATE TABLE "odd, (name" (
  id INTEGER PRIMARY KEY AUTOINCREMENT, -- the key, (
  "check" TEXT COLLATE NOCASE CONSTRAINT not_empty CHECK (length("check") > (0)) DEFAULT ('(a,b)') NOT NULL,
  [b c] double precision DEFAULT NULL NULL REFERENCES other(id) ON DELETE SET NULL ON UPDATE SET DEFAULT NOT DEFERRABLE,
  total INT GENERATED ALWAYS AS (id * 2) STORED,
  CONSTRAINT pair UNIQUE (id, "check") -- both
) STRICT"#;

    #[test]
    fn a_table_comes_apart_and_together_as_it_was() {
        let table = TableSql::parse(ODD).unwrap();
        assert_eq!(table.create("\"odd, (name\""), ODD);
        let kinds = |name: &str| -> Vec<ClauseKind> {
            table.column(name).unwrap().clauses.iter().map(|clause| clause.kind).collect()
        };
        use ClauseKind::{Check, Collate, Default, ForeignKey, Generated, NotNull, Null, PrimaryKey};
        assert_eq!(kinds("id"), [PrimaryKey]);
        assert_eq!(kinds("check"), [Collate, Check, Default, NotNull]);
        assert_eq!(kinds("b c"), [Default, Null, ForeignKey]);
        assert_eq!(kinds("total"), [Generated]);
        assert_eq!(table.column("b c").unwrap().type_name, "double precision");
        assert_eq!(table.column("check").unwrap().clauses[1].name, "not_empty");
        assert_eq!(table.row_number(), Some("id"));
        assert!(table.is_autoincrement());
    }

    #[test]
    fn what_is_added_stands_in_its_place_and_the_rest_stays() {
        let mut table = TableSql::parse(ODD).unwrap();
        table.add_column("\"new\" TEXT");
        table.add_constraint("CHECK (id > 0)");
        table.column_mut("b c").unwrap().edit(|column| column.type_name = "REAL".into());
        let written = table.create("t");
        assert_eq!(
            written,
            ODD.replace("\"odd, (name\"", "t")
                .replace("double precision", "REAL")
                .replace("STORED,", "STORED,\n  \"new\" TEXT,")
                .replace("-- both\n", "-- both\n,\n  CHECK (id > 0)")
        );
        assert_eq!(TableSql::parse(&written).unwrap().items.len(), 7);
    }

    #[test]
    fn damaged_text_is_no_table() {
        for sql in [
            "",
            "CREATE TABLE t",
            "CREATE TABLE t (",
            "CREATE TABLE t (a,,b)",
            "CREATE TABLE t ()",
            "CREATE TABLE t AS SELECT 1",
        ] {
            assert_eq!(TableSql::parse(sql), None, "{sql}");
        }
    }
}
