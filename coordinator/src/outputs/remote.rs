//! Folders for results in HDFS: run by a child process ([`crate::errand`]).
//!
//! HDFS makes no directory exclusively: whose a folder is its mark says, which never replaces another one.

use super::MARK;
use bytes::Bytes;
use tfcoord_fs::is_temporary;
use tfcoord_fs::storage::{self, FileSystem, Invalid, Kind, Location, Placement, Problem, write_whole};
use tfcoord_types::view::EXPORT_TEMPORARY;

/// A mark has one line.
const MARK_BYTES_MAX: usize = 4096;

/// What keeps a job from a folder.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else's results may be there.
    #[error(
        "{dir} is there already, and its content is not this job's\n  help: submit it again, which gives it another number; name another directory or give the job another name; or move that folder away"
    )]
    Taken {
        /// The folder.
        dir: Location,
    },
    /// It is no place.
    #[error(transparent)]
    Location(#[from] Invalid),
    /// HDFS refused.
    #[error("{}\n  help: {}", .0.what(), .0.problem.remedy())]
    Storage(#[from] storage::Error),
}

/// Makes `dir` the job's whose mark says `mark`. Again for the same job it stays as it is.
///
/// # Errors
/// It is another one's, or HDFS refuses.
pub fn reserve(system: &dyn FileSystem, dir: &Location, mark: &str) -> Result<(), Error> {
    system.make_directory(dir)?;
    let taken = || Error::Taken { dir: dir.clone() };
    match owner(system, dir)? {
        Some(owner) if owner == mark => return Ok(()),
        Some(_) => return Err(taken()),
        None if is_empty(system, dir)? => {}
        None => return Err(taken()),
    }
    let text = Bytes::copy_from_slice(mark.as_bytes());
    match write_whole(system, &dir.join(MARK), 0o644, Placement::New, &mut |writer| writer.write(text.clone())) {
        // Of several that race for a folder one has it; or the answer was lost.
        Err(error) if matches!(error.problem, Problem::Exists | Problem::Undecided { .. }) => {
            if owner(system, dir)?.as_deref() == Some(mark) { Ok(()) } else { Err(taken()) }
        }
        done => Ok(done?),
    }
}

/// Whether `dir` is the job's whose mark says `mark`.
///
/// # Errors
/// It cannot be told.
pub fn owns(system: &dyn FileSystem, dir: &Location, mark: &str) -> Result<bool, Error> {
    Ok(owner(system, dir)?.as_deref() == Some(mark))
}

/// Removes from a job's folder what its tasks could not finish, and the mark. The folder stays, also an empty one: it may be had by
/// another job.
///
/// # Errors
/// Something cannot be removed; then the mark stays.
pub fn tidy(system: &dyn FileSystem, dir: &Location) -> Result<(), Error> {
    for entry in system.list(dir)? {
        let unfinished = match entry.status.kind {
            Kind::Directory => entry.name.starts_with(EXPORT_TEMPORARY),
            _ => is_temporary(&entry.name),
        };
        if unfinished {
            system.delete(&dir.join(&entry.name))?;
        }
    }
    let events = dir.join("tensorboard");
    for entry in there(system.list(&events))?.unwrap_or_default() {
        if is_temporary(&entry.name) {
            system.delete(&events.join(&entry.name))?;
        }
    }
    system.delete(&dir.join(MARK))?;
    Ok(())
}

// What the mark says; none where there is none.
fn owner(system: &dyn FileSystem, dir: &Location) -> Result<Option<String>, storage::Error> {
    let Some(file) = there(system.open(&dir.join(MARK)))? else { return Ok(None) };
    let text = file.read_at(0, MARK_BYTES_MAX)?;
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}

// But for marks that were begun.
fn is_empty(system: &dyn FileSystem, dir: &Location) -> Result<bool, storage::Error> {
    Ok(system.list(dir)?.iter().all(|entry| is_temporary(&entry.name)))
}

fn there<T>(found: Result<T, storage::Error>) -> Result<Option<T>, storage::Error> {
    match found {
        Err(error) if matches!(error.problem, Problem::Missing) => Ok(None),
        found => found.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfcoord_fs::local::Local;

    fn names(dir: &Location) -> Vec<String> {
        Local.list(dir).unwrap().into_iter().map(|entry| entry.name).collect()
    }

    #[test]
    fn a_folder_is_one_jobs_and_what_was_not_finished_goes() {
        let place = tempfile::tempdir().unwrap();
        let dir = Location::from(place.path()).join("out/demo-2");
        reserve(&Local, &dir, "ours").unwrap();
        reserve(&Local, &dir, "ours").unwrap();
        let taken = reserve(&Local, &dir, "theirs").unwrap_err().to_string();
        assert!(taken.contains("demo-2 is there already") && taken.contains("help: "), "{taken}");
        let write = |name: &str| {
            let at = dir.join(name);
            Local.make_directory(&at.parent().unwrap()).unwrap();
            write_whole(&Local, &at, 0o644, Placement::New, &mut |writer| writer.write("x".into())).unwrap();
        };
        [".model-7/model.safetensors", "model/model.json", "tensorboard/events", "tensorboard/.events.7-0.tmp", ".curve.csv.7-0.tmp"]
            .into_iter()
            .for_each(write);
        reserve(&Local, &dir, "ours").unwrap();
        assert!(owns(&Local, &dir, "ours").unwrap() && !owns(&Local, &dir, "theirs").unwrap());
        tidy(&Local, &dir).unwrap();
        assert!(!owns(&Local, &dir, "ours").unwrap());
        assert_eq!((names(&dir), names(&dir.join("tensorboard"))), (vec!["model".into(), "tensorboard".into()], vec!["events".into()]));
        assert!(matches!(reserve(&Local, &dir, "ours"), Err(Error::Taken { .. })), "results are not overwritten");
        assert!(!owns(&Local, &Location::from(place.path()).join("none"), "ours").unwrap());
    }

    #[test]
    fn of_those_that_race_one_has_it() {
        let place = tempfile::tempdir().unwrap();
        let dir = Location::from(place.path()).join("demo-2");
        let won: usize = std::thread::scope(|scope| {
            let racers: Vec<_> = (0..8)
                .map(|n| {
                    scope.spawn({
                        let dir = &dir;
                        move || reserve(&Local, dir, &format!("racer {n}")).is_ok()
                    })
                })
                .collect();
            racers.into_iter().map(|racer| usize::from(racer.join().unwrap())).sum()
        });
        assert_eq!((won, names(&dir)), (1, vec![MARK.to_owned()]));
    }
}
