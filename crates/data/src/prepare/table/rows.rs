//! Columns whose numbers name rows of an embedding's table.

use super::super::fit;
use crate::error::Error;
use tfcoord_types::job::{Input, JobFile};
use tfcoord_types::manifest::{Column, ColumnKind};

/// Notes for each raw column how many rows it may name; whether there is such a one. From then on a value that names none
/// is an error with its file and line, wherever rows are read.
///
/// # Errors
/// The model does not fit, or names rows by a column that is standardized or becomes several features.
pub(super) fn limit(job: &JobFile, input: &Input, columns: &mut [Column]) -> Result<bool, Error> {
    let graph = fit::graph(job, input)?;
    let mut vocabularies = graph.vocabularies(columns.iter().map(Column::width).sum()).into_iter();
    let mut limited = false;
    for column in columns {
        let Some(vocabulary) = vocabularies.by_ref().take(column.width()).fold(None, Option::or) else { continue };
        match &mut column.kind {
            ColumnKind::Raw { rows } => {
                *rows = Some(vocabulary);
                limited = true;
            }
            ColumnKind::Number { .. } => {
                return Err(unfit(job, &column.name, "is brought to mean 0 and deviation 1", "raw", "it as it is"));
            }
            ColumnKind::Category { .. } => {
                return Err(unfit(job, &column.name, "becomes a feature for each category", "index", "its number"));
            }
            // A model that gives a column too few rows is refused by its shapes.
            ColumnKind::Index { .. } => {}
        }
    }
    Ok(limited)
}

// A column whose features are no numbers of rows, and the kind whose feature is one.
fn unfit(job: &JobFile, column: &str, becomes: &str, kind: &str, what: &str) -> Error {
    let at = job.data.features.iter().position(|feature| feature.column() == column);
    let path = at.map_or_else(|| "data.features".to_owned(), |at| format!("data.features[{at}]"));
    let message = format!("{column:?} {becomes}, but an embedding with a vocabulary sees it");
    Error::job(path, message, format!("take {what}: {{\"{kind}\": {column:?}}}"))
}
