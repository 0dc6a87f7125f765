//! Files of tokens as Hadoop's `Credentials` write them (`hdfs fetchdt`, `HADOOP_TOKEN_FILE_LOCATION`).
//!
//! ```text
//! "HDTS"  0  count  count × (alias  identifier  password  kind  service)  count  count × (alias  secret)
//! ```
//!
//! Numbers, bytes and texts are Writables. Files of version 1 hold the same as a protobuf message; Hadoop writes them only
//! where it is asked to.

use crate::secret::Secret;
use crate::token::{HDFS_DELEGATION_TOKEN, Token};
use crate::writable::{Malformed, Reader, write_long, write_sized};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 4] = b"HDTS";
const VERSION: u8 = 0;

/// The largest file that is read, in bytes: ten thousand tokens.
pub const SIZE_MAX: u64 = 4 << 20;

/// What is in a file of tokens.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenFile {
    /// Tokens with the names they go by, in the file's order. HDFS's clients go by [`Token::service`] instead.
    pub tokens: Vec<(String, Token)>,
    /// Other secrets by name.
    pub secrets: Vec<(String, Secret)>,
}

/// A file of tokens that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("token file {path}: {reason}")]
pub struct Error {
    /// Which file.
    pub path: PathBuf,
    /// Why not.
    pub reason: Reason,
}

/// Why it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// The system does not give it out.
    #[error("cannot read it: {0}")]
    Io(#[from] io::Error),
    /// It is larger than [`SIZE_MAX`].
    #[error("larger than {SIZE_MAX} bytes: this is no file of tokens")]
    TooLarge,
    /// It begins otherwise.
    #[error("it does not begin with HDTS: write it with `hdfs fetchdt`, or let the coordinator do it")]
    Magic,
    /// Its format is another.
    #[error("format {0}, where 0 is known: write it with `hdfs fetchdt`, or with `-format java` of `hadoop dtutil`")]
    Version(u8),
    /// It is damaged.
    #[error("damaged at {0}: fetch it again with `hdfs fetchdt`")]
    Malformed(#[from] Malformed),
    /// A token of HDFS in it is damaged.
    #[error("the token for {service} in it is damaged: {cause}; fetch it again with `hdfs fetchdt`")]
    Identifier {
        /// The token's service.
        service: String,
        /// What is wrong.
        cause: crate::identifier::Error,
    },
}

impl TokenFile {
    /// One token that goes by its service, as `hdfs fetchdt` names it.
    #[must_use]
    pub fn of(token: Token) -> Self {
        Self { tokens: vec![(token.service.clone(), token)], secrets: Vec::new() }
    }

    /// Reads and checks the file at `path`, of at most [`SIZE_MAX`] bytes.
    ///
    /// # Errors
    /// It cannot be read, or [`parse`](Self::parse) refuses it.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let read = || {
            let mut bytes = zeroize::Zeroizing::new(Vec::new());
            let read = File::open(path)?.take(SIZE_MAX + 1).read_to_end(&mut bytes)?;
            if read as u64 > SIZE_MAX { Err(Reason::TooLarge) } else { Self::parse(&bytes) }
        };
        read().map_err(|reason| Error { path: path.to_owned(), reason })
    }

    /// Reads all of `bytes`, and the identifiers of HDFS's tokens too.
    ///
    /// # Errors
    /// They are not in format 0, are cut, go on after the end, or hold a token of HDFS whose identifier is none.
    pub fn parse(bytes: &[u8]) -> Result<Self, Reason> {
        let Some((magic, rest)) = bytes.split_first_chunk() else { return Err(Reason::Magic) };
        if magic != MAGIC {
            return Err(Reason::Magic);
        }
        match rest.first() {
            Some(&VERSION) => {}
            Some(&version) => return Err(Reason::Version(version)),
            None => return Err(Malformed { at: bytes.len(), what: "it ends too early" }.into()),
        }
        let mut reader = Reader::new(bytes);
        reader.take(MAGIC.len() + 1)?;
        let mut file = Self::default();
        for _ in 0..reader.count()? {
            file.tokens.push((reader.text()?, Token::read(&mut reader)?));
        }
        for _ in 0..reader.count()? {
            file.secrets.push((reader.text()?, reader.sized()?.to_vec().into()));
        }
        reader.end()?;
        file.check_identifiers()?;
        Ok(file)
    }

    fn check_identifiers(&self) -> Result<(), Reason> {
        for token in self.of_hdfs() {
            token.identifier().map_err(|cause| Reason::Identifier { service: token.service.clone(), cause })?;
        }
        Ok(())
    }

    /// The tokens that NameNodes have given out.
    pub fn of_hdfs(&self) -> impl Iterator<Item = &Token> {
        self.tokens.iter().map(|(_, token)| token).filter(|token| token.kind == HDFS_DELEGATION_TOKEN)
    }

    /// The file's bytes. Write them with `tfcoord_fs::write_atomic` and mode 0600: they are secret.
    #[must_use]
    pub fn encode(&self) -> Secret {
        let mut out = MAGIC.to_vec();
        out.push(VERSION);
        write_long(&mut out, self.tokens.len() as i64);
        for (alias, token) in &self.tokens {
            write_sized(&mut out, alias.as_bytes());
            token.write(&mut out);
        }
        write_long(&mut out, self.secrets.len() as i64);
        for (alias, secret) in &self.secrets {
            write_sized(&mut out, alias.as_bytes());
            write_sized(&mut out, secret.expose());
        }
        out.into()
    }
}

#[cfg(test)]
mod tests;
