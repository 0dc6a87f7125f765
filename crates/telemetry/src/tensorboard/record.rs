//! TFRecord framing: length (u64), masked CRC-32C of the length (u32), bytes, masked CRC-32C of the bytes (u32), all
//! little-endian (TensorFlow, `core/lib/io/record_writer.cc`).

use std::io::{self, Write};

pub(super) fn write(out: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    let length = u64::try_from(bytes.len()).expect("a slice's length fits 64 bits").to_le_bytes();
    out.write_all(&length)?;
    out.write_all(&masked_crc(&length).to_le_bytes())?;
    out.write_all(bytes)?;
    out.write_all(&masked_crc(bytes).to_le_bytes())
}

/// Masked, because the CRC of bytes that hold their own CRC is problematic (TensorFlow, `core/lib/hash/crc32c.h`).
fn masked_crc(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_crc_is_castagnolis_and_masked_as_tensorflow_masks_it() {
        // CRC-32C("123456789") is e3069283 (RFC 3720's polynomial); masked by hand: rotate right by 15, add the constant.
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(masked_crc(b"123456789"), 0x2507_c60d_u32.wrapping_add(0xa282_ead8));
    }

    #[test]
    fn a_record_is_framed() {
        let mut out = Vec::new();
        write(&mut out, b"abc").unwrap();
        assert_eq!(out.len(), 8 + 4 + 3 + 4);
        assert_eq!(out[..8], [3, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(out[8..12], masked_crc(&out[..8]).to_le_bytes());
        assert_eq!(&out[12..15], b"abc");
        assert_eq!(out[15..], masked_crc(b"abc").to_le_bytes());
    }
}
