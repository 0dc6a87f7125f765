//! A connection to one NameNode, from its first byte to its last call.
//!
//! ```text
//! "hrpc" 9 0 SASL  ▶                        header
//! NEGOTIATE        ▶
//!                  ◀  NEGOTIATE             the methods that the server takes
//! INITIATE         ▶                        ours, with its first message; a user without proof goes on at once
//!                  ◀  CHALLENGE ⇄ RESPONSE ▶
//!                  ◀  SUCCESS               from here on frames are protected
//! context          ▶                        user and protocol; it is not answered
//! call             ▶  ◀ answer              one after the other
//! ```

use crate::credentials::Credentials;
use crate::error::Error;
use crate::message::{self, Response};
use crate::protection::Protection;
use crate::proto::rpc::sasl::{Auth, State};
use crate::proto::rpc::{ConnectionContext, Method, Sasl, connection_context};
use crate::sasl::Mechanism;
use crate::wire::{Broken, Wire};
use prost::Message;
use tokio::net::TcpStream;
use tokio::task::spawn_blocking;

/// "hrpc", version 9, service class 0, and SASL (-33) as what comes next.
const HEADER: &[u8] = &[b'h', b'r', b'p', b'c', 9, 0, 0xdf];

const PROTOCOL: &str = "org.apache.hadoop.hdfs.protocol.ClientProtocol";

/// Steps of SASL that a server may ask for; GSSAPI takes three.
const STEPS_MAX: usize = 16;

/// Who connects, and how.
#[derive(Debug, Clone)]
pub struct Identity {
    pub credentials: Credentials,
    /// At least this.
    pub protection: Protection,
    /// For whom the calls are made, where it is somebody else.
    pub proxy_user: Option<String>,
}

impl Identity {
    /// For messages.
    pub fn user(&self) -> String {
        let user = self.credentials.user();
        self.proxy_user.as_ref().map_or_else(|| user.clone(), |proxied| format!("{proxied} (by {user})"))
    }
}

/// Ready for calls.
pub struct Connection {
    wire: Wire<TcpStream>,
    name_node: String,
    user: String,
    client_id: [u8; 16],
    next_call: i32,
}

impl Connection {
    /// Connects to `name_node` (`host:port`) and proves who it is.
    pub async fn open(name_node: &str, identity: &Identity) -> Result<Self, Error> {
        let connect = |cause| Error::Connect { name_node: name_node.to_owned(), cause };
        let stream = TcpStream::connect(name_node).await.map_err(connect)?;
        stream.set_nodelay(true).map_err(connect)?;
        let mut client_id = [0; 16];
        getrandom::fill(&mut client_id).map_err(|_| connect(std::io::Error::other("no random numbers")))?;
        let (wire, name_node, user) = (Wire::new(stream), name_node.to_owned(), identity.user());
        let mut this = Self { wire, name_node, user, client_id, next_call: 0 };
        this.greet(identity).await?;
        let sent = this.wire.send(&message::context(&this.client_id, &context(identity))).await;
        sent.map_err(|broken| this.broken("connect", broken))?;
        Ok(this)
    }

    async fn greet(&mut self, identity: &Identity) -> Result<(), Error> {
        self.wire.send_raw(HEADER).await.map_err(|broken| self.broken("connect", broken))?;
        let offer = self.sasl(message::sasl(State::Negotiate, None, Vec::new())).await?;
        if offer.state() != State::Negotiate {
            return Err(self.unexpected(&offer));
        }
        let mut auth = self.choose(offer.auths, &identity.credentials)?;
        let challenge = auth.challenge.take();
        let mechanism = Mechanism::new(&self.name_node, &auth, &identity.credentials, identity.protection)?;
        let Some(mut mechanism) = mechanism else {
            if identity.protection > Protection::Authentication {
                let (offered, wanted) = ("none for users without proof".to_owned(), identity.protection);
                return Err(Error::Protection { name_node: self.name_node.clone(), offered, wanted });
            }
            let sent = self.wire.send(&message::sasl(State::Initiate, None, vec![auth])).await;
            return sent.map_err(|broken| self.broken("connect", broken));
        };
        let token;
        (mechanism, token) = off_thread(mechanism, move |mechanism| mechanism.first(challenge.as_deref())).await?;
        let mut reply = message::sasl(State::Initiate, token, vec![auth]);
        for _ in 0..STEPS_MAX {
            let answer = self.sasl(reply).await?;
            match answer.state() {
                State::Challenge => {
                    let challenge = answer.token.unwrap_or_default();
                    let token;
                    (mechanism, token) = off_thread(mechanism, move |mechanism| mechanism.answer(&challenge)).await?;
                    reply = message::sasl(State::Response, Some(token), Vec::new());
                }
                State::Success => {
                    if let Some(layer) = mechanism.finish(answer.token.as_deref())? {
                        self.wire.protect(layer);
                    }
                    return Ok(());
                }
                _ => return Err(self.unexpected(&answer)),
            }
        }
        Err(self.protocol(format!("its SASL has not ended after {STEPS_MAX} steps")))
    }

    fn choose(&self, offered: Vec<Auth>, credentials: &Credentials) -> Result<Auth, Error> {
        let ours = credentials.method();
        let names: Vec<String> = offered.iter().map(|auth| printable(&format!("{} {}", auth.method, auth.mechanism))).collect();
        let chosen = offered.into_iter().find(|auth| (auth.method.as_str(), auth.mechanism.as_str()) == ours);
        chosen.ok_or_else(|| Error::Method {
            name_node: self.name_node.clone(),
            user: self.user.clone(),
            method: ours.0,
            offered: names.join(", "),
        })
    }

    /// Sends one step, and receives the next.
    async fn sasl(&mut self, step: Vec<u8>) -> Result<Sasl, Error> {
        let exchange = async {
            self.wire.send(&step).await?;
            self.wire.receive().await
        };
        let content = exchange.await.map_err(|broken| self.broken("connect", broken))?;
        let response = Response::parse(&content).map_err(|error| self.protocol(error.to_string()))?;
        if let Some((class, message)) = response.exception() {
            return Err(self.refused("connect", class, message));
        }
        response.sasl().map_err(|error| self.protocol(error.to_string()))
    }

    /// Calls a method and waits for its answer. A connection whose call was given up or has failed takes no other.
    pub async fn call<R: Message + Default>(&mut self, method: &'static str, argument: &impl Message) -> Result<R, Error> {
        let id = self.next_call;
        self.next_call = id.wrapping_add(1) & i32::MAX;
        let header = Method { name: method.to_owned(), protocol: PROTOCOL.to_owned(), version: 1 };
        let request = message::call(id, &self.client_id, &header, argument);
        let exchange = async {
            self.wire.send(&request).await?;
            self.wire.receive().await
        };
        let content = exchange.await.map_err(|broken| self.broken(method, broken))?;
        let response = Response::parse(&content).map_err(|error| self.protocol(error.to_string()))?;
        // Errors that end the connection come under numbers of their own.
        if let Some((class, message)) = response.exception() {
            return Err(self.refused(method, class, message));
        }
        if response.call() != id {
            return Err(self.protocol(format!("an answer to call {}, where {id} was asked", response.call())));
        }
        response.result().map_err(|error| self.protocol(error.to_string()))
    }

    fn broken(&self, method: &'static str, broken: Broken) -> Error {
        let (name_node, user) = (self.name_node.clone(), self.user.clone());
        match broken {
            Broken::Io(cause) => Error::Broken { name_node, method, user, cause },
            Broken::Protocol(what) => Error::Protocol { name_node, what },
        }
    }

    fn refused(&self, method: &'static str, class: String, message: String) -> Error {
        Error::Refused { name_node: self.name_node.clone(), method, user: self.user.clone(), class, message }
    }

    fn protocol(&self, what: String) -> Error {
        Error::Protocol { name_node: self.name_node.clone(), what }
    }

    fn unexpected(&self, answer: &Sasl) -> Error {
        self.protocol(format!("SASL's state {} at the wrong time", answer.state().as_str_name()))
    }
}

/// Who calls. A token says itself whose it is; a name that is not the prover's own asks to act for that user.
fn context(identity: &Identity) -> ConnectionContext {
    let effective = match (&identity.credentials, &identity.proxy_user) {
        (Credentials::Token(_), _) => None,
        (_, Some(proxied)) => Some(proxied.clone()),
        (Credentials::Simple { user }, None) => Some(user.clone()),
        // Without a name it is the one who was proved.
        (Credentials::Kerberos { .. }, None) => None,
    };
    let real = match (&identity.credentials, &identity.proxy_user) {
        (Credentials::Simple { user }, Some(_)) => Some(user.clone()),
        _ => None,
    };
    let user = effective.map(|effective| connection_context::User { effective: Some(effective), real });
    ConnectionContext { user, protocol: Some(PROTOCOL.to_owned()) }
}

/// Kerberos may ask the KDC, which takes its time. A step that is given up ends by itself, with the library's own patience.
async fn off_thread<T: Send + 'static>(
    mut mechanism: Mechanism,
    step: impl FnOnce(&mut Mechanism) -> Result<T, Error> + Send + 'static,
) -> Result<(Mechanism, T), Error> {
    let stepped = spawn_blocking(move || step(&mut mechanism).map(|token| (mechanism, token))).await;
    stepped.expect("a step neither panics nor is it cancelled while it is awaited")
}

fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}
