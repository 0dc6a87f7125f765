//! CSV with a header.
//!
//! Fields are quoted by RFC 4180, records end with LF, CRLF or CR, blank lines are no records. White space around a
//! field is not part of it. Every file gets an index of where its records begin, so that any record can be read
//! alone. Rows are parsed again each time they are read, by one piece of code ([`Table`]).

mod file;
mod index;
mod place;
mod rows;
mod table;

pub(crate) use file::CsvFile;
pub(crate) use table::{Fields, LabelNeed, Table, finite, number};

#[cfg(test)]
mod tests;
