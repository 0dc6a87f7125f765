//! What can be wrong with a row of a table.

use super::{listed, shown};

/// What is wrong with a row of a table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowProblem {
    /// More or fewer fields than the header has.
    #[error("the row has {found} fields, expected {expected} as the header has")]
    Fields {
        /// Fields of the row.
        found: usize,
        /// Fields of the header.
        expected: usize,
    },
    /// Bytes that are no text.
    #[error("field {field} is not UTF-8")]
    NotUtf8 {
        /// Its place in the row, from 1.
        field: usize,
    },
    /// Not what a number column holds.
    #[error("column {}: {} is no number", shown(column), shown(value))]
    NotANumber {
        /// The column.
        column: String,
        /// What stands there.
        value: String,
    },
    /// Not what nearly all of its column are.
    #[error("column {}: {} is no number, but {numbers} of the column's {values} values are", shown(column), shown(value))]
    AlmostNumber {
        /// The column.
        column: String,
        /// What stands there.
        value: String,
        /// How many of the column's values are numbers.
        numbers: u64,
        /// How many values it has.
        values: u64,
    },
    /// A number that no feature or label can hold.
    #[error("column {}: {} is out of range", shown(column), shown(value))]
    OutOfRange {
        /// The column.
        column: String,
        /// What stands there.
        value: String,
    },
    /// A number that names no row of an embedding's table.
    #[error("column {}: {} names no row: the embedding's vocabulary has the rows 0 to {last}", shown(column), shown(value))]
    NoRow {
        /// The column.
        column: String,
        /// What stands there.
        value: String,
        /// The last row.
        last: u32,
    },
    /// No label.
    #[error("column {}: the label is missing", shown(column))]
    NoLabel {
        /// The column.
        column: String,
    },
    /// A label that says neither usual nor anomaly.
    #[error("column {}: the label {} is neither 0 (usual) nor 1 (an anomaly), which auc tells apart", shown(column), shown(value))]
    NoAnomaly {
        /// The column.
        column: String,
        /// What stands there.
        value: String,
    },
    /// A label that no training record has.
    #[error("column {}: the label {} does not occur in the training records, which have {}", shown(column), shown(value), listed(classes))]
    UnknownLabel {
        /// The column.
        column: String,
        /// What stands there.
        value: String,
        /// The classes.
        classes: Vec<String>,
    },
    /// Too many classes.
    #[error("column {}: more than {} different labels", shown(column), crate::CLASSES_MAX)]
    ManyClasses {
        /// The column.
        column: String,
    },
    /// Too many categories.
    #[error("column {}: more than {max} different values", shown(column))]
    ManyCategories {
        /// The column.
        column: String,
        /// The most it may have.
        max: usize,
    },
    /// A record that does not end.
    #[error("a record of more than {} bytes begins here", crate::RECORD_BYTES_MAX)]
    TooLong,
    /// The file ends within quotes.
    #[error("a quote is opened in the record that begins here, and the file ends before it is closed")]
    OpenQuote,
}

impl RowProblem {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::Fields { .. } => "quote fields that hold commas or newlines, and write a comma for every missing value",
            Self::NotUtf8 { .. } => "convert the file to UTF-8, such as with `iconv -f latin1 -t utf-8`",
            Self::NotANumber { .. } => "name the text in data.missing if it means that there is no value, or make the column a category",
            Self::AlmostNumber { .. } => {
                "correct the value; or name the text in data.missing if it means that there is no value; or list the columns in data.features, this one as a category"
            }
            Self::OutOfRange { .. } => "check the value",
            Self::NoRow { .. } => "correct the value; or, if there are more rows, train with a larger vocabulary",
            Self::NoLabel { .. } => "remove the row, or fill in its label",
            Self::NoAnomaly { .. } => "write 0 or 1, or remove the metric auc: without it labels are not looked at",
            Self::UnknownLabel { .. } => "check the label, or train on data that hold every class",
            Self::ManyClasses { .. } => "use the loss mse if the label is a number, or name another column",
            Self::ManyCategories { .. } => "make the column a number, or leave it out of data.features",
            Self::TooLong | Self::OpenQuote => "close the quote; within quotes a quote is written twice",
        }
    }
}
