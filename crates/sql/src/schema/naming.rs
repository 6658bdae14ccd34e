//! Names of indexes and constraints that were given none: `table_columns_kind`.
//!
//! They are cut to 63 bytes on every engine, which the shortest limit allows, and not to each engine's own: the same migration makes the
//! same names everywhere.

use crate::{Name, Path};

/// What names end in.
pub(crate) const PLAIN: &str = "index";
pub(crate) const UNIQUE: &str = "unique";
pub(crate) const FULL_TEXT: &str = "fulltext";
pub(crate) const FOREIGN: &str = "foreign";
pub(crate) const CHECK: &str = "check";

/// The most bytes that every engine takes for a name.
const LONGEST: usize = 63;

/// The name of an index or constraint of these columns of a table.
pub(crate) fn name_of<'n>(table: &Path, columns: impl IntoIterator<Item = &'n Name>, kind: &str) -> Name {
    let mut whole = table.parts().last().unwrap_or_default().to_owned();
    for column in columns {
        whole.push('_');
        whole.push_str(column.as_str());
    }
    whole.push('_');
    let full = format!("{whole}{kind}");
    if full.len() <= LONGEST {
        return full.into();
    }
    let tail = format!("_{:08x}_{kind}", digest(&full));
    let mut end = LONGEST.saturating_sub(tail.len());
    while !whole.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{tail}", &whole[..end]).into()
}

/// The name of a foreign key of these columns that was given none.
pub fn foreign_key_name(table: &Path, columns: &[Name]) -> Name {
    name_of(table, columns, FOREIGN)
}

/// FNV-1a, folded to 32 bits: names must be the same in every version of every program.
/// <http://www.isthe.com/chongo/tech/comp/fnv/>
fn digest(text: &str) -> u32 {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    ((hash >> 32) ^ hash) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(table: &str, columns: &[&str], kind: &str) -> String {
        let columns: Vec<Name> = columns.iter().map(|column| (*column).into()).collect();
        name_of(&table.into(), &columns, kind).as_str().to_owned()
    }

    #[test]
    fn names_are_made_of_table_columns_and_kind() {
        assert_eq!(name("app.users", &["first", "last"], UNIQUE), "users_first_last_unique");
    }

    #[test]
    fn long_names_are_cut_and_stay_apart() {
        let long = "a".repeat(70);
        let (one, other) = (name(&long, &["x"], PLAIN), name(&long, &["y"], PLAIN));
        assert_eq!(one.len(), 63);
        assert!(one.ends_with("_index"));
        assert_ne!(one, other);
        // The name of a release: it must never change.
        assert_eq!(name("t", &[&"é".repeat(40)], PLAIN), format!("t_{}_10edf567_index", "é".repeat(23)));
    }
}
