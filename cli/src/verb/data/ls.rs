//! `tfcoord data ls`.

use crate::args::{DataLs, Page};
use crate::data::listing;
use crate::failure::{Code, Failure};
use crate::{files, say, show};
use std::time::Duration;

/// Lists what is at a location.
///
/// # Errors
/// It is not there, or cannot be listed.
pub fn run(args: &DataLs, patience: Duration) -> Result<Code, Failure> {
    let at = files::location(&args.location)?;
    let system = files::system(&at, patience)?;
    let found = listing::list(&*system, &at, args.recursive).map_err(|error| files::failure(&error))?;
    match args.output {
        Page::Text => say::line(&show::listing(&found))?,
        Page::Json => say::json(&found)?,
    }
    Ok(Code::Success)
}
