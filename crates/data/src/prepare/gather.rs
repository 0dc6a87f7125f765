//! What preparation learns from the training rows: kinds of columns, moments, vocabularies, classes.

use crate::csv::{Fields, finite, number};
use crate::error::{FileProblem, RowProblem};
use crate::{CATEGORIES_MAX, CLASSES_MAX};
use csv::ByteRecord;
use std::collections::BTreeSet;
use tfcoord_types::job::{Feature, LabelUse};
use tfcoord_types::manifest::{Column, ColumnKind, Label};

/// The most bytes that the names of a column's categories, or the classes, may take together.
const NAMES_BYTES_MAX: usize = 32 << 20;

/// Mean and deviation by Welford's method (Knuth, TAOCP 2, 4.2.2), in the order of the rows.
#[derive(Debug, Default)]
struct Moments {
    count: u64,
    mean: f64,
    squares: f64,
}

impl Moments {
    fn add(&mut self, value: f64) {
        self.count += 1;
        let delta = value - self.mean;
        self.mean += delta / self.count as f64;
        self.squares += delta * (value - self.mean);
    }

    // Of the whole population: the mean of the squares.
    fn deviation(&self) -> f64 {
        let deviation = (self.squares / self.count.max(1) as f64).sqrt();
        if deviation == 0.0 { 1.0 } else { deviation }
    }
}

/// Distinct texts, with bounds.
#[derive(Debug, Default)]
struct Names {
    names: BTreeSet<String>,
    bytes: usize,
}

impl Names {
    // Whether there was room.
    fn add(&mut self, name: &str, max: usize) -> bool {
        if !self.names.contains(name) {
            self.bytes += name.len();
            self.names.insert(name.to_owned());
        }
        self.names.len() <= max && self.bytes <= NAMES_BYTES_MAX
    }
}

#[derive(Debug)]
enum Seen {
    Number(Moments),
    Raw,
    Category(Names),
    Index(Names),
}

/// What the feature columns hold.
#[derive(Debug)]
pub(super) struct Features(Vec<(String, Seen)>);

impl Features {
    pub fn new(features: &[Feature]) -> Self {
        let seen = |feature: &Feature| match feature {
            Feature::Number(_) => Seen::Number(Moments::default()),
            Feature::Raw(_) => Seen::Raw,
            Feature::Category(_) => Seen::Category(Names::default()),
            Feature::Index(_) => Seen::Index(Names::default()),
        };
        Self(features.iter().map(|feature| (feature.column().to_owned(), seen(feature))).collect())
    }

    /// Their places in a row.
    pub fn places(&self, fields: &Fields) -> Result<Vec<usize>, FileProblem> {
        self.0.iter().map(|(column, _)| fields.place(column)).collect()
    }

    /// Takes a row in; `places` are those of its file.
    pub fn add(&mut self, fields: &Fields, places: &[usize], row: &ByteRecord) -> Result<(), RowProblem> {
        for ((column, seen), place) in self.0.iter_mut().zip(places) {
            let text = fields.text(row, *place)?;
            match seen {
                Seen::Number(_) | Seen::Raw if text.is_empty() => {}
                Seen::Number(moments) => {
                    moments.add(number(column, text)?);
                    if !moments.squares.is_finite() {
                        return Err(RowProblem::OutOfRange { column: column.clone(), value: text.to_owned() });
                    }
                }
                Seen::Raw => {
                    finite(column, text, number(column, text)? as f32)?;
                }
                Seen::Category(names) | Seen::Index(names) => {
                    if !names.add(text, CATEGORIES_MAX) {
                        return Err(RowProblem::ManyCategories { column: column.clone(), max: CATEGORIES_MAX });
                    }
                }
            }
        }
        Ok(())
    }

    pub fn columns(self) -> Vec<Column> {
        let kind = |seen| match seen {
            Seen::Number(moments) => ColumnKind::Number { mean: moments.mean, deviation: moments.deviation() },
            Seen::Raw => ColumnKind::Raw { rows: None },
            Seen::Category(names) => ColumnKind::Category { names: names.names.into_iter().collect() },
            Seen::Index(names) => ColumnKind::Index { names: names.names.into_iter().collect() },
        };
        self.0.into_iter().map(|(name, seen)| Column { name, kind: kind(seen) }).collect()
    }
}

/// What the label's column holds.
#[derive(Debug)]
pub(super) struct Labels {
    column: String,
    seen: SeenLabels,
}

#[derive(Debug)]
enum SeenLabels {
    Numbers,
    Classes(Names),
    // 0 or 1, whether they occur or not.
    Anomalies,
}

/// What is usual, and what is not.
const ANOMALIES: [&str; 2] = ["0", "1"];

impl Labels {
    pub fn new(column: &str, label_use: LabelUse) -> Self {
        let seen = match label_use {
            LabelUse::Number | LabelUse::None => SeenLabels::Numbers,
            LabelUse::Class => SeenLabels::Classes(Names::default()),
            LabelUse::Anomaly => SeenLabels::Anomalies,
        };
        Self { column: column.to_owned(), seen }
    }

    /// Takes a label in.
    pub fn add(&mut self, text: &str) -> Result<(), RowProblem> {
        let column = || self.column.clone();
        if text.is_empty() {
            return Err(RowProblem::NoLabel { column: column() });
        }
        match &mut self.seen {
            SeenLabels::Anomalies if ANOMALIES.contains(&text) => Ok(()),
            SeenLabels::Anomalies => Err(RowProblem::NoAnomaly { column: column(), value: text.to_owned() }),
            SeenLabels::Classes(names) => {
                names.add(text, CLASSES_MAX).then_some(()).ok_or_else(|| RowProblem::ManyClasses { column: self.column.clone() })
            }
            SeenLabels::Numbers => match number(&self.column, text)? as f32 {
                label if label.is_finite() => Ok(()),
                _ => Err(RowProblem::OutOfRange { column: column(), value: text.to_owned() }),
            },
        }
    }

    /// Classes are sorted by number if all of them are numbers, by bytes otherwise.
    pub fn label(self) -> Label {
        let names = match self.seen {
            SeenLabels::Numbers => return Label::Number,
            SeenLabels::Anomalies => return Label::Class { names: ANOMALIES.map(str::to_owned).into() },
            SeenLabels::Classes(names) => names,
        };
        let mut names: Vec<String> = names.names.into_iter().collect();
        let numbers: Result<Vec<f64>, _> = names.iter().map(|name| number("", name)).collect();
        if let Ok(numbers) = numbers {
            let mut pairs: Vec<_> = numbers.into_iter().zip(names).collect();
            // Stable: 1 and 1.0 stay in the order of their bytes.
            pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
            names = pairs.into_iter().map(|(_, name)| name).collect();
        }
        Label::Class { names }
    }
}
