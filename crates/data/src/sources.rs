//! From the paths of a job file to files, in their order.

use crate::FILES_MAX;
use crate::error::Error;
use crate::files::Files;
use tfcoord_fs::storage::{self, Entry, FileSystem, Kind, Location, Problem};
use tfcoord_types::job::{Format, OneOrMany, Source};

/// A file, or a pair of files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Listed {
    pub file: Location,
    pub labels: Option<Location>,
}

/// Who names files, for errors: where, and relative to what.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Named<'a> {
    /// A job file's field, such as `data.train`.
    Job(&'a str),
    /// The command line of `predict`.
    Predict,
}

impl Named<'_> {
    /// What names the files.
    pub fn whole(self) -> String {
        match self {
            Self::Job(field) => field.to_owned(),
            Self::Predict => "--data".to_owned(),
        }
    }

    /// What names a part of the source: its `files`, `images`, `labels`, or `records`.
    pub fn part(self, part: &str) -> String {
        match (self, part) {
            (Self::Job(field), _) => format!("{field}.{part}"),
            (Self::Predict, "files" | "images") => self.whole(),
            (Self::Predict, _) => format!("--{part}"),
        }
    }

    fn check_path(self) -> &'static str {
        match self {
            Self::Job(_) => "check the path; it is relative to the job file",
            Self::Predict => "check the path",
        }
    }
}

/// The files of `source`, in the order of their paths. Pairs are made in the order
/// in which images and labels are named.
pub(crate) fn list(named: Named<'_>, format: Format, source: &Source, places: &Files) -> Result<Vec<Listed>, Error> {
    let missing = |what: &str| Error::job(named.whole(), format!("there are no {what}"), format!("name {what}"));
    let mut all: Vec<Listed> = match format {
        Format::Csv => {
            let files = expand(named, "files", source.files.as_ref().ok_or_else(|| missing("files"))?, places)?;
            files.into_iter().map(|file| Listed { file, labels: None }).collect()
        }
        Format::Idx => {
            let images = expand(named, "images", source.images.as_ref().ok_or_else(|| missing("images"))?, places)?;
            let labels = source.labels.as_ref().map(|labels| expand(named, "labels", labels, places)).transpose()?;
            if let Some(labels) = labels.as_ref().filter(|labels| labels.len() != images.len()) {
                let message = format!("{} files with images, but {} with labels", images.len(), labels.len());
                return Err(Error::job(named.whole(), message, "name them in pairs, in the same order"));
            }
            let labels = labels.map_or_else(|| vec![None; images.len()], |labels| labels.into_iter().map(Some).collect());
            images.into_iter().zip(labels).map(|(file, labels)| Listed { file, labels }).collect()
        }
    };
    all.sort();
    if let Some(pair) = all.windows(2).find(|pair| pair[0].file == pair[1].file) {
        let message = format!("{} is named twice", pair[0].file);
        return Err(Error::job(named.whole(), message, "name it once; every record is taken once"));
    }
    if all.len() > FILES_MAX {
        let message = format!("{} files, but at most {FILES_MAX} are possible", all.len());
        return Err(Error::job(named.whole(), message, "join some of them"));
    }
    Ok(all)
}

fn expand(named: Named<'_>, part: &str, paths: &OneOrMany, files: &Files) -> Result<Vec<Location>, Error> {
    let mut found = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        let part = match (named, paths) {
            (Named::Job(_), OneOrMany::Many(_)) => format!("{part}[{index}]"),
            _ => part.to_owned(),
        };
        found.extend(one(named, &part, path, files)?);
    }
    if found.is_empty() {
        return Err(Error::job(named.part(part), "no files are named", "name at least one"));
    }
    Ok(found)
}

// The files that one path names, by name.
fn one(named: Named<'_>, part: &str, text: &str, files: &Files) -> Result<Vec<Location>, Error> {
    let at = Location::parse(text, None).map_err(|invalid| Error::job(named.part(part), invalid.to_string(), named.check_path()))?;
    let unreachable = |error| unreachable(named, part, error);
    let system = files.system(&at).map_err(unreachable)?;
    let pattern = at.name().filter(|name| name.contains('*'));
    let found = match (pattern, at.parent()) {
        (Some(pattern), Some(dir)) => files_in(&*system, &dir, |name| matches(pattern.as_bytes(), name.as_bytes())).map_err(unreachable)?,
        _ if system.stat(&at).map_err(unreachable)?.kind == Kind::Directory => files_in(&*system, &at, |_| true).map_err(unreachable)?,
        _ => vec![at.clone()],
    };
    if found.is_empty() {
        return Err(Error::job(named.part(part), format!("{at} holds no file"), named.check_path()));
    }
    Ok(found)
}

// Names that begin with a dot or an underscore are for programs: half-written files, _SUCCESS.
fn files_in(system: &dyn FileSystem, dir: &Location, wanted: impl Fn(&str) -> bool) -> Result<Vec<Location>, storage::Error> {
    let is_wanted = |entry: &Entry| entry.status.kind == Kind::File && !entry.name.starts_with(['.', '_']) && wanted(&entry.name);
    Ok(system.list(dir)?.iter().filter(|entry| is_wanted(entry)).map(|entry| dir.join(&entry.name)).collect())
}

fn unreachable(named: Named<'_>, part: &str, error: storage::Error) -> Error {
    match (&error.problem, &error.access) {
        (Problem::Missing | Problem::NotADirectory, None) => {
            Error::job(named.part(part), format!("{} is not there", error.location), named.check_path())
        }
        _ => Error::job(named.part(part), error.what(), error.problem.remedy()),
    }
}

/// Whether `name` is `pattern` with some text for each `*`.
fn matches(pattern: &[u8], name: &[u8]) -> bool {
    let mut parts = pattern.split(|byte| *byte == b'*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let Some(last) = parts.next_back() else {
        return rest.is_empty();
    };
    // The leftmost place for each part leaves the most room for those after it.
    for part in parts {
        let at = (0..=rest.len()).find(|at| rest[*at..].starts_with(part));
        let Some(at) = at else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests;
