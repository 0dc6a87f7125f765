//! Reads what a server holds of a checkpoint, however its chunks were cut and placed then.

use super::POINT_BYTES;
use bytes::BytesMut;
use std::collections::BTreeMap;
use tfcoord_checkpoint::{Directory, Error, Want, curve, read as manifest, restore};
use tfcoord_ps_core::optimizer::Slots;
use tfcoord_ps_core::{Content, Head};
use tfcoord_types::figures::CurvePoint;
use tfcoord_types::id::CheckpointId;

/// The contents of these chunks, by chunk.
///
/// # Errors
/// A file is missing, damaged, or does not hold what is asked for.
pub(super) fn read(dir: &Directory, id: CheckpointId, parts: &[Head]) -> Result<BTreeMap<u32, Content>, Error> {
    let manifest = manifest(dir, id)?;
    let buffer = |head: &Head, slot: u64| if head.slots >= slot { BytesMut::zeroed(bytes(head)) } else { BytesMut::new() };
    let counted = |head: &Head| BytesMut::zeroed(head.shards as usize * 4);
    let buffers = |head: &Head| [buffer(head, 0), buffer(head, 1), buffer(head, 2), counted(head)];
    let mut buffers: Vec<[BytesMut; 4]> = parts.iter().map(buffers).collect();
    let mut wants: Vec<Want<'_>> = parts.iter().zip(&mut buffers).map(|(head, buffers)| want(head, buffers)).collect();
    restore(dir, &manifest, &mut wants)?;
    let points = if parts.iter().any(|head| head.curve) { points(&curve(dir, &manifest)?.unwrap_or_default()) } else { Vec::new() };
    let content = |(head, [values, first, second, counted]): (&Head, [BytesMut; 4])| {
        // One chunk after the other, so that bytes and numbers of all of them are never there at once.
        let slots = Slots::from([numbers(&first), numbers(&second)]);
        let curve = if head.curve { points.clone() } else { Vec::new() };
        let counted = counted.as_chunks::<4>().0.iter().map(|steps| u32::from_le_bytes(*steps)).collect();
        (head.id, Content { values: values.freeze(), slots, curve, counted })
    };
    Ok(parts.iter().zip(buffers).map(content).collect())
}

fn bytes(head: &Head) -> usize {
    usize::try_from(head.chunk.len * 4).expect("a chunk has bounded length")
}

fn want<'a>(head: &Head, [values, first, second, counted]: &'a mut [BytesMut; 4]) -> Want<'a> {
    let some = |buffer: &'a mut BytesMut| if buffer.is_empty() { None } else { Some(&mut buffer[..]) };
    let (slab, offset, values) = (head.chunk.slab, head.chunk.offset, &mut values[..]);
    Want { slab, offset, values, first: some(first), second: some(second), counted: some(counted) }
}

fn numbers(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|number| f32::from_le_bytes(*number)).collect()
}

fn points(bytes: &[u8]) -> Vec<CurvePoint> {
    let numbers = numbers(bytes);
    let point = |(step, sums): (u64, &[f32; 3])| CurvePoint { step, loss_sum: sums[0], records: sums[1], correct: sums[2] };
    debug_assert_eq!(bytes.len() as u64 % POINT_BYTES, 0, "whole points");
    (0..).zip(numbers.as_chunks::<3>().0).map(point).collect()
}
