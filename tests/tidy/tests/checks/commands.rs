//! What pages and examples tell to type: targets of the Makefile, files of the examples.

use std::collections::BTreeSet;

use crate::tree::{Source, assert_none, files, texts};

/// The names that `make` knows.
fn targets(makefile: &str) -> BTreeSet<&str> {
    let names = makefile.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name);
    names.filter(|name| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '-')).collect()
}

/// What `make` is told to do: in backquotes, or on a line of its own that is set in.
fn made(line: &str) -> impl Iterator<Item = &str> {
    let quoted = line.match_indices("`make ").map(|(at, start)| &line[at + start.len()..]);
    let rest = quoted.chain(line.strip_prefix("    make "));
    rest.map(|rest| rest.split(|c: char| !c.is_ascii_lowercase() && c != '-').next().unwrap_or_default())
}

/// Files under `examples/` that are named.
fn examples(line: &str) -> impl Iterator<Item = &str> {
    let words = line.split(|c: char| !c.is_ascii_alphanumeric() && !"-_./".contains(c));
    words.filter(|word| word.starts_with("examples/") && [".json", ".py", ".sh"].iter().any(|end| word.ends_with(end)))
}

fn findings(source: &Source, targets: &BTreeSet<&str>, files: &BTreeSet<String>) -> Vec<String> {
    let mut findings = Vec::new();
    for (number, line) in source.text.lines().enumerate() {
        let place = format!("{}:{}", source.path, number + 1);
        findings.extend(made(line).filter(|name| !targets.contains(name)).map(|name| format!("{place}: make has no target {name:?}")));
        findings.extend(examples(line).filter(|file| !files.contains(*file)).map(|file| format!("{place}: there is no {file}")));
    }
    findings
}

#[test]
fn what_is_told_to_type_is_there() {
    let texts = texts();
    let makefile = texts.iter().find(|source| source.path == "Makefile").expect("there is a Makefile");
    let (targets, files) = (targets(&makefile.text), files().into_iter().collect());
    assert_none(texts.iter().filter(|source| !source.rust()).flat_map(|source| findings(source, &targets, &files)).collect());
}

#[test]
fn every_example_says_what_it_is() {
    let files: BTreeSet<String> = files().into_iter().collect();
    let jobs = files.iter().filter(|path| path.starts_with("examples/") && path.ends_with(".json"));
    let pages = jobs.filter_map(|path| path.rsplit_once('/')).map(|(folder, _)| format!("{folder}/README.md"));
    assert_none(pages.filter(|page| !files.contains(page)).map(|page| format!("{page} is missing")).collect());
}

#[test]
fn what_is_not_there_is_found() {
    let files = BTreeSet::from(["examples/a/job.json".to_owned()]);
    let targets = targets("X ?= x\n.PHONY: data\ndata-a: data ## fetch\n\tsome: thing\n");
    assert_eq!(targets, BTreeSet::from(["data-a"]));
    let check = |text: &str, expect: usize| {
        let found = findings(&Source { path: "a".to_owned(), text: text.to_owned() }, &targets, &files);
        assert_eq!(found.len(), expect, "{text}: {found:?}");
    };
    check("`make data-b` or `make data-a`", 1);
    check("    make data\n    make data-a", 1);
    check("make sure of it; they make data", 0);
    check("    tfcoord submit examples/a/jobs.json", 1);
    check("[the job](examples/a/job.json), and ../../examples/b/job.json", 0);
    check("python3 examples/a/x.py", 1);
}
