//! A token as Hadoop hands it out: who may, the password that proves it, and whom it is for.

use crate::identifier::{self, Identifier};
use crate::secret::Secret;

/// The kind of token that a NameNode gives out.
pub const HDFS_DELEGATION_TOKEN: &str = "HDFS_DELEGATION_TOKEN";

/// One token. The identifier is public, the password is not: `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// Who may, and how long: an [`Identifier`] for tokens of HDFS, something else for other services.
    pub identifier: Vec<u8>,
    /// What proves it: the server's HMAC of the identifier.
    pub password: Secret,
    /// What sort of service it is for: `HDFS_DELEGATION_TOKEN`.
    pub kind: String,
    /// Which one: `127.0.0.1:8020`, or `ha-hdfs:NAMESERVICE`. Clients look their token up by this very text.
    pub service: String,
}

impl Token {
    /// What the identifier says.
    ///
    /// # Errors
    /// It is no identifier of a delegation token.
    pub fn identifier(&self) -> Result<Identifier, identifier::Error> {
        Identifier::decode(&self.identifier)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("kind", &self.kind).field("service", &self.service).finish_non_exhaustive()
    }
}
