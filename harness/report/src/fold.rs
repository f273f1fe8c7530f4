//! Folding a matrix that is too large to read: what is all well moves together, and every
//! square that needs a look stays in sight.

use crate::matrix::{Column, Fold, Matrix};
use crate::text::{counted, thousands};

/// Fold every group of which no square needs a look into one column.
pub(crate) fn fold_groups<S: Fold>(matrix: &Matrix<S>) -> Matrix<S> {
    let mut parts: Vec<(Column, Vec<usize>)> = Vec::new();
    for members in groups(matrix) {
        let is_well = !members.iter().any(|column| matrix.column_is_problem(*column));
        let group = &matrix.columns[members[0]].group;
        if is_well && members.len() > 1 && !group.is_empty() {
            let name = counted(members.len(), "target");
            parts.push((Column { group: group.clone(), name }, members));
        } else {
            let kept =
                members.iter().map(|column| (matrix.columns[*column].clone(), vec![*column]));
            parts.extend(kept);
        }
    }
    with_columns(matrix, &parts)
}

/// Keep at most so many columns that are well and so many that need a look, and fold the
/// others into one of each kind at the end: a fold never mixes the two.
pub(crate) fn fold_columns<S: Fold>(matrix: &Matrix<S>, keep: Keep) -> Matrix<S> {
    let picked = pick(matrix.columns.len(), |column| matrix.column_is_problem(column), keep);
    let alone = |column: usize| (matrix.columns[column].clone(), vec![column]);
    let mut parts: Vec<(Column, Vec<usize>)> = picked.shown.into_iter().map(alone).collect();
    for members in picked.folded {
        let name = format!("{} more", thousands(members.len()));
        parts.push((Column { group: String::new(), name }, members));
    }
    with_columns(matrix, &parts)
}

/// The same for rows.
pub(crate) fn fold_rows<S: Fold>(matrix: &Matrix<S>, keep: Keep) -> Matrix<S> {
    let picked = pick(matrix.rows.len(), |row| matrix.row_is_problem(row), keep);
    let mut folded = Matrix { rows: Vec::new(), squares: Vec::new(), ..matrix.clone() };
    for row in picked.shown {
        folded.rows.push(matrix.rows[row].clone());
        folded.squares.push(matrix.squares[row].clone());
    }
    for members in picked.folded {
        let sum_of = |column: usize| sum(members.iter().map(|row| &matrix.squares[*row][column]));
        folded.rows.push(format!("{} more", thousands(members.len())));
        folded.squares.push((0..matrix.columns.len()).map(sum_of).collect());
    }
    folded
}

/// How many rows or columns are shown on their own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keep {
    /// Of those in which all is well.
    pub well_max: usize,
    /// Of those that need a look.
    pub problem_max: usize,
}

/// What is shown, and what is folded together: problems, then what is well; neither if empty.
struct Picked {
    shown: Vec<usize>,
    folded: Vec<Vec<usize>>,
}

fn pick(count: usize, is_problem: impl Fn(usize) -> bool, keep: Keep) -> Picked {
    let mut shown = Vec::new();
    let (mut problems, mut well) = ((0, Vec::new()), (0, Vec::new()));
    for index in 0..count {
        let (kind, max) = match is_problem(index) {
            true => (&mut problems, keep.problem_max),
            false => (&mut well, keep.well_max),
        };
        if kind.0 < max {
            kind.0 += 1;
            shown.push(index);
        } else {
            kind.1.push(index);
        }
    }
    let mut folded = Vec::new();
    for members in [problems.1, well.1] {
        // One alone takes no more room than a fold of one, and says more.
        if members.len() > 1 { folded.push(members) } else { shown.extend(members) }
    }
    shown.sort_unstable();
    Picked { shown, folded }
}

/// Indices of columns, by group, in order.
pub(crate) fn groups<S>(matrix: &Matrix<S>) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (index, column) in matrix.columns.iter().enumerate() {
        match groups.last_mut() {
            Some(last) if matrix.columns[last[0]].group == column.group => last.push(index),
            _ => groups.push(vec![index]),
        }
    }
    groups
}

fn with_columns<S: Fold>(matrix: &Matrix<S>, parts: &[(Column, Vec<usize>)]) -> Matrix<S> {
    let fold_row = |row: &Vec<S>| {
        let of_part = |(_, members): &(Column, Vec<usize>)| sum(members.iter().map(|m| &row[*m]));
        parts.iter().map(of_part).collect::<Vec<S>>()
    };
    Matrix {
        topic: matrix.topic.clone(),
        rows: matrix.rows.clone(),
        columns: parts.iter().map(|(column, _)| column.clone()).collect(),
        squares: matrix.squares.iter().map(fold_row).collect(),
    }
}

fn sum<'a, S: Fold + 'a>(squares: impl Iterator<Item = &'a S>) -> S {
    let mut total = S::default();
    for square in squares {
        total.add(square);
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::square::{Square, Word};

    fn square(word: Word) -> Square {
        let mut square = Square::default();
        square.enter(word);
        square
    }

    fn matrix(words: &[&[Word]]) -> Matrix {
        let column =
            |index: usize| Column { group: format!("g{}", index / 2), name: format!("c{index}") };
        Matrix {
            topic: "isolation".to_string(),
            rows: (0..words.len()).map(|row| format!("r{row}")).collect(),
            columns: (0..words[0].len()).map(column).collect(),
            squares: words
                .iter()
                .map(|row| row.iter().map(|word| square(*word)).collect())
                .collect(),
        }
    }

    #[test]
    fn a_group_with_a_problem_is_not_folded() {
        let folded = fold_groups(&matrix(&[&[Word::Ok, Word::Ok, Word::Ok, Word::Leak]]));
        let names: Vec<&str> = folded.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["2 targets", "c2", "c3"]);
        assert_eq!(folded.squares[0][0].to_string(), "ok 2");
    }

    #[test]
    fn folding_columns_keeps_every_problem_and_every_cell() {
        let whole = matrix(&[&[Word::Ok, Word::Ok, Word::Ok, Word::Leak]]);
        let folded = fold_columns(&whole, Keep { well_max: 0, problem_max: 9 });
        let names: Vec<&str> = folded.columns.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["c3", "3 more"]);
        assert_eq!(folded.total(), whole.total());
    }

    #[test]
    fn a_fold_of_one_is_shown_as_what_it_is() {
        let folded =
            fold_rows(&matrix(&[&[Word::Ok], &[Word::Ok]]), Keep { well_max: 1, problem_max: 1 });
        assert_eq!(folded.rows, ["r0", "r1"]);
    }

    #[test]
    fn folding_rows_keeps_problems_apart_from_what_is_well() {
        let words = [Word::Ok, Word::Cut, Word::Ok, Word::Unknown, Word::Leak, Word::Ok];
        let rows: Vec<&[Word]> = words.iter().map(std::slice::from_ref).collect();
        let whole = matrix(&rows);
        let folded = fold_rows(&whole, Keep { well_max: 1, problem_max: 1 });
        assert_eq!(folded.rows, ["r0", "r1", "2 more", "2 more"]);
        assert_eq!(folded.squares[2][0].to_string(), "LEAK 1/2");
        assert_eq!(folded.total(), whole.total());
    }
}
