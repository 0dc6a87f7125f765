//! Figures of several rounds.

use serde_json::{Value, json};

/// One figure, measured once a round.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    name: String,
    unit: &'static str,
    bar: Option<f64>,
    values: Vec<f64>,
}

impl Series {
    /// A figure without values; `unit` of all of them.
    pub fn new(name: impl Into<String>, unit: &'static str) -> Self {
        Self { name: name.into(), unit, bar: None, values: Vec::new() }
    }

    /// The median should be at most this.
    #[must_use]
    pub fn at_most(self, bar: f64) -> Self {
        Self { bar: Some(bar), ..self }
    }

    /// Adds a round's value.
    pub fn push(&mut self, value: f64) {
        self.values.push(value);
    }

    /// What it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its unit.
    pub fn unit(&self) -> &str {
        self.unit
    }

    /// The smallest value; not a number if there is none.
    pub fn minimum(&self) -> f64 {
        self.values.iter().copied().fold(f64::NAN, f64::min)
    }

    /// The median; of an even number of values the mean of the two in the middle; not a number if there is none.
    pub fn median(&self) -> f64 {
        let mut sorted = self.values.clone();
        sorted.sort_by(f64::total_cmp);
        match (sorted.len(), sorted.len() / 2) {
            (0, _) => f64::NAN,
            (len, half) if len.is_multiple_of(2) => f64::midpoint(sorted[half - 1], sorted[half]),
            (_, half) => sorted[half],
        }
    }

    /// The bar, and whether the median keeps it.
    pub fn verdict(&self) -> Option<(f64, bool)> {
        self.bar.map(|bar| (bar, self.median() <= bar))
    }

    /// As JSON.
    pub fn json(&self) -> Value {
        json!({
            "name": self.name, "unit": self.unit, "minimum": self.minimum(), "median": self.median(),
            "bar": self.bar, "holds": self.verdict().map(|(_, holds)| holds), "rounds": self.values,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(values: &[f64]) -> Series {
        let mut series = Series::new("a", "ms").at_most(2.0);
        values.iter().for_each(|value| series.push(*value));
        series
    }

    #[test]
    fn minimum_median_and_verdict() {
        let odd = series(&[3.0, 1.0, 2.0]);
        assert_eq!((odd.minimum(), odd.median(), odd.verdict()), (1.0, 2.0, Some((2.0, true))));
        let even = series(&[4.0, 1.0, 2.0, 3.0]);
        assert_eq!((even.minimum(), even.median(), even.verdict()), (1.0, 2.5, Some((2.0, false))));
    }

    #[test]
    fn nothing_measured_keeps_no_bar() {
        assert!(series(&[]).median().is_nan() && series(&[]).minimum().is_nan());
        assert_eq!(series(&[]).verdict(), Some((2.0, false)));
    }
}
