//! YAML as it was written: the text of each scalar, whether it was quoted, and where it stands.
//!
//! A deserializer would have made a float of `129.90` and a boolean of `no`; what a scalar means here is decided by the
//! column it is for. JSON is read by the same code, being YAML.

use granit_parser::{Event, Parser, ScalarStyle, Span};
use std::collections::HashMap;

/// A piece of YAML.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub(super) content: Content,
    pub(super) line: usize,
    /// In characters, counted from one.
    pub(super) column: usize,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Content {
    /// A text, and whether it stood without quotes.
    Scalar(String, bool),
    List(Vec<Node>),
    /// In the order of the file.
    Map(Vec<(Node, Node)>),
}

/// What is no YAML, and where.
#[derive(Debug)]
pub(super) struct Malformed {
    pub(super) message: String,
    pub(super) line: usize,
    pub(super) column: usize,
}

/// How deep lists and maps may lie in each other.
const DEPTH: usize = 64;

/// How many pieces a file may hold once its aliases are written out: a small file could otherwise fill the memory.
const PIECES: usize = 10_000_000;

/// Where YAML's own tags live.
const YAML: &str = "tag:yaml.org,2002:";

struct Composer<'t> {
    parser: Parser<'t, granit_parser::StrInput<'t>>,
    anchors: HashMap<usize, Node>,
    pieces: usize,
}

/// Reads a text of one document; `None` when it holds nothing.
pub(super) fn read(text: &str) -> Result<Option<Node>, Malformed> {
    let mut composer = Composer { parser: Parser::new_from_str(text), anchors: HashMap::new(), pieces: 0 };
    let mut document = None;
    loop {
        let (event, span) = composer.next()?;
        match event {
            Event::StreamEnd => return Ok(document),
            Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
            _ if document.is_some() => return Err(malformed("there is a second document in this file", &span)),
            _ => document = Some(composer.node(event, span, 0)?),
        }
    }
}

impl<'t> Composer<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), Malformed> {
        match self.parser.next() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => Err(Malformed {
                message: error.kind().to_string(),
                line: error.marker().line(),
                column: error.marker().col() + 1,
            }),
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn node(&mut self, event: Event<'t>, span: Span, depth: usize) -> Result<Node, Malformed> {
        if depth > DEPTH {
            return Err(malformed("lists and maps lie too deep in each other here", &span));
        }
        self.count(1, &span)?;
        let (line, column) = (span.start.line(), span.start.col() + 1);
        let is_text = match event.tag().map(|tag| (tag.suffix_in_namespace(YAML), tag)) {
            None => false,
            Some((Some(name), _)) if name == "str" => true,
            Some((Some(name), _)) if matches!(&*name, "int" | "float" | "bool" | "null" | "map" | "seq") => false,
            Some((Some(name), _)) if name == "binary" => {
                return Err(malformed("the tag !!binary is not known here: bytes are written as in 0x00ff", &span));
            }
            Some((_, tag)) => return Err(malformed(&format!("the tag {tag} is not known here"), &span)),
        };
        let (content, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => {
                (Content::Scalar(text.into_owned(), style == ScalarStyle::Plain && !is_text), anchor)
            }
            Event::SequenceStart(_, anchor, _) => (self.list(depth)?, anchor),
            Event::MappingStart(_, anchor, _) => (self.map(depth)?, anchor),
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    return Err(malformed("an alias stands inside of what it stands for", &span));
                };
                self.count(node.pieces(), &span)?;
                return Ok(Node { line, column, ..node });
            }
            _ => return Err(malformed("a value is missing here", &span)),
        };
        let node = Node { content, line, column };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, depth: usize) -> Result<Content, Malformed> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, _) => return Ok(Content::List(items)),
                (event, span) => items.push(self.node(event, span, depth + 1)?),
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Content, Malformed> {
        let mut entries: Vec<(Node, Node)> = Vec::new();
        loop {
            let key = match self.next()? {
                (Event::MappingEnd, _) => return Ok(Content::Map(entries)),
                (event, span) => self.node(event, span, depth + 1)?,
            };
            if let Some(name) =
                key.scalar().filter(|name| entries.iter().any(|(other, _)| other.scalar() == Some(*name)))
            {
                return Err(Malformed {
                    message: format!("{name:?} stands here for the second time"),
                    line: key.line,
                    column: key.column,
                });
            }
            let (event, span) = self.next()?;
            entries.push((key, self.node(event, span, depth + 1)?));
        }
    }

    fn count(&mut self, pieces: usize, span: &Span) -> Result<(), Malformed> {
        self.pieces += pieces;
        if self.pieces > PIECES { Err(malformed("the file is too large", span)) } else { Ok(()) }
    }
}

impl Node {
    /// The text of a scalar.
    pub(super) fn scalar(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    /// Whether it is a scalar that stands for no value.
    pub(super) fn is_null(&self) -> bool {
        matches!(&self.content, Content::Scalar(text, true) if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// As JSON, by YAML's core schema.
    pub(super) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match &self.content {
            _ if self.is_null() => Value::Null,
            Content::Scalar(text, false) => Value::String(text.clone()),
            Content::Scalar(text, true) => match text.as_str() {
                "true" | "True" | "TRUE" => Value::Bool(true),
                "false" | "False" | "FALSE" => Value::Bool(false),
                number if number.starts_with(|c: char| c.is_ascii_digit() || c == '-') => {
                    serde_json::from_str(number).unwrap_or_else(|_| Value::String(number.to_owned()))
                }
                text => Value::String(text.to_owned()),
            },
            Content::List(items) => items.iter().map(Node::to_json).collect(),
            Content::Map(entries) => {
                let entry =
                    |(key, value): &(Node, Node)| (key.scalar().unwrap_or_default().to_owned(), value.to_json());
                Value::Object(entries.iter().map(entry).collect())
            }
        }
    }

    fn pieces(&self) -> usize {
        1 + match &self.content {
            Content::Scalar(..) => 0,
            Content::List(items) => items.iter().map(Node::pieces).sum(),
            Content::Map(entries) => entries.iter().map(|(key, value)| key.pieces() + value.pieces()).sum(),
        }
    }
}

fn malformed(message: &str, span: &Span) -> Malformed {
    Malformed { message: message.to_owned(), line: span.start.line(), column: span.start.col() + 1 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn json(text: &str) -> String {
        read(text).unwrap().unwrap().to_json().to_string()
    }

    fn error(text: &str) -> String {
        let error = read(text).unwrap_err();
        format!("{}:{}: {}", error.line, error.column, error.message)
    }

    #[test]
    fn scalars_keep_their_text_and_their_place() {
        let node = read("# head\nfee: 129.90\nzip: '01234'\n").unwrap().unwrap();
        let Content::Map(entries) = node.content else { panic!("a map was read as something else") };
        assert_eq!(entries[0].1, Node { content: Content::Scalar("129.90".to_owned(), true), line: 2, column: 6 });
        assert_eq!(entries[1].1, Node { content: Content::Scalar("01234".to_owned(), false), line: 3, column: 6 });
    }

    #[test]
    fn maps_and_lists_become_json_by_the_core_schema() {
        assert_eq!(
            json("{a: [1, -2.5, 1e3, 'x', y, no, true, ~, null, 007], \"b\": {}}"),
            r#"{"a":[1,-2.5,1000.0,"x","y","no",true,null,null,"007"],"b":{}}"#
        );
        assert_eq!(json("a: &x {b: 1}\nc: *x\n"), r#"{"a":{"b":1},"c":{"b":1}}"#);
        assert_eq!(json("a: !!str 007\nb: !!int 7\n"), r#"{"a":"007","b":7}"#);
        // JSON is YAML, tabs and all.
        assert_eq!(json("{\n\t\"a\":1,\n\t\"b\": [\n\t\ttrue,\"\\u00fc\"]\n}\n"), r#"{"a":1,"b":[true,"ü"]}"#);
        assert_eq!(read("# nothing\n").unwrap(), None);
    }

    #[test]
    fn what_is_no_yaml_is_refused_where_it_stands() {
        assert_eq!(error("a: 1\na: 2\n"), "2:1: \"a\" stands here for the second time");
        assert_eq!(error("a: 1\n---\nb: 2\n"), "3:1: there is a second document in this file");
        assert_eq!(error("a: [1\n"), "1:4: unclosed bracket '['");
        assert_eq!(
            error("a: !!binary AAH/\n"),
            "1:13: the tag !!binary is not known here: bytes are written as in 0x00ff"
        );
        assert_eq!(error("a: !club {b: 1}\n"), "1:10: the tag !club is not known here");
        assert!(read(&"[".repeat(100_000)).is_err());
        let bomb = "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n\
                    d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\nf: &f [*e,*e,*e,*e,*e,*e,*e,*e,*e,*e]\n\
                    g: &g [*f,*f,*f,*f,*f,*f,*f,*f,*f,*f]\n";
        assert!(error(bomb).ends_with("the file is too large"));
    }
}
