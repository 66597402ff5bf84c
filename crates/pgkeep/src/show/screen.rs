//! Writing to the screen. A reader that goes away (`pgkeep list | head`) is no error.

use std::io::Write;

use serde::Serialize;
use unicode_width::UnicodeWidthStr;

/// A line to standard output.
pub(crate) fn print(line: impl AsRef<str>) {
    let _ = writeln!(std::io::stdout(), "{}", line.as_ref());
}

/// A line to standard error.
pub(crate) fn warn(line: impl AsRef<str>) {
    let _ = writeln!(std::io::stderr(), "{}", line.as_ref());
}

/// A value as JSON to standard output, on one line.
pub(crate) fn print_json(value: &impl Serialize) {
    print(serde_json::to_string(value).unwrap_or_default());
}

/// A table of columns; those in `right` (from 0) hold numbers.
pub(crate) fn table(head: &[&str], right: &[usize], rows: Vec<Vec<String>>) {
    let head = head.iter().map(|h| (*h).to_owned()).collect();
    let lines: Vec<Vec<String>> = std::iter::once(head).chain(rows).collect();
    let widths: Vec<usize> = (0..lines[0].len())
        .map(|i| lines.iter().filter_map(|l| l.get(i)).map(|cell| cell.width()).max().unwrap_or(0))
        .collect();
    for line in &lines {
        let mut text = String::new();
        for (i, (cell, width)) in line.iter().zip(&widths).enumerate() {
            let pad = " ".repeat(width - cell.width());
            text += &if right.contains(&i) { format!("{pad}{cell}  ") } else { format!("{cell}{pad}  ") };
        }
        print(text.trim_end());
    }
}

/// Cuts the cells of one column until the rows of a table fit into `width` columns; some of each cell stays.
pub(crate) fn shorten(rows: &mut [Vec<String>], column: usize, width: usize) {
    const LEAST: usize = 8;
    let widest = |i: usize| rows.iter().filter_map(|r| r.get(i)).map(|c| c.width()).max().unwrap_or(0);
    let columns = rows.first().map_or(0, Vec::len);
    let others: usize = (0..columns).filter(|i| *i != column).map(|i| widest(i) + 2).sum();
    let room = width.saturating_sub(others).max(LEAST);
    for cell in rows.iter_mut().filter_map(|r| r.get_mut(column)).filter(|c| c.width() > room) {
        while cell.width() >= room {
            cell.pop();
        }
        cell.push('…');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_cut_until_the_table_fits_and_not_to_nothing() {
        let row = |name: &str| vec![name.to_owned(), "x".repeat(20)];
        let mut rows = [row("short"), row("a name that is far too long")];
        shorten(&mut rows, 0, 40);
        assert_eq!(rows.map(|r| r[0].clone()), ["short", "a name that is fa…"]);
        let mut rows = [row("a name that is far too long")];
        shorten(&mut rows, 0, 10);
        assert_eq!(rows[0][0], "a name …");
    }
}
