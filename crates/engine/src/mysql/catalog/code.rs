//! Triggers, routines and events.

use super::{Reader, maybe, text};
use crate::{Result, Routine, RoutineKind, Trigger};
use std::collections::BTreeMap;

pub(super) async fn triggers(reader: &mut Reader<'_>) -> Result<Vec<Trigger>> {
    let rows = reader
        .rows(
            "SELECT trigger_name, event_object_table, action_timing, event_manipulation, action_statement \
             FROM information_schema.triggers WHERE trigger_schema = ?",
            "event_object_table",
        )
        .await?;
    let mut triggers = Vec::new();
    for row in &rows {
        triggers.push(Trigger {
            schema: None,
            name: text(row, 0)?,
            table: text(row, 1)?,
            timing: text(row, 2)?,
            // MariaDB since 12 knows several events of one trigger.
            event: text(row, 3)?.replace(',', " OR "),
            definition: maybe(row, 4)?,
        });
    }
    triggers.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(triggers)
}

/// Functions, procedures and events.
pub(super) async fn routines(reader: &mut Reader<'_>) -> Result<Vec<Routine>> {
    let mut arguments: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    let rows = reader
        .rows_in_order(
            "SELECT routine_type, specific_name, parameter_mode, parameter_name, dtd_identifier \
             FROM information_schema.parameters WHERE ordinal_position > 0 AND specific_schema = ?",
            "specific_name",
            " ORDER BY routine_type, specific_name, ordinal_position",
        )
        .await?;
    for row in &rows {
        let kind = text(row, 0)?;
        let argument = format!("{} {}", text(row, 3)?, text(row, 4)?);
        // The arguments of a function only go in.
        let argument = if kind == "FUNCTION" { argument } else { format!("{} {argument}", text(row, 2)?) };
        arguments.entry((kind, text(row, 1)?)).or_default().push(argument);
    }
    let mut routines = Vec::new();
    let rows = reader
        .rows(
            "SELECT routine_type, routine_name, routine_definition FROM information_schema.routines \
             WHERE routine_schema = ?",
            "routine_name",
        )
        .await?;
    for row in &rows {
        let (kind, name) = (text(row, 0)?, text(row, 1)?);
        let arguments = arguments.remove(&(kind.clone(), name.clone())).unwrap_or_default().join(", ");
        let kind = if kind == "PROCEDURE" { RoutineKind::Procedure } else { RoutineKind::Function };
        routines.push(Routine { schema: None, name, kind, arguments, definition: maybe(row, 2)? });
    }
    let rows = reader
        .rows("SELECT event_name, event_definition FROM information_schema.events WHERE event_schema = ?", "event_name")
        .await?;
    for row in &rows {
        routines.push(Routine {
            schema: None,
            name: text(row, 0)?,
            kind: RoutineKind::Event,
            arguments: String::new(),
            definition: maybe(row, 1)?,
        });
    }
    routines.sort_by(|a, b| (&a.name, &a.arguments).cmp(&(&b.name, &b.arguments)));
    Ok(routines)
}
