//! Tests wait for conditions, not for time. A sleep is allowed as the pause of a loop that has a deadline, with a comment
//! `// waits for: ...` on its line or the one above, or under tokio's paused clock, where it takes no time. The loop's limit is
//! a deadline it looks at, or a `timeout` around it.

use crate::regions;
use crate::tree::{Source, assert_none, rust};

const COMMENT: &str = "// waits for:";

/// How far above a sleep its loop starts at most.
const LOOP_LINES: usize = 20;

fn findings(source: &Source) -> Vec<String> {
    let code = regions::tests(&source.path, &source.text);
    let code: Vec<&str> = code.lines().collect();
    let text: Vec<&str> = source.text.lines().collect();
    let sleeping = (0..code.len()).filter(|&at| sleeps(code[at]) && !paused(&text, at) && !paces_a_loop(&code, &text, at));
    sleeping.map(|at| format!("{}:{}: a bare sleep in a test", source.path, at + 1)).collect()
}

fn sleeps(line: &str) -> bool {
    let called = |name: &str| {
        line.match_indices(name).any(|(at, _)| {
            let before = &line[..at];
            !before.ends_with(|c: char| c.is_alphanumeric() || c == '_') && !before.ends_with("fn ")
        })
    };
    ["sleep(", "sleep_until(", "park_timeout("].into_iter().any(called)
}

/// The nearest test attribute above asks for a paused clock.
fn paused(text: &[&str], at: usize) -> bool {
    let attribute = text[..at].iter().rev().find(|line| line.trim_start().starts_with("#[") && line.contains("test"));
    attribute.is_some_and(|line| line.contains("start_paused"))
}

fn paces_a_loop(code: &[&str], text: &[&str], at: usize) -> bool {
    let above = at.saturating_sub(1);
    let said = text[above..=at].iter().any(|line| line.contains(COMMENT));
    let near = &code[at.saturating_sub(LOOP_LINES)..=at];
    let looping = near.iter().flat_map(|line| line.split_whitespace()).any(|word| ["loop", "while", "for"].contains(&word));
    let limited = near.iter().any(|line| line.to_lowercase().contains("deadline") || line.contains("timeout("));
    said && looping && limited
}

#[test]
fn no_test_waits_for_time() {
    assert_none(rust().iter().flat_map(findings).collect());
}

#[test]
fn bare_sleeps_are_found() {
    let check = |text: &str, expect: usize| {
        let found = findings(&Source { path: "tests/a.rs".to_owned(), text: text.to_owned() });
        assert_eq!(found.len(), expect, "{text}: {found:?}");
    };
    check("#[test]\nfn t() {\n  std::thread::sleep(d);\n}", 1);
    check("async fn t() {\n  sleep(d).await;\n  tokio::time::sleep(d).await;\n}", 2);
    check("while !ready() {\n  assert!(now() < deadline);\n  // waits for: the port\n  sleep(d);\n}", 0);
    check("while !ready() {\n  assert!(now() < deadline);\n  sleep(d); // waits for: the port\n}", 0);
    check("while !ready() {\n  // waits for: the port\n  sleep(d);\n}", 1);
    check("// waits for: the port\nsleep(d);", 1);
    check("timeout(limit, async {\n  loop {\n    sleep(d).await; // waits for: the port\n  }\n})", 0);
    check("async fn t() {\n  sleep_until(later).await;\n}", 1);
    check("#[tokio::test(start_paused = true)]\nasync fn t() {\n  sleep(d).await;\n}", 0);
    check("#[tokio::test(start_paused = true)]\nasync fn t() {}\n#[tokio::test]\nasync fn u() {\n  sleep(d).await;\n}", 1);
    check("// sleep(d)\nlet s = \"sleep(d)\"; oversleep(d); fn sleep(d: D) {}", 0);
}

#[test]
fn shipped_code_may_sleep() {
    let text = "async fn f() { sleep(d).await }\n#[cfg(test)]\nmod tests {\n  fn t() { sleep(d) }\n}";
    let found = findings(&Source { path: "ps/src/a.rs".to_owned(), text: text.to_owned() });
    assert_eq!(found, ["ps/src/a.rs:4: a bare sleep in a test"]);
}
