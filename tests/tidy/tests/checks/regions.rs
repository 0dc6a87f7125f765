//! Which parts of a source file are tests.

use crate::code::code;

/// The code of a file (see [`code`]) of one side: tests, or what is shipped; the other side is turned into spaces.
pub fn tests(path: &str, text: &str) -> String {
    if is_test_file(path) { code(text) } else { keep(&code(text), true) }
}

pub fn shipped(path: &str, text: &str) -> String {
    if is_test_file(path) { String::new() } else { keep(&code(text), false) }
}

/// Files compiled for tests only, by the project's conventions.
pub fn is_test_file(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let folder = path.starts_with("tests/") || path.contains("/tests/") || path.starts_with("crates/testkit/");
    folder || name == "tests.rs" || name.ends_with("_test.rs") || name.ends_with("_tests.rs")
}

fn keep(code: &str, tests: bool) -> String {
    let mut kept = code.as_bytes().to_vec();
    let mut in_test = vec![false; kept.len()];
    for (start, _) in code.match_indices("#[cfg(test)]") {
        let end = item_end(&code[start..]);
        in_test[start..start + end].fill(true);
    }
    for (byte, in_test) in kept.iter_mut().zip(in_test) {
        if in_test != tests && *byte != b'\n' {
            *byte = b' ';
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// Where the item that starts with its attribute ends: behind its block, or behind the semicolon of one without.
fn item_end(item: &str) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in item.bytes().enumerate() {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return at + 1,
            b'}' => depth -= 1,
            b';' if depth == 0 => return at + 1,
            _ => {}
        }
    }
    item.len()
}

#[test]
fn the_sides_of_a_file() {
    let text = "fn a() { b() }\n#[cfg(test)]\nmod tests { fn c() { d() } }\nfn e() {}\n#[cfg(test)]\nmod x;\nfn f() {}";
    let words = |code: String| code.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(words(shipped("ps/src/a.rs", text)), "fn a() { b() } fn e() {} fn f() {}");
    assert_eq!(words(tests("ps/src/a.rs", text)), "#[cfg(test)] mod tests { fn c() { d() } } #[cfg(test)] mod x;");
    assert_eq!(shipped("ps/src/a/tests.rs", text), "");
    assert_eq!(tests("tests/e2e/src/lib.rs", text), text);
}
