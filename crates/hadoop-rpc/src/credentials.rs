//! By what a client proves who it is.

use crate::token::Token;
use std::sync::Arc;
use tfcoord_kerberos::{Login, Principal};

/// By what a client proves who it is.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// By saying so: for clusters without security.
    Simple {
        /// The user's name.
        user: String,
    },
    /// By a ticket.
    Kerberos {
        /// Whose.
        login: Arc<Login>,
        /// Who the server must prove to be: `hdfs/_HOST@REALM`, of `dfs.namenode.kerberos.principal`. What the server itself
        /// says is not believed.
        service: Principal,
    },
    /// By a delegation token.
    Token(Token),
}

impl Credentials {
    /// Who it is, for messages.
    pub(crate) fn user(&self) -> String {
        match self {
            Self::Simple { user } => user.clone(),
            Self::Kerberos { login, .. } => login.principal().to_string(),
            Self::Token(token) => token.identifier().map_or_else(|_| "a token".into(), |who| format!("{} (by token)", who.owner)),
        }
    }

    /// The name of its method in Hadoop's protocol, and of its SASL mechanism.
    pub(crate) fn method(&self) -> (&'static str, &'static str) {
        match self {
            Self::Simple { .. } => ("SIMPLE", ""),
            Self::Kerberos { .. } => ("KERBEROS", "GSSAPI"),
            Self::Token(_) => ("TOKEN", "DIGEST-MD5"),
        }
    }
}
