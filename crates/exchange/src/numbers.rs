//! f32 as little-endian bytes. The loops compile to plain copies where that is the machine's order.

use bytes::Bytes;

const WIDTH: usize = size_of::<f32>();

/// The bytes of `values`.
pub fn to_bytes(values: &[f32]) -> Bytes {
    let mut bytes = vec![0; values.len() * WIDTH];
    for (bytes, value) in bytes.chunks_exact_mut(WIDTH).zip(values) {
        bytes.copy_from_slice(&value.to_le_bytes());
    }
    bytes.into()
}

/// Fills `values` from `bytes`, which must be four times as long.
pub fn copy_to(bytes: &[u8], values: &mut [f32]) {
    assert_eq!(bytes.len(), values.len() * WIDTH, "four bytes a number");
    for (value, bytes) in values.iter_mut().zip(bytes.chunks_exact(WIDTH)) {
        *value = f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
    }
}

/// The numbers in `bytes`; up to three bytes behind the last whole one do not count.
pub fn to_vec(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(WIDTH).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back_with_their_bits() {
        let values = [0.0, -0.0, 1.5, f32::MIN_POSITIVE / 4.0, f32::INFINITY, f32::from_bits(0x7fc0_1234)];
        let bytes = to_bytes(&values);
        assert_eq!(bytes[8..12], [0, 0, 0xc0, 0x3f]);
        let mut copied = [7.0; 6];
        copy_to(&bytes, &mut copied);
        let bits = |values: &[f32]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
        assert_eq!(bits(&copied), bits(&values));
        assert_eq!(bits(&to_vec(&bytes)), bits(&values));
    }
}
