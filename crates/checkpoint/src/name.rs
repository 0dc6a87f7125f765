//! The names of a checkpoint's files. Everything else in its directory is not ours.

use std::fmt;
use tfcoord_types::id::{CheckpointId, Incarnation};

const MANIFEST: &str = ".json";
const PART: &str = ".safetensors";

/// The name of a part: `1-500-73.ps-0.12.safetensors`. No two writers ever have the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartName {
    /// The checkpoint.
    pub id: CheckpointId,
    /// The server's slot.
    pub slot: u32,
    /// The server's incarnation.
    pub incarnation: Incarnation,
}

impl fmt::Display for PartName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.ps-{}.{}{PART}", self.id, self.slot, self.incarnation)
    }
}

impl PartName {
    /// The part that a file of this name is; `None` if it is none. One name a part: no path, no leading zeros.
    pub fn parse(file: &str) -> Option<Self> {
        let (id, rest) = file.strip_suffix(PART)?.split_once(".ps-")?;
        let (slot, incarnation) = rest.split_once('.')?;
        let name = Self { id: id.parse().ok()?, slot: slot.parse().ok()?, incarnation: Incarnation(incarnation.parse().ok()?) };
        (name.to_string() == file).then_some(name)
    }
}

/// The name of a manifest.
pub(crate) fn manifest(id: CheckpointId) -> String {
    format!("{id}{MANIFEST}")
}

/// A file that belongs to a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Belongs {
    Manifest(CheckpointId),
    Part(CheckpointId),
    /// What was being written under another name.
    Temporary(CheckpointId),
}

/// What a file of this name is; `None` for a stranger's.
pub(crate) fn belongs(file: &str) -> Option<Belongs> {
    if let Some(part) = PartName::parse(file) {
        return Some(Belongs::Part(part.id));
    }
    if let Some(id) = file.strip_suffix(MANIFEST) {
        return id.parse().ok().map(Belongs::Manifest);
    }
    // As files that appear whole are called before they do.
    let (name, _) = file.strip_prefix('.')?.strip_suffix(".tmp")?.rsplit_once('.')?;
    match belongs(name)? {
        Belongs::Manifest(id) | Belongs::Part(id) => Some(Belongs::Temporary(id)),
        Belongs::Temporary(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tfcoord_types::id::Generation;

    #[test]
    fn names_are_told_apart() {
        let id = CheckpointId { generation: Generation(1), step: 500, attempt: 73 };
        let part = PartName { id, slot: 0, incarnation: Incarnation(12) };
        assert_eq!(part.to_string(), "1-500-73.ps-0.12.safetensors");
        assert_eq!(PartName::parse("1-500-73.ps-0.12.safetensors"), Some(part));
        assert_eq!(belongs("1-500-73.ps-0.12.safetensors"), Some(Belongs::Part(id)));
        assert_eq!(belongs(&manifest(id)), Some(Belongs::Manifest(id)));
        for written in [".1-500-73.json.99-0.tmp", ".1-500-73.ps-0.12.safetensors.99-0.tmp"] {
            assert_eq!(belongs(written), Some(Belongs::Temporary(id)));
        }
        for stranger in [
            "1-500-73.ps-00.12.safetensors",
            "1-500-73.ps-0.safetensors",
            "../1-500-73.ps-0.12.safetensors",
            "1-500-73.ps-0.12.safetensors.bak",
            "1-0500-73.json",
            "model.json",
            ".1-500-73.json",
            ".tmp",
            "..1-500-73.json.99-0.tmp.99-1.tmp",
            "",
        ] {
            assert_eq!(belongs(stranger), None, "{stranger}");
        }
    }
}
