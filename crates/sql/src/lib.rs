//! The language: values, identifiers, expressions, statements and the dialect trait of dbkeep.
