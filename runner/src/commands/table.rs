//! Tables for people. Columns are as wide as their widest cell on a terminal, where some characters take two columns.

use super::output::plain;
use unicode_width::UnicodeWidthStr;

const GAP: &str = "  ";

/// The alignment of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    /// Text.
    Left,
    /// Numbers.
    Right,
}

/// The table as lines: a head, then the rows. Control characters in cells are replaced.
pub(super) fn layout<const N: usize>(columns: [(&str, Align); N], rows: &[[String; N]]) -> String {
    let head = columns.map(|(name, _)| name.to_owned());
    let cells: Vec<[String; N]> =
        std::iter::once(&head).chain(rows).map(|row| row.each_ref().map(|cell| plain(cell))).collect();
    let mut widths = [0; N];
    for row in &cells {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.width().max(*width);
        }
    }
    let mut text = String::new();
    for row in &cells {
        let padded = row.iter().zip(widths).zip(columns).map(|((cell, width), (_, align))| pad(cell, width, align));
        // Spaces at the end of a line would wrap on a terminal that is just wide enough.
        text.push_str(padded.collect::<Vec<_>>().join(GAP).trim_end());
        text.push('\n');
    }
    text
}

fn pad(cell: &str, width: usize, align: Align) -> String {
    let space = " ".repeat(width.saturating_sub(cell.width()));
    match align {
        Align::Left => format!("{cell}{space}"),
        Align::Right => format!("{space}{cell}"),
    }
}

#[cfg(test)]
mod tests {
    use super::Align::{Left, Right};
    use super::layout;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_end_without_spaces() {
        let rows =
            [["a".to_owned(), "1".to_owned(), "x".to_owned()], ["long".to_owned(), "12345".to_owned(), String::new()]];
        assert_eq!(
            layout([("name", Left), ("ms", Right), ("note", Left)], &rows),
            "name     ms  note\na         1  x\nlong  12345\n"
        );
    }

    #[test]
    fn chinese_characters_take_two_columns() {
        let rows = [["笔记本".to_owned(), "是".to_owned()], ["laptop".to_owned(), "否".to_owned()]];
        assert_eq!(layout([("名称", Left), ("启用", Left)], &rows), "名称    启用\n笔记本  是\nlaptop  否\n");
    }

    #[test]
    fn a_cell_cannot_break_its_line() {
        let rows = [["a\nb".to_owned()]];
        assert_eq!(layout([("n", Left)], &rows).lines().count(), 2);
    }
}
