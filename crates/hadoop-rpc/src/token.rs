//! A token as Hadoop hands it out: who may, the password that proves it, and whom it is for.

use crate::error::Error;
use crate::identifier::{self, Identifier};
use crate::secret::Secret;
use crate::writable::{Malformed, Reader, write_sized};
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use base64::prelude::Engine;
use std::net::SocketAddr;
use zeroize::Zeroizing;

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

    /// From the text by which it goes in addresses and in JSON (`Token.encodeToUrlString`): its four parts as Writables, in
    /// base64.
    ///
    /// # Errors
    /// It is no base64, is cut, or goes on after the end.
    pub fn from_url_string(text: &str) -> Result<Self, Malformed> {
        let bytes = URL_SAFE_NO_PAD.decode(text).or_else(|_| URL_SAFE.decode(text)).map(Zeroizing::new);
        let bytes = bytes.map_err(|_| Malformed { at: 0, what: "it is not base64" })?;
        let mut reader = Reader::new(&bytes);
        let token = Self::read(&mut reader)?;
        reader.end()?;
        Ok(token)
    }

    /// The text by which it goes in addresses: a secret.
    pub fn to_url_string(&self) -> Zeroizing<String> {
        let mut bytes = Zeroizing::new(Vec::new());
        self.write(&mut bytes);
        Zeroizing::new(URL_SAFE_NO_PAD.encode(&*bytes))
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            identifier: reader.sized()?.to_vec(),
            password: reader.sized()?.to_vec().into(),
            kind: reader.text()?,
            service: reader.text()?,
        })
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        let parts = [&self.identifier, self.password.expose(), self.kind.as_bytes(), self.service.as_bytes()];
        parts.into_iter().for_each(|part| write_sized(out, part));
    }
}

/// By which text clients find the token for a nameservice: `ha-hdfs:NAME` (Hadoop's `HAUtilClient`).
pub fn logical_service(nameservice: &str) -> String {
    format!("ha-hdfs:{nameservice}")
}

/// By which text clients find the token for NameNodes, as Hadoop's own write it: by the name for all of them, or the numeric
/// address of the only one.
///
/// # Errors
/// Its name is unknown.
pub async fn service(nameservice: Option<&str>, addresses: &[String]) -> Result<String, Error> {
    match (nameservice, addresses) {
        (Some(nameservice), _) => Ok(logical_service(nameservice)),
        (None, [address, ..]) => {
            let connect = |cause| Error::Connect { name_node: address.clone(), cause };
            let found: Vec<SocketAddr> = tokio::net::lookup_host(address).await.map_err(connect)?.collect();
            // Java takes the older kind of address where a name has both.
            let first = found.iter().find(|address| address.is_ipv4()).or(found.first());
            first.map(SocketAddr::to_string).ok_or_else(|| connect(std::io::ErrorKind::NotFound.into()))
        }
        (None, []) => Err(Error::Nowhere),
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("kind", &self.kind).field("service", &self.service).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sample() -> Token {
        let identifier = identifier::tests::sample();
        Token { identifier, password: vec![0xfb, 0xff, 7].into(), kind: HDFS_DELEGATION_TOKEN.into(), service: "ha-hdfs:bed".into() }
    }

    #[test]
    fn it_goes_through_an_address() {
        let text = sample().to_url_string();
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)), "{}", &*text);
        assert_eq!(Token::from_url_string(&text), Ok(sample()));
        // As older servers end it.
        let padded = format!("{}{}", &*text, "=".repeat((4 - text.len() % 4) % 4));
        assert_eq!(Token::from_url_string(&padded), Ok(sample()));
        for length in 0..text.len() {
            assert!(Token::from_url_string(&text[..length]).is_err(), "the first {length} characters");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String, bytes: Vec<u8>) {
            let _ = Token::from_url_string(&text);
            let _ = Token::from_url_string(&URL_SAFE_NO_PAD.encode(&bytes));
        }
    }
}
