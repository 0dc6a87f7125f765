//! Parts, as they are written.

use crate::fixture::{content, heads, id, names, write_part};
use crate::here::{begin, restore};
use safetensors::{Dtype, SafeTensors};
use std::fs;
use tfcoord_checkpoint::{Error, Kind, PartName, TensorHead};
use tfcoord_types::id::Incarnation;

const NAME: &str = "1-500-507.ps-0.10.safetensors";

fn name() -> PartName {
    PartName { id: id(500), slot: 0, incarnation: Incarnation(10) }
}

fn head(offset: u64, elements: u64) -> TensorHead {
    TensorHead { slab: 0, kind: Kind::Values, offset, bytes: elements * 4 }
}

#[test]
fn the_library_of_the_format_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let heads = heads(1, 0, 1);
    let part = write_part(dir.path(), id(500), 0, &heads).unwrap();
    assert_eq!(part.file, NAME);
    let bytes = fs::read(dir.path().join(NAME)).unwrap();
    assert_eq!((part.length, part.crc32c), (bytes.len() as u64, crc32c::crc32c(&bytes)));
    let file = SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.len(), heads.len());
    for TensorHead { slab, kind, offset, bytes } in heads {
        let tensor = file.tensor(&format!("{slab}/{offset}/{kind}")).unwrap();
        assert_eq!((tensor.dtype(), tensor.shape()), (Dtype::F32, &[usize::try_from(bytes).unwrap() / 4][..]));
        assert!(tensor.data() == content(id(500), slab, kind, offset, bytes / 4));
    }
}

#[test]
fn the_order_of_writing_does_not_matter() {
    let dir = tempfile::tempdir().unwrap();
    let heads = heads(2, 0, 1);
    let whole = write_part(dir.path(), id(500), 0, &heads).unwrap();
    let bytes = fs::read(dir.path().join(NAME)).unwrap();
    fs::remove_file(dir.path().join(NAME)).unwrap();
    let mut writer = begin(dir.path(), name(), &heads).unwrap();
    let contents: Vec<_> = heads.iter().map(|head| content(id(500), head.slab, head.kind, head.offset, head.bytes / 4)).collect();
    // A piece of each in turn, none of them of whole elements.
    for turn in 0.. {
        let pieces: Vec<_> = contents.iter().map(|content| content.chunks(4097).nth(turn)).collect();
        pieces.iter().enumerate().for_each(|(place, piece)| writer.write(place, piece.unwrap_or_default()).unwrap());
        if pieces.iter().all(Option::is_none) {
            break;
        }
    }
    assert_eq!(writer.finish().unwrap(), whole);
    assert!(fs::read(dir.path().join(NAME)).unwrap() == bytes);
}

#[test]
fn what_is_not_finished_is_not_there() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = begin(dir.path(), name(), &[head(0, 4)]).unwrap();
    writer.write(0, &[1; 12]).unwrap();
    assert_eq!(names(dir.path()), [NAME]);
    drop(writer);
    assert_eq!(names(dir.path()), [""; 0]);
    let mut writer = begin(dir.path(), name(), &[head(0, 4)]).unwrap();
    writer.write(0, &[1; 12]).unwrap();
    let error = writer.finish().unwrap_err().to_string();
    assert!(error.ends_with("the tensor 0/0/values has 12 of its 16 bytes"), "{error}");
    assert_eq!(names(dir.path()), [""; 0]);
}

#[test]
fn more_than_there_is_room_for_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = begin(dir.path(), name(), &[head(0, 4)]).unwrap();
    assert!(matches!(writer.write(0, &[0; 17]), Err(Error::Layout { .. })));
    assert!(matches!(writer.write(1, &[0; 4]), Err(Error::Layout { .. })));
    writer.write(0, &[0; 16]).unwrap();
    assert!(matches!(writer.write(0, &[0; 1]), Err(Error::Layout { .. })));
    assert!(matches!(begin(dir.path(), PartName { slot: 1, ..name() }, &[head(0, 4), head(3, 1)]), Err(Error::Layout { .. })));
    assert_eq!(names(dir.path()), [NAME], "what cannot be written is not begun");
}

#[test]
fn no_part_is_replaced() {
    let dir = tempfile::tempdir().unwrap();
    write_part(dir.path(), id(500), 0, &[head(0, 4)]).unwrap();
    let before = fs::read(dir.path().join(NAME)).unwrap();
    let error = write_part(dir.path(), id(500), 0, &[head(0, 9)]).unwrap_err();
    assert!(matches!(error, Error::Exists { .. }), "{error}");
    assert!(fs::read(dir.path().join(NAME)).unwrap() == before);
}

#[test]
fn one_that_was_removed_meanwhile_is_not_finished() {
    let dir = tempfile::tempdir().unwrap();
    let mut writer = begin(dir.path(), name(), &[head(0, 4)]).unwrap();
    writer.write(0, &[0; 16]).unwrap();
    fs::remove_file(dir.path().join(NAME)).unwrap();
    let error = writer.finish().unwrap_err().to_string();
    assert!(error.starts_with("cannot look at ") && error.contains(": it is not there: begin from an earlier checkpoint"), "{error}");
}

#[test]
fn a_server_without_chunks_has_an_empty_part() {
    let dir = tempfile::tempdir().unwrap();
    let part = write_part(dir.path(), id(500), 0, &[]).unwrap();
    restore(dir.path(), &crate::fixture::manifest(id(500), 1, vec![part]), &mut []).unwrap();
}
