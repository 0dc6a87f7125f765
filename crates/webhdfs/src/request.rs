//! What is asked: `/webhdfs/v1/PATH?op=OPERATION&…`.

use std::fmt::Write;
use zeroize::Zeroizing;

const ROOT: &str = "/webhdfs/v1";

/// One request, without who asks.
#[derive(Clone)]
pub struct Request {
    /// Its name, which stands in errors.
    pub operation: &'static str,
    /// Whether it changes something: a `PUT`.
    pub put: bool,
    path: String,
    parameters: Vec<(&'static str, Zeroizing<String>)>,
}

impl Request {
    /// Of the file or directory at `path`, which begins with a slash.
    pub fn get(operation: &'static str, path: &str) -> Self {
        Self { operation, put: false, path: path.to_owned(), parameters: Vec::new() }
    }

    /// That changes something, though no file.
    pub fn put(operation: &'static str) -> Self {
        Self { put: true, ..Self::get(operation, "/") }
    }

    /// With a further parameter.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.parameters.push((name, Zeroizing::new(value.into())));
        self
    }

    /// Its address at `server` (`http://host:port`). It may hold secrets.
    pub fn address(&self, server: &str) -> Zeroizing<String> {
        // Room for all of it, so that no copy is left behind where it grew.
        let room = self.parameters.iter().map(|(name, value)| name.len() + 2 + 3 * value.len()).sum::<usize>();
        let mut out = Zeroizing::new(String::with_capacity(server.len() + ROOT.len() + 3 * self.path.len() + room + 64));
        out.push_str(server);
        out.push_str(ROOT);
        escape(&mut out, &self.path, "/");
        out.push_str("?op=");
        out.push_str(self.operation);
        for (name, value) in &self.parameters {
            out.push('&');
            out.push_str(name);
            out.push('=');
            escape(&mut out, value, "");
        }
        out
    }

    /// The text without what was sent as a secret, which a server may quote.
    pub fn without_secrets(&self, text: &str) -> String {
        let secrets = self.parameters.iter().filter(|(name, _)| ["token", "delegation"].contains(name));
        secrets.fold(text.to_owned(), |text, (_, secret)| text.replace(secret.as_str(), "<token>"))
    }
}

// RFC 3986: what is not unreserved, nor among `also`, goes as %XX.
fn escape(out: &mut String, text: &str, also: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || also.as_bytes().contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_name_becomes_a_part_of_the_address() {
        let request = Request::get("GET_BLOCK_LOCATIONS", "/a b/ü?&%").with("offset", "0").with("user.name", "al&ce=#/");
        assert_eq!(
            request.address("http://nn:1").as_str(),
            "http://nn:1/webhdfs/v1/a%20b/%C3%BC%3F%26%25?op=GET_BLOCK_LOCATIONS&offset=0&user.name=al%26ce%3D%23%2F"
        );
        assert_eq!(
            Request::put("CANCELDELEGATIONTOKEN").address("http://nn:1").as_str(),
            "http://nn:1/webhdfs/v1/?op=CANCELDELEGATIONTOKEN"
        );
    }

    #[test]
    fn a_quoted_token_is_not_shown() {
        let request = Request::put("RENEWDELEGATIONTOKEN").with("token", "SECRET-_").with("user.name", "alice");
        assert_eq!(request.without_secrets("alice: bad value \"SECRET-_\""), "alice: bad value \"<token>\"");
    }
}
