//! A matrix in columns of text, in as many bands as the terminal's width asks for.

use super::paint::{Tone, tone_of_square, tone_of_word};
use super::render::ConsoleOptions;
use crate::fold::{Keep, fold_columns, fold_groups, fold_rows};
use crate::matrix::{Column, Fold, Matrix};
use crate::square::{Square, Word};
use crate::text::{cut, fit, pad, thousands, width};

/// The widest name of a row, of a column, and of a group over its columns.
const ROW_MAX: usize = 22;
const COLUMN_MAX: usize = 18;
const GROUP_MAX: usize = 20;
/// Between columns of one group, and between groups.
const GAP: &str = "  ";
const BAR: &str = " │ ";
/// Between entries of the legend.
const ENTRY_GAP: &str = "   ";
/// A matrix of more bands than this is folded further.
const BANDS_MAX: usize = 3;
/// A matrix of more rows than this is folded too.
const ROWS_MAX: usize = 20;
const ROWS: Keep = Keep { well_max: 8, problem_max: 16 };
const COLUMNS: Keep = Keep { well_max: 4, problem_max: 16 };

/// Columns that stand side by side, with their widths.
struct Band {
    columns: Vec<usize>,
    widths: Vec<usize>,
}

/// The matrix as lines, with a title that sums it up.
pub(super) fn matrix(whole: &Matrix, options: &ConsoleOptions) -> Vec<String> {
    let mut matrix = whole.clone();
    if matrix.rows.len() > ROWS_MAX {
        matrix = fold_rows(&matrix, ROWS);
    }
    if bands(&matrix, options.width).len() > 1 {
        matrix = fold_groups(&matrix);
    }
    if bands(&matrix, options.width).len() > BANDS_MAX {
        matrix = fold_columns(&matrix, COLUMNS);
    }
    let mut lines = vec![title(whole, options)];
    for (place, band) in bands(&matrix, options.width).iter().enumerate() {
        if place > 0 {
            lines.push(String::new());
        }
        lines.extend(band_lines(&matrix, band, options));
    }
    lines
}

/// What the words mean, for those that occur.
pub(super) fn legend(
    matrices: &[Matrix],
    is_offline: bool,
    options: &ConsoleOptions,
) -> Vec<String> {
    let mut total = Square::default();
    for matrix in matrices {
        total.add(&matrix.total());
    }
    let words = total.words();
    if words.is_empty() {
        return Vec::new();
    }
    let entry = |word: &Word| format!("{} {}", word.text(), word.meaning(is_offline));
    let mut entries: Vec<String> = words.iter().map(entry).collect();
    let is_asked = |square: &Square| square.word().is_some();
    if !matrices.iter().flat_map(|matrix| matrix.squares.iter().flatten()).all(is_asked) {
        entries.push("· not asked".to_string());
    }
    if total.is_problem() {
        entries.push("2/24 this many of its cells".to_string());
    }
    let quiet = |line: String| options.colour.paint(Tone::Quiet, &line);
    flow(&entries, options.width).into_iter().map(quiet).collect()
}

/// Entries side by side, never broken within themselves unless one is wider than the line.
fn flow(entries: &[String], max: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for entry in entries.iter().map(|entry| cut(entry, max)) {
        match lines.last_mut() {
            Some(line) if width(line) + ENTRY_GAP.len() + width(&entry) <= max => {
                line.push_str(ENTRY_GAP);
                line.push_str(&entry);
            }
            _ => lines.push(entry),
        }
    }
    lines
}

fn title(whole: &Matrix, options: &ConsoleOptions) -> String {
    let total = whole.total();
    let counts = total.words().into_iter().map(|word| {
        let text = format!("{} {}", word.text(), thousands(total.count(word)));
        options.colour.paint(tone_of_word(word), &text)
    });
    let counts = counts.collect::<Vec<_>>().join(" · ");
    let name = options.colour.paint(Tone::Strong, &fit(&whole.topic, ROW_MAX));
    format!("{name}  {counts}")
}

fn bands(matrix: &Matrix, total_width: usize) -> Vec<Band> {
    let room = total_width.saturating_sub(row_width(matrix) + width(BAR));
    let mut bands: Vec<Band> = Vec::new();
    let mut used = 0;
    for column in 0..matrix.columns.len() {
        let of_column = column_width(matrix, column);
        let is_new_group = column == 0 || group(matrix, column) != group(matrix, column - 1);
        let gap = if is_new_group { width(BAR) } else { width(GAP) };
        match bands.last_mut() {
            Some(band) if used + gap + of_column <= room => {
                used += gap + of_column;
                band.columns.push(column);
                band.widths.push(of_column);
            }
            _ => {
                used = of_column;
                bands.push(Band { columns: vec![column], widths: vec![of_column] });
            }
        }
    }
    bands
}

fn group(matrix: &Matrix, column: usize) -> &str {
    &matrix.columns[column].group
}

fn row_width(matrix: &Matrix) -> usize {
    matrix.rows.iter().map(|row| width(row).min(ROW_MAX)).max().unwrap_or(0)
}

/// Wide enough for its squares, its name, and its part of the group's name.
fn column_width(matrix: &Matrix, column: usize) -> usize {
    let squares = matrix.squares.iter().map(|row| width(&row[column].to_string())).max();
    let name = width(&matrix.columns[column].name).min(COLUMN_MAX);
    let of_group = group(matrix, column);
    let before = matrix.columns[..column].iter().rev();
    let after = matrix.columns[column + 1..].iter();
    let is_same = |other: &&Column| other.group == of_group;
    let siblings = 1 + before.take_while(is_same).count() + after.take_while(is_same).count();
    let gaps = width(GAP) * (siblings - 1);
    let share = width(of_group).min(GROUP_MAX).saturating_sub(gaps).div_ceil(siblings);
    squares.unwrap_or(0).max(name).max(share)
}

fn band_lines(matrix: &Matrix, band: &Band, options: &ConsoleOptions) -> Vec<String> {
    let label = row_width(matrix);
    let names = |place: usize| {
        let column = &matrix.columns[band.columns[place]];
        pad(&fit(&column.name, band.widths[place]), band.widths[place])
    };
    let has_groups = band.columns.iter().any(|column| !group(matrix, *column).is_empty());
    let mut lines = Vec::new();
    if has_groups {
        lines.push(format!("{}{BAR}{}", pad("", label), group_line(matrix, band)));
    }
    lines.push(format!("{}{BAR}{}", pad("", label), line(matrix, band, names)));
    lines.push(options.colour.paint(Tone::Quiet, &rule(matrix, band, label)));
    for (row, squares) in matrix.rows.iter().zip(&matrix.squares) {
        let square = |place: usize| {
            let square = &squares[band.columns[place]];
            options
                .colour
                .paint(tone_of_square(square), &pad(&square.to_string(), band.widths[place]))
        };
        let name = pad(&fit(row, ROW_MAX), label);
        lines.push(format!("{name}{BAR}{}", line(matrix, band, square)));
    }
    lines
}

/// One text for each column, with what stands between them.
fn line(matrix: &Matrix, band: &Band, text: impl Fn(usize) -> String) -> String {
    let mut line = String::new();
    for place in 0..band.columns.len() {
        if place > 0 {
            line.push_str(if starts_group(matrix, band, place) { BAR } else { GAP });
        }
        line.push_str(&text(place));
    }
    line
}

fn starts_group(matrix: &Matrix, band: &Band, place: usize) -> bool {
    place == 0 || group(matrix, band.columns[place]) != group(matrix, band.columns[place - 1])
}

/// The name of every group, once over all of its columns in this band.
fn group_line(matrix: &Matrix, band: &Band) -> String {
    let mut spans: Vec<(usize, &str)> = Vec::new();
    for place in 0..band.columns.len() {
        let of_column = band.widths[place];
        match spans.last_mut() {
            Some(span) if !starts_group(matrix, band, place) => span.0 += width(GAP) + of_column,
            _ => spans.push((of_column, group(matrix, band.columns[place]))),
        }
    }
    let names = spans.iter().map(|(span, name)| pad(&fit(name, *span), *span));
    names.collect::<Vec<_>>().join(BAR)
}

fn rule(matrix: &Matrix, band: &Band, label: usize) -> String {
    let of_place = |place: usize| "─".repeat(band.widths[place]);
    let rule = line(matrix, band, of_place).replace(BAR, "─┼─").replace(' ', "─");
    format!("{}─┼─{rule}", "─".repeat(label))
}
