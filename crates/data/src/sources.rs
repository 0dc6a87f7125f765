//! From the paths of a job file to files, in their order.

use crate::FILES_MAX;
use crate::error::{Error, FileProblem};
use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use tfcoord_types::job::{Format, OneOrMany, Source};

/// A file, or a pair of files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Listed {
    pub file: PathBuf,
    pub labels: Option<PathBuf>,
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
pub(crate) fn list(named: Named<'_>, format: Format, source: &Source) -> Result<Vec<Listed>, Error> {
    let missing = |what: &str| Error::job(named.whole(), format!("there are no {what}"), format!("name {what}"));
    let mut all: Vec<Listed> = match format {
        Format::Csv => {
            let files = expand(named, "files", source.files.as_ref().ok_or_else(|| missing("files"))?)?;
            files.into_iter().map(|file| Listed { file, labels: None }).collect()
        }
        Format::Idx => {
            let images = expand(named, "images", source.images.as_ref().ok_or_else(|| missing("images"))?)?;
            let labels = source.labels.as_ref().map(|labels| expand(named, "labels", labels)).transpose()?;
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
        let message = format!("{} is named twice", pair[0].file.display());
        return Err(Error::job(named.whole(), message, "name it once; every record is taken once"));
    }
    if all.len() > FILES_MAX {
        let message = format!("{} files, but at most {FILES_MAX} are possible", all.len());
        return Err(Error::job(named.whole(), message, "join some of them"));
    }
    Ok(all)
}

fn expand(named: Named<'_>, part: &str, paths: &OneOrMany) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        let part = match (named, paths) {
            (Named::Job(_), OneOrMany::Many(_)) => format!("{part}[{index}]"),
            _ => part.to_owned(),
        };
        let found = one(named, &part, Path::new(path))?;
        if let Some(bad) = found.iter().find(|file| file.to_str().is_none()) {
            return Err(Error::file(bad)(FileProblem::Name));
        }
        files.extend(found);
    }
    if files.is_empty() {
        return Err(Error::job(named.part(part), "no files are named", "name at least one"));
    }
    Ok(files)
}

// The files that one path names, by name.
fn one(named: Named<'_>, part: &str, path: &Path) -> Result<Vec<PathBuf>, Error> {
    let pattern = path.file_name().filter(|name| name.as_bytes().contains(&b'*'));
    let found = match (pattern, path.metadata()) {
        (Some(pattern), _) => {
            let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
            files_in(named, part, dir, |name| matches(pattern.as_bytes(), name))?
        }
        (None, Ok(metadata)) if metadata.is_dir() => files_in(named, part, path, |_| true)?,
        (None, Ok(_)) => vec![path.to_owned()],
        (None, Err(error)) => return Err(unreachable(named, part, path, error)),
    };
    if found.is_empty() {
        return Err(Error::job(named.part(part), format!("{} holds no file", path.display()), named.check_path()));
    }
    Ok(found)
}

// Names that begin with a dot or an underscore are for programs: half-written files, _SUCCESS.
fn files_in(named: Named<'_>, part: &str, dir: &Path, wanted: impl Fn(&[u8]) -> bool) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for entry in dir.read_dir().map_err(|error| unreachable(named, part, dir, error))? {
        let name = entry.map_err(Error::io("list", dir))?.file_name();
        let hidden = name.as_bytes().starts_with(b".") || name.as_bytes().starts_with(b"_");
        if !hidden && wanted(name.as_bytes()) && dir.join(&name).is_file() {
            files.push(dir.join(OsStr::new(&name)));
        }
    }
    files.sort();
    Ok(files)
}

fn unreachable(named: Named<'_>, part: &str, path: &Path, error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            Error::job(named.part(part), format!("{} is not there", path.display()), named.check_path())
        }
        _ => Error::io("look at", path)(error),
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
