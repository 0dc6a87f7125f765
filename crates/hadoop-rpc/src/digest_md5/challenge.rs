//! What the server says first.

use crate::protection::Protection;

/// Longer ones are refused, as the RFC has it.
const LENGTH_MAX: usize = 2048;

/// The directives that matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Challenge {
    pub realm: String,
    pub nonce: String,
    pub offered: Vec<Protection>,
    pub ciphers: Vec<String>,
}

/// The name of a level of protection.
pub fn qop(protection: Protection) -> &'static str {
    match protection {
        Protection::Authentication => "auth",
        Protection::Integrity => "auth-int",
        Protection::Privacy => "auth-conf",
    }
}

impl Challenge {
    /// Reads the directives; those that are not known are passed over.
    pub fn parse(bytes: &[u8]) -> Result<Self, &'static str> {
        let text = str::from_utf8(bytes).map_err(|_| "a challenge that is not UTF-8")?;
        if text.len() > LENGTH_MAX {
            return Err("a challenge of more than 2048 bytes");
        }
        let mut challenge = Self::default();
        let (mut algorithm, mut levels) = (None, None);
        for (name, value) in directives(text)? {
            match name.as_str() {
                // Several may be offered; the first will do.
                "realm" if challenge.realm.is_empty() => challenge.realm = value,
                "nonce" if challenge.nonce.is_empty() => challenge.nonce = value,
                "nonce" => return Err("a challenge with two nonces"),
                "qop" => levels = Some(words(&value)),
                "cipher" => challenge.ciphers = words(&value),
                "algorithm" => algorithm = Some(value),
                _ => {}
            }
        }
        if challenge.nonce.is_empty() {
            return Err("a challenge without nonce");
        }
        if algorithm.as_deref() != Some("md5-sess") {
            return Err("a challenge for another algorithm than md5-sess");
        }
        let levels = levels.unwrap_or_else(|| vec!["auth".to_owned()]);
        challenge.offered = Protection::ALL.into_iter().filter(|level| levels.iter().any(|word| word == qop(*level))).collect();
        Ok(challenge)
    }
}

fn words(list: &str) -> Vec<String> {
    list.split(',').map(|word| word.trim().to_ascii_lowercase()).collect()
}

// `name=value` or `name="quoted \" value"`, between commas.
fn directives(text: &str) -> Result<Vec<(String, String)>, &'static str> {
    let mut directives = Vec::new();
    let mut rest = text.trim_start_matches(separator);
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=').ok_or("a directive without value")?;
        let (value, after) = after.strip_prefix('"').map_or_else(|| Ok(bare(after)), unquote)?;
        directives.push((name.trim().to_ascii_lowercase(), value));
        let next = after.trim_start_matches(separator);
        if next.len() == after.len() && !after.is_empty() {
            return Err("directives without comma");
        }
        rest = next;
    }
    Ok(directives)
}

fn separator(c: char) -> bool {
    c == ',' || c.is_ascii_whitespace()
}

fn bare(text: &str) -> (String, &str) {
    let (value, rest) = text.split_at(text.find(separator).unwrap_or(text.len()));
    (value.to_owned(), rest)
}

fn unquote(text: &str) -> Result<(String, &str), &'static str> {
    let mut value = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next() {
            Some('"') => return Ok((value, characters.as_str())),
            Some('\\') => value.extend(characters.next()),
            Some(character) => value.push(character),
            None => return Err("a quote that does not end"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_challenge_of_hadoop_is_read() {
        let text = r#"realm="default",nonce="a\"b",qop="auth-conf,auth",charset=utf-8,cipher="3des,rc4",algorithm=md5-sess"#;
        let challenge = Challenge::parse(text.as_bytes()).unwrap();
        assert_eq!((challenge.realm.as_str(), challenge.nonce.as_str()), ("default", "a\"b"));
        assert_eq!(challenge.offered, [Protection::Authentication, Protection::Privacy]);
        assert_eq!(challenge.ciphers, ["3des", "rc4"]);
    }

    #[test]
    fn what_is_none_is_refused() {
        let check = |text: &str, expect: &str| assert_eq!(Challenge::parse(text.as_bytes()), Err(expect), "{text}");
        check("", "a challenge without nonce");
        check("algorithm=md5-sess", "a challenge without nonce");
        check("nonce=a", "a challenge for another algorithm than md5-sess");
        check("nonce=a,nonce=b,algorithm=md5-sess", "a challenge with two nonces");
        check("nonce=\"a", "a quote that does not end");
        check("nonce=\"a\"b=c", "directives without comma");
        check("nonce", "a directive without value");
        assert!(Challenge::parse(&[b'a'; 2049]).is_err());
        assert!(Challenge::parse(&[0xff]).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>, text in "[a-z,=\"\\\\ ]{0,60}") {
            let _ = Challenge::parse(&bytes);
            let _ = Challenge::parse(text.as_bytes());
        }
    }
}
