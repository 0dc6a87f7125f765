use super::*;
use crate::numbers;
use tfcoord_types::id::{Generation, Incarnation, Revision};
use tfcoord_types::lane::Block;
use tfcoord_types::layout::SEGMENT;
use tfcoord_types::variable::{Group, Initializer, Variable};

fn layout() -> Layout {
    let variable = Variable { name: "w".into(), shape: vec![4100], initializer: Initializer::Zeros, group: Group::Train, sync: None };
    Layout::new(&[variable], SEGMENT).unwrap()
}

fn push() -> Push {
    Push {
        generation: Generation(1),
        placement_epoch: 2,
        worker: 0,
        incarnation: Incarnation(9),
        view_revision: Revision(12),
        step: 3,
        block: Block::new(2, 2).unwrap(),
        records: 5,
        chunk: 1,
        payload: numbers::to_bytes(&[1.0, 2.0, 3.0, 4.0]),
    }
}

#[test]
fn a_push_comes_back_as_it_went() {
    let message = push().into_message("demo-1", &layout());
    assert_eq!((message.slab, message.offset, message.length), (0, 4096, 4));
    let (back, place) = Push::from_message(message, "demo-1").unwrap();
    assert_eq!(back, push());
    assert_eq!(place.check(&back.payload, &layout()), Ok(()));
}

#[test]
fn a_large_payload_is_shared_and_a_small_one_is_not() {
    let variable = Variable { name: "w".into(), shape: vec![1 << 20], initializer: Initializer::Zeros, group: Group::Train, sync: None };
    let layout = Layout::new(&[variable], 1 << 20).unwrap();
    let large = Push { chunk: 0, payload: numbers::to_bytes(&vec![1.0; 1 << 20]), ..push() };
    for (push, layout, shared) in [(large, &layout, true), (push(), &self::layout(), false)] {
        let at = push.payload.as_ptr();
        let (back, _) = Push::from_message(push.into_message("demo-1", layout), "demo-1").unwrap();
        assert_eq!(back.payload.as_ptr() == at, shared);
    }
}

#[test]
fn what_is_wrong_with_a_push_is_told() {
    let wrong = |change: &dyn Fn(&mut v1::Push)| {
        let mut message = push().into_message("demo-1", &layout());
        change(&mut message);
        let told = Push::from_message(message, "demo-1").and_then(|(push, place)| place.check(&push.payload, &layout()));
        told.unwrap_err().to_string()
    };
    assert_eq!(wrong(&|m| m.job = "other-2".into()), "job \"other-2\" instead of \"demo-1\"");
    assert!(wrong(&|m| m.crc32c ^= 1).starts_with("payload damaged: CRC-32C "));
    assert!(wrong(&|m| m.payload = Bytes::from_static(b"sixteen bytes..!")).starts_with("payload damaged"));
    assert_eq!(wrong(&|m| m.length = 5), "16 bytes of payload for 5 numbers");
    assert_eq!(wrong(&|m| m.length = u64::MAX / 2), "16 bytes of payload for 9223372036854775807 numbers");
    assert_eq!(wrong(&|m| m.lanes = 3), "3 lanes from 2 are no block");
    assert_eq!(wrong(&|m| m.dtype = 7), "dtype 7, codec 1 or scale 1 unknown: expected plain f32 and 1");
    assert_eq!(wrong(&|m| m.scale = f32::NAN), "dtype 1, codec 1 or scale NaN unknown: expected plain f32 and 1");
    assert_eq!(wrong(&|m| m.chunk = 0), "chunk 0 is not at element 4096 of slab 0");
    assert_eq!(wrong(&|m| m.chunk = 2), "chunk 2 is not at element 4096 of slab 0");
    assert_eq!(wrong(&|m| (m.chunk, m.offset) = (0, 0)), "16 bytes of payload for 4096 numbers");
}

#[test]
fn a_chunk_comes_back_as_it_went_or_not_at_all() {
    let chunk = Chunk { generation: Generation(1), chunk: 1, version: 4, payload: numbers::to_bytes(&[0.5; 4]) };
    let message = chunk.clone().into_message();
    assert_eq!(Chunk::from_message(message.clone(), &layout()), Ok(chunk));
    let wrong = |change: &dyn Fn(&mut v1::Chunk)| {
        let mut message = message.clone();
        change(&mut message);
        Chunk::from_message(message, &layout()).unwrap_err()
    };
    assert!(matches!(wrong(&|m| m.crc32c ^= 1), Malformed::Checksum { .. }));
    assert!(matches!(wrong(&|m| m.chunk = 9), Malformed::Place { .. }));
    assert!(matches!(wrong(&|m| m.chunk = 0), Malformed::Length { elements: 4096, bytes: 16 }));
    assert!(matches!(wrong(&|m| m.codec = 0), Malformed::Coding { .. }));
}
