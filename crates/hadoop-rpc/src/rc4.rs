//! RC4, which Hadoop's DIGEST-MD5 encrypts with. It is weak; nothing else here uses it.

/// A running key stream.
pub struct Rc4 {
    state: [u8; 256],
    i: u8,
    j: u8,
}

impl Rc4 {
    /// For a key of 1 to 256 bytes.
    pub fn new(key: &[u8]) -> Self {
        let mut state: [u8; 256] = std::array::from_fn(|at| at as u8);
        let mut j = 0_u8;
        for at in 0..256 {
            j = j.wrapping_add(state[at]).wrapping_add(key[at % key.len()]);
            state.swap(at, j.into());
        }
        Self { state, i: 0, j: 0 }
    }

    /// Encrypts or decrypts the next bytes, in place.
    pub fn apply(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            self.i = self.i.wrapping_add(1);
            self.j = self.j.wrapping_add(self.state[usize::from(self.i)]);
            self.state.swap(self.i.into(), self.j.into());
            let at = self.state[usize::from(self.i)].wrapping_add(self.state[usize::from(self.j)]);
            *byte ^= self.state[usize::from(at)];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 6229: the key stream of the key 0102030405 at its beginning and at 4096.
    #[test]
    fn the_key_stream_is_that_of_the_rfc() {
        let mut stream = [0; 4112];
        Rc4::new(&[1, 2, 3, 4, 5]).apply(&mut stream);
        assert_eq!(stream[..16], *b"\xb2\x39\x63\x05\xf0\x3d\xc0\x27\xcc\xc3\x52\x4a\x0a\x11\x18\xa8");
        assert_eq!(stream[4096..], *b"\xff\x25\xb5\x89\x95\x99\x67\x07\xe5\x1f\xbd\xf0\x8b\x34\xd8\x75");
    }
}
