//! GSSAPI (RFC 4752): Kerberos, then one message each about the protection from then on.

use super::{Layer, too_weak};
use crate::error::Error;
use crate::protection::Protection;
use crate::proto::rpc::sasl::Auth;
use tfcoord_kerberos::{Initiator, Login, Mechanism, Principal};

/// The longest protected message that we take, in the three bytes that there are for it.
const RECEIVE_MAX: [u8; 3] = [0xff; 3];

pub struct Client {
    name_node: String,
    initiator: Initiator,
    least: Protection,
    state: State,
}

#[derive(Clone, Copy)]
enum State {
    /// Tickets go to and fro.
    Proving,
    /// The server is to say what it offers.
    Choosing,
    /// We have chosen.
    Chosen(Protection),
}

impl Client {
    pub fn new(name_node: &str, auth: &Auth, login: &Login, service: &Principal, least: Protection) -> Result<Self, Error> {
        let kerberos = |cause| Error::Kerberos { name_node: name_node.to_owned(), cause };
        let host = name_node.rsplit_once(':').map_or(name_node, |(host, _)| host);
        let service = service.on_host(host).map_err(kerberos)?;
        let advertised = format!("{}/{}", auth.protocol(), auth.server());
        // Its realm is not said.
        if service.as_str().split('@').next() != Some(&advertised) {
            let advertised = advertised.chars().filter(|c| !c.is_control()).take(200).collect();
            return Err(Error::Service { name_node: name_node.to_owned(), advertised, expected: service.to_string() });
        }
        let initiator = login.initiate(&service, Mechanism::Kerberos).map_err(kerberos)?;
        Ok(Self { name_node: name_node.to_owned(), initiator, least, state: State::Proving })
    }

    pub fn answer(&mut self, message: &[u8]) -> Result<Vec<u8>, Error> {
        match self.state {
            State::Proving => {
                let step = self.initiator.step(message).map_err(|cause| self.kerberos(cause))?;
                if step.complete {
                    self.state = State::Choosing;
                }
                Ok(step.token)
            }
            State::Choosing => {
                let offer = self.initiator.unwrap(message, false).map_err(|cause| self.kerberos(cause))?;
                let offered = self.offered(&offer)?;
                let level = self.least.choose(&offered).ok_or_else(|| too_weak(&self.name_node, &offered, self.least))?;
                self.state = State::Chosen(level);
                let [a, b, c] = RECEIVE_MAX;
                self.initiator.wrap(&[bit(level), a, b, c], false).map_err(|cause| self.kerberos(cause))
            }
            State::Chosen(_) => self.protocol("a message of GSSAPI after its end"),
        }
    }

    // A byte of bits, and the longest message that the server takes: ours are short.
    fn offered(&self, offer: &[u8]) -> Result<Vec<Protection>, Error> {
        match offer {
            [bits, _, _, _] => Ok(Protection::ALL.into_iter().filter(|level| bits & bit(*level) != 0).collect()),
            _ => self.protocol("an offer of GSSAPI that is not of four bytes"),
        }
    }

    pub fn finish(self) -> Result<Option<Layer>, Error> {
        let State::Chosen(level) = self.state else { return self.protocol("GSSAPI has ended before it was complete") };
        let confidential = level == Protection::Privacy;
        Ok((level > Protection::Authentication).then_some(Layer::Gssapi { initiator: self.initiator, confidential }))
    }

    fn kerberos(&self, cause: tfcoord_kerberos::Error) -> Error {
        Error::Kerberos { name_node: self.name_node.clone(), cause }
    }

    fn protocol<T>(&self, what: &str) -> Result<T, Error> {
        Err(Error::Protocol { name_node: self.name_node.clone(), what: what.to_owned() })
    }
}

fn bit(level: Protection) -> u8 {
    match level {
        Protection::Authentication => 1,
        Protection::Integrity => 2,
        Protection::Privacy => 4,
    }
}
