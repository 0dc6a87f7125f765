//! The folders that jobs' results go to: whose they are.
//!
//! Other coordinators number their jobs as well, and may write to the same place: `<output.dir>/<job>` is made before the
//! job is admitted, and belongs to it. While the job may write there, a [`MARK`] lies in it that names coordinator and job;
//! when nothing is left of the job the mark goes, with what its tasks could not finish. In HDFS it is made once the job is logged
//! ([`remote`]).
//!
//! ```text
//!   SubmitJob ── reserve: the folder is made, with the mark ──► logged: the job writes ──► over ── tidy: the mark goes
//!                   │ it is there already                  └──► refused ── tidy: the folder goes, nothing is in it
//!                   ▼
//!                nothing in it is touched: the job gets the next number
//! ```

pub mod remote;

use crate::state_dir::{self, StateDir};
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use tfcoord_types::id::JobId;
use tfcoord_types::view::EXPORT_TEMPORARY;

/// The file that says whose a folder is.
const MARK: &str = ".tfcoord-owner";

/// Reserves folders for a coordinator's jobs.
#[derive(Debug, Clone)]
pub struct Outputs {
    coordinator: String,
}

/// A folder that a job cannot have.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else's results may be there.
    #[error(
        "{field}: {dir} is there already, and its content is not this job's\n  help: name another {field} or give the job another name, or move that folder away"
    )]
    Taken {
        /// The job file's field that names where it is.
        field: &'static str,
        /// The folder.
        dir: PathBuf,
    },
    /// It cannot be made.
    #[error("{field}: cannot make {path}: {cause}\n  help: name a directory that the coordinator may write to, and that has room")]
    File {
        /// The job file's field that names where it is.
        field: &'static str,
        /// The folder, or the mark in it.
        path: PathBuf,
        /// Why not.
        cause: io::Error,
    },
}

impl Outputs {
    /// Of the coordinator that serves this state directory.
    ///
    /// # Errors
    /// Its identity cannot be read or made.
    pub fn new(state: &StateDir) -> Result<Self, state_dir::Error> {
        Ok(Self { coordinator: state.identity()? })
    }

    /// Makes `dir` the job's, which `field` of its job file names. Again for the same job it stays as it is, as long as
    /// nothing was written there.
    ///
    /// # Errors
    /// It is another one's, or it cannot be made; then it is as it was.
    pub fn reserve(&self, field: &'static str, dir: &Path, job: &JobId) -> Result<(), Error> {
        let failed = |path: &Path, cause| Error::File { field, path: path.to_owned(), cause };
        match fs::create_dir(dir) {
            Ok(()) => self.mark(dir, job).map_err(|cause| {
                let _made_here = fs::remove_file(dir.join(MARK)).and(fs::remove_dir(dir));
                failed(&dir.join(MARK), cause)
            }),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // An earlier life of this coordinator may have died before it had admitted the job.
                let ours = self.owns(dir, job) && fs::read_dir(dir).is_ok_and(|entries| entries.count() == 1);
                if ours { Ok(()) } else { Err(Error::Taken { field, dir: dir.to_owned() }) }
            }
            Err(error) => Err(failed(dir, error)),
        }
    }

    /// Removes what the job's tasks could not finish, the mark, and the folder if nothing else is in it. For a job that
    /// nothing runs of. A folder without the job's mark is left alone.
    ///
    /// # Errors
    /// Something cannot be removed; then the mark stays.
    pub fn tidy(&self, dir: &Path, job: &JobId) -> io::Result<()> {
        if !self.owns(dir, job) {
            return Ok(());
        }
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let unfinished = entry.file_name().to_str().is_some_and(|name| name.starts_with(EXPORT_TEMPORARY));
            if unfinished && entry.file_type()?.is_dir() {
                fs::remove_dir_all(entry.path())?;
            }
        }
        tfcoord_fs::remove_temporaries(dir).map_err(io::Error::other)?;
        fs::remove_file(dir.join(MARK))?;
        match fs::remove_dir(dir) {
            Err(error) if error.kind() != ErrorKind::DirectoryNotEmpty => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    fn mark(&self, dir: &Path, job: &JobId) -> io::Result<()> {
        File::create_new(dir.join(MARK))?.write_all(self.text(job).as_bytes())
    }

    fn owns(&self, dir: &Path, job: &JobId) -> bool {
        fs::read(dir.join(MARK)).is_ok_and(|text| text == self.text(job).as_bytes())
    }

    /// What the mark of a job's folders says.
    pub fn text(&self, job: &JobId) -> String {
        format!("job {job} of coordinator {}\n", self.coordinator)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Place {
        dir: tempfile::TempDir,
        job: JobId,
    }

    impl Place {
        fn new() -> Self {
            Self { dir: tempfile::tempdir().unwrap(), job: "demo-2".parse().unwrap() }
        }

        fn outputs(&self, state: &str) -> Outputs {
            Outputs::new(&StateDir::new(&self.dir.path().join(state)).unwrap()).unwrap()
        }

        fn folder(&self) -> PathBuf {
            self.dir.path().join("demo-2")
        }

        fn names(&self) -> Vec<String> {
            let mut names: Vec<_> = fs::read_dir(self.folder()).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    #[test]
    fn a_folder_is_one_jobs() {
        let place = Place::new();
        let (ours, theirs) = (place.outputs("ours"), place.outputs("theirs"));
        ours.reserve("output.dir", &place.folder(), &place.job).unwrap();
        place.outputs("ours").reserve("output.dir", &place.folder(), &place.job).unwrap();
        let taken = theirs.reserve("output.dir", &place.folder(), &place.job).unwrap_err().to_string();
        assert!(taken.contains("demo-2 is there already") && taken.contains("help: "), "{taken}");
        theirs.tidy(&place.folder(), &place.job).unwrap();
        assert_eq!(place.names(), [MARK], "it is not theirs");
        fs::write(place.folder().join("curve.csv"), "1").unwrap();
        assert!(matches!(ours.reserve("output.dir", &place.folder(), &place.job), Err(Error::Taken { .. })), "results are not overwritten");
        ours.tidy(&place.folder(), &place.job).unwrap();
        assert_eq!(place.names(), ["curve.csv"]);
        assert!(matches!(theirs.reserve("output.dir", &place.folder(), &place.job), Err(Error::Taken { .. })));
    }

    #[test]
    fn what_was_not_finished_goes_and_results_stay() {
        let place = Place::new();
        let ours = place.outputs("ours");
        ours.reserve("output.dir", &place.folder(), &place.job).unwrap();
        for name in [".model-7/model.safetensors", "model/model.json", "tensorboard/events"] {
            let path = place.folder().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x").unwrap();
        }
        fs::write(place.folder().join(".curve.csv.7-0.tmp"), "half").unwrap();
        fs::write(place.folder().join(".notes"), "of somebody").unwrap();
        ours.tidy(&place.folder(), &place.job).unwrap();
        assert_eq!(place.names(), [".notes", "model", "tensorboard"]);
        fs::create_dir(place.folder().join(".model-8")).unwrap();
        ours.tidy(&place.folder(), &place.job).unwrap();
        assert_eq!(place.names().len(), 4, "without a mark it is nobody's");
    }

    #[test]
    fn an_empty_folder_goes_and_one_that_cannot_be_made_is_named() {
        let place = Place::new();
        let ours = place.outputs("ours");
        ours.reserve("output.dir", &place.folder(), &place.job).unwrap();
        ours.tidy(&place.folder(), &place.job).unwrap();
        assert!(!place.folder().exists());
        ours.tidy(&place.folder(), &place.job).unwrap();
        fs::write(place.dir.path().join("file"), "").unwrap();
        for field in ["output.dir", "checkpoint.dir"] {
            let error = ours.reserve(field, &place.dir.path().join("file/demo-2"), &place.job).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{field}: cannot make ")) && error.contains("help: "), "{error}");
        }
    }
}
