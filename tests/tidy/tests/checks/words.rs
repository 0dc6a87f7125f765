//! Words that mean "not done yet".

use crate::code::code;
use crate::tree::{Source, assert_none, texts};

/// In any text, comments too. Written in parts, so that this file does not find itself.
const ANYWHERE: &[&str] = &[concat!("FIX", "ME"), concat!("(being ", "written)")];

/// In Rust code, outside of comments and literals.
const IN_CODE: &[&str] = &["dbg!", "todo!", "unimplemented!"];

fn findings(source: &Source) -> Vec<String> {
    let mut findings = Vec::new();
    let mut look = |text: &str, words: &[&str]| {
        for (number, line) in text.lines().enumerate() {
            let hits = words.iter().filter(|word| line.contains(**word));
            findings.extend(hits.map(|word| format!("{}:{}: {word}", source.path, number + 1)));
        }
    };
    look(&source.text, ANYWHERE);
    if source.rust() {
        look(&code(&source.text), IN_CODE);
    }
    findings
}

#[test]
fn nothing_is_left_for_later() {
    assert_none(texts().iter().flat_map(findings).collect());
}

#[test]
fn what_is_left_is_found() {
    let check = |path: &str, text: &str, expect: usize| {
        let found = findings(&Source { path: path.to_owned(), text: text.to_owned() });
        assert_eq!(found.len(), expect, "{text}: {found:?}");
    };
    check("a.rs", concat!("// FIX", "ME later"), 1);
    check("a.md", concat!("- FIX", "ME later"), 1);
    check("a.rs", "fn f() { todo!() }\nfn g() { dbg!(1); unimplemented!() }", 3);
    check("a.rs", "// todo! is not a word for here", 0);
    check("a.md", "`todo!` fails the check", 0);
}
