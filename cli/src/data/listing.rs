//! What is at a location: names, sizes, times, and their totals.

use serde::Serialize;
use tfcoord_fs::storage::{Entry, Error, FileSystem, Kind, Location, Status};

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listing {
    /// Where.
    pub location: String,
    /// By name.
    pub entries: Vec<Line>,
    /// How many of them are files.
    pub files: usize,
    /// How many are directories.
    pub directories: usize,
    /// Of all the files.
    pub bytes: u64,
}

/// A file or directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Below the location.
    pub name: String,
    /// `file` or `directory`.
    pub kind: &'static str,
    /// 0, unless it is a file.
    pub bytes: u64,
    /// When it was changed last, in milliseconds since 1970.
    pub modified_ms: u64,
}

/// Lists a directory, with all that is below it if `recursive`, or a single file.
///
/// # Errors
/// It is not there or cannot be listed, or it has more entries than a directory may have.
pub fn list(system: &dyn FileSystem, at: &Location, recursive: bool) -> Result<Listing, Error> {
    let status = system.stat(at)?;
    let mut entries = Vec::new();
    if status.kind == Kind::Directory {
        below(system, at, "", recursive, &mut entries)?;
    } else {
        entries.push(line(at.name().unwrap_or_default().to_owned(), &status));
    }
    let count = |kind| entries.iter().filter(|line| line.kind == kind).count();
    let (files, directories, bytes) = (count(FILE), count(DIRECTORY), entries.iter().map(|line| line.bytes).sum());
    Ok(Listing { location: at.to_string(), entries, files, directories, bytes })
}

const FILE: &str = "file";
const DIRECTORY: &str = "directory";

fn below(system: &dyn FileSystem, at: &Location, above: &str, recursive: bool, lines: &mut Vec<Line>) -> Result<(), Error> {
    for Entry { name, status } in system.list(at)? {
        let full = format!("{above}{name}");
        lines.push(line(full.clone(), &status));
        if recursive && status.kind == Kind::Directory {
            if lines.len() > super::source::ENTRIES_MAX {
                let problem = tfcoord_fs::storage::Problem::TooMany { limit: super::source::ENTRIES_MAX };
                return Err(Error { operation: "list", location: at.to_string(), access: None, problem });
            }
            below(system, &at.join(&name), &format!("{full}/"), recursive, lines)?;
        }
    }
    Ok(())
}

fn line(name: String, status: &Status) -> Line {
    let kind = if status.kind == Kind::Directory { DIRECTORY } else { FILE };
    Line { name, kind, bytes: status.length, modified_ms: status.modified_ns / 1_000_000 }
}
