//! Knows when a semicolon belongs to the body of a trigger, routine, event or rule and ends nothing.

use super::token::{Kind, Token};
use crate::Lexicon;

/// The blocks open at a place of a body, and what the statement has been so far.
#[derive(Debug)]
pub(super) struct Body {
    stage: Stage,
    blocks: Vec<(Block, usize)>,
    parentheses: usize,
    /// A statement of the body may start with the next word.
    at_start: bool,
    /// In `DECLARE … HANDLER FOR …`, before the handler's own statement.
    in_handler: bool,
    previous: Previous,
    compound: bool,
    atomic: bool,
    rules: bool,
    copies: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing read yet.
    First,
    /// `BEGIN` was the first word: a transaction, or a block that says so.
    Begin(usize),
    /// After `CREATE` or `ALTER`, before the kind of object.
    Create,
    /// After the kind of object, before its body.
    Header(Object),
    /// In a body.
    Inside,
    /// A rule, whose actions may stand in parentheses.
    Rule,
    /// `COPY …`, before `FROM STDIN`.
    Copy,
    /// `COPY … FROM STDIN`, whose data follow the statement.
    CopyData,
    /// Anything in which a semicolon ends the statement.
    Plain,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Object {
    Routine,
    /// `ready` once `FOR EACH ROW` was read.
    Trigger {
        ready: bool,
    },
    /// `ready` once `DO` was read.
    Event {
        ready: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Block {
    Begin,
    If,
    Loop,
    Repeat,
    Until,
    CaseStatement,
    CaseExpression,
}

/// What stood before a word, as far as it decides what the word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Previous {
    Nothing,
    /// A word after which an operand comes, such as `AND`.
    Operator,
    /// `BEGIN`, at this offset.
    Begin(usize),
    /// The `NOT` of `BEGIN NOT ATOMIC`, or another.
    Not,
    End,
    /// `TRIGGER`, `PROCEDURE` and the like, or `RETURNS`: a name or type comes.
    Introducer,
    From,
    /// Any other word; `starts` when it is the first of its statement and may be a label.
    Word {
        starts: bool,
    },
    Operand,
    Symbol(u8),
}

impl Body {
    pub(super) fn new(lexicon: &Lexicon) -> Self {
        Self {
            stage: Stage::First,
            blocks: Vec::new(),
            parentheses: 0,
            at_start: false,
            in_handler: false,
            previous: Previous::Nothing,
            compound: lexicon.compound_bodies,
            atomic: lexicon.atomic_bodies,
            rules: lexicon.rule_actions,
            copies: lexicon.copy_data,
        }
    }

    /// Whether a semicolon here ends the statement.
    pub(super) fn ends_at_semicolon(&self) -> bool {
        self.blocks.is_empty() && !(self.stage == Stage::Rule && self.parentheses > 0)
    }

    /// Where the innermost open block starts.
    pub(super) fn open_block(&self) -> Option<usize> {
        self.blocks.last().map(|(_, offset)| *offset)
    }

    /// Whether lines of data follow this statement.
    pub(super) fn has_copy_data(&self) -> bool {
        self.stage == Stage::CopyData
    }

    /// Takes note of the next token.
    pub(super) fn take(&mut self, token: &Token, text: &str) {
        // Most of a dump are long INSERTs, in which nothing opens a body.
        if matches!(self.stage, Stage::Plain | Stage::CopyData) {
            return;
        }
        match token.kind {
            Kind::Word => {
                let word = text[token.start..token.end].to_ascii_uppercase();
                let starts = self.at_start;
                self.at_start = false;
                let is_name = matches!(self.previous, Previous::Symbol(b'.' | b'@'));
                if !is_name {
                    self.word(&word, token.start, starts);
                }
                self.previous = self.after_word(&word, token.start, is_name, starts);
            }
            Kind::Symbol(symbol) => self.symbol(symbol),
            Kind::Number | Kind::Quoted => {
                if self.stage == Stage::First {
                    self.stage = Stage::Plain;
                }
                self.at_start = false;
                self.previous = Previous::Operand;
            }
            Kind::Comment | Kind::VersionOpen | Kind::VersionClose => {}
        }
    }

    fn symbol(&mut self, symbol: u8) {
        match symbol {
            b'(' => self.parentheses += 1,
            b')' => self.parentheses = self.parentheses.saturating_sub(1),
            _ => {}
        }
        // A label, `name: LOOP`, is followed by a statement just as a semicolon is.
        self.at_start = match symbol {
            b';' => true,
            b':' => self.previous == Previous::Word { starts: true },
            _ => false,
        };
        self.in_handler &= symbol != b';';
        if self.stage == Stage::First {
            self.stage = Stage::Plain;
        }
        self.previous = Previous::Symbol(symbol);
    }

    fn after_word(&self, word: &str, offset: usize, is_name: bool, starts: bool) -> Previous {
        match word {
            _ if is_name => Previous::Operand,
            "AND" | "OR" | "XOR" | "WHEN" | "THEN" | "ELSE" | "BETWEEN" | "LIKE" | "IN" | "IS" | "CASE" | "UNTIL" => {
                Previous::Operator
            }
            "NOT" => Previous::Not,
            "BEGIN" => Previous::Begin(offset),
            "END" => Previous::End,
            "TRIGGER" | "PROCEDURE" | "FUNCTION" | "EVENT" | "RETURNS" => Previous::Introducer,
            "FROM" => Previous::From,
            _ => Previous::Word { starts },
        }
    }

    fn word(&mut self, word: &str, offset: usize, starts: bool) {
        match self.stage {
            Stage::First => self.first(word, offset),
            Stage::Begin(begin) => {
                if word == "ATOMIC" && self.compound {
                    self.open(Block::Begin, begin, true);
                } else if word != "NOT" {
                    self.stage = Stage::Plain;
                }
            }
            Stage::Create => self.created(word),
            Stage::Header(object) => self.header(object, word, offset),
            Stage::Inside => self.inside(word, offset, starts),
            Stage::Copy if word == "STDIN" && self.previous == Previous::From && self.parentheses == 0 => {
                self.stage = Stage::CopyData;
            }
            Stage::Copy | Stage::Rule | Stage::CopyData | Stage::Plain => {}
        }
    }

    fn first(&mut self, word: &str, offset: usize) {
        self.stage = match word {
            "CREATE" | "ALTER" if self.compound || self.atomic || self.rules => Stage::Create,
            "BEGIN" => Stage::Begin(offset),
            "COPY" if self.copies => Stage::Copy,
            _ => Stage::Plain,
        };
        if self.compound {
            // MariaDB takes these outside of routines too: https://mariadb.com/kb/en/using-compound-statements-outside-of-stored-programs/
            self.open_statement(word, offset);
        }
    }

    fn created(&mut self, word: &str) {
        let in_account = self.previous == Previous::Symbol(b'=');
        self.stage = match word {
            _ if in_account => Stage::Create,
            "OR" | "REPLACE" | "TEMP" | "TEMPORARY" | "AGGREGATE" | "DEFINER" | "CURRENT_USER" | "CURRENT_ROLE"
            | "CONSTRAINT" => Stage::Create,
            "PROCEDURE" | "FUNCTION" => Stage::Header(Object::Routine),
            "TRIGGER" if self.compound => Stage::Header(Object::Trigger { ready: false }),
            "EVENT" if self.compound => Stage::Header(Object::Event { ready: false }),
            "RULE" if self.rules => Stage::Rule,
            _ => Stage::Plain,
        };
    }

    fn header(&mut self, object: Object, word: &str, offset: usize) {
        if self.parentheses > 0 || self.previous == Previous::Introducer {
            return;
        }
        if self.atomic
            && let ("ATOMIC", Previous::Begin(begin)) = (word, self.previous)
        {
            self.open(Block::Begin, begin, true);
        }
        if !self.compound {
            return;
        }
        let ready = match object {
            Object::Routine => true,
            Object::Trigger { ready } | Object::Event { ready } => ready,
        };
        match (object, word) {
            (Object::Trigger { ready: false }, "ROW") => self.stage = Stage::Header(Object::Trigger { ready: true }),
            (Object::Event { ready: false }, "DO") => self.stage = Stage::Header(Object::Event { ready: true }),
            // A condition may hold anything; after it only BEGIN starts the body.
            (Object::Trigger { .. }, "WHEN") => self.stage = Stage::Header(Object::Trigger { ready: false }),
            (Object::Routine | Object::Trigger { .. } | Object::Event { ready: true }, "BEGIN") => {
                self.open(Block::Begin, offset, true);
            }
            (
                _,
                "SET" | "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "CALL" | "REPLACE" | "RETURN" | "DO" | "WITH"
                | "VALUES" | "SIGNAL",
            ) if ready => self.stage = Stage::Plain,
            _ if ready => self.open_statement(word, offset),
            _ => {}
        }
    }

    /// Opens the block that a statement starting with `word` is, if it is one.
    fn open_statement(&mut self, word: &str, offset: usize) {
        match word {
            "IF" => self.open(Block::If, offset, false),
            "CASE" => self.open(Block::CaseStatement, offset, false),
            "WHILE" | "FOR" if word != "FOR" || !matches!(self.stage, Stage::Header(_)) => {
                self.open(Block::Loop, offset, false);
            }
            "LOOP" => self.open(Block::Loop, offset, true),
            "REPEAT" => self.open(Block::Repeat, offset, true),
            _ => {}
        }
    }

    fn open(&mut self, block: Block, offset: usize, starts: bool) {
        self.blocks.push((block, offset));
        self.stage = Stage::Inside;
        self.at_start = starts;
        self.in_handler = false;
    }

    fn inside(&mut self, word: &str, offset: usize, starts: bool) {
        if self.previous == Previous::End && matches!(word, "IF" | "CASE" | "LOOP" | "WHILE" | "REPEAT" | "FOR") {
            return;
        }
        let block = self.blocks.last().map(|(block, _)| *block);
        let in_expression = block == Some(Block::CaseExpression);
        match word {
            "END" if self.closes(block, starts) => {
                self.blocks.pop();
                if self.blocks.is_empty() {
                    self.stage = Stage::Plain;
                }
            }
            "BEGIN" if starts || self.in_handler => self.open(Block::Begin, offset, true),
            "CASE" if !starts && !self.in_handler => self.blocks.push((Block::CaseExpression, offset)),
            "THEN" | "ELSE" => self.at_start = !in_expression,
            "DO" if !starts && block == Some(Block::Loop) => self.at_start = true,
            "UNTIL" if starts && block == Some(Block::Repeat) => {
                if let Some(last) = self.blocks.last_mut() {
                    last.0 = Block::Until;
                }
            }
            "HANDLER" => self.in_handler = true,
            "SET" | "SELECT" | "INSERT" | "UPDATE" | "DELETE" | "CALL" | "REPLACE" | "SIGNAL" | "RESIGNAL" => {
                self.in_handler = false;
            }
            _ if starts || (self.in_handler && word != "FOR") => self.open_statement(word, offset),
            _ => {}
        }
    }

    /// Whether `END` is the keyword here and not a column of that name, which MySQL and SQLite allow.
    fn closes(&self, block: Option<Block>, starts: bool) -> bool {
        let operand_expected = match self.previous {
            Previous::Operator | Previous::Not => true,
            Previous::Symbol(symbol) => symbol != b')' && symbol != b';',
            _ => false,
        };
        match block {
            Some(Block::CaseExpression | Block::Until) => !operand_expected,
            Some(_) => starts,
            None => false,
        }
    }
}
