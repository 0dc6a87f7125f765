//! WebHDFS as a client. Where there are several NameNodes, whichever is active answers.

use crate::answer::{self, Given, Located, Renewed};
use crate::error::Error;
use crate::exchange::{Exchange, Target};
use crate::proof::Proof;
use crate::request::Request;
use serde::de::DeserializeOwned;
use std::time::{Duration, SystemTime};
use tfcoord_hadoop_rpc::failover::{Active, CONNECT, Next};
use tfcoord_hadoop_rpc::token::{HDFS_DELEGATION_TOKEN, service};
use tfcoord_hadoop_rpc::{Blocks, Config, Credentials, Protection, Token};
use tfcoord_kerberos::Principal;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

/// After the deadline, until the thread that waits for an answer gives up as well.
const LINGER: Duration = Duration::from_secs(1);

/// Where WebHDFS is.
#[derive(Debug, Clone)]
pub struct Web {
    /// `http://host:port` or `https://host:port` of each NameNode.
    pub addresses: Vec<String>,
    /// Who they must prove to be, to those who come with a ticket: `HTTP/_HOST@REALM`.
    pub service: Principal,
}

/// NameNodes of one file system, by WebHDFS.
pub struct WebHdfs {
    config: Config,
    web: Web,
    proof: Proof,
    exchange: Exchange,
    active: Active,
}

impl WebHdfs {
    /// As whom `config` says; of its addresses, which are RPC's, tokens alone know.
    ///
    /// # Errors
    /// It demands more protection than `http://` has.
    pub fn new(config: Config, web: Web) -> Result<Self, Error> {
        let open = web.addresses.iter().find(|address| !address.starts_with("https://"));
        if let (Some(server), true) = (open, config.protection > Protection::Authentication) {
            return Err(Error::Open { server: server.clone(), wanted: config.protection });
        }
        let encrypted = web.addresses.iter().any(|address| address.starts_with("https://"));
        let (proof, exchange) = (Proof::of(&config.credentials, &web.service), Exchange::new(encrypted));
        Ok(Self { config, web, proof, exchange, active: Active::default() })
    }

    /// Whether the first one is active; it is asked once.
    ///
    /// # Errors
    /// It cannot be reached, does not let us in, or is not ready.
    pub async fn serves(&self) -> Result<bool, Error> {
        let request = Request::get("GETFILESTATUS", "/");
        let deadline = Instant::now() + self.config.deadline;
        let server = self.web.addresses.first().ok_or(Error::Nowhere)?;
        match self.once(server, &request, deadline).await {
            Ok(_) => Ok(true),
            Err(Error::Refused { class, .. }) if class == "StandbyException" => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Where the bytes from `offset` on are, `length` of them.
    ///
    /// # Errors
    /// There is no such file, or its blocks may not be seen.
    pub async fn block_locations(&self, path: &str, offset: u64, length: u64) -> Result<Blocks, Error> {
        // The operation of Hadoop's own client in all versions; the public one does not say the file's length.
        let request = Request::get("GET_BLOCK_LOCATIONS", path).with("offset", offset.to_string()).with("length", length.to_string());
        Ok(self.ask::<Located>(self.for_user(request), true).await?.into())
    }

    /// A new token for the one who asks, or the proxied user, that `renewer` may renew; it is one of HDFS, as RPC takes them.
    ///
    /// # Errors
    /// The NameNode is not secured, or does not give tokens to those who come with a token.
    pub async fn delegation_token(&self, renewer: &str) -> Result<Token, Error> {
        let service = self.token_service().await?;
        let request = Request::get("GETDELEGATIONTOKEN", "/").with("renewer", renewer);
        let given: Given = self.ask(self.for_user(request), true).await?;
        let Some(text) = given.token() else { return Err(Error::NoToken { server: self.names(), user: self.user() }) };
        let protocol = |what: String| Error::Protocol { server: self.names(), operation: "GETDELEGATIONTOKEN", what };
        let token = Token::from_url_string(&text).map_err(|error| protocol(format!("a token that is none: {error}")))?;
        token.identifier().map_err(|error| protocol(error.to_string()))?;
        // It comes marked for WebHDFS: to the NameNode that is the same, and clients of RPC look for their own mark.
        Ok(Token { kind: HDFS_DELEGATION_TOKEN.into(), service, ..token })
    }

    /// Prolongs a token, up to its maximum; until when it is good now. Who asks must be its renewer.
    ///
    /// # Errors
    /// The token is over or was cancelled, or somebody else renews it.
    pub async fn renew(&self, token: &Token) -> Result<SystemTime, Error> {
        let request = Request::put("RENEWDELEGATIONTOKEN").with("token", token.to_url_string().as_str());
        let renewed: Renewed = self.ask(request, true).await?;
        let expires = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(renewed.expires_ms));
        let what = || "a time beyond all calendars".to_owned();
        expires.ok_or_else(|| Error::Protocol { server: self.names(), operation: "RENEWDELEGATIONTOKEN", what: what() })
    }

    /// Makes a token worthless. Who asks must be its owner or renewer.
    ///
    /// # Errors
    /// It is not there any more, or is somebody else's. [`Error::Broken`]: whether it was cancelled is not known.
    pub async fn cancel(&self, token: &Token) -> Result<(), Error> {
        let request = Request::put("CANCELDELEGATIONTOKEN").with("token", token.to_url_string().as_str());
        self.call(request, false).await.map(drop)
    }

    /// By which text clients of RPC find the token for these NameNodes.
    ///
    /// # Errors
    /// The only NameNode's name is unknown.
    pub async fn token_service(&self) -> Result<String, Error> {
        Ok(service(self.config.nameservice.as_deref(), &self.config.addresses).await?)
    }

    // For the user for whom it is, if that is not who asks. A token says itself whose it is.
    fn for_user(&self, request: Request) -> Request {
        match (&self.config.proxy_user, &self.config.credentials) {
            (None, _) | (_, Credentials::Token(_)) => request,
            (Some(user), _) => request.with("doas", user.as_str()),
        }
    }

    async fn ask<T: DeserializeOwned>(&self, request: Request, repeatable: bool) -> Result<T, Error> {
        let operation = request.operation;
        let body = self.call(request, repeatable).await?;
        answer::read(&body).map_err(|what| Error::Protocol { server: self.names(), operation, what })
    }

    /// Asks the active NameNode. What is not `repeatable` is not sent again where it may have been carried out.
    async fn call(&self, request: Request, repeatable: bool) -> Result<Zeroizing<Vec<u8>>, Error> {
        let addresses = &self.web.addresses;
        let deadline = Instant::now() + self.config.deadline;
        let mut last = None;
        let attempts = async {
            loop {
                let at = self.active.index();
                let server = addresses.get(at).ok_or(Error::Nowhere)?;
                let error = match self.once(server, &request, deadline).await {
                    Ok(body) => return Ok(body),
                    Err(error) => error,
                };
                match what_next(&error) {
                    Next::Other if addresses.len() > 1 || matches!(error, Error::Refused { .. }) => {}
                    Next::Unknown if repeatable => {}
                    _ => return Err(error),
                }
                last = Some(Box::new(error));
                self.active.turn(at, addresses.len()).await;
            }
        };
        let result = timeout_at(deadline, attempts).await;
        result.unwrap_or_else(|_| Err(self.late(request.operation, last)))
    }

    /// Asks one of them, within what is left of the time.
    async fn once(&self, server: &str, request: &Request, deadline: Instant) -> Result<Zeroizing<Vec<u8>>, Error> {
        let whole = deadline.saturating_duration_since(Instant::now()) + LINGER;
        let connect = if self.web.addresses.len() > 1 { CONNECT.min(whole) } else { whole };
        let target = Target { server: server.to_owned(), user: self.user(), connect, whole };
        let (exchange, proof, again) = (self.exchange.clone(), self.proof.clone(), request.clone());
        let sent = timeout_at(deadline, spawn_blocking(move || exchange.send(again, &proof, &target))).await;
        match sent {
            Ok(sent) => sent.expect("a request neither panics nor is it cancelled while it is awaited"),
            Err(_) => Err(self.late(request.operation, None)),
        }
    }

    fn late(&self, operation: &'static str, last: Option<Box<Error>>) -> Error {
        Error::Deadline { servers: self.web.addresses.clone(), operation, user: self.user(), limit: self.config.deadline, last }
    }

    fn user(&self) -> String {
        self.config.user()
    }

    fn names(&self) -> String {
        self.web.addresses.join(", ")
    }
}

impl std::fmt::Debug for WebHdfs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WebHdfs").field("config", &self.config).field("web", &self.web).finish_non_exhaustive()
    }
}

fn what_next(error: &Error) -> Next {
    match error {
        Error::Refused { class, .. } => Next::of_refusal(class),
        Error::Connect { .. } => Next::Other,
        Error::Broken { .. } => Next::Unknown,
        _ => Next::Final,
    }
}

#[cfg(test)]
mod tests;
