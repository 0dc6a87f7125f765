//! As much of ASN.1's DER as one question to a KDC takes (X.690).

/// A value behind its tag and length.
pub fn value(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut out = vec![tag];
    match u8::try_from(body.len()) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            let length = body.len().to_be_bytes();
            let zeros = length.iter().take_while(|byte| **byte == 0).count();
            out.push(0x80 | (length.len() - zeros) as u8);
            out.extend(&length[zeros..]);
        }
    }
    out.extend(body);
    out
}

/// The tag, the body, and what follows; none where the bytes are no value.
pub fn split(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (length.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (body, rest) = rest.split_at_checked(length)?;
    Some((tag, body, rest))
}

/// The body of the first part with this tag in a sequence.
pub fn part(mut sequence: &[u8], wanted: u8) -> Option<&[u8]> {
    loop {
        let (tag, body, rest) = split(sequence)?;
        if tag == wanted {
            return Some(body);
        }
        sequence = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn values_are_read_as_written() {
        for length in [0, 1, 127, 128, 255, 256, 70_000] {
            let body = vec![7; length];
            let bytes = [value(0xa1, &[&body]), vec![9]].concat();
            assert_eq!(split(&bytes), Some((0xa1, &body[..], &[9][..])), "{length}");
        }
        let sequence = [value(1, &[b"a"]), value(2, &[b"b"])].concat();
        assert_eq!((part(&sequence, 2), part(&sequence, 3)), (Some(&b"b"[..]), None));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, tag: u8) {
            let _ = part(&bytes, tag);
        }
    }
}
