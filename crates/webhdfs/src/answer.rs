//! What servers answer: JSON, in the forms of Hadoop's `JsonUtil`.

use crate::error::Error;
use crate::exchange::Target;
use crate::request::Request;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tfcoord_hadoop_rpc::{Block, Blocks};
use zeroize::Zeroizing;

/// The longest class of an exception, its message, and what else is shown of an answer, in characters.
const CLASS_MAX: usize = 100;
const MESSAGE_MAX: usize = 500;
const SAID_MAX: usize = 200;
/// How Hadoop's `SecurityUtil` begins a message about who asks.
const NO_USER: &str = "Failed to obtain user group information:";

/// Of `GETDELEGATIONTOKEN`.
#[derive(Deserialize)]
pub struct Given {
    #[serde(rename = "Token")]
    token: Option<UrlString>,
}

#[derive(Deserialize)]
struct UrlString {
    #[serde(rename = "urlString")]
    text: String,
}

impl Given {
    /// The token, where there is one.
    pub fn token(self) -> Option<Zeroizing<String>> {
        self.token.map(|token| Zeroizing::new(token.text))
    }
}

/// Of `RENEWDELEGATIONTOKEN`: milliseconds since 1970.
#[derive(Deserialize)]
pub struct Renewed {
    #[serde(rename = "long")]
    pub expires_ms: u64,
}

/// Of `GET_BLOCK_LOCATIONS`.
#[derive(Deserialize)]
pub struct Located {
    #[serde(rename = "LocatedBlocks")]
    blocks: LocatedBlocks,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LocatedBlocks {
    file_length: u64,
    located_blocks: Vec<LocatedBlock>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LocatedBlock {
    start_offset: u64,
    block: Extended,
    locations: Vec<DataNode>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Extended {
    num_bytes: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DataNode {
    host_name: String,
    ip_addr: String,
    xfer_port: u16,
}

impl From<Located> for Blocks {
    fn from(located: Located) -> Self {
        let block = |found: LocatedBlock| Block {
            offset: found.start_offset,
            length: found.block.num_bytes,
            data_nodes: found.locations.iter().map(|node| format!("{}:{}", node.ip_addr, node.xfer_port)).collect(),
            hosts: found.locations.into_iter().map(|node| node.host_name).collect(),
        };
        Self { file_length: located.blocks.file_length, blocks: located.blocks.located_blocks.into_iter().map(block).collect() }
    }
}

/// Reads an answer. What is wrong in it is told by its place: it may hold secrets.
pub fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    serde_json::from_slice(body)
        .map_err(|error| format!("an answer that is not WebHDFS's, at byte {} of line {}", error.column(), error.line()))
}

#[derive(Deserialize)]
struct Remote {
    #[serde(rename = "RemoteException")]
    exception: Exception,
}

#[derive(Deserialize)]
struct Exception {
    #[serde(rename = "exception")]
    class: String,
    #[serde(default)]
    message: Option<String>,
}

/// What an answer says that is no success.
pub fn refusal(request: &Request, status: u16, body: &[u8], target: &Target) -> Error {
    let (server, user) = (target.server.clone(), target.user.clone());
    let shown = |text: &str, length_max| printable(&request.without_secrets(text), length_max);
    match serde_json::from_slice::<Remote>(body) {
        Ok(Remote { exception: Exception { class, message } }) => {
            let message = message.as_deref().and_then(|message| message.lines().next()).unwrap_or("no message");
            let (class, message) = unwrapped(message).unwrap_or((&class, message));
            let (class, message) = (shown(class, CLASS_MAX), shown(message, MESSAGE_MAX));
            Error::Refused { server, operation: request.operation, user, class, message }
        }
        Err(_) => Error::Closed { server, user, status, said: shown(&title(body), SAID_MAX) },
    }
}

// Class and message of what kept the server from knowing who asks, such as a token that is over: it stands within another.
fn unwrapped(message: &str) -> Option<(&str, &str)> {
    let (class, message) = message.strip_prefix(NO_USER)?.trim_start_matches(':').trim_start().split_once(": ")?;
    Some((class.rsplit(['.', '$']).next()?, message))
}

// Of a page for people, its title.
fn title(body: &[u8]) -> String {
    let page = String::from_utf8_lossy(body);
    let title = page.split_once("<title>").and_then(|(_, rest)| rest.split_once("</title>")).map_or("", |(title, _)| title);
    let title = title.trim().strip_prefix("Error ").unwrap_or(title.trim());
    // The number is said anyway.
    title.trim_start_matches(|c: char| c.is_ascii_digit()).trim_start().to_owned()
}

fn printable(text: &str, length_max: usize) -> String {
    text.chars().filter(|c| !c.is_control()).take(length_max).collect()
}

#[cfg(test)]
mod tests;
