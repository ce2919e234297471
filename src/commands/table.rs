//! Tables, the same in every command: no lines, words wrapped to the terminal, numbers to the right.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::one_line;

/// A column.
#[derive(Debug, Clone, Copy)]
pub enum Column {
    /// Words.
    Words(&'static str),
    /// Numbers, to the right.
    Number(&'static str),
}

/// A table of these rows; what commands a terminal is taken out of every cell, but a cell keeps its line breaks.
pub fn table<const N: usize>(
    columns: [Column; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(columns.map(|column| match column {
        Column::Words(name) | Column::Number(name) => name,
    }));
    for row in rows {
        table.add_row(row.map(|cell| {
            let lines = cell.lines().map(one_line);
            lines.collect::<Vec<_>>().join("\n")
        }));
    }
    for (at, column) in columns.iter().enumerate() {
        if let (Column::Number(_), Some(column)) = (column, table.column_mut(at)) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines = table.to_string();
    let lines = lines.lines().map(|line| format!("{}\n", line.trim_end()));
    lines.collect()
}

/// `2026-11-21 02:00:07` of an RFC 3339 instant.
pub fn instant(text: &str) -> String {
    text.get(..19).unwrap_or(text).replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_stand_to_the_right_and_no_line_ends_in_blanks() {
        let shown = table(
            [Column::Words("what"), Column::Number("count")],
            [
                ["a\u{1b}[2J\nb".to_owned(), "7".to_owned()],
                [String::new(), "1200".to_owned()],
            ],
        );
        assert_eq!(shown, " what   count\n a [2J      7\n b\n         1200\n");
    }

    #[test]
    fn an_instant_is_shortened_to_its_seconds() {
        assert_eq!(instant("2026-11-21T02:00:07.123Z"), "2026-11-21 02:00:07");
        assert_eq!(instant("soon"), "soon");
    }
}
