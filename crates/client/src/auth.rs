//! The bearer token: `authorization: Bearer <hex>` on every call.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use tonic::metadata::{AsciiMetadataValue, MetadataMap};
use tonic::service::Interceptor;
use tonic::{Request, Status};

/// The longest token, in characters.
const TOKEN_LEN_MAX: usize = 256;

/// A token, as the caller presents it and as the called one expects it. It is never printed.
#[derive(Clone)]
pub struct Bearer {
    value: AsciiMetadataValue,
}

/// A token that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read token file {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others may read the file.
    #[error("token file {} has mode {mode:03o} and owner {owner}: it must be yours alone, as by chmod 600", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
        /// Its owner's user id.
        owner: u32,
    },
    /// The text is no token.
    #[error("{place} holds no token: expected 1 to {TOKEN_LEN_MAX} hexadecimal characters")]
    NoToken {
        /// Where the text comes from.
        place: String,
    },
}

impl Bearer {
    /// The token `hex`.
    ///
    /// # Errors
    /// [`Error::NoToken`] for anything but hexadecimal characters.
    pub fn new(hex: &str) -> Result<Self, Error> {
        Self::parse(hex, || "the text given".to_owned())
    }

    /// The token in a file that nobody else can read; white space around it does not count.
    ///
    /// # Errors
    /// As [`Error`] says.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let unreadable = |source| Error::Unreadable { path: path.to_owned(), source };
        let file = File::open(path).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        let (mode, owner) = (metadata.mode() & 0o777, metadata.uid());
        if mode & 0o077 != 0 || owner != rustix::process::geteuid().as_raw() {
            return Err(Error::Open { path: path.to_owned(), mode, owner });
        }
        let mut text = String::new();
        file.take(2 * TOKEN_LEN_MAX as u64).read_to_string(&mut text).map_err(unreadable)?;
        Self::parse(text.trim(), || format!("token file {}", path.display()))
    }

    fn parse(hex: &str, place: impl Fn() -> String) -> Result<Self, Error> {
        let fine = (1..=TOKEN_LEN_MAX).contains(&hex.len()) && hex.bytes().all(|b| b.is_ascii_hexdigit());
        let value = fine.then(|| AsciiMetadataValue::try_from(format!("Bearer {hex}")).ok()).flatten();
        let mut value = value.ok_or_else(|| Error::NoToken { place: place() })?;
        value.set_sensitive(true);
        Ok(Self { value })
    }

    /// Whether a call presents this token. Takes the same time for every wrong one of the right length.
    pub fn matches(&self, metadata: &MetadataMap) -> bool {
        let presented = metadata.get("authorization").map_or(&b""[..], AsciiMetadataValue::as_bytes);
        let expected = self.value.as_bytes();
        let differing = presented.iter().zip(expected).fold(0, |sum, (a, b)| sum | (a ^ b));
        presented.len() == expected.len() && std::hint::black_box(differing) == 0
    }

    /// An interceptor for a service that admits only calls with this token.
    pub fn guard(&self) -> Guard {
        Guard(self.clone())
    }
}

// Outgoing calls present the token.
impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.value.clone());
        Ok(request)
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bearer(..)")
    }
}

/// Admits calls that present the right token; see [`Bearer::guard`].
#[derive(Debug, Clone)]
pub struct Guard(Bearer);

impl Interceptor for Guard {
    fn call(&mut self, request: Request<()>) -> Result<Request<()>, Status> {
        if self.0.matches(request.metadata()) { Ok(request) } else { Err(Status::unauthenticated("wrong or missing token")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_token_file_must_be_ones_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        assert!(matches!(Bearer::from_file(&path), Err(Error::Unreadable { .. })));
        fs::write(&path, "0aF9\n").unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(Bearer::from_file(&path), Err(Error::Open { mode: 0o640, .. })));
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(Bearer::from_file(&path).unwrap().value, "Bearer 0aF9");
        for text in ["", "xyz", "ab cd", &"a".repeat(257)] {
            fs::write(&path, text).unwrap();
            assert!(matches!(Bearer::from_file(&path), Err(Error::NoToken { .. })), "{text}");
        }
    }

    #[test]
    fn only_the_same_token_is_admitted() {
        let mut bearer = Bearer::new("abcd").unwrap();
        let request = bearer.call(Request::new(())).unwrap();
        assert!(bearer.guard().call(request).is_ok());
        for other in ["abce", "abc", "abcde", "ABCD"] {
            let request = Bearer::new(other).unwrap().call(Request::new(())).unwrap();
            assert_eq!(bearer.guard().call(request).unwrap_err().code(), tonic::Code::Unauthenticated, "{other}");
        }
        assert!(bearer.guard().call(Request::new(())).is_err());
    }

    #[test]
    fn a_token_is_not_printed() {
        assert!(!format!("{:?}", Bearer::new("abcd").unwrap()).contains("abcd"));
    }
}
