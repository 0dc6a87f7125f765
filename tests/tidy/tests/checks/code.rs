//! Rust's code without its comments and literals, so that a word in a sentence is not taken for a call.

/// `text` with every byte of comments and of string, byte and character literals turned into a space. Line ends stay, and
/// so does the length: a place in the result is the same place in `text`.
pub fn code(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = at + literal_or_comment(&bytes[at..], at.checked_sub(1).map(|before| bytes[before]));
        for byte in &mut code[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8(code).expect("whole characters were replaced")
}

/// The length of the comment or literal that `rest` starts with; 0 where it starts with code.
fn literal_or_comment(rest: &[u8], before: Option<u8>) -> usize {
    let in_word = before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match rest {
        [b'/', b'/', ..] => rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment(rest),
        [b'"', ..] => quoted(rest, b'"'),
        [b'b' | b'c', b'"', ..] if !in_word => 1 + quoted(&rest[1..], b'"'),
        [b'b', b'\'', ..] if !in_word => 1 + quoted(&rest[1..], b'\''),
        [b'r', b'"' | b'#', ..] if !in_word => raw(rest, 1),
        [b'b' | b'c', b'r', b'"' | b'#', ..] if !in_word => raw(rest, 2),
        [b'\'', b'\\', ..] => quoted(rest, b'\''),
        [b'\'', ..] => character(rest),
        _ => 0,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A raw string whose prefix (`r`, `br`) has the given length; 0 for a raw identifier.
fn raw(rest: &[u8], prefix: usize) -> usize {
    let hashes = rest[prefix..].iter().take_while(|&&byte| byte == b'#').count();
    let open = prefix + hashes;
    if rest.get(open) != Some(&b'"') {
        return 0;
    }
    let mut close = vec![b'#'; hashes + 1];
    close[0] = b'"';
    let end = rest[open + 1..].windows(close.len()).position(|window| window == close);
    end.map_or(rest.len(), |end| open + 1 + end + close.len())
}

/// A character literal without escape; 0 for a lifetime.
fn character(rest: &[u8]) -> usize {
    let width = match rest.get(1) {
        Some(0xf0..) => 4,
        Some(0xe0..) => 3,
        Some(0xc0..) => 2,
        _ => 1,
    };
    if rest.get(1 + width) == Some(&b'\'') { width + 2 } else { 0 }
}

#[test]
fn comments_and_literals_become_spaces() {
    let check = |text: &str, expect: &str| {
        let code = code(text);
        assert_eq!(code.len(), text.len(), "{text}");
        assert_eq!(code.split_whitespace().collect::<Vec<_>>().join(" "), expect, "{text}");
    };
    check("a // b\nc", "a c");
    check("a /* b /* c */ d */ e", "a e");
    check(r#"f("x \" // y", 'z')"#, "f( , )");
    check(r##"f(r#"x " y"#, b"z", br"w", 'é', '\'', b'q')"##, "f( , , , , , )");
    check("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}");
    check("let r#type = attr\"\"; for_r#x", "let r#type = attr ; for_r#x");
    check("\"open", "");
}
