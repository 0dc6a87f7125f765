//! CSV files of known content: a small problem for models that look things up.

use std::fmt::Write;
use std::path::Path;
use tfcoord_types::draw::Stream;

/// Words are numbers below this one.
pub const WORDS: u32 = 500;

/// Writes `table.csv` into `dir`: `records` rows of a number `size`, a `colour`, a `shape`, two words as numbers below
/// [`WORDS`], `first` and `second`, and what `size`, `colour` and whether `first` is even say together: `good`, yes or no.
///
/// # Panics
/// If the file cannot be written.
pub fn write_table(dir: &Path, records: u32, seed: u64) {
    let mut stream = Stream::new("testkit table", &[seed]);
    let mut text = String::from("size,colour,shape,first,second,good\n");
    for _ in 0..records {
        let mut below = |n: u32| u32::try_from(stream.below(u64::from(n))).expect("below a u32");
        let (size, colour, shape, first, second) = (below(100), below(4), below(3), below(WORDS), below(WORDS));
        let sum = f64::from(size) / 25.0 + f64::from(colour) + if first % 2 == 0 { 0.5 } else { -0.5 };
        let good = if sum > 3.5 { "yes" } else { "no" };
        let (colour, shape) = (["red", "green", "blue", ""][colour as usize], ["round", "square", "flat"][shape as usize]);
        writeln!(text, "{size},{colour},{shape},{first},{second},{good}").expect("a text takes all");
    }
    std::fs::write(dir.join("table.csv"), text).expect("a table can be written");
}
