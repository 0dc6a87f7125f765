//! Names of users and services: `alice@REALM`, `hdfs/host@REALM`.

use crate::error::Error;
use std::fmt;
use std::str::FromStr;

/// Longer ones are refused.
const LENGTH_MAX: usize = 1024;

/// A name as Kerberos writes it. Without a realm it is of the default realm that `krb5.conf` names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Principal(String);

impl Principal {
    /// The name with Hadoop's placeholder `_HOST` replaced: `hdfs/_HOST@REALM` on the host `nn1.site` is
    /// `hdfs/nn1.site@REALM`. Host names of Kerberos are in lower case.
    ///
    /// # Errors
    /// [`Error::Principal`], if `host` is none.
    pub fn on_host(&self, host: &str) -> Result<Self, Error> {
        match self.components().1 {
            Some("_HOST") => self.0.replacen("/_HOST", &format!("/{}", host.to_lowercase()), 1).parse(),
            _ => Ok(self.clone()),
        }
    }

    /// The user or service, without host and realm: what Hadoop calls the short name, before its rules.
    #[must_use]
    pub fn primary(&self) -> &str {
        self.components().0
    }

    /// The realm, where the name says it.
    #[must_use]
    pub fn realm(&self) -> Option<&str> {
        self.components().2
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn components(&self) -> (&str, Option<&str>, Option<&str>) {
        let (name, realm) = self.0.split_once('@').map_or((self.0.as_str(), None), |(name, realm)| (name, Some(realm)));
        let (primary, host) = name.split_once('/').map_or((name, None), |(primary, host)| (primary, Some(host)));
        (primary, host, realm)
    }
}

impl FromStr for Principal {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let refuse = |what| Err(Error::Principal { text: text.escape_debug().take(80).collect(), what });
        if text.len() > LENGTH_MAX {
            return refuse("it is longer than 1024 bytes");
        }
        // Kerberos knows quoted separators; no site has them in the names of its users, and Hadoop's rules do not know them.
        if text.contains(|c: char| c.is_control() || c.is_whitespace() || c == '\\') {
            return refuse("it holds a space, a backslash or a control character");
        }
        let principal = Self(text.to_owned());
        let (primary, host, realm) = principal.components();
        if primary.is_empty() || host == Some("") || realm == Some("") {
            return refuse("a part of it is empty");
        }
        if realm.is_some_and(|realm| realm.contains(['@', '/'])) {
            return refuse("there is more than one realm");
        }
        Ok(principal)
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_are_found() {
        let check = |text: &str, primary: &str, realm: Option<&str>| {
            let principal: Principal = text.parse().unwrap();
            assert_eq!((principal.primary(), principal.realm()), (primary, realm), "{text}");
        };
        check("alice", "alice", None);
        check("alice@REALM", "alice", Some("REALM"));
        check("hdfs/nn1.site@REALM", "hdfs", Some("REALM"));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in ["", "@REALM", "alice@", "alice/@REALM", "/host", "a b@REALM", "a\0@REALM", "a@B@C", "a@B/c", &"x".repeat(1025)] {
            let error = text.parse::<Principal>().unwrap_err().to_string();
            assert!(error.contains("NAME@REALM"), "{text}: {error}");
        }
    }

    #[test]
    fn the_host_is_put_in() {
        let of = |text: &str| text.parse::<Principal>().unwrap();
        assert_eq!(of("hdfs/_HOST@REALM").on_host("NN1.Site").unwrap(), of("hdfs/nn1.site@REALM"));
        assert_eq!(of("hdfs/nn9@REALM").on_host("nn1").unwrap(), of("hdfs/nn9@REALM"));
        assert!(of("hdfs/_HOST@REALM").on_host("a b").is_err());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String) {
            if let Ok(principal) = text.parse::<Principal>() {
                prop_assert_eq!(principal.to_string(), text);
            }
        }
    }
}
