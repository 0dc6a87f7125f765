//! What protects messages: a signature, and for privacy RC4 over message and signature (RFC 2831, 2.3 and 2.4).
//!
//! ```text
//! integrity: message  HMAC[10]  0001  number[4]        privacy: RC4(message  HMAC[10])  0001  number[4]
//! ```

use crate::rc4::Rc4;
use hmac::{Hmac, KeyInit, Mac};
use md5::{Digest, Md5};

const TAG: usize = 10;
const TRAILER: usize = 6;
const TYPE: [u8; 2] = [0, 1];

/// Both directions.
pub struct Layer {
    send: Direction,
    receive: Direction,
}

struct Direction {
    key: [u8; 16],
    cipher: Option<Rc4>,
    number: u32,
}

impl Layer {
    /// The client's, from H(A1).
    pub fn client(key: &[u8], privacy: bool) -> Self {
        let [send, receive] = ["client-to-server", "server-to-client"].map(|way| Direction::new(key, way, privacy));
        Self { send, receive }
    }

    pub fn wrap(&mut self, message: &[u8]) -> Vec<u8> {
        let Direction { key, cipher, number } = &mut self.send;
        let mut wrapped = message.to_vec();
        wrapped.extend_from_slice(&mac(key, *number, message).finalize().into_bytes()[..TAG]);
        if let Some(cipher) = cipher {
            cipher.apply(&mut wrapped);
        }
        wrapped.extend_from_slice(&TYPE);
        wrapped.extend_from_slice(&number.to_be_bytes());
        *number = number.wrapping_add(1);
        wrapped
    }

    pub fn unwrap(&mut self, wrapped: &[u8]) -> Result<Vec<u8>, &'static str> {
        let Direction { key, cipher, number } = &mut self.receive;
        let Some(length) = wrapped.len().checked_sub(TAG + TRAILER) else { return Err("a protected message that is too short") };
        let (sealed, trailer) = wrapped.split_at(length + TAG);
        if trailer[..2] != TYPE || trailer[2..] != number.to_be_bytes() {
            return Err("a protected message out of its order");
        }
        let mut message = sealed.to_vec();
        if let Some(cipher) = cipher {
            cipher.apply(&mut message);
        }
        let tag = message.split_off(length);
        mac(key, *number, &message).verify_truncated_left(&tag).map_err(|_| "a message whose signature is wrong")?;
        *number = number.wrapping_add(1);
        Ok(message)
    }
}

impl Direction {
    fn new(key: &[u8], way: &str, privacy: bool) -> Self {
        let derive = |what: &str| {
            let mut hash = Md5::new();
            hash.update(key);
            hash.update(what);
            <[u8; 16]>::from(hash.finalize())
        };
        // The RFC's words, which differ in form too.
        let signing = derive(&format!("Digest session key to {way} signing key magic constant"));
        let sealing = derive(&format!("Digest H(A1) to {way} sealing key magic constant"));
        Self { key: signing, cipher: privacy.then(|| Rc4::new(&sealing)), number: 0 }
    }
}

fn mac(key: &[u8; 16], number: u32, message: &[u8]) -> Hmac<Md5> {
    let mut mac = Hmac::<Md5>::new_from_slice(key).expect("an HMAC takes keys of any length");
    mac.update(&number.to_be_bytes());
    mac.update(message);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: [u8; 16] = [7; 16];

    fn server(privacy: bool) -> Layer {
        let Layer { send, receive } = Layer::client(&KEY, privacy);
        Layer { send: receive, receive: send }
    }

    #[test]
    fn messages_come_back_in_order_only() {
        for privacy in [false, true] {
            let (mut client, mut server) = (Layer::client(&KEY, privacy), server(privacy));
            for message in [b"one".as_slice(), b"", b"three"] {
                assert_eq!(server.unwrap(&client.wrap(message)).unwrap(), message);
                assert_eq!(client.unwrap(&server.wrap(message)).unwrap(), message);
            }
            let first = client.wrap(b"four");
            assert_eq!(server.unwrap(&first).unwrap(), b"four");
            assert_eq!(server.unwrap(&first), Err("a protected message out of its order"));
        }
    }

    #[test]
    fn what_was_changed_is_refused() {
        for privacy in [false, true] {
            let wrapped = Layer::client(&KEY, privacy).wrap(b"message");
            assert_eq!(wrapped.windows(7).any(|part| part == b"message"), !privacy);
            for at in 0..wrapped.len() {
                let mut changed = wrapped.clone();
                changed[at] ^= 1;
                assert!(server(privacy).unwrap(&changed).is_err(), "byte {at}");
            }
            for length in 0..wrapped.len() {
                assert!(server(privacy).unwrap(&wrapped[..length]).is_err(), "the first {length} bytes");
            }
        }
    }
}
