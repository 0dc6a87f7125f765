//! How messages are protected once both sides know each other.

use std::fmt;
use std::str::FromStr;

/// From the weakest to the strongest, by the names of Hadoop's `hadoop.rpc.protection`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protection {
    /// Both sides prove who they are; what they say afterwards is in clear text and could be changed on its way.
    Authentication,
    /// Every message is signed.
    Integrity,
    /// Every message is signed and encrypted.
    Privacy,
}

impl Protection {
    pub(crate) const ALL: [Self; 3] = [Self::Authentication, Self::Integrity, Self::Privacy];

    /// The weakest of those `offered` that is not weaker than this one.
    pub(crate) fn choose(self, offered: &[Self]) -> Option<Self> {
        Self::ALL.into_iter().find(|level| *level >= self && offered.contains(level))
    }
}

impl fmt::Display for Protection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Authentication => "authentication",
            Self::Integrity => "integrity",
            Self::Privacy => "privacy",
        })
    }
}

/// Text that is no level of protection.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("hadoop.rpc.protection is authentication, integrity or privacy, not \"{0}\"")]
pub struct Unknown(String);

impl FromStr for Protection {
    type Err = Unknown;

    fn from_str(text: &str) -> Result<Self, Unknown> {
        let named = Self::ALL.into_iter().find(|level| level.to_string() == text);
        named.ok_or_else(|| Unknown(text.escape_debug().take(80).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::Protection::{Authentication, Integrity, Privacy};
    use super::*;

    #[test]
    fn never_weaker_than_wanted() {
        let check = |wanted: Protection, offered: &[Protection], expect: Option<Protection>| {
            assert_eq!(wanted.choose(offered), expect, "{wanted}");
        };
        check(Authentication, &[Privacy, Authentication], Some(Authentication));
        check(Authentication, &[Privacy], Some(Privacy));
        check(Integrity, &[Privacy, Authentication], Some(Privacy));
        check(Privacy, &[Integrity, Authentication], None);
        check(Integrity, &[], None);
    }

    #[test]
    fn names_are_hadoops() {
        for level in Protection::ALL {
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        assert!("auth".parse::<Protection>().unwrap_err().to_string().contains("not \"auth\""));
    }
}
