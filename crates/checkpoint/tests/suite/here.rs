//! Checkpoints in directories of this machine.

use std::path::Path;
use tfcoord_checkpoint::{Directory, Error, Found, Manifest, PartName, PartWriter, TensorHead, Want};
use tfcoord_types::id::CheckpointId;

pub fn begin(dir: &Path, name: PartName, layout: &[TensorHead]) -> Result<PartWriter, Error> {
    // Nothing is gathered for this machine's disks.
    PartWriter::begin(&dir.into(), Path::new("/no/where"), name, layout)
}

macro_rules! here {
    ($($name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {$(
        pub fn $name(dir: &Path, $($argument: $type),*) -> Result<$result, Error> {
            tfcoord_checkpoint::$name(&Directory::from(dir), $($argument),*)
        }
    )*};
}

here! {
    commit(manifest: &Manifest) -> ();
    curve(manifest: &Manifest) -> Option<Vec<u8>>;
    find() -> Found;
    list() -> Vec<CheckpointId>;
    read(id: CheckpointId) -> Manifest;
    remove(id: CheckpointId) -> ();
    restore(manifest: &Manifest, wants: &mut [Want<'_>]) -> ();
    sweep(keep: usize, in_use: &[CheckpointId]) -> Vec<CheckpointId>;
    verify(manifest: &Manifest) -> ();
    verify_lengths(manifest: &Manifest) -> ();
}
