//! From the fields of a row to features and a label.

use super::index::check;
use crate::batch::RecordBatch;
use crate::error::{FileProblem, RowProblem};
use crate::preprocessing::Preprocessing;
use csv::ByteRecord;
use std::collections::BTreeMap;
use tfcoord_types::manifest::{Column, ColumnKind, Label};

/// Whether a file must have its label's column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LabelNeed {
    Required,
    Optional,
}

/// The fields of a row that matter, and what stands for a missing one.
#[derive(Debug, Clone)]
pub(crate) struct Fields {
    header: Vec<String>,
    missing: Vec<String>,
}

impl Fields {
    pub fn new(header: &[String], missing: &[String]) -> Self {
        Self { header: header.to_vec(), missing: missing.iter().map(|text| text.trim_ascii().to_owned()).collect() }
    }

    /// The place of `column` in a row.
    pub fn place(&self, column: &str) -> Result<usize, FileProblem> {
        let column = column.trim_ascii();
        let mut places = (0..self.header.len()).filter(|at| self.header[*at] == column);
        match (places.next(), places.next()) {
            (Some(at), None) => Ok(at),
            (Some(_), Some(_)) => Err(FileProblem::TwoColumns { column: column.to_owned() }),
            (None, _) => Err(FileProblem::NoColumn { column: column.to_owned(), columns: self.header.clone() }),
        }
    }

    /// Whether the row is one: as many fields as the header, all text.
    pub fn check(&self, row: &ByteRecord) -> Result<(), RowProblem> {
        check(row, self.header.len())
    }

    /// The text at `place` without the white space around it; empty if it is missing.
    pub fn text<'r>(&self, row: &'r ByteRecord, place: usize) -> Result<&'r str, RowProblem> {
        let field = row.get(place).ok_or(RowProblem::Fields { found: row.len(), expected: self.header.len() })?;
        let text = std::str::from_utf8(field).map_err(|_| RowProblem::NotUtf8 { field: place + 1 })?.trim_ascii();
        Ok(if self.missing.iter().any(|missing| missing == text) { "" } else { text })
    }
}

/// The number that `text` is, which must be finite.
pub(crate) fn number(column: &str, text: &str) -> Result<f64, RowProblem> {
    let (column, value) = (|| column.to_owned(), || text.to_owned());
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        // 1e999 is a number, and too large; inf and nan are words.
        Ok(_) if text.contains(|c: char| c.is_ascii_digit()) => Err(RowProblem::OutOfRange { column: column(), value: value() }),
        _ => Err(RowProblem::NotANumber { column: column(), value: value() }),
    }
}

/// How the rows of one file become records.
#[derive(Debug)]
pub(crate) struct Table {
    fields: Fields,
    columns: Vec<(usize, Column)>,
    label: Option<LabelColumn>,
}

#[derive(Debug)]
struct LabelColumn {
    place: usize,
    name: String,
    label: Label,
    classes: BTreeMap<String, u32>,
}

impl Table {
    /// How the rows of a file with this `header` become records.
    ///
    /// # Errors
    /// It lacks a column.
    pub fn new(preprocessing: &Preprocessing, header: &[String], need: LabelNeed) -> Result<Self, FileProblem> {
        let fields = Fields::new(header, &preprocessing.missing);
        let columns = preprocessing.columns.iter().map(|column| Ok((fields.place(&column.name)?, column.clone())));
        let columns = columns.collect::<Result<_, _>>()?;
        let label = match (preprocessing.label_column.as_deref(), need) {
            (Some(name), LabelNeed::Optional) if !header.iter().any(|column| column == name.trim_ascii()) => None,
            (Some(name), _) => Some(LabelColumn {
                place: fields.place(name)?,
                name: name.to_owned(),
                label: preprocessing.label.clone(),
                classes: preprocessing.classes().iter().cloned().zip(0..).collect(),
            }),
            (None, _) => None,
        };
        Ok(Self { fields, columns, label })
    }

    /// Whether its records have labels.
    pub fn labelled(&self) -> bool {
        self.label.is_some()
    }

    /// Adds a row's features and label to `batch`.
    ///
    /// # Errors
    /// A field is not what its column holds; a part of the row may have been added.
    pub fn read(&self, row: &ByteRecord, batch: &mut RecordBatch) -> Result<(), RowProblem> {
        self.fields.check(row)?;
        for (place, column) in &self.columns {
            let text = self.fields.text(row, *place)?;
            match &column.kind {
                ColumnKind::Number { .. } if text.is_empty() => batch.features.push(0.0),
                ColumnKind::Number { mean, deviation } => {
                    let feature = ((number(&column.name, text)? - mean) / deviation) as f32;
                    batch.features.push(finite(&column.name, text, feature)?);
                }
                ColumnKind::Raw { .. } if text.is_empty() => batch.features.push(0.0),
                ColumnKind::Raw { rows } => {
                    let feature = finite(&column.name, text, number(&column.name, text)? as f32)?;
                    if let Some(rows) = rows.filter(|rows| !names_row(feature, *rows)) {
                        return Err(RowProblem::NoRow {
                            column: column.name.clone(),
                            value: text.to_owned(),
                            last: rows.saturating_sub(1),
                        });
                    }
                    batch.features.push(feature);
                }
                ColumnKind::Category { names } => {
                    let first = batch.features.len();
                    batch.features.resize(first + column.width(), 0.0);
                    batch.features[first + place_among(names, text)] = 1.0;
                }
                // Exact: there are fewer categories than whole numbers that 32 bits hold.
                ColumnKind::Index { names } => batch.features.push(place_among(names, text) as f32),
            }
        }
        self.label.as_ref().map_or(Ok(()), |label| label.read(self.fields.text(row, label.place)?, batch))
    }
}

impl LabelColumn {
    fn read(&self, text: &str, batch: &mut RecordBatch) -> Result<(), RowProblem> {
        if text.is_empty() {
            return Err(RowProblem::NoLabel { column: self.name.clone() });
        }
        match &self.label {
            Label::Number => batch.numbers.push(finite(&self.name, text, number(&self.name, text)? as f32)?),
            Label::Class { names } => batch.classes.push(*self.classes.get(text).ok_or_else(|| RowProblem::UnknownLabel {
                column: self.name.clone(),
                value: text.to_owned(),
                classes: names.clone(),
            })?),
        }
        Ok(())
    }
}

// Exact, as in an embedding: a vocabulary has fewer rows than whole numbers that 32 bits hold.
fn names_row(feature: f32, rows: u32) -> bool {
    feature.fract() == 0.0 && (0.0..rows as f32).contains(&feature)
}

// After all of them where it is none of them.
fn place_among(names: &[String], text: &str) -> usize {
    names.binary_search_by(|name| name.as_str().cmp(text)).unwrap_or(names.len())
}

/// The feature that `text` has become, which must be finite in 32 bits.
pub(crate) fn finite(column: &str, text: &str, feature: f32) -> Result<f32, RowProblem> {
    let out = || RowProblem::OutOfRange { column: column.to_owned(), value: text.to_owned() };
    if feature.is_finite() { Ok(feature) } else { Err(out()) }
}
