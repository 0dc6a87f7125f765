//! From text to a job file, or to all problems with their places.
//!
//! Three sieves: the text must be JSON, its tree must be what the [`grammar`](super::grammar) has, and what it says must
//! make sense ([`check`]). The first ends at its first problem; the other two find all there are, together.

use super::grammar::JOB;
use super::walk::{Found, StandIn, walk};
use super::{JobFile, check};
use jsonc_parser::ast::Value;
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use std::fmt;

/// The deepest nesting of a job file.
const DEPTH_MAX: usize = 64;
/// So many are shown.
const SHOWN_MAX: usize = 20;

/// Something wrong with a job file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field: `model.layers[2]`; empty where the text itself is wrong.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it; may be empty.
    pub remedy: String,
    /// Line and column, from 1; those of problems that are not shown are not looked up.
    pub place: Option<(usize, usize)>,
}

/// All that is wrong with a job file: at least one problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Problems {
    /// The file's name, for the text.
    pub file: String,
    /// The problems, by place.
    pub problems: Vec<Problem>,
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().take(SHOWN_MAX).enumerate() {
            let newline = if index > 0 { "\n" } else { "" };
            write!(f, "{newline}{}", self.file)?;
            if let Some((line, column)) = problem.place {
                write!(f, ":{line}:{column}")?;
            }
            let path = if problem.path.is_empty() { String::new() } else { format!("{}: ", problem.path) };
            write!(f, ": {path}{}", problem.message)?;
            if !problem.remedy.is_empty() {
                write!(f, "\n  help: {}", problem.remedy)?;
            }
        }
        match self.problems.len().saturating_sub(SHOWN_MAX) {
            0 => Ok(()),
            more => write!(f, "\nand {more} more"),
        }
    }
}

/// Reads a job file; `file` is its name for the errors.
///
/// # Errors
/// All problems that can be seen without the data.
pub fn parse(file: &str, text: &str) -> Result<JobFile, Problems> {
    let problems = |found| Problems { file: file.to_owned(), problems: placed(text, found) };
    let tree = tree(text).map_err(|found| problems(vec![found]))?;
    let (json, malformed) = walk(JOB, &tree, StandIn::First);
    let job = read(json).map_err(|found| problems(vec![found]))?;
    let mut wrong = check(&job);
    if !malformed.is_empty() {
        // What is said of a stand-in is not said of the file.
        let (other, _) = walk(JOB, &tree, StandIn::Second);
        let other = read(other).map(|job| check(&job)).unwrap_or_default();
        let told = |path: &str| malformed.iter().any(|found| is_within(&found.path, path) || is_within(path, &found.path));
        wrong.retain(|problem| other.contains(problem) && !told(&problem.path));
    }
    let wrong = wrong.into_iter().map(|Problem { path, message, remedy, .. }| Found { at: locate(&tree, &path), path, message, remedy });
    let found: Vec<Found> = malformed.into_iter().chain(wrong).collect();
    if found.is_empty() { Ok(job) } else { Err(problems(found)) }
}

/// Where the field `path` (`train.batch_size`) stands in a job file's text, or the innermost one around it that is
/// there: line and column, from 1. Nothing if the text is no JSON.
pub fn place_of(text: &str, path: &str) -> Option<(usize, usize)> {
    Some(place(text, locate(&tree(text).ok()?, path)))
}

fn tree(text: &str) -> Result<Value<'_>, Found> {
    let wrong = |at, message: String, remedy: &str| Found { at, path: String::new(), message, remedy: remedy.to_owned() };
    if let Some(at) = too_deep(text) {
        return Err(wrong(at, format!("nested more than {DEPTH_MAX} deep"), "no field of a job file is: remove brackets"));
    }
    let read = parse_to_ast(text, &CollectOptions::default(), &lenient())
        .map_err(|e| wrong(e.range().start, format!("not JSON: {}", lower(&e.kind().to_string())), "see what stands right before it"))?;
    read.value.ok_or_else(|| {
        wrong(0, "there is nothing in it".into(), "write a job: {\"name\": …, \"model\": …, \"data\": …, \"train\": …, \"output\": …}")
    })
}

// What the grammar lets through, serde takes: a test sees to that.
fn read(json: serde_json::Value) -> Result<JobFile, Found> {
    let wrong = |e: serde_json::Error| Found { at: 0, path: String::new(), message: e.to_string(), remedy: String::new() };
    serde_json::from_value(json).map_err(wrong)
}

fn placed(text: &str, mut found: Vec<Found>) -> Vec<Problem> {
    found.sort_by_key(|found| found.at);
    let problem = |(index, Found { at, path, message, remedy })| {
        // Counting lines takes time: only for what is shown.
        let place = (index < SHOWN_MAX).then(|| place(text, at));
        Problem { path, message, remedy, place }
    };
    found.into_iter().enumerate().map(problem).collect()
}

fn lower(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

// Whether the field `path` is `outer` or inside of it; the whole file has the empty path.
fn is_within(path: &str, outer: &str) -> bool {
    outer.is_empty() || path.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

fn lenient() -> ParseOptions {
    ParseOptions {
        allow_comments: true,
        allow_trailing_commas: true,
        allow_loose_object_property_names: false,
        allow_missing_commas: false,
        allow_single_quoted_strings: false,
        allow_hexadecimal_numbers: false,
        allow_unary_plus_numbers: false,
        allow_bare_decimal_point_numbers: false,
        allow_non_finite_numbers: false,
        allow_extended_string_escapes: false,
    }
}

// The parsers recurse: what nests too deep is refused before they see it. Brackets in texts and comments count
// too, which no real file notices.
fn too_deep(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    text.bytes().position(|byte| {
        match byte {
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > DEPTH_MAX
    })
}

// Where the value of `path` begins; or the innermost value around it that is there.
fn locate(value: &Value<'_>, path: &str) -> usize {
    let mut value = value;
    let mut start = value.start();
    for part in path.split(['.', '[']).filter(|part| !part.is_empty()) {
        let next = match value {
            Value::Object(object) => object.properties.iter().find(|p| p.name.as_str() == part).map(|p| (p.start(), &p.value)),
            Value::Array(array) => {
                let index = part.trim_end_matches(']').parse::<usize>().ok();
                index.and_then(|index| array.elements.get(index)).map(|e| (e.start(), e))
            }
            _ => None,
        };
        match next {
            Some((at, inner)) => (start, value) = (at, inner),
            None => break,
        }
    }
    start
}

fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
    (before.iter().filter(|b| **b == b'\n').count() + 1, String::from_utf8_lossy(&before[line_start..]).chars().count() + 1)
}

#[cfg(test)]
mod tests;
