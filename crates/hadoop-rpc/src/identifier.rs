//! What is in the identifier of a delegation token: Hadoop's `AbstractDelegationTokenIdentifier`, version 0.

use crate::writable::{Malformed, Reader};
use std::time::{Duration, SystemTime};

/// Whose token it is, and how long it is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identifier {
    /// The user it speaks for.
    pub owner: String,
    /// Who may renew it.
    pub renewer: String,
    /// Who asked for it in the owner's name; empty where he asked himself.
    pub real_user: String,
    /// When it was given out, by the server's clock.
    pub issued: SystemTime,
    /// Beyond this nobody can renew it.
    pub latest: SystemTime,
    /// The server's count of tokens.
    pub sequence: i32,
    /// Which of the server's keys signed it.
    pub master_key: i32,
}

/// These bytes are no identifier.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Its version is one we do not know.
    #[error("an identifier of version {0}, where 0 is known")]
    Version(u8),
    /// It does not hold what it must.
    #[error("malformed identifier of a delegation token, {0}")]
    Malformed(#[from] Malformed),
}

impl Identifier {
    /// Reads all of `bytes`.
    ///
    /// # Errors
    /// They are no identifier of version 0, or something follows it.
    pub fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let mut reader = Reader::new(bytes);
        let version = reader.byte()?;
        if version != 0 {
            return Err(Error::Version(version));
        }
        let identifier = Self {
            owner: reader.text()?,
            renewer: reader.text()?,
            real_user: reader.text()?,
            issued: date(&mut reader)?,
            latest: date(&mut reader)?,
            sequence: reader.int()?,
            master_key: reader.int()?,
        };
        reader.end()?;
        Ok(identifier)
    }
}

// Milliseconds since 1970.
fn date(reader: &mut Reader<'_>) -> Result<SystemTime, Malformed> {
    let millis = u64::try_from(reader.long()?).ok();
    let date = millis.and_then(|millis| SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis)));
    date.map_or_else(|| reader.fail("a date before 1970 or beyond all calendars"), Ok)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::writable::{write_long, write_sized};
    use proptest::prelude::*;

    /// An identifier of alice, issued in second 1,700,000,000 for 150 s.
    pub(crate) fn sample() -> Vec<u8> {
        let mut out = vec![0];
        for name in ["alice", "tfcoord", "tfcoord/host@REALM"] {
            write_sized(&mut out, name.as_bytes());
        }
        for number in [1_700_000_000_000, 1_700_000_150_000, 7, 300] {
            write_long(&mut out, number);
        }
        out
    }

    #[test]
    fn it_says_whose_and_how_long() {
        let identifier = Identifier::decode(&sample()).unwrap();
        assert_eq!(identifier.owner, "alice");
        assert_eq!(identifier.renewer, "tfcoord");
        assert_eq!(identifier.real_user, "tfcoord/host@REALM");
        assert_eq!(identifier.latest.duration_since(identifier.issued).unwrap(), Duration::from_secs(150));
        assert_eq!((identifier.sequence, identifier.master_key), (7, 300));
    }

    #[test]
    fn what_is_cut_or_goes_on_is_refused() {
        let whole = sample();
        for length in 0..whole.len() {
            assert!(Identifier::decode(&whole[..length]).is_err(), "the first {length} bytes");
        }
        assert!(Identifier::decode(&[whole.as_slice(), &[0]].concat()).is_err());
        assert_eq!(Identifier::decode(&[9]), Err(Error::Version(9)));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, at in 0_usize..60, byte: u8) {
            let _ = Identifier::decode(&bytes);
            let mut damaged = sample();
            if let Some(place) = damaged.get_mut(at) {
                *place = byte;
            }
            let _ = Identifier::decode(&damaged);
        }
    }
}
