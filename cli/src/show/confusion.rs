//! The confusion matrix.

use super::number::count;
use super::plain;
use super::table::{Align, table};

/// More classes do not fit on a screen.
const CLASSES_MAX: usize = 20;
/// Longer names stand before the rows only; the columns then have the rows' numbers.
const NAME_CHARS_MAX: usize = 8;

/// The matrix with its heads; nothing if it is empty, too large, or no square of the classes.
pub fn confusion(counts: &[u64], classes: &[String]) -> Option<String> {
    let n = classes.len();
    if n == 0 || n > CLASSES_MAX || counts.len() != n * n {
        return None;
    }
    let numbered = classes.iter().any(|name| name.chars().count() > NAME_CHARS_MAX);
    let clean = |name: &String| plain(name).replace(['\n', '\t'], " ");
    let head = |(index, name): (usize, &String)| if numbered { index.to_string() } else { clean(name) };
    let side = |index: usize, name: &String| if numbered { format!("{index} {}", clean(name)) } else { clean(name) };
    let mut rows = vec![std::iter::once(String::new()).chain(classes.iter().enumerate().map(head)).collect::<Vec<_>>()];
    for (index, (name, row)) in classes.iter().zip(counts.chunks(n)).enumerate() {
        rows.push(std::iter::once(side(index, name)).chain(row.iter().copied().map(count)).collect());
    }
    let columns: Vec<Align> = std::iter::once(Align::Left).chain(std::iter::repeat_n(Align::Right, n)).collect();
    Some(table(&columns, &rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn short_names_head_rows_and_columns() {
        let text = confusion(&[900, 1100, 8, 92], &names(&["cat", "dog"])).unwrap();
        assert_eq!(text, "     cat    dog\ncat  900  1,100\ndog    8     92");
    }

    #[test]
    fn long_names_are_numbered() {
        let text = confusion(&[9, 1, 0, 7], &names(&["T-shirt/top", "Bag"])).unwrap();
        assert_eq!(text, "               0  1\n0 T-shirt/top  9  1\n1 Bag          0  7");
    }

    #[test]
    fn what_is_no_matrix_is_not_shown() {
        assert_eq!(confusion(&[], &names(&["a", "b"])), None);
        assert_eq!(confusion(&[1, 2, 3], &names(&["a", "b"])), None);
        assert_eq!(confusion(&[], &[]), None);
        assert_eq!(confusion(&[0; 441], &vec!["x".to_owned(); 21]), None);
    }
}
