//! Who is there: the conversation that begins a connection, and what protects it afterwards.

mod gssapi;
mod token;

use crate::credentials::Credentials;
use crate::digest_md5;
use crate::error::Error;
use crate::protection::Protection;
use crate::proto::rpc::sasl::Auth;
use crate::wire::Broken;
use tfcoord_kerberos::Initiator;

/// One side of the conversation.
pub enum Mechanism {
    Gssapi(gssapi::Client),
    Token(token::Client),
}

impl Mechanism {
    /// Begins with the server's word on a method it takes. Nothing for users who are believed without a proof.
    pub fn new(name_node: &str, auth: &Auth, credentials: &Credentials, least: Protection) -> Result<Option<Self>, Error> {
        Ok(Some(match credentials {
            Credentials::Simple { .. } => return Ok(None),
            Credentials::Kerberos { login, service } => Self::Gssapi(gssapi::Client::new(name_node, auth, login, service, least)?),
            Credentials::Token(token) => Self::Token(token::Client::new(name_node, auth, token, least)),
        }))
    }

    /// The first message; the KDC may be asked, so this can block.
    pub fn first(&mut self, challenge: Option<&[u8]>) -> Result<Option<Vec<u8>>, Error> {
        match (self, challenge) {
            (Self::Gssapi(client), _) => client.answer(&[]).map(Some),
            (Self::Token(client), Some(challenge)) => client.answer(challenge).map(Some),
            (Self::Token(_), None) => Ok(None),
        }
    }

    /// The answer to a message of the server; can block.
    pub fn answer(&mut self, message: &[u8]) -> Result<Vec<u8>, Error> {
        match self {
            Self::Gssapi(client) => client.answer(message),
            Self::Token(client) => client.answer(message),
        }
    }

    /// The server is content. What protects the connection from now on, where something does.
    pub fn finish(self, last: Option<&[u8]>) -> Result<Option<Layer>, Error> {
        match self {
            Self::Gssapi(client) => client.finish(),
            Self::Token(client) => client.finish(last.unwrap_or_default()),
        }
    }
}

/// What protects messages.
pub enum Layer {
    Gssapi { initiator: Initiator, confidential: bool },
    Token(Box<digest_md5::Layer>),
}

impl Layer {
    pub fn wrap(&mut self, message: &[u8]) -> Result<Vec<u8>, Broken> {
        match self {
            Self::Gssapi { initiator, confidential } => {
                initiator.wrap(message, *confidential).map_err(|error| Broken::Protocol(error.to_string()))
            }
            Self::Token(layer) => Ok(layer.wrap(message)),
        }
    }

    pub fn unwrap(&mut self, message: &[u8]) -> Result<Vec<u8>, Broken> {
        match self {
            Self::Gssapi { initiator, confidential } => {
                initiator.unwrap(message, *confidential).map_err(|error| Broken::Protocol(error.to_string()))
            }
            Self::Token(layer) => layer.unwrap(message).map_err(|what| Broken::Protocol(what.to_owned())),
        }
    }
}

/// Says which levels are `offered`, where none is strong enough.
fn too_weak(name_node: &str, offered: &[Protection], wanted: Protection) -> Error {
    let names: Vec<String> = offered.iter().map(ToString::to_string).collect();
    let offered = if names.is_empty() { "no protection that is known".to_owned() } else { names.join(", ") };
    Error::Protection { name_node: name_node.to_owned(), offered, wanted }
}
