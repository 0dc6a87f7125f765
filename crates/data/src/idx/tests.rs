use super::*;
use crate::fixture::{Dir, gzip, idx};
use proptest::prelude::*;

fn said(bytes: &[u8], content: Content) -> String {
    let parsed = Header::parse(&bytes[..bytes.len().min(HEADER_MAX)], bytes.len() as u64, content);
    parsed.map_or_else(|problem| problem.to_string(), |header| format!("{} of {:?} at {}", header.records, header.shape, header.data))
}

#[test]
fn headers() {
    let check = |sizes: &[u32], values: usize, expected: &str| {
        assert_eq!(said(&idx(sizes, vec![0; values]), Content::Images), expected);
    };
    check(&[2, 3, 4], 24, "2 of [1, 3, 4] at 16");
    check(&[2, 3, 2, 2], 24, "2 of [3, 2, 2] at 20");
    check(&[2, 12], 24, "2 of [12] at 12");
    check(&[0, 3, 4], 0, "0 of [1, 3, 4] at 16");
    check(&[2, 3, 4], 23, "is truncated: its header names 2 records of 12 bytes, which makes 40 bytes, but it has 39");
    check(&[2, 3, 4], 26, "has 2 bytes after the 2 records that its header names");
    check(&[2], 2, "has 1 dimensions, expected 3 (pictures, height, width), 4 with channels, or 2");
    check(&[1, 1, 1, 1, 1], 1, "has 5 dimensions, expected 3 (pictures, height, width), 4 with channels, or 2");
    check(&[2, 0, 4], 0, "has records of 0 values, expected 1 to 4194304");
    check(&[1, 65535, 65535], 0, "has records of 4294836225 values, expected 1 to 4194304");
    check(&[1, u32::MAX, u32::MAX, u32::MAX], 0, "has records of 18446744073709551615 values, expected 1 to 4194304");
    assert_eq!(said(&idx(&[2], [0, 1]), Content::Labels), "2 of [] at 8");
    assert_eq!(said(&idx(&[1, 1, 1], [0]), Content::Labels), "has 3 dimensions, expected 1 for labels");
}

#[test]
fn what_is_no_idx_file() {
    let check = |bytes: &[u8], expected: &str| assert_eq!(said(bytes, Content::Images), expected);
    check(b"", "is truncated: 0 bytes do not hold an IDX header");
    check(b"\x00\x00\x08", "is truncated: 3 bytes do not hold an IDX header");
    check(b"\x89PNG....", "is no IDX file: it begins with 89504e47, expected 000008 and the number of dimensions");
    check(b"\x00\x00\x07\x03", "is no IDX file: it begins with 00000703, expected 000008 and the number of dimensions");
    check(b"\x00\x00\x0d\x03", "holds IDX values of type 0x0d, expected unsigned bytes (0x08)");
}

#[test]
fn cut_anywhere_it_is_truncated() {
    let dir = Dir::new();
    let whole = idx(&[3, 2, 2], 0..12);
    for end in 0..whole.len() {
        let said = said(&whole[..end], Content::Images);
        assert!(said.starts_with("is truncated: "), "{end}: {said}");
        dir.write("a", gzip(&whole[..end]));
        let opened = IdxFile::open(&dir.identity("a").unwrap(), &dir.files(), Content::Images);
        assert!(dir.said(opened).starts_with("DIR/a: is truncated: "));
    }
}

#[test]
fn records_are_read_from_where_they_lie() {
    let dir = Dir::new();
    for bytes in [idx(&[3, 2, 2], 0..12), gzip(&idx(&[3, 2, 2], 0..12))] {
        let file = IdxFile::open(&dir.put("a", bytes), &dir.files(), Content::Images).unwrap();
        let mut buffer = [0; 8];
        file.read(1, &mut buffer).unwrap();
        assert_eq!(buffer, [4, 5, 6, 7, 8, 9, 10, 11]);
        assert!(file.read(2, &mut buffer).is_err());
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_header_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..40), length in any::<u64>()) {
        for content in [Content::Images, Content::Labels] {
            let _ = Header::parse(&bytes, length, content);
            let _ = Header::parse(&[&[0, 0, 8][..], &bytes].concat(), length, content);
        }
    }
}
