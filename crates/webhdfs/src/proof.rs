//! By what it is proved to a server who asks.

use crate::request::Request;
use base64::prelude::{BASE64_STANDARD, Engine};
use std::sync::Arc;
use tfcoord_hadoop_rpc::Credentials;
use tfcoord_kerberos::{Error, Initiator, Login, Mechanism, Principal};
use zeroize::Zeroizing;

const NEGOTIATE: &str = "Negotiate ";

/// By what it is proved.
#[derive(Clone)]
pub enum Proof {
    /// By parameters of the request: a name, or a token.
    Parameter(&'static str, Zeroizing<String>),
    /// By a ticket.
    Ticket {
        login: Arc<Login>,
        /// Who the servers must prove to be: `HTTP/_HOST@REALM`.
        service: Principal,
    },
}

/// A conversation that waits for the server's proof.
pub struct Conversation {
    initiator: Initiator,
    /// Who it must be.
    pub service: Principal,
}

impl Proof {
    /// `service` is for tickets.
    pub fn of(credentials: &Credentials, service: &Principal) -> Self {
        match credentials {
            Credentials::Simple { user } => Self::Parameter("user.name", Zeroizing::new(user.clone())),
            Credentials::Token(token) => Self::Parameter("delegation", token.to_url_string()),
            Credentials::Kerberos { login, .. } => Self::Ticket { login: Arc::clone(login), service: service.clone() },
        }
    }

    /// The request with it; and the value of the header `Authorization` with whoever waits for the answer's. Talks to the KDC.
    ///
    /// # Errors
    /// The ticket is of no use, or the KDC refuses.
    pub fn add(&self, request: Request, host: &str) -> Result<(Request, Option<(String, Conversation)>), Error> {
        match self {
            Self::Parameter(name, value) => Ok((request.with(name, value.as_str()), None)),
            Self::Ticket { login, service } => {
                let service = service.on_host(host)?;
                let mut initiator = login.initiate(&service, Mechanism::Spnego)?;
                let header = format!("{NEGOTIATE}{}", BASE64_STANDARD.encode(initiator.step(&[])?.token));
                Ok((request, Some((header, Conversation { initiator, service }))))
            }
        }
    }
}

impl Conversation {
    /// Whether the server's header `WWW-Authenticate` proves who it is.
    pub fn is_proved(&mut self, header: Option<&str>) -> bool {
        let token = header.and_then(|header| header.strip_prefix(NEGOTIATE)).and_then(|token| BASE64_STANDARD.decode(token.trim()).ok());
        token.is_some_and(|token| self.initiator.step(&token).is_ok_and(|step| step.complete))
    }
}
