//! From a file of this machine to one anywhere.

use crate::storage::{Error, FileSystem, Location, Placement, Writer, write_whole};
use bytes::BytesMut;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What is handed over at once.
const PIECE: u64 = 4 << 20;

/// Writes the file `at` with what `file`, which is on this machine, holds now. Begun anew where that helps, as [`write_whole`]
/// does.
///
/// # Errors
/// As those of [`write_whole`], or `file` cannot be read.
pub fn write_copy(system: &dyn FileSystem, at: &Location, mode: u32, placement: Placement, file: &File) -> Result<(), Error> {
    let operation = "copy from this machine's disk to";
    let failed = |cause: io::Error| Error { operation, location: at.to_string(), access: None, problem: cause.into() };
    let length = file.metadata().map_err(failed)?.len();
    write_whole(system, at, mode, placement, &mut |writer: &mut dyn Writer| {
        let mut buffer = BytesMut::new();
        let mut offset = 0;
        while offset < length {
            let piece = (length - offset).min(PIECE);
            buffer.resize(usize::try_from(piece).expect("a piece fits in memory"), 0);
            file.read_exact_at(&mut buffer, offset).map_err(failed)?;
            writer.write(buffer.split().freeze())?;
            offset += piece;
        }
        Ok(())
    })
}
