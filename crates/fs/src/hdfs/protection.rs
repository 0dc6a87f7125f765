//! What NameNodes offer is at least what the site demands.
//!
//! The client takes the strongest protection that a server offers and does not look whether that is enough; and it goes on
//! without any where a server asks for none. So the NameNodes are asked before the client is let to them: the first answer of
//! Hadoop's RPC names the ways to log in, and for tokens the levels of protection (SASL DIGEST-MD5's `qop`, RFC 2831, 2.1.1).
//! That finds servers that are set up wrongly. It does not find somebody between who lets this question through and
//! answers the client's own, which only the client itself could refuse.
//!
//! DataNodes are not asked on the way: their addresses are in the block locations, which the client keeps to itself. It takes
//! the strongest protection that a DataNode offers, and speaks without any to those on ports below 1024, as Hadoop's own clients
//! do. [`data_offer`] is for whoever knows a DataNode, and wants to see whether it is set up as the site demands.

use super::call;
use crate::storage::Problem;
use prost::Message;
use std::io;
use std::time::Duration;
use tfcoord_hadoop_rpc::Protection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

// One that does not answer may be the other one of two, down: the call itself will tell.
const ANSWER: Duration = Duration::from_secs(10);
// The most bytes of an answer: names of ways and one challenge.
const ANSWER_MAX: usize = 64 << 10;
// "hrpc", version 9, service class 0, SASL.
const HELLO: &[u8] = b"hrpc\x09\x00\xdf";
const SASL_CALL: i32 = -33;
const KIND_PROTOBUF: i32 = 2;
const STATE_NEGOTIATE: i32 = 1;
// With what a client of a DataNode begins that wants protection (Hadoop's SASL_TRANSFER_MAGIC_NUMBER).
const DATA_HELLO: u32 = 0xdead_beef;

/// How far messages are protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Level {
    /// Only the login.
    Authentication,
    /// Nobody can change them.
    Integrity,
    /// Nobody can read them either.
    Privacy,
}

impl Level {
    const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::Authentication, "authentication", "auth"),
        (Self::Integrity, "integrity", "auth-int"),
        (Self::Privacy, "privacy", "auth-conf"),
    ];

    /// As Hadoop's configuration calls it.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, known, _)| name.eq_ignore_ascii_case(known)).map(|(level, ..)| level)
    }

    fn of_qop(qop: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(.., known)| qop == *known).map(|(level, ..)| level)
    }

    fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

impl From<Level> for Protection {
    fn from(level: Level) -> Self {
        match level {
            Level::Authentication => Self::Authentication,
            Level::Integrity => Self::Integrity,
            Level::Privacy => Self::Privacy,
        }
    }
}

/// What the site demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Policy {
    /// A login by Kerberos, or by a token that came of one.
    pub kerberos: bool,
    /// At least this for what is said to NameNodes.
    pub rpc: Level,
    /// The configuration's key for it.
    pub key: &'static str,
}

/// What a NameNode says of itself before anybody logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// By what it takes users: `KERBEROS`, `TOKEN`, `SIMPLE`.
    pub methods: Vec<String>,
    /// The strongest protection that it names, as Hadoop calls it.
    pub strongest: Option<&'static str>,
}

/// Asks `server` (`host:port`).
///
/// # Errors
/// It does not answer in time, or as a NameNode does.
pub fn offer(server: &str) -> Result<Offer, Problem> {
    let server = server.to_owned();
    let asked = call::wait(ANSWER, async move { ask(&server).await })?;
    let negotiation = asked.map_err(|error| Problem::Broken { detail: error.to_string() })?;
    let strongest = negotiation.ways.iter().filter_map(|way| way.challenge.as_deref()).flat_map(levels).max();
    Ok(Offer { methods: negotiation.ways.into_iter().map(|way| way.method).collect(), strongest: strongest.map(Level::name) })
}

/// The strongest protection that a DataNode (`host:port`) offers for blocks, as Hadoop calls it; none where it speaks without.
///
/// # Errors
/// It cannot be reached, does not answer in time, or not as a DataNode does.
pub fn data_offer(server: &str) -> Result<Option<Protection>, Problem> {
    let server = server.to_owned();
    let asked = call::wait(ANSWER, async move { ask_for_data(&server).await })?;
    let challenge = asked.map_err(|error| Problem::Broken { detail: error.to_string() })?;
    Ok(challenge.and_then(|challenge| levels(&challenge).into_iter().max()).map(Protection::from))
}

/// Asks each of `namenodes` that answers, within `limit` for all of them.
pub(super) async fn check(policy: Policy, namenodes: Vec<String>, limit: Duration) -> Result<(), Problem> {
    let each = ANSWER.min(limit / u32::try_from(namenodes.len() + 1).unwrap_or(u32::MAX));
    for server in namenodes {
        match tokio::time::timeout(each, ask(&server)).await {
            Ok(Ok(negotiation)) => policy.accept(&server, &negotiation)?,
            Ok(Err(error)) => tracing::debug!(server, %error, "the NameNode did not say what it offers"),
            Err(_) => tracing::debug!(server, "the NameNode did not say in time what it offers"),
        }
    }
    Ok(())
}

impl Policy {
    fn accept(&self, server: &str, offer: &Negotiation) -> Result<(), Problem> {
        let weaker = |offered, key, demanded| Err(Problem::Protection { server: server.into(), offered, key, demanded });
        let is_open = offer.ways.iter().any(|way| way.method == "SIMPLE");
        if !self.kerberos {
            // The client would only see a connection that breaks.
            let detail = || format!("{server} demands Kerberos, and hadoop.security.authentication does not");
            return if is_open { Ok(()) } else { Err(Problem::NotConfigured { detail: detail() }) };
        }
        if is_open {
            return weaker("a login without Kerberos", "hadoop.security.authentication", "kerberos");
        }
        let strongest = offer.ways.iter().filter_map(|way| way.challenge.as_deref()).flat_map(levels).max();
        match strongest {
            Some(level) if level < self.rpc => weaker(level.name(), self.key, self.rpc.name()),
            None if self.rpc > Level::Authentication => weaker("no protection that it names", self.key, self.rpc.name()),
            _ => Ok(()),
        }
    }
}

// Of `realm="default",nonce="…",qop="auth-conf,auth",charset=utf-8,…`.
fn levels(challenge: &[u8]) -> Vec<Level> {
    let text = String::from_utf8_lossy(challenge);
    let listed = text.split_once("qop=").map_or("", |(_, rest)| match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap_or_default(),
        None => rest.split(',').next().unwrap_or_default(),
    });
    listed.split(',').filter_map(|qop| Level::of_qop(qop.trim())).collect()
}

async fn ask(server: &str) -> io::Result<Negotiation> {
    let mut stream = TcpStream::connect(server).await?;
    let header = RequestHeader { kind: KIND_PROTOBUF, operation: 0, call: SASL_CALL, client: Vec::new(), retry: -1 };
    let body = Negotiation { state: STATE_NEGOTIATE, ways: Vec::new() };
    let message = [header.encode_length_delimited_to_vec(), body.encode_length_delimited_to_vec()].concat();
    let length = u32::try_from(message.len()).map_err(io::Error::other)?;
    stream.write_all(&[HELLO, &length.to_be_bytes(), &message].concat()).await?;
    let length = stream.read_u32().await? as usize;
    if length > ANSWER_MAX {
        return Err(io::Error::other(format!("an answer of {length} bytes")));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await?;
    let mut answer = answer.as_slice();
    let header = ResponseHeader::decode_length_delimited(&mut answer)?;
    if header.status != 0 {
        return Err(io::Error::other(format!("it refused: {} {}", header.class, header.message)));
    }
    Ok(Negotiation::decode_length_delimited(&mut answer)?)
}

// The first challenge of a login to a DataNode, which it gives to anybody.
async fn ask_for_data(server: &str) -> io::Result<Option<Vec<u8>>> {
    let mut stream = TcpStream::connect(server).await?;
    let hello = DataHandshake { status: 0, payload: None }.encode_length_delimited_to_vec();
    stream.write_all(&[&DATA_HELLO.to_be_bytes()[..], &hello].concat()).await?;
    // Its length, in at most two bytes of a varint; and then that many.
    let Ok(first) = stream.read_u8().await else {
        // It took the question for one of another version.
        return Ok(None);
    };
    let mut length = usize::from(first & 0x7f);
    if first & 0x80 != 0 {
        length |= usize::from(stream.read_u8().await?) << 7;
    }
    if length > ANSWER_MAX {
        return Err(io::Error::other(format!("an answer of {length} bytes")));
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).await?;
    Ok(DataHandshake::decode(answer.as_slice())?.payload)
}

// Of Hadoop's datatransfer.proto.
#[derive(Clone, PartialEq, Message)]
struct DataHandshake {
    #[prost(int32, required, tag = "1")]
    status: i32,
    #[prost(bytes = "vec", optional, tag = "2")]
    payload: Option<Vec<u8>>,
}

// Parts of Hadoop's RpcHeader.proto.

#[derive(Clone, PartialEq, Message)]
struct RequestHeader {
    #[prost(int32, tag = "1")]
    kind: i32,
    #[prost(int32, required, tag = "2")]
    operation: i32,
    #[prost(sint32, tag = "3")]
    call: i32,
    #[prost(bytes = "vec", required, tag = "4")]
    client: Vec<u8>,
    #[prost(sint32, tag = "5")]
    retry: i32,
}

#[derive(Clone, PartialEq, Message)]
struct ResponseHeader {
    #[prost(int32, tag = "2")]
    status: i32,
    #[prost(string, tag = "4")]
    class: String,
    #[prost(string, tag = "5")]
    message: String,
}

#[derive(Clone, PartialEq, Message)]
struct Negotiation {
    #[prost(int32, required, tag = "2")]
    state: i32,
    #[prost(message, repeated, tag = "4")]
    ways: Vec<Way>,
}

#[derive(Clone, PartialEq, Message)]
struct Way {
    #[prost(string, required, tag = "1")]
    method: String,
    #[prost(bytes = "vec", optional, tag = "5")]
    challenge: Option<Vec<u8>>,
}

#[cfg(test)]
mod tests;
