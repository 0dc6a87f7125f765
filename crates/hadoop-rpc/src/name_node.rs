//! What NameNodes are asked. Where there are several, whichever is active answers.

use crate::connection::{Connection, Identity};
use crate::credentials::Credentials;
use crate::error::Error;
use crate::failover::{Active, CONNECT, Next};
use crate::protection::Protection;
use crate::proto::name_node as proto;
use crate::token::{Token, service};
use prost::Message;
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout, timeout_at};

/// Where the NameNodes are, and who asks.
#[derive(Debug, Clone)]
pub struct Config {
    /// `host:port` of each.
    pub addresses: Vec<String>,
    /// The name that stands for all of them (`dfs.nameservices`), where there are several.
    pub nameservice: Option<String>,
    /// By what it is proved who asks.
    pub credentials: Credentials,
    /// How messages must be protected at least. Where the NameNode demands more, that is done.
    pub protection: Protection,
    /// For whom, if it is somebody else than who proves himself (`hadoop.proxyuser`).
    pub proxy_user: Option<String>,
    /// How long a call may take, with all attempts.
    pub deadline: Duration,
}

impl Config {
    /// Who asks, and for whom: for messages.
    pub fn user(&self) -> String {
        identity(self).user()
    }
}

/// NameNodes of one file system.
pub struct NameNode {
    config: Config,
    identity: Identity,
    active: Active,
    // To the active one; there while it is free for the next call. Who calls holds the lock.
    idle: Mutex<Option<Connection>>,
}

/// Hosts of one block of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// Its length in bytes.
    pub length: u64,
    /// Names of the hosts that hold a replica, the nearest first as the NameNode sees it.
    pub hosts: Vec<String>,
    /// `address:port` of the DataNodes, in the same order.
    pub data_nodes: Vec<String>,
}

/// A file's blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocks {
    /// The whole file's length in bytes.
    pub file_length: u64,
    /// Those that were asked for, in the file's order.
    pub blocks: Vec<Block>,
}

impl NameNode {
    /// Connects to the active one.
    ///
    /// # Errors
    /// None can be reached, or lets us in.
    pub async fn connect(config: Config) -> Result<Self, Error> {
        let mut this = Self { identity: identity(&config), config, active: Active::default(), idle: Mutex::default() };
        // Which one is active shows with the first call.
        let connection = this.within("connect", async |last| this.open(last).await).await?;
        *this.idle.get_mut() = Some(connection);
        Ok(this)
    }

    /// Whether the one that is asked, the first that lets us in, is active; it is asked once.
    ///
    /// # Errors
    /// It cannot be reached, does not let us in, or is not ready.
    pub async fn serves(&self) -> Result<bool, Error> {
        let request = proto::GetBlockLocations { path: "/".to_owned(), offset: 0, length: 0 };
        self.within("getBlockLocations", async |last| {
            let mut idle = self.idle.lock().await;
            let mut connection = match idle.take() {
                Some(connection) => connection,
                None => self.open(last).await?,
            };
            match connection.call::<proto::BlockLocations>("getBlockLocations", &request).await {
                Ok(_) => Ok(true),
                Err(Error::Refused { class, .. }) if class == "StandbyException" => Ok(false),
                // That the root is no file, the active one alone says.
                Err(Error::Refused { class, .. }) if class == "FileNotFoundException" => Ok(true),
                Err(error) => Err(error),
            }
        })
        .await
    }

    /// Where the bytes from `offset` on are, `length` of them.
    ///
    /// # Errors
    /// There is no such file, or its blocks may not be seen.
    pub async fn block_locations(&self, path: &str, offset: u64, length: u64) -> Result<Blocks, Error> {
        let request = proto::GetBlockLocations { path: path.to_owned(), offset, length };
        let found: proto::BlockLocations = self.call("getBlockLocations", &request, true).await?;
        let Some(found) = found.blocks else {
            let (name_node, user, path) = (self.names(), self.identity.user(), path.to_owned());
            return Err(Error::NotFound { name_node, user, path });
        };
        Ok(Blocks { file_length: found.file_length, blocks: found.blocks.into_iter().map(block).collect() })
    }

    /// A new token for the one who asks, or the proxied user, that `renewer` may renew. It is marked for these NameNodes, by
    /// their nameservice or the address of the only one.
    ///
    /// # Errors
    /// The NameNode is not secured, or does not give tokens to those who come with a token.
    pub async fn delegation_token(&self, renewer: &str) -> Result<Token, Error> {
        // Before there is a token that would be lost without it.
        let service = self.token_service().await?;
        let request = proto::GetDelegationToken { renewer: renewer.to_owned() };
        let given: proto::DelegationToken = self.call("getDelegationToken", &request, true).await?;
        let Some(token) = given.token else {
            return Err(Error::NoToken { name_node: self.names(), user: self.identity.user() });
        };
        Ok(Token { identifier: token.identifier, password: token.password.into(), kind: token.kind, service })
    }

    /// Prolongs a token, up to its maximum; until when it is good now. Who asks must be its renewer.
    ///
    /// # Errors
    /// The token is over or was cancelled, or somebody else renews it.
    pub async fn renew(&self, token: &Token) -> Result<SystemTime, Error> {
        let request = proto::RenewDelegationToken { token: message(token) };
        let renewed: proto::Renewed = self.call("renewDelegationToken", &request, true).await?;
        let expires = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(renewed.expires_ms));
        expires.ok_or_else(|| Error::Protocol { name_node: self.names(), what: "a time beyond all calendars".into() })
    }

    /// Makes a token worthless. Who asks must be its owner or renewer.
    ///
    /// # Errors
    /// It is not there any more, or is somebody else's. [`Error::Broken`]: whether it was cancelled is not known.
    pub async fn cancel(&self, token: &Token) -> Result<(), Error> {
        let request = proto::CancelDelegationToken { token: message(token) };
        let proto::Cancelled {} = self.call("cancelDelegationToken", &request, false).await?;
        Ok(())
    }

    /// By which text clients find the token for these NameNodes, as Hadoop's own write it.
    ///
    /// # Errors
    /// The only NameNode's name is unknown.
    pub async fn token_service(&self) -> Result<String, Error> {
        service(self.config.nameservice.as_deref(), &self.config.addresses).await
    }

    /// Calls the active NameNode. What is not `repeatable` is sent on a fresh connection, once.
    async fn call<R: Message + Default>(&self, method: &'static str, argument: &impl Message, repeatable: bool) -> Result<R, Error> {
        self.within(method, async |last| {
            let mut idle = self.idle.lock().await;
            if !repeatable {
                *idle = None;
            }
            loop {
                // Out of its place: a call that is given up half-way leaves a connection that nobody may use.
                let mut connection = match idle.take() {
                    Some(connection) => connection,
                    None => self.open(last).await?,
                };
                let error = match connection.call(method, argument).await {
                    Ok(result) => {
                        *idle = Some(connection);
                        return Ok(result);
                    }
                    Err(error) => error,
                };
                match what_next(&error) {
                    Next::Other => {}
                    Next::Unknown if repeatable => {}
                    Next::Unknown => return Err(error),
                    Next::Final => {
                        *idle = Some(connection);
                        return Err(error);
                    }
                }
                self.turn().await;
                *last = Some(error);
            }
        })
        .await
    }

    /// The first NameNode that lets us in, tried again and again until somebody's patience ends.
    async fn open(&self, last: &mut Option<Error>) -> Result<Connection, Error> {
        let addresses = &self.config.addresses;
        loop {
            let Some(address) = addresses.get(self.active.index()) else { return Err(Error::Nowhere) };
            let patience = if addresses.len() > 1 { CONNECT } else { Duration::MAX };
            let error = match timeout(patience, Connection::open(address, &self.identity)).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(error)) => error,
                Err(_) => Error::Connect { name_node: address.clone(), cause: std::io::ErrorKind::TimedOut.into() },
            };
            if matches!(what_next(&error), Next::Final) || addresses.len() == 1 {
                return Err(error);
            }
            *last = Some(error);
            self.turn().await;
        }
    }

    // From the one that was asked last: who calls holds the lock.
    async fn turn(&self) {
        self.active.turn(self.active.index(), self.config.addresses.len()).await;
    }

    /// Ends what is not done within the deadline.
    async fn within<T>(&self, method: &'static str, attempt: impl AsyncFnOnce(&mut Option<Error>) -> Result<T, Error>) -> Result<T, Error> {
        let mut last = None;
        let result = timeout_at(Instant::now() + self.config.deadline, attempt(&mut last)).await;
        result.unwrap_or_else(|_| {
            let (name_nodes, user, limit) = (self.config.addresses.clone(), self.identity.user(), self.config.deadline);
            Err(Error::Deadline { name_nodes, method, user, limit, last: last.map(Box::new) })
        })
    }

    fn names(&self) -> String {
        self.config.nameservice.clone().unwrap_or_else(|| self.config.addresses.join(", "))
    }
}

impl std::fmt::Debug for NameNode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NameNode").field("config", &self.config).finish_non_exhaustive()
    }
}

fn identity(config: &Config) -> Identity {
    let Config { credentials, protection, proxy_user, .. } = config.clone();
    Identity { credentials, protection, proxy_user }
}

fn what_next(error: &Error) -> Next {
    match error {
        Error::Refused { class, .. } => Next::of_refusal(class),
        Error::Connect { .. } => Next::Other,
        Error::Broken { method: "connect", .. } => Next::Other,
        Error::Broken { .. } => Next::Unknown,
        _ => Next::Final,
    }
}

fn message(token: &Token) -> proto::Token {
    proto::Token {
        identifier: token.identifier.clone(),
        password: token.password.expose().to_vec(),
        kind: token.kind.clone(),
        service: token.service.clone(),
    }
}

fn block(located: proto::LocatedBlock) -> Block {
    let nodes = || located.replicas.iter().map(|replica| &replica.id);
    Block {
        offset: located.offset,
        length: located.block.length(),
        hosts: nodes().map(|node| node.host.clone()).collect(),
        data_nodes: nodes().map(|node| format!("{}:{}", node.address, node.transfer_port)).collect(),
    }
}

#[cfg(test)]
mod tests;
