//! Hadoop's Writable encoding: numbers of one to nine bytes, and bytes and texts behind their length.
//!
//! A number from -112 to 127 is its own byte. Otherwise the first byte says sign and size, -113 to -120 for one to eight bytes
//! of a positive number, -121 to -128 for those of a negative one's complement, and the number follows, big end first.

/// What is wrong at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("byte {at}: {what}")]
pub struct Malformed {
    /// The place, counted from 0.
    pub at: usize,
    /// What is wrong there.
    pub what: &'static str,
}

/// Reads from front to back; never beyond the end, and never takes a length on trust.
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub fn fail<T>(&self, what: &'static str) -> Result<T, Malformed> {
        Err(Malformed { at: self.at, what })
    }

    pub fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        let Some(taken) = self.bytes[self.at..].get(..length) else { return self.fail("it ends too early") };
        self.at += length;
        Ok(taken)
    }

    pub fn byte(&mut self) -> Result<u8, Malformed> {
        Ok(self.take(1)?[0])
    }

    pub fn long(&mut self) -> Result<i64, Malformed> {
        let first = i64::from(self.byte()?.cast_signed());
        let (size, negative) = match first {
            -112.. => return Ok(first),
            -120..=-113 => (-112 - first, false),
            _ => (-120 - first, true),
        };
        let size = usize::try_from(size).expect("one to eight");
        let number = self.take(size)?.iter().fold(0_u64, |number, &byte| number << 8 | u64::from(byte)).cast_signed();
        Ok(if negative { !number } else { number })
    }

    pub fn int(&mut self) -> Result<i32, Malformed> {
        let at = self.at;
        let number = self.long()?;
        i32::try_from(number).map_err(|_| Malformed { at, what: "a number that is too large" })
    }

    /// A count of things of at least one byte each.
    pub fn count(&mut self) -> Result<usize, Malformed> {
        let at = self.at;
        match usize::try_from(self.int()?) {
            Ok(count) if count <= self.bytes.len() - self.at => Ok(count),
            Ok(_) => Err(Malformed { at, what: "more is announced than there is" }),
            Err(_) => Err(Malformed { at, what: "a negative length" }),
        }
    }

    pub fn sized(&mut self) -> Result<&'a [u8], Malformed> {
        let length = self.count()?;
        self.take(length)
    }

    pub fn text(&mut self) -> Result<String, Malformed> {
        let at = self.at;
        let bytes = self.sized()?;
        let text = str::from_utf8(bytes).map_err(|_| Malformed { at, what: "a text that is not UTF-8" })?;
        Ok(text.to_owned())
    }

    pub fn end(&self) -> Result<(), Malformed> {
        if self.at < self.bytes.len() { self.fail("something follows the end") } else { Ok(()) }
    }
}

pub fn write_long(out: &mut Vec<u8>, number: i64) {
    if let Ok(byte @ -112..) = i8::try_from(number) {
        return out.push(byte.cast_unsigned());
    }
    let magnitude = if number < 0 { !number } else { number };
    let bytes = magnitude.to_be_bytes();
    let digits = &bytes[bytes.iter().take_while(|&&byte| byte == 0).count().min(7)..];
    let size = i8::try_from(digits.len()).expect("one to eight");
    let first = if number < 0 { -120 - size } else { -112 - size };
    out.push(first.cast_unsigned());
    out.extend_from_slice(digits);
}

pub fn write_sized(out: &mut Vec<u8>, bytes: &[u8]) {
    write_long(out, i64::try_from(bytes.len()).expect("memory is smaller"));
    out.extend_from_slice(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_written_as_hadoop_writes_them() {
        let check = |number: i64, expect: &[u8]| {
            let mut out = Vec::new();
            write_long(&mut out, number);
            assert_eq!(out, expect, "{number}");
        };
        check(0, &[0]);
        check(127, &[0x7f]);
        check(-112, &[0x90]);
        check(128, &[0x8f, 0x80]); // -113
        check(-113, &[0x87, 0x70]); // -121
        check(256, &[0x8e, 1, 0]);
        check(i64::MAX, &[0x88, 0x7f, 255, 255, 255, 255, 255, 255, 255]);
        check(i64::MIN, &[0x80, 0x7f, 255, 255, 255, 255, 255, 255, 255]);
    }

    #[test]
    fn a_length_is_not_taken_on_trust() {
        let mut out = Vec::new();
        write_long(&mut out, 1 << 30);
        assert_eq!(Reader::new(&out).sized(), Err(Malformed { at: 0, what: "more is announced than there is" }));
        assert_eq!(Reader::new(&[0xff]).sized(), Err(Malformed { at: 0, what: "a negative length" }));
    }

    proptest! {
        #[test]
        fn every_number_comes_back(number: i64) {
            let mut out = Vec::new();
            write_long(&mut out, number);
            let mut reader = Reader::new(&out);
            prop_assert_eq!(reader.long(), Ok(number));
            prop_assert_eq!(reader.end(), Ok(()));
        }
    }
}
