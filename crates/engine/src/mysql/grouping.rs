//! In how many ALTER TABLE statements changes are made: as few as keep their meaning.

use super::dialect::MySqlDialect;
use dbkeep_sql::{Change, IndexKey, Name, Position};

impl MySqlDialect {
    /// The changes in as few statements as keep their meaning: instant ones apart from those that take their time, since a
    /// statement is as slow as the slowest of its changes.
    pub(super) fn groups<'c>(&self, changes: &'c [Change]) -> Vec<Vec<&'c Change>> {
        let mut groups: Vec<Vec<&Change>> = Vec::new();
        for change in changes {
            let class = self.impact_of(change).method;
            // As early as nothing it depends on comes later, in a statement of its kind.
            let after = groups.iter().rposition(|group| group.iter().any(|before| depends(change, before)));
            let from = after.unwrap_or(0);
            let place = groups.iter().enumerate().skip(from).find_map(|(at, group)| {
                // An index for a foreign key costs nothing more in the copy that the key takes, and the server makes none then.
                let beside_key = matches!(change, Change::AddIndex(_))
                    && group.iter().any(|before| matches!(before, Change::AddForeign(_)));
                let fits = (self.impact_of(group[0]).method == class || beside_key)
                    && !group.iter().any(|before| depends(change, before) && !may_share(change, before));
                fits.then_some(at)
            });
            match place {
                Some(at) => groups[at].push(change),
                None => groups.push(vec![change]),
            }
        }
        groups
    }
}

/// The names of columns that a change speaks of; `None` where it may be any.
fn names(change: &Change) -> Option<Vec<&Name>> {
    Some(match change {
        Change::AddColumn(column) | Change::ChangeColumn(column) => {
            if column.generated.is_some() || column.default.as_ref().is_some_and(|default| default.as_value().is_none())
            {
                return None;
            }
            let mut names = vec![&column.name];
            if let Some(Position::After(name)) = &column.position {
                names.push(name);
            }
            names
        }
        Change::RenameColumn { from, to } => vec![from, to],
        Change::DropColumn(name) | Change::SetDefault(name, _) => vec![name],
        Change::AddIndex(index) => {
            let mut names: Vec<&Name> = index.name.iter().collect();
            for part in &index.parts {
                match &part.key {
                    IndexKey::Column(name) => names.push(name),
                    IndexKey::Expression(_) => return None,
                }
            }
            names
        }
        Change::AddPrimary(columns) => columns.iter().collect(),
        Change::AddForeign(key) => key.columns.iter().chain(&key.name).collect(),
        _ => return None,
    })
}

/// Whether a change must come after one that was written before it.
fn depends(change: &Change, before: &Change) -> bool {
    // What goes by a name of its own may hang on any column and lean on any other key: a foreign key on an index, an index on no
    // primary key.
    let goes_by_name = |change: &Change| {
        matches!(
            change,
            Change::DropIndex(_)
                | Change::RenameIndex { .. }
                | Change::DropForeign(_)
                | Change::DropCheck(_)
                | Change::DropPrimary
        )
    };
    let is_key =
        |change: &Change| matches!(change, Change::AddIndex(_) | Change::AddForeign(_) | Change::AddPrimary(_));
    let is_free = |change: &Change| matches!(change, Change::AddColumn(_)) && names(change).is_some();
    if goes_by_name(change) || goes_by_name(before) {
        return !is_free(change) && !is_free(before);
    }
    if is_key(change) && is_key(before) {
        return true;
    }
    match (names(change), names(before)) {
        (Some(ours), Some(theirs)) => ours.iter().any(|name| theirs.iter().any(|other| same(name, other))),
        _ => true,
    }
}

/// Names of columns and indexes are the same in any case.
fn same(one: &Name, other: &Name) -> bool {
    one.as_str().to_lowercase() == other.as_str().to_lowercase()
}

/// Whether one statement may hold both although one depends on the other: a new column and what is then built on it, things that
/// go, options.
fn may_share(change: &Change, before: &Change) -> bool {
    let builds = |change: &Change| {
        matches!(
            change,
            Change::AddColumn(_)
                | Change::AddIndex(_)
                | Change::AddForeign(_)
                | Change::AddPrimary(_)
                | Change::AddCheck(_)
        )
    };
    let drops = |change: &Change| {
        matches!(change, Change::DropColumn(_) | Change::DropIndex(_) | Change::DropForeign(_) | Change::DropCheck(_))
    };
    let option = |change: &Change| matches!(change, Change::SetOption(_));
    (builds(change) && builds(before)) || (drops(change) && drops(before)) || (option(change) && option(before))
}
