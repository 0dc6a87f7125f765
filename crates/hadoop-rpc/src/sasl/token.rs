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

#[cfg(test)]
mod tests {
    use super::*;

    const CHALLENGE: &[u8] = br#"realm="default",nonce="n",qop="auth-conf,auth",cipher="3des,rc4",algorithm=md5-sess"#;

    fn client(least: Protection) -> Client {
        let auth = Auth { protocol: Some(String::new()), server: Some("default".into()), ..Auth::default() };
        let token = Token { identifier: vec![1], password: vec![2].into(), kind: String::new(), service: String::new() };
        Client::new("nn:8020", &auth, &token, least)
    }

    #[test]
    fn a_server_that_does_not_prove_itself_is_refused() {
        for last in [b"".as_slice(), b"rspauth=00000000000000000000000000000000"] {
            let mut client = client(Protection::Authentication);
            client.answer(CHALLENGE).unwrap();
            assert!(matches!(client.answer(last), Err(Error::Imposter { .. })));
            assert!(matches!(client.finish(last), Err(Error::Imposter { .. })));
        }
        assert!(matches!(client(Protection::Authentication).finish(b"rspauth="), Err(Error::Imposter { .. })));
    }

    #[test]
    fn the_weakest_that_is_strong_enough_is_asked_for() {
        let asked = |least| String::from_utf8(client(least).answer(CHALLENGE).unwrap()).unwrap();
        let (weak, strong) = (asked(Protection::Authentication), asked(Protection::Integrity));
        assert!(weak.ends_with(",qop=auth") && weak.contains(r#"digest-uri="/default""#), "{weak}");
        assert!(strong.ends_with(",qop=auth-conf,cipher=rc4"), "{strong}");
    }

    #[test]
    fn without_a_known_cipher_nothing_is_sent() {
        let challenge = br#"nonce="n",qop="auth-conf",cipher="3des,des",algorithm=md5-sess"#;
        let error = client(Protection::Privacy).answer(challenge).unwrap_err().to_string();
        assert!(error.contains("encrypts for tokens with 3des, des only"), "{error}");
    }
}
