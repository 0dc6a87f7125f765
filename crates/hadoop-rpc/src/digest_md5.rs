//! DIGEST-MD5 (RFC 2831) as a client: how a token's password is proved without being sent, and what protects messages after.
//!
//! Of the ciphers for privacy RC4 alone is spoken: Hadoop's servers offer it, and 3DES and DES, which are slower and no better.

mod challenge;
mod layer;

pub use challenge::Challenge;
pub use layer::Layer;

use crate::protection::Protection;
use crate::secret::Secret;
use md5::{Digest, Md5};
use zeroize::Zeroizing;

/// What the client says of itself.
pub struct Login<'a> {
    pub username: &'a str,
    pub password: &'a str,
    /// Service and host: `imap/host`; Hadoop's servers call themselves `/default`.
    pub uri: &'a str,
    /// Chosen anew each time.
    pub nonce: &'a str,
}

/// The client's answer to a challenge, and what it now knows.
pub struct Answer {
    pub text: String,
    protection: Protection,
    key: Secret,
    expected: String,
}

impl Answer {
    pub fn new(challenge: &Challenge, login: &Login<'_>, protection: Protection) -> Self {
        let key = key(challenge, login);
        let qop = challenge::qop(protection);
        let proof = |method: &str| {
            let zeros = if protection == Protection::Authentication { "" } else { ":00000000000000000000000000000000" };
            let uri = hex(&Md5::digest(format!("{method}:{}{zeros}", login.uri)));
            let text = format!("{}:{}:00000001:{}:{qop}:{uri}", *hex(key.expose()), challenge.nonce, login.nonce, uri = *uri);
            hex(&Md5::digest(Zeroizing::new(text).as_bytes()))
        };
        let (Login { username, uri, nonce, .. }, realm) = (login, quoted(&challenge.realm));
        let mut text = format!(r#"charset=utf-8,username={},realm={realm},nonce={}"#, quoted(username), quoted(&challenge.nonce));
        text.push_str(&format!(r#",nc=00000001,cnonce={},digest-uri={}"#, quoted(nonce), quoted(uri)));
        text.push_str(&format!(",response={},qop={qop}", *proof("AUTHENTICATE")));
        if protection == Protection::Privacy {
            text.push_str(",cipher=rc4");
        }
        let expected = format!("rspauth={}", *proof(""));
        Self { text, protection, key, expected }
    }

    /// Whether the server knows the password too.
    pub fn accepts(&self, last: &[u8]) -> bool {
        // Both are digests that only the other side and we can know: where they first differ says nothing.
        last == self.expected.as_bytes()
    }

    /// What protects the messages from now on.
    pub fn layer(&self) -> Option<Layer> {
        (self.protection > Protection::Authentication).then(|| Layer::client(self.key.expose(), self.protection == Protection::Privacy))
    }
}

// H(A1) of the RFC.
fn key(challenge: &Challenge, login: &Login<'_>) -> Secret {
    let secret = Zeroizing::new(format!("{}:{}:{}", login.username, challenge.realm, login.password));
    let mut hash = Md5::new();
    hash.update(Md5::digest(secret.as_bytes()));
    hash.update(format!(":{}:{}", challenge.nonce, login.nonce));
    hash.finalize().to_vec().into()
}

fn hex(bytes: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', r#"\""#))
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 2831, section 4.
    const CHALLENGE: &str = r#"realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh",qop="auth",algorithm=md5-sess,charset=utf-8"#;
    const LOGIN: Login<'_> = Login { username: "chris", password: "secret", uri: "imap/elwood.innosoft.com", nonce: "OA6MHXh6VqTrRk" };

    #[test]
    fn the_example_of_the_rfc() {
        let challenge = Challenge::parse(CHALLENGE.as_bytes()).unwrap();
        let answer = Answer::new(&challenge, &LOGIN, Protection::Authentication);
        assert!(answer.text.contains("response=d388dad90d4bbd760a152321f2143af7"), "{}", answer.text);
        assert!(answer.text.contains(r#"username="chris",realm="elwood.innosoft.com",nonce="OA6MG9tEQGm2hh""#), "{}", answer.text);
        assert!(answer.accepts(b"rspauth=ea40f60335c427b5527b84dbabcdfffd"));
        assert!(!answer.accepts(b"rspauth=ea40f60335c427b5527b84dbabcdfffe"));
        assert!(!answer.accepts(b""));
        assert!(answer.layer().is_none());
        assert!(!answer.text.contains("secret"));
    }

    #[test]
    fn quotes_are_quoted() {
        assert_eq!(quoted(r#"a"b\c"#), r#""a\"b\\c""#);
    }
}
