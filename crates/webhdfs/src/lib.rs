//! The few calls of NameNodes that are not about file data, by WebHDFS (Hadoop's REST interface) as well as by Hadoop's RPC:
//! [`NameNode`] is either.
//!
//! Who asks proves it by Kerberos (SPNEGO, RFC 4559), where the server must prove itself too, by a token, or by saying so.
//! Tokens are those of HDFS: they serve for RPC like those that were got by it.
//!
//! Tokens that are renewed or cancelled stand in the address of the request, as Hadoop wants it: no address of a request is
//! in an error or in a log, and texts of the server are freed of what was sent to it.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod answer;
mod error;
mod exchange;
mod name_node;
mod proof;
mod request;
mod web_hdfs;

pub use error::Error;
pub use name_node::NameNode;
pub use web_hdfs::{Web, WebHdfs};
