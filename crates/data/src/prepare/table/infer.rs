//! Which columns are numbers, where the job file does not say.
//!
//! One typing error must not make a category of a column, with a feature for each of its numbers: a column of numbers
//! but for few values is refused, and who submits decides.

use super::Set;
use crate::csv::{Fields, number};
use crate::error::{Error, RowProblem};
use tfcoord_types::job::{Data, Feature};

/// So many values that are no numbers may be a slip, whatever their share, in a column of ten times as many.
const SLIPS_MAX: u64 = 3;

/// What the values of a column are, without those that are missing.
#[derive(Debug, Default, Clone)]
struct Values {
    numbers: u64,
    words: u64,
}

impl Values {
    fn add(&mut self, text: &str) {
        *(if is_number(text) { &mut self.numbers } else { &mut self.words }) += 1;
    }

    fn all(&self) -> u64 {
        self.numbers + self.words
    }

    // Numbers but for few.
    fn has_slips(&self) -> bool {
        let few = self.words * 100 < self.all() || (self.words <= SLIPS_MAX && self.words * 10 <= self.all());
        self.words > 0 && few
    }

    // Whether no more of `records` values could change that it is a category.
    fn is_category(&self, records: u64) -> bool {
        self.words > SLIPS_MAX && self.words * 100 >= records
    }
}

fn is_number(text: &str) -> bool {
    number("", text).is_ok()
}

/// All columns but the label, in the order of the first file's header: numbers where each value of a training record
/// is one or missing, else what `category` makes of the name.
///
/// # Errors
/// A column is neither clearly: the first value that keeps it from being a number.
pub(super) fn infer(train: &Set<'_>, data: &Data, label_column: &str, category: fn(String) -> Feature) -> Result<Vec<Feature>, Error> {
    let label_column = label_column.trim_ascii();
    let mut names = train.header()?;
    names.retain(|name| name != label_column);
    let mut values = vec![Values::default(); names.len()];
    train.each_file(|file, first, count| {
        let fields = Fields::new(&file.header, &data.missing);
        let places: Vec<usize> = names.iter().map(|name| fields.place(name)).collect::<Result<_, _>>().map_err(Error::file(file.at()))?;
        file.rows(first, count, |row| {
            for (values, place) in values.iter_mut().zip(&places).filter(|(values, _)| !values.is_category(train.records)) {
                let text = fields.text(row, *place)?;
                if !text.is_empty() {
                    values.add(text);
                }
            }
            Ok(())
        })
    })?;
    for (name, values) in names.iter().zip(&values).filter(|(_, values)| values.has_slips()) {
        refuse(train, data, name, values)?;
    }
    let feature = |(name, values): (String, Values)| if values.words == 0 { Feature::Number(name) } else { category(name) };
    Ok(names.into_iter().zip(values).map(feature).collect())
}

// Finds the first value that is no number.
fn refuse(train: &Set<'_>, data: &Data, name: &str, values: &Values) -> Result<(), Error> {
    train.each_file(|file, first, count| {
        let fields = Fields::new(&file.header, &data.missing);
        let place = fields.place(name).map_err(Error::file(file.at()))?;
        file.rows(first, count, |row| match fields.text(row, place)? {
            text if text.is_empty() || is_number(text) => Ok(()),
            text => Err(RowProblem::AlmostNumber {
                column: name.to_owned(),
                value: text.to_owned(),
                numbers: values.numbers,
                values: values.all(),
            }),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_words_among_numbers_are_slips() {
        let check = |words: u64, numbers: u64, expected: bool| {
            let values = Values { numbers, words };
            assert_eq!(values.has_slips(), expected, "{words} words, {numbers} numbers");
            assert!(!expected || !values.is_category(words + numbers), "{words} words, {numbers} numbers: counted to the end");
        };
        for (words, numbers) in [(1, 9), (3, 27), (1, 20_000), (3, 100), (99, 9902)] {
            check(words, numbers, true);
        }
        for (words, numbers) in [(0, 0), (0, 100), (5, 0), (1, 1), (1, 8), (3, 26), (4, 100), (100, 9900)] {
            check(words, numbers, false);
        }
    }
}
