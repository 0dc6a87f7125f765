//! DIGEST-MD5 with a token: its identifier is the user's name, its password the password, both in base64.

use super::{Layer, too_weak};
use crate::digest_md5::{Answer, Challenge, Login};
use crate::error::Error;
use crate::protection::Protection;
use crate::proto::rpc::sasl::Auth;
use crate::token::Token;
use base64::prelude::{BASE64_STANDARD, Engine};
use zeroize::Zeroizing;

pub struct Client {
    name_node: String,
    username: String,
    password: Zeroizing<String>,
    uri: String,
    least: Protection,
    answer: Option<Answer>,
    proved: bool,
}

impl Client {
    pub fn new(name_node: &str, auth: &Auth, token: &Token, least: Protection) -> Self {
        Self {
            name_node: name_node.to_owned(),
            username: BASE64_STANDARD.encode(&token.identifier),
            password: Zeroizing::new(BASE64_STANDARD.encode(token.password.expose())),
            uri: format!("{}/{}", auth.protocol(), auth.server()),
            least,
            answer: None,
            proved: false,
        }
    }

    pub fn answer(&mut self, message: &[u8]) -> Result<Vec<u8>, Error> {
        if let Some(answer) = &self.answer {
            // The server may prove itself in a message of its own, which is answered by an empty one.
            self.proved = answer.accepts(message);
            return if self.proved { Ok(Vec::new()) } else { Err(self.imposter()) };
        }
        let protocol = |what: &str| Error::Protocol { name_node: self.name_node.clone(), what: what.to_owned() };
        let challenge = Challenge::parse(message).map_err(protocol)?;
        let level = self.least.choose(&challenge.offered).ok_or_else(|| too_weak(&self.name_node, &challenge.offered, self.least))?;
        if level == Protection::Privacy && !challenge.ciphers.iter().any(|cipher| cipher == "rc4") {
            let offered = challenge.ciphers.join(", ").chars().filter(|c| !c.is_control()).take(200).collect();
            return Err(Error::Cipher { name_node: self.name_node.clone(), offered });
        }
        let nonce = nonce().map_err(|_| protocol("no random numbers are to be had from the system"))?;
        let login = Login { username: &self.username, password: &self.password, uri: &self.uri, nonce: &nonce };
        let answer = Answer::new(&challenge, &login, level);
        let text = answer.text.clone().into_bytes();
        self.answer = Some(answer);
        Ok(text)
    }

    pub fn finish(self, last: &[u8]) -> Result<Option<Layer>, Error> {
        match &self.answer {
            Some(answer) if self.proved || answer.accepts(last) => Ok(answer.layer().map(Box::new).map(Layer::Token)),
            _ => Err(self.imposter()),
        }
    }

    fn imposter(&self) -> Error {
        Error::Imposter { name_node: self.name_node.clone() }
    }
}

fn nonce() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes)?;
    Ok(BASE64_STANDARD.encode(bytes))
}
