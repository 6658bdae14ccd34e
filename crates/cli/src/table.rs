//! Tables on a terminal.

use comfy_table::{Cell, CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};

/// A line under the headings and nothing else: a table is read, not framed.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A table with these headings.
pub(crate) fn table<'h>(headings: impl IntoIterator<Item = &'h str>) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(headings);
    table
}

/// A number, to the right.
pub(crate) fn number(text: impl ToString) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

/// So many of a thing: `1 row`, `2 rows`.
pub(crate) fn counted(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// Bytes for people: `1.4 MiB`.
pub(crate) fn bytes(count: u64) -> String {
    indicatif::BinaryBytes(count).to_string()
}

/// A duration that is known in whole milliseconds, and is not shown as if it were known better.
pub(crate) fn milliseconds(count: u64) -> String {
    if count < 1_000 { format!("{count} ms") } else { duration(std::time::Duration::from_millis(count)) }
}

/// A duration for people: `0.4 ms`, `12 ms`, `1.3 s`, `4 m 10 s`.
pub(crate) fn duration(length: std::time::Duration) -> String {
    let milliseconds = length.as_secs_f64() * 1_000.0;
    match milliseconds {
        ..10.0 => format!("{milliseconds:.1} ms"),
        ..1_000.0 => format!("{milliseconds:.0} ms"),
        ..60_000.0 => format!("{:.1} s", milliseconds / 1_000.0),
        _ => format!("{} m {} s", length.as_secs() / 60, length.as_secs() % 60),
    }
}
