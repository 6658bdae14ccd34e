//! In which order seeds run: as their files are named, but never before the rows they point to.

use super::{Error, ErrorKind, Result};
use std::collections::BTreeSet;

/// What a seed needs to be placed.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) name: String,
    /// The table it fills; none of an SQL seed.
    pub(crate) table: Option<String>,
    /// The tables its rows point to, by foreign keys of the columns it fills and by references.
    pub(crate) needs: BTreeSet<String>,
}

/// The seeds in an order in which each comes after those that fill what it needs; otherwise as they were.
pub(crate) fn order(wishes: &[Wish]) -> Result<Vec<usize>> {
    let before: Vec<BTreeSet<usize>> = (0..wishes.len()).map(|at| needed(wishes, at)).collect();
    let mut placed = Vec::new();
    while placed.len() < wishes.len() {
        let ready =
            (0..wishes.len()).find(|at| !placed.contains(at) && before[*at].iter().all(|other| placed.contains(other)));
        match ready {
            Some(at) => placed.push(at),
            None => return Err(cycle(wishes, &before, &placed)),
        }
    }
    Ok(placed)
}

/// The seeds that must run before this one: of each table it needs those that come before it, or else the first.
fn needed(wishes: &[Wish], at: usize) -> BTreeSet<usize> {
    let mut before = BTreeSet::new();
    for table in &wishes[at].needs {
        if wishes[at].table.as_ref() == Some(table) {
            continue;
        }
        let fill: Vec<usize> = (0..wishes.len()).filter(|other| wishes[*other].table.as_ref() == Some(table)).collect();
        let earlier = fill.iter().filter(|other| **other < at).copied();
        before.extend(earlier);
        if fill.first().is_some_and(|first| *first > at) {
            before.extend(fill.first());
        }
    }
    before
}

/// Names a circle among the seeds that are left.
fn cycle(wishes: &[Wish], before: &[BTreeSet<usize>], placed: &[usize]) -> Error {
    let next = |at: usize| before[at].iter().copied().find(|other| !placed.contains(other));
    let mut walk = Vec::new();
    let mut at = (0..wishes.len()).find(|at| !placed.contains(at));
    while let Some(here) = at.filter(|here| !walk.contains(here)) {
        walk.push(here);
        at = next(here);
    }
    let start = walk.iter().position(|here| Some(*here) == at).unwrap_or(0);
    let names: Vec<&str> = walk[start..].iter().chain(at.iter()).map(|at| wishes[*at].name.as_str()).collect();
    Error::new(ErrorKind::Cycle, format!("seeds need each other in a circle: {}", names.join(" -> ")))
        .with_hint("leave a column that points to the other table out of one of them, and fill it in a later seed for the same rows")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn ordered(wishes: &[(&str, Option<&str>, &[&str])]) -> Result<Vec<String>> {
        let wish = |(name, table, needs): &(&str, Option<&str>, &[&str])| Wish {
            name: (*name).to_owned(),
            table: table.map(str::to_owned),
            needs: needs.iter().map(|table| (*table).to_owned()).collect(),
        };
        let wishes: Vec<Wish> = wishes.iter().map(wish).collect();
        Ok(order(&wishes)?.into_iter().map(|at| wishes[at].name.clone()).collect())
    }

    #[test]
    fn seeds_run_as_named_but_after_what_they_point_to() {
        let seeds: [(&str, Option<&str>, &[&str]); 4] = [
            ("attendance", Some("attendance"), &["users", "courses"]),
            ("courses", Some("courses"), &["users"]),
            ("more", None, &[]),
            ("users", Some("users"), &["users", "elsewhere"]),
        ];
        assert_eq!(ordered(&seeds).unwrap(), ["more", "users", "courses", "attendance"]);
        assert!(ordered(&[]).unwrap().is_empty());
    }

    #[test]
    fn a_circle_is_named_and_a_second_seed_for_the_same_table_breaks_it() {
        let circle: [(&str, Option<&str>, &[&str]); 3] =
            [("a", Some("t0"), &["t1"]), ("teams", Some("t1"), &["t2"]), ("users", Some("t2"), &["t1"])];
        assert_eq!(
            ordered(&circle).unwrap_err().to_string(),
            "seeds need each other in a circle: teams -> users -> teams"
        );
        let broken: [(&str, Option<&str>, &[&str]); 3] = [
            ("users", Some("users"), &[]),
            ("teams", Some("teams"), &["users"]),
            ("users teams", Some("users"), &["teams"]),
        ];
        assert_eq!(ordered(&broken).unwrap(), ["users", "teams", "users teams"]);
    }
}
