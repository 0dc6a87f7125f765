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

/// The files of `source`, which is the job file's `field`, in the order of their paths. Pairs are made in the order
/// in which images and labels are named.
pub(crate) fn list(field: &str, format: Format, source: &Source) -> Result<Vec<Listed>, Error> {
    let missing = |what: &str| Error::job(field, format!("there are no {what}"), format!("name {what}"));
    let mut all: Vec<Listed> = match format {
        Format::Csv => {
            let files = expand(&format!("{field}.files"), source.files.as_ref().ok_or_else(|| missing("files"))?)?;
            files.into_iter().map(|file| Listed { file, labels: None }).collect()
        }
        Format::Idx => {
            let images = expand(&format!("{field}.images"), source.images.as_ref().ok_or_else(|| missing("images"))?)?;
            let labels = source.labels.as_ref().map(|labels| expand(&format!("{field}.labels"), labels)).transpose()?;
            if let Some(labels) = labels.as_ref().filter(|labels| labels.len() != images.len()) {
                let message = format!("{} files with images, but {} with labels", images.len(), labels.len());
                return Err(Error::job(field, message, "name them in pairs, in the same order"));
            }
            let labels = labels.map_or_else(|| vec![None; images.len()], |labels| labels.into_iter().map(Some).collect());
            images.into_iter().zip(labels).map(|(file, labels)| Listed { file, labels }).collect()
        }
    };
    all.sort();
    if let Some(pair) = all.windows(2).find(|pair| pair[0].file == pair[1].file) {
        let message = format!("{} is named twice", pair[0].file.display());
        return Err(Error::job(field, message, "name it once; each epoch takes every record once"));
    }
    if all.len() > FILES_MAX {
        let message = format!("{} files, but at most {FILES_MAX} are possible", all.len());
        return Err(Error::job(field, message, "join some of them"));
    }
    Ok(all)
}

fn expand(field: &str, paths: &OneOrMany) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for (index, path) in paths.iter().enumerate() {
        let field = if matches!(paths, OneOrMany::Many(_)) { format!("{field}[{index}]") } else { field.to_owned() };
        let found = one(&field, Path::new(path))?;
        if let Some(bad) = found.iter().find(|file| file.to_str().is_none()) {
            return Err(Error::file(bad)(FileProblem::Name));
        }
        files.extend(found);
    }
    if files.is_empty() {
        return Err(Error::job(field, "no files are named", "name at least one"));
    }
    Ok(files)
}

// The files that one path names, by name.
fn one(field: &str, path: &Path) -> Result<Vec<PathBuf>, Error> {
    let pattern = path.file_name().filter(|name| name.as_bytes().contains(&b'*'));
    let found = match (pattern, path.metadata()) {
        (Some(pattern), _) => {
            let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
            files_in(field, dir, |name| matches(pattern.as_bytes(), name))?
        }
        (None, Ok(metadata)) if metadata.is_dir() => files_in(field, path, |_| true)?,
        (None, Ok(_)) => vec![path.to_owned()],
        (None, Err(error)) => return Err(unreachable(field, path, error)),
    };
    if found.is_empty() {
        return Err(Error::job(field, format!("{} holds no file", path.display()), "check the path; it is relative to the job file"));
    }
    Ok(found)
}

// Names that begin with a dot or an underscore are for programs: half-written files, _SUCCESS.
fn files_in(field: &str, dir: &Path, wanted: impl Fn(&[u8]) -> bool) -> Result<Vec<PathBuf>, Error> {
    let mut files = Vec::new();
    for entry in dir.read_dir().map_err(|error| unreachable(field, dir, error))? {
        let name = entry.map_err(Error::io("list", dir))?.file_name();
        let hidden = name.as_bytes().starts_with(b".") || name.as_bytes().starts_with(b"_");
        if !hidden && wanted(name.as_bytes()) && dir.join(&name).is_file() {
            files.push(dir.join(OsStr::new(&name)));
        }
    }
    files.sort();
    Ok(files)
}

fn unreachable(field: &str, path: &Path, error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => {
            Error::job(field, format!("{} is not there", path.display()), "check the path; it is relative to the job file")
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
