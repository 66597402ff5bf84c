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
