//! The header of a part, in JSON: `{"0/4096/values": {"dtype": "F32", "shape": [4096], "data_offsets": [0, 16384]}, …}`.

use super::{ELEMENT, HEADER_BYTES_MAX, PREFIX, TensorHead};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// Tensors begin behind a multiple of so many bytes, those of a page: what is gathered and read lies in whole pages then. The
/// header is filled up with spaces.
const ALIGNMENT: u64 = 4096;

/// A tensor and where it begins behind the header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tensor {
    pub head: TensorHead,
    pub at: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Info<'a> {
    #[serde(borrow)]
    dtype: Cow<'a, str>,
    shape: (u64,),
    data_offsets: (u64, u64),
}

/// The length and the header of a file with these tensors, in this order, one behind the other; and the tensors.
pub(super) fn encode(heads: &[TensorHead]) -> Result<(Vec<u8>, Vec<Tensor>), String> {
    let mut end = 0u64;
    let mut tensors = Vec::with_capacity(heads.len());
    for head in heads {
        tensors.push(Tensor { head: *head, at: end });
        end = end.checked_add(head.bytes).ok_or("it has too many bytes")?;
    }
    check(heads)?;
    let json = serde_json::to_vec(&Header(Cow::Borrowed(&tensors))).map_err(|error| error.to_string())?;
    let length = (PREFIX + json.len() as u64).next_multiple_of(ALIGNMENT) - PREFIX;
    if length > HEADER_BYTES_MAX {
        return Err(format!("{} tensors are too many for one file: raise parameter_server.chunk_bytes", heads.len()));
    }
    let mut bytes = length.to_le_bytes().to_vec();
    bytes.extend_from_slice(&json);
    bytes.resize(bytes.len().next_multiple_of(ALIGNMENT as usize), b' ');
    Ok((bytes, tensors))
}

/// The tensors that a header says its file has, in the order in which they lie there. They fill the `data` bytes behind
/// the header, and no two of them hold the same.
pub(super) fn decode(header: &[u8], data: u64) -> Result<Vec<Tensor>, String> {
    let Header(tensors) = serde_json::from_slice(header).map_err(|error| format!("its header is no list of tensors ({error})"))?;
    let mut tensors = tensors.into_owned();
    tensors.sort_by_key(|tensor| tensor.at);
    let mut end = 0u64;
    for tensor in &tensors {
        if tensor.at != end {
            return Err(format!("the tensor {} does not begin where the one before it ends", tensor.head.name()));
        }
        end = end.saturating_add(tensor.head.bytes);
    }
    if end != data {
        return Err(format!("its tensors have {end} bytes, but {data} are there"));
    }
    let heads: Vec<TensorHead> = tensors.iter().map(|tensor| tensor.head).collect();
    check(&heads).map(|()| tensors)
}

/// The length of the header, from what stands before it in a file of `length` bytes.
pub(super) fn length(prefix: [u8; PREFIX as usize], length: u64) -> Result<u64, String> {
    let header = u64::from_le_bytes(prefix);
    let most = length.saturating_sub(PREFIX).min(HEADER_BYTES_MAX);
    if header > most { Err(format!("its header would have {header} bytes, which it cannot")) } else { Ok(header) }
}

// Whole elements, each held once.
fn check(heads: &[TensorHead]) -> Result<(), String> {
    for head in heads {
        if head.bytes == 0 || !head.bytes.is_multiple_of(ELEMENT) || head.offset.checked_add(head.bytes / ELEMENT).is_none() {
            return Err(format!("the tensor {} cannot have {} bytes", head.name(), head.bytes));
        }
    }
    let mut heads = heads.to_vec();
    heads.sort_unstable();
    let twice =
        heads.windows(2).find(|pair| (pair[0].slab, pair[0].kind) == (pair[1].slab, pair[1].kind) && pair[0].end() > pair[1].offset);
    match twice {
        Some(pair) => Err(format!("the tensors {} and {} hold the same elements", pair[0].name(), pair[1].name())),
        None => Ok(()),
    }
}

struct Header<'a>(Cow<'a, [Tensor]>);

impl Serialize for Header<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for Tensor { head, at } in self.0.iter() {
            let info = Info { dtype: head.kind.dtype().into(), shape: (head.bytes / ELEMENT,), data_offsets: (*at, at + head.bytes) };
            map.serialize_entry(&head.name(), &info)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Header<'_> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Tensors).map(|tensors| Self(Cow::Owned(tensors)))
    }
}

// Each entry is looked at as it comes: nothing is kept of what is no tensor of ours.
struct Tensors;

impl<'de> Visitor<'de> for Tensors {
    type Value = Vec<Tensor>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tensors by name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut tensors = Vec::new();
        while let Some((name, info)) = map.next_entry::<Cow<'de, str>, Info<'de>>()? {
            let strange = || serde::de::Error::custom(format!("{:?} is no tensor of a checkpoint", shortened(&name)));
            let (at, end) = info.data_offsets;
            let bytes = end.checked_sub(at).ok_or_else(strange)?;
            let head = TensorHead::parse(&name, bytes).ok_or_else(strange)?;
            if info.dtype != head.kind.dtype() || info.shape.0.checked_mul(ELEMENT) != Some(bytes) {
                return Err(strange());
            }
            tensors.push(Tensor { head, at });
        }
        Ok(tensors)
    }
}

fn shortened(name: &str) -> String {
    name.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::part::Kind;

    fn head(slab: u32, offset: u64, kind: Kind, elements: u64) -> TensorHead {
        TensorHead { slab, offset, kind, bytes: elements * ELEMENT }
    }

    #[test]
    fn what_is_written_is_read() {
        // What counts is longer than the chunk that it is said of.
        let counted = [head(0, 0, Kind::Counted, 9), head(0, 4, Kind::Counted, 9)];
        let values = [head(0, 0, Kind::Values, 4), head(0, 4, Kind::Values, 1)];
        let heads = [&[head(1, 8, Kind::Second, 3)], &values[..], &[head(2, 0, Kind::Curve, 6)], &counted[..]].concat();
        let (bytes, tensors) = encode(&heads).unwrap();
        assert_eq!(tensors.iter().map(|tensor| tensor.at).collect::<Vec<_>>(), [0, 12, 28, 32, 56, 92]);
        let (prefix, header) = bytes.split_first_chunk().unwrap();
        assert_eq!(length(*prefix, 1 << 20), Ok(header.len() as u64));
        assert!(bytes.len().is_multiple_of(4096));
        assert_eq!(decode(header, 128).unwrap(), tensors);
        assert!(length(*prefix, header.len() as u64 + 7).is_err(), "it would go beyond the file");
        assert!(length(u64::MAX.to_le_bytes(), u64::MAX).is_err());
    }

    #[test]
    fn what_a_part_cannot_hold_is_refused() {
        let check = |heads: &[TensorHead], expect: &str| {
            let problem = encode(heads).unwrap_err();
            assert!(problem.contains(expect), "{problem}");
        };
        check(&[head(0, 0, Kind::Values, 0)], "0/0/values cannot have 0 bytes");
        check(&[TensorHead { bytes: 6, ..head(0, 0, Kind::Values, 0) }], "cannot have 6 bytes");
        check(&[head(0, u64::MAX, Kind::Values, 1)], "cannot have 4 bytes");
        check(&[head(0, 0, Kind::First, 4), head(1, 0, Kind::First, 4), head(0, 3, Kind::First, 4)], "0/0/first and 0/3/first");
        let huge = TensorHead { bytes: u64::MAX - 3, ..head(0, 0, Kind::Values, 0) };
        check(&[huge, huge], "too many bytes");
    }

    #[test]
    fn strangers_are_refused() {
        let check = |json: &str, data: u64, expect: &str| {
            let problem = decode(json.as_bytes(), data).unwrap_err();
            assert!(problem.contains(expect), "{json}: {problem}");
        };
        let one = |name: &str, dtype: &str, shape: &str, offsets: &str| {
            format!(r#"{{"{name}": {{"dtype": "{dtype}", "shape": {shape}, "data_offsets": {offsets}}}}}"#)
        };
        check("", 0, "no list of tensors");
        check("[]", 0, "no list of tensors");
        check(&one("dense/kernel", "F32", "[1]", "[0, 4]"), 4, "\"dense/kernel\" is no tensor of a checkpoint");
        check(&one("0/0/values", "F16", "[2]", "[0, 4]"), 4, "no tensor of a checkpoint");
        check(&one("0/0/counted", "F32", "[1]", "[0, 4]"), 4, "no tensor of a checkpoint");
        check(&one("0/0/values", "F32", "[1, 1]", "[0, 4]"), 4, "no list of tensors");
        check(&one("0/0/values", "F32", "[1]", "[4, 0]"), 4, "no tensor of a checkpoint");
        check(&one("0/0/values", "F32", "[4611686018427387904]", "[0, 0]"), 0, "no tensor of a checkpoint");
        check(&one("0/0/values", "F32", "[1]", "[0, 4]"), 8, "have 4 bytes, but 8 are there");
        check(&one("0/0/values", "F32", "[1]", "[4, 8]"), 8, "does not begin");
        check(&one(&"x".repeat(1000), "F32", "[1]", "[0, 4]"), 4, "\"xxx");
        let twice = r#"{"0/0/values": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}, "0/0/values": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}"#;
        check(twice, 8, "hold the same elements");
        let overlapping = r#"{"0/0/values": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "0/9/values": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}"#;
        check(overlapping, 8, "does not begin");
    }
}
