//! What is in a frame: messages of protobuf, each behind its length.

use crate::proto::rpc::response_header::Status;
use crate::proto::rpc::{Method, RequestHeader, ResponseHeader, Sasl, sasl};
use prost::Message;

/// A frame that does not hold what it must.
#[derive(Debug, thiserror::Error)]
#[error("an answer that is none of Hadoop's RPC: {0}")]
pub struct Malformed(String);

impl From<prost::DecodeError> for Malformed {
    fn from(error: prost::DecodeError) -> Self {
        Self(error.to_string())
    }
}

/// `callId`s that stand for no call.
pub const SASL: i32 = -33;
pub const CONNECTION_CONTEXT: i32 = -3;

/// RPC_PROTOCOL_BUFFER.
const KIND: i32 = 2;
/// RPC_FINAL_PACKET.
const FINAL: i32 = 0;

fn request(call: i32, client: &[u8], parts: &[Vec<u8>]) -> Vec<u8> {
    // A call out of order is never retried: -1.
    let retry_count = Some(if call < 0 { -1 } else { 0 });
    let header = RequestHeader { rpc_kind: Some(KIND), rpc_op: Some(FINAL), call_id: call, client_id: client.to_vec(), retry_count };
    [vec![header.encode_length_delimited_to_vec()], parts.to_vec()].concat().concat()
}

/// A step of SASL.
pub fn sasl(state: sasl::State, token: Option<Vec<u8>>, auths: Vec<sasl::Auth>) -> Vec<u8> {
    let sasl = Sasl { version: None, state: state.into(), token, auths };
    request(SASL, &[], &[sasl.encode_length_delimited_to_vec()])
}

/// What comes before the calls: who calls which protocol.
pub fn context(client: &[u8], context: &impl Message) -> Vec<u8> {
    request(CONNECTION_CONTEXT, client, &[context.encode_length_delimited_to_vec()])
}

/// A call.
pub fn call(id: i32, client: &[u8], method: &Method, argument: &impl Message) -> Vec<u8> {
    request(id, client, &[method.encode_length_delimited_to_vec(), argument.encode_length_delimited_to_vec()])
}

/// A piece of the protected stream.
pub fn wrapped(token: Vec<u8>) -> Vec<u8> {
    sasl(sasl::State::Wrap, Some(token), Vec::new())
}

/// The piece of the protected stream in a frame.
pub fn unwrapped(content: &[u8]) -> Result<Vec<u8>, Malformed> {
    let message = Response::parse(content)?.sasl()?;
    match (message.state(), message.token) {
        (sasl::State::Wrap, Some(token)) => Ok(token),
        _ => Err(Malformed("an unprotected message on a protected connection".into())),
    }
}

/// An answer: its header, and what follows.
#[derive(Debug)]
pub struct Response<'a> {
    header: ResponseHeader,
    rest: &'a [u8],
}

impl<'a> Response<'a> {
    pub fn parse(mut content: &'a [u8]) -> Result<Self, Malformed> {
        let header = ResponseHeader::decode_length_delimited(&mut content)?;
        Ok(Self { header, rest: content })
    }

    pub fn call(&self) -> i32 {
        self.header.call_id.cast_signed()
    }

    /// The server's exception, where it is one: class without package, first line of the message, both cut.
    pub fn exception(&self) -> Option<(String, String)> {
        if self.header.status == i32::from(Status::Success) {
            return None;
        }
        let class = self.header.exception_class.as_deref().unwrap_or("an error without a name");
        let class = class.rsplit(['.', '$']).next().unwrap_or(class);
        let message = self.header.message.as_deref().and_then(|message| message.lines().next()).unwrap_or("no message");
        Some((printable(class, 100), printable(message, 500)))
    }

    pub fn sasl(mut self) -> Result<Sasl, Malformed> {
        if self.call() != SASL {
            return Err(Malformed("an answer to a call, where SASL was expected".into()));
        }
        Ok(Sasl::decode_length_delimited(&mut self.rest)?)
    }

    pub fn result<R: Message + Default>(mut self) -> Result<R, Malformed> {
        Ok(R::decode_length_delimited(&mut self.rest)?)
    }
}

fn printable(text: &str, length_max: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(length_max).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(header: &ResponseHeader, body: &[u8]) -> Vec<u8> {
        [header.encode_length_delimited_to_vec(), body.to_vec()].concat()
    }

    // Bytes as Hadoop's own client sends them, written out by hand from the public description of the protocol.
    #[test]
    fn the_first_message_is_that_of_hadoop() {
        let sent = sasl(sasl::State::Negotiate, None, Vec::new());
        assert_eq!(sent, b"\x0a\x08\x02\x10\x00\x18\x41\x22\x00\x28\x01\x02\x10\x01");
    }

    #[test]
    fn an_exception_is_named_shortly() {
        let header = ResponseHeader {
            call_id: 5,
            status: Status::Error.into(),
            exception_class: Some("org.apache.hadoop.security.token.SecretManager$InvalidToken".into()),
            message: Some(format!("token \x1b[31m{}\n\tat java", "x".repeat(1000))),
        };
        let bytes = answer(&header, b"");
        let (class, message) = Response::parse(&bytes).unwrap().exception().unwrap();
        assert_eq!(class, "InvalidToken");
        assert!(message.len() == 500 && !message.contains(['\x1b', '\n']), "{message}");
    }

    #[test]
    fn clear_text_is_refused_where_it_must_be_protected() {
        let header = ResponseHeader { call_id: 5, status: Status::Success.into(), exception_class: None, message: None };
        assert!(unwrapped(&answer(&header, b"")).is_err());
        let header = ResponseHeader { call_id: SASL.cast_unsigned(), ..header };
        let clear = Sasl { version: None, state: sasl::State::Success.into(), token: Some(vec![1]), auths: vec![] };
        assert!(unwrapped(&answer(&header, &clear.encode_length_delimited_to_vec())).is_err());
        let wrapped = Sasl { state: sasl::State::Wrap.into(), ..clear };
        assert_eq!(unwrapped(&answer(&header, &wrapped.encode_length_delimited_to_vec())).unwrap(), [1]);
    }
}
