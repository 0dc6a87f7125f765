//! Names of what is derived from data files, in a directory that all processes of a host share.

use super::{DataFile, DataSet, Manifest};
use sha2::{Digest, Sha256};

/// What is derived from a data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Derived {
    /// Its plain bytes.
    Unpacked,
    /// Where its records begin.
    Records,
}

impl Derived {
    /// The name for the file at `path`, which had this length and modification time: the same in every process, another
    /// one once the file changes.
    pub fn name(self, path: &[u8], length: u64, modified_ns: u64) -> String {
        let mut hash = Sha256::new();
        hash.update(length.to_le_bytes());
        hash.update(modified_ns.to_le_bytes());
        hash.update(path);
        let kind = match self {
            Derived::Unpacked => "unpacked",
            Derived::Records => "records",
        };
        hash.finalize()[..16].iter().fold(format!("{kind}-"), |name, byte| format!("{name}{byte:02x}"))
    }
}

impl Manifest {
    /// The names of all that may be derived from its files.
    pub fn derived(&self) -> impl Iterator<Item = String> {
        let sets = std::iter::once(&self.train).chain(&self.eval);
        sets.flat_map(|DataSet { files, .. }| files).flat_map(DataFile::derived)
    }
}

impl DataFile {
    fn derived(&self) -> impl Iterator<Item = String> {
        let file = (&self.path, self.length, self.modified_ns);
        let labels = self.labels.as_ref().map(|path| (path, self.labels_length, self.labels_modified_ns));
        let of_one = |(path, length, modified_ns): (&String, u64, u64)| {
            [Derived::Unpacked, Derived::Records].map(|derived| derived.name(path.as_bytes(), length, modified_ns))
        };
        std::iter::once(file).chain(labels).flat_map(of_one)
    }
}
