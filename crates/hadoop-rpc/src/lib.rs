//! Hadoop as a client sees it without a JVM: calls of NameNodes by Hadoop's RPC, delegation tokens, and the files that carry
//! them.
//!
//! The messages are our own subset of the public, stable protocols ([`NameNode`]). Who asks proves it by Kerberos, by a token, or
//! not at all; signatures and encryption are as strong as is asked for, or the connection is refused. Of DIGEST-MD5's ciphers
//! RC4 alone is spoken.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod connection;
mod credentials;
mod digest_md5;
mod error;
pub mod failover;
pub mod identifier;
mod message;
mod name_node;
mod protection;
mod proto;
mod rc4;
mod sasl;
mod secret;
pub mod token;
pub mod token_file;
mod wire;
mod writable;

pub use credentials::Credentials;
pub use error::{Error, remedy};
pub use identifier::Identifier;
pub use name_node::{Block, Blocks, Config, NameNode};
pub use protection::Protection;
pub use secret::Secret;
pub use token::Token;
pub use token_file::TokenFile;
pub use writable::Malformed;
