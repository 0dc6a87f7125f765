//! A conversation with a service, step by step, and the messages that it protects afterwards.

use crate::cache::Cache;
use crate::error::Error;
use crate::ffi::Libraries;
use crate::ffi::gss::{CONFIDENTIALITY, Context, Failure, INTEGRITY, KERBEROS, MUTUAL, SEQUENCE, SPNEGO};
use crate::principal::Principal;
use std::fmt;
use std::sync::Arc;

/// How the conversation is led.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// Kerberos itself, as SASL's GSSAPI wants it (RFC 4752).
    Kerberos,
    /// Kerberos within SPNEGO, as HTTP's `Negotiate` wants it (RFC 4559): the first step's token, in base64, is the header.
    Spnego,
}

const FLAGS: u32 = MUTUAL | SEQUENCE | INTEGRITY | CONFIDENTIALITY;

/// What a step gave.
#[derive(PartialEq, Eq)]
pub struct Step {
    /// The next message for the service; empty where there is none.
    pub token: Vec<u8>,
    /// Both sides are known to each other: nothing more is awaited from the service.
    pub complete: bool,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Step {{ <{} bytes>, complete: {} }}", self.token.len(), self.complete)
    }
}

/// The client's side of a conversation.
pub struct Initiator {
    context: Context,
    libraries: Arc<Libraries>,
    service: Principal,
    mechanism: Mechanism,
    place: String,
    complete: bool,
    // Its file or memory stays as long as somebody may ask for a service's ticket from it.
    cache: Arc<Cache>,
}

impl Initiator {
    pub(crate) fn new(
        libraries: Arc<Libraries>,
        cache: Arc<Cache>,
        client: &Principal,
        service: &Principal,
        mechanism: Mechanism,
    ) -> Result<Self, Error> {
        let place = format!("{client} to {service}, with the tickets in {}", cache.name().to_string_lossy());
        let oid = match mechanism {
            Mechanism::Kerberos => KERBEROS,
            Mechanism::Spnego => SPNEGO,
        };
        let context = Context::new(Arc::clone(&libraries), oid, cache.name(), service.as_str(), FLAGS).map_err(at(&place))?;
        Ok(Self { context, libraries, service: service.clone(), mechanism, place, complete: false, cache })
    }

    /// Takes the service's message, empty at first. The first step talks to the KDC, unless it gave the service's ticket before.
    ///
    /// # Errors
    /// The KDC or the service refuses, the clocks differ, the ticket is over, or the service could not prove who it is.
    pub fn step(&mut self, message: &[u8]) -> Result<Step, Error> {
        let (token, complete) = self.context.step(message).map_err(|failure| self.plain(failure))?;
        if complete && self.context.agreed() & (MUTUAL | INTEGRITY) != MUTUAL | INTEGRITY {
            return self.tampered("the service did not prove who it is, or takes no signatures");
        }
        self.complete = complete;
        Ok(Step { token, complete })
    }

    /// SPNEGO hides Kerberos' numbers behind its own: where Kerberos fails by itself too, it says why.
    fn plain(&self, failure: Failure) -> Error {
        let error = at(&self.place)(failure);
        if self.mechanism == Mechanism::Kerberos || !matches!(error, Error::Other { .. }) {
            return error;
        }
        let again = Context::new(Arc::clone(&self.libraries), KERBEROS, self.cache.name(), self.service.as_str(), FLAGS);
        again.and_then(|mut context| context.step(&[])).map_or_else(at(&self.place), |_| error)
    }

    /// Signs a message, and encrypts it where it is `confidential`.
    ///
    /// # Errors
    /// The conversation is not complete or is over, or no encryption was agreed on.
    pub fn wrap(&mut self, message: &[u8], confidential: bool) -> Result<Vec<u8>, Error> {
        let (wrapped, encrypted) = self.context.wrap(message, confidential).map_err(at(&self.place))?;
        if confidential && !encrypted { self.tampered("encryption was not agreed on") } else { Ok(wrapped) }
    }

    /// Checks a message and its place in the sequence, and decrypts it.
    ///
    /// # Errors
    /// It was changed, is no message of this conversation, or is not encrypted though it must be `confidential`.
    pub fn unwrap(&mut self, message: &[u8], confidential: bool) -> Result<Vec<u8>, Error> {
        let (plain, encrypted) = self.context.unwrap(message).map_err(at(&self.place))?;
        if confidential && !encrypted { self.tampered("a message that is not encrypted") } else { Ok(plain) }
    }

    fn tampered<T>(&self, cause: &str) -> Result<T, Error> {
        Err(Error::Tampered { place: self.place.clone(), cause: cause.to_owned() })
    }
}

impl fmt::Debug for Initiator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Initiator").field("place", &self.place).field("complete", &self.complete).finish_non_exhaustive()
    }
}

fn at(place: &str) -> impl FnOnce(Failure) -> Error {
    |failure| Error::of_status(failure.major, failure.minor, place.to_owned(), failure.message)
}
