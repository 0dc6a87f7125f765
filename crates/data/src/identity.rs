//! What a file was when it was looked at: place, length, modification time.

use crate::error::{Change, Error, FileProblem};
use crate::files::Files;
use tfcoord_fs::storage::{Kind, Location, Status};
use tfcoord_types::manifest::Derived;

/// A file as it was at some time.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Identity {
    pub at: Location,
    pub length: u64,
    pub modified_ns: u64,
}

impl Identity {
    /// Of the file as it is now.
    pub fn now(at: &Location, files: &Files) -> Result<Self, Error> {
        Self::new(at, files.system(at)?.stat(at)?)
    }

    fn new(at: &Location, status: Status) -> Result<Self, Error> {
        if status.kind != Kind::File {
            return Err(Error::file(at)(FileProblem::NotRegular));
        }
        Ok(Self { at: at.clone(), length: status.length, modified_ns: status.modified_ns })
    }

    /// Whether the file, now of this status, is what it was.
    pub fn check(&self, status: Status) -> Result<(), Error> {
        let now = Self::new(&self.at, status)?;
        let change = match (self.length, now.length) {
            _ if now == *self => return Ok(()),
            (was, is) if was != is => Change::Length { was, is },
            (length, _) => Change::Time { length },
        };
        Err(self.changed(change))
    }

    /// Whether the file at this place is what it was.
    pub fn check_now(&self, files: &Files) -> Result<(), Error> {
        self.check(files.system(&self.at)?.stat(&self.at)?)
    }

    /// That it is not what it was.
    pub fn changed(&self, change: Change) -> Error {
        Error::file(&self.at)(FileProblem::Changed(change))
    }

    /// A name for what is derived from the file: the same in every process, another one once the file changes.
    pub fn derived(&self, kind: Derived) -> String {
        kind.name(self.at.to_string().as_bytes(), self.length, self.modified_ns)
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
