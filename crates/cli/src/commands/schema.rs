//! `dbkeep schema show`

use super::Context;
use crate::args::SchemaCommand;
use crate::error::{Error, Result};
use crate::exit_code::ExitCode;
use crate::output::Output;
use crate::table::{bytes, number, table};
use comfy_table::Cell;
use dbkeep::engine::{Catalog, CatalogOptions, ColumnInfo, Index, Table};
use owo_colors::OwoColorize;

pub(super) async fn run(context: &Context, command: SchemaCommand) -> Result<ExitCode> {
    let SchemaCommand::Show { tables } = command;
    let database = context.config()?.open().await?;
    let options = CatalogOptions::default().tables(tables.iter().cloned());
    let catalog = database.acquire_read().await?.catalog(&options).await;
    database.close().await;
    let catalog = catalog?;
    for name in &tables {
        if catalog.table(name).is_none() && catalog.view(name).is_none() {
            return Err(Error::failed(format!("there is no table or view named {name:?}"))
                .hint("dbkeep schema show lists what there is"));
        }
    }
    if context.output.json {
        context.output.document(&catalog)?;
    } else if tables.is_empty() {
        overview(&context.output, &catalog);
    } else {
        catalog.tables.iter().for_each(|table| in_full(&context.output, table, &catalog));
        for view in &catalog.views {
            context.output.line(format_args!("{} {}", "view".dimmed(), view.name.bold()));
            context.output.line(columns(&view.columns));
            if let Some(definition) = &view.definition {
                context.output.line(definition.trim());
            }
        }
    }
    Ok(ExitCode::Done)
}

fn qualified(schema: Option<&str>, name: &str) -> String {
    schema.map_or_else(|| name.to_owned(), |schema| format!("{schema}.{name}"))
}

fn overview(output: &Output, catalog: &Catalog) {
    if catalog.tables.is_empty() && catalog.views.is_empty() {
        output.line("no tables yet");
        output.note("next: dbkeep migrate create create_users_table, then dbkeep migrate");
        return;
    }
    let mut rows = table(["table", "columns", "indexes", "rows (estimate)", "size"]);
    for table in &catalog.tables {
        rows.add_row([
            Cell::new(qualified(table.schema.as_deref(), &table.name)),
            number(table.columns.len()),
            number(table.indexes.len()),
            number(table.estimated_rows.map(|rows| rows.to_string()).unwrap_or_default()),
            number(table.size_bytes.map(bytes).unwrap_or_default()),
        ]);
    }
    output.line(rows);
    let names = |kind: &str, names: Vec<String>| {
        if !names.is_empty() {
            output.line(format_args!("{}: {}", kind.bold(), names.join(", ")));
        }
    };
    names("views", catalog.views.iter().map(|view| qualified(view.schema.as_deref(), &view.name)).collect());
    names(
        "triggers",
        catalog.triggers.iter().map(|trigger| format!("{} on {}", trigger.name, trigger.table)).collect(),
    );
    names(
        "routines",
        catalog.routines.iter().map(|routine| qualified(routine.schema.as_deref(), &routine.name)).collect(),
    );
    names(
        "sequences",
        catalog.sequences.iter().map(|sequence| qualified(sequence.schema.as_deref(), &sequence.name)).collect(),
    );
}

fn columns(columns: &[ColumnInfo]) -> comfy_table::Table {
    let mut rows = table(["column", "type", "null", "default", ""]);
    for column in columns {
        let mut notes = Vec::new();
        if column.auto_increment {
            notes.push("counts up".to_owned());
        }
        if let Some(generated) = &column.generated {
            notes.push(format!(
                "generated{}: {}",
                if generated.stored { ", stored" } else { "" },
                generated.expression
            ));
        }
        notes.extend(column.comment.clone());
        rows.add_row([
            column.name.as_str(),
            column.type_name.as_str(),
            if column.nullable { "yes" } else { "no" },
            column.default.as_deref().unwrap_or(""),
            &notes.join("; "),
        ]);
    }
    rows
}

fn in_full(output: &Output, table: &Table, catalog: &Catalog) {
    output.line(format_args!("{} {}", "table".dimmed(), qualified(table.schema.as_deref(), &table.name).bold()));
    output.line(columns(&table.columns));
    if !table.primary_key.is_empty() {
        output.line(format_args!("primary key ({})", table.primary_key.join(", ")));
    }
    for index in &table.indexes {
        output.line(describe(index));
    }
    for key in &table.foreign_keys {
        output.line(format_args!(
            "foreign key ({}) to {} ({}) on delete {} on update {}",
            key.columns.join(", "),
            qualified(
                key.referenced_schema.as_deref().filter(|schema| table.schema.as_deref() != Some(schema)),
                &key.referenced_table
            ),
            key.referenced_columns.join(", "),
            key.on_delete.to_lowercase(),
            key.on_update.to_lowercase(),
        ));
    }
    for check in &table.checks {
        // SQLite's usual checks have no name.
        let name = if check.name.is_empty() { String::new() } else { format!("{} ", check.name) };
        output.line(format_args!("check {name}{}", check.expression));
    }
    for trigger in catalog.triggers.iter().filter(|trigger| trigger.table == table.name) {
        output.line(format_args!(
            "trigger {} {} {}",
            trigger.name,
            trigger.timing.to_lowercase(),
            trigger.event.to_lowercase()
        ));
    }
}

fn describe(index: &Index) -> String {
    let columns: Vec<_> = index
        .columns
        .iter()
        .map(|column| {
            let prefix = column.prefix.map(|length| format!("({length})")).unwrap_or_default();
            format!("{}{prefix}{}", column.name, if column.descending { " desc" } else { "" })
        })
        .collect();
    let unique = if index.unique { "unique index" } else { "index" };
    let predicate = index.predicate.as_deref().map(|predicate| format!(" where {predicate}")).unwrap_or_default();
    format!("{unique} {} ({}){predicate}", index.name, columns.join(", "))
}
