//! Frames: a length of four bytes, then that many. Once SASL protects the connection, a frame holds a piece of the stream of
//! protected frames.

use crate::message::{self, Malformed};
use crate::sasl::Layer;
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest answer that is read, in bytes; Hadoop's own clients stop at twice of it. It would hold the block locations of a
/// file of some 20 TB.
pub const LENGTH_MAX: usize = 64 << 20;

/// What ends a connection.
#[derive(Debug)]
pub enum Broken {
    Io(io::Error),
    Protocol(String),
}

impl From<io::Error> for Broken {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl From<Malformed> for Broken {
    fn from(error: Malformed) -> Self {
        Self::Protocol(error.to_string())
    }
}

/// A stream of frames.
pub struct Wire<S> {
    stream: S,
    layer: Option<Layer>,
    // What was unprotected and not yet taken.
    inbox: Vec<u8>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub fn new(stream: S) -> Self {
        Self { stream, layer: None, inbox: Vec::new() }
    }

    /// From now on, both ways.
    pub fn protect(&mut self, layer: Layer) {
        self.layer = Some(layer);
    }

    /// Sends bytes as they are.
    pub async fn send_raw(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        Ok(self.stream.write_all(bytes).await?)
    }

    pub async fn send(&mut self, content: &[u8]) -> Result<(), Broken> {
        let mut framed = frame(content);
        if let Some(layer) = &mut self.layer {
            framed = frame(&message::wrapped(layer.wrap(&framed)?));
        }
        self.stream.write_all(&framed).await?;
        Ok(self.stream.flush().await?)
    }

    pub async fn receive(&mut self) -> Result<Vec<u8>, Broken> {
        if self.layer.is_none() {
            return self.receive_frame().await;
        }
        loop {
            if let Some(content) = take_frame(&mut self.inbox)? {
                return Ok(content);
            }
            let outer = self.receive_frame().await?;
            let layer = self.layer.as_mut().expect("it is looked at above");
            self.inbox.extend(layer.unwrap(&message::unwrapped(&outer)?)?);
        }
    }

    async fn receive_frame(&mut self) -> Result<Vec<u8>, Broken> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).await?;
        let length = checked(length)?;
        // Memory grows with what comes, not with what is announced.
        let mut content = Vec::new();
        let read = (&mut self.stream).take(length as u64).read_to_end(&mut content).await?;
        if read < length { Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()) } else { Ok(content) }
    }
}

fn frame(content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("requests are small");
    [&length.to_be_bytes(), content].concat()
}

fn checked(length: [u8; 4]) -> Result<usize, Broken> {
    let length = u32::from_be_bytes(length) as usize;
    if length > LENGTH_MAX {
        return Err(Broken::Protocol(format!("an answer of {length} bytes, where {LENGTH_MAX} are read at most")));
    }
    Ok(length)
}

fn take_frame(inbox: &mut Vec<u8>) -> Result<Option<Vec<u8>>, Broken> {
    let Some((length, rest)) = inbox.split_first_chunk() else { return Ok(None) };
    let length = checked(*length)?;
    if rest.len() < length {
        return Ok(None);
    }
    let rest = inbox.split_off(4 + length);
    let mut content = std::mem::replace(inbox, rest);
    content.drain(..4);
    Ok(Some(content))
}

#[cfg(test)]
mod tests;
