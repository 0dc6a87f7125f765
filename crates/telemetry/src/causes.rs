//! An error in words.

use std::error::Error;

/// An error and what it came from, each cause once: one that a text above it has said already is left out.
pub fn said(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;
    use std::io;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot read {path}: {source}")]
    struct Unreadable {
        path: &'static str,
        source: io::Error,
    }

    #[test]
    fn a_cause_is_said_once() {
        let error = Unreadable { path: "c.json", source: io::Error::other("no such file") };
        assert_eq!(said(&error), "cannot read c.json: no such file");
        let error = Err::<(), _>(error).context("the configuration").unwrap_err();
        assert_eq!(said(error.as_ref()), "the configuration: cannot read c.json: no such file");
    }
}
