//! TensorBoard event files: scalar curves.
//!
//! A file is a sequence of TFRecords (`record`), each one `tensorflow.Event` (`event`); the first names the version of
//! the format. TensorBoard takes every file with `tfevents` in its name, follows it while it grows, and stops in front of a
//! record that is not whole, so a writer that dies harms nothing but its last record. A task that is started again
//! writes a file of its own.

mod event;
mod record;

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost::Message;

use event::{Event, Summary, Value, What};

/// The version of the event format that is written.
const FILE_VERSION: &str = "brain.Event:2";

/// An event file that cannot be created or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write event file {}", path.display())]
pub struct Error {
    /// The file, or its folder where that could not be made.
    pub path: PathBuf,
    /// Why.
    pub source: io::Error,
}

/// Writes one event file.
#[derive(Debug)]
pub struct EventWriter {
    path: PathBuf,
    file: BufWriter<File>,
}

impl EventWriter {
    /// Creates `dir` where it is missing and in it a new file `events.out.tfevents.<seconds>.<host><suffix>`; where that
    /// name is taken, a number is appended. `suffix` tells the tasks of one host apart, as in `.worker-0`; `now` is the
    /// file's wall time.
    ///
    /// # Errors
    /// When the folder or the file cannot be made.
    pub fn create(dir: &Path, suffix: &str, now: SystemTime) -> Result<Self, Error> {
        fs::create_dir_all(dir).map_err(|source| Error { path: dir.to_owned(), source })?;
        let host = rustix::system::uname().nodename().to_string_lossy().replace('/', "_");
        let seconds = since_epoch(now).as_secs();
        let stem = format!("events.out.tfevents.{seconds:010}.{host}{suffix}");
        let (path, file) = create_new(dir, &stem)?;
        let mut writer = Self { path, file: BufWriter::new(file) };
        writer.write(now, 0, What::FileVersion(FILE_VERSION.to_owned()))?;
        writer.flush()?;
        Ok(writer)
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds one point to the curve `tag`, as in `train/loss`. Any float is a value, NaN too. The point may stay in memory
    /// until [`flush`](Self::flush).
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn scalar(&mut self, tag: &str, step: u64, wall_time: SystemTime, value: f32) -> Result<(), Error> {
        let value = Value { tag: tag.to_owned(), simple_value: Some(value) };
        // The format's step is signed; no run reaches its end.
        let step = i64::try_from(step).unwrap_or(i64::MAX);
        self.write(wall_time, step, What::Summary(Summary { value: vec![value] }))
    }

    /// Hands what was added to the operating system, where TensorBoard sees it. It is not forced to disk: curves
    /// illustrate, and the job's results do not depend on them.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn flush(&mut self) -> Result<(), Error> {
        self.file.flush().map_err(|source| Error { path: self.path.clone(), source })
    }

    fn write(&mut self, wall_time: SystemTime, step: i64, what: What) -> Result<(), Error> {
        let event = Event { wall_time: since_epoch(wall_time).as_secs_f64(), step, what: Some(what) };
        record::write(&mut self.file, &event.encode_to_vec()).map_err(|source| Error { path: self.path.clone(), source })
    }
}

fn create_new(dir: &Path, stem: &str) -> Result<(PathBuf, File), Error> {
    let mut path = dir.join(stem);
    for number in 2_u32.. {
        match File::create_new(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => path = dir.join(format!("{stem}.{number}")),
            Err(source) => return Err(Error { path, source }),
            Ok(file) => return Ok((path, file)),
        }
    }
    Err(Error { path, source: io::ErrorKind::AlreadyExists.into() })
}

/// A clock set before 1970 counts as 1970: a wrong date is no reason to stop a job.
fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests;
