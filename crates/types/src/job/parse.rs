//! From text to a job file, or to all problems with their places.

use super::{JobFile, check};
use jsonc_parser::ast::{ObjectPropName, Value};
use jsonc_parser::common::Ranged;
use jsonc_parser::tokens::Token;
use jsonc_parser::{CollectOptions, CommentCollectionStrategy, ParseOptions, parse_to_ast};
use std::fmt;

/// The deepest nesting of a job file.
const DEPTH_MAX: usize = 64;

/// Something wrong with a job file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The field: `model.layers[2]`; empty where the text itself is wrong.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it; may be empty.
    pub remedy: String,
    /// Line and column, from 1.
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
        for (index, problem) in self.problems.iter().enumerate() {
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
        Ok(())
    }
}

/// Reads a job file; `file` is its name for the errors.
///
/// # Errors
/// All problems that can be seen without the data.
pub fn parse(file: &str, text: &str) -> Result<JobFile, Problems> {
    let problems = |problems| Problems { file: file.to_owned(), problems };
    let wrong = |message: String, line, column| {
        problems(vec![Problem { path: String::new(), message, remedy: String::new(), place: Some((line, column)) }])
    };
    if let Some(at) = too_deep(text) {
        let (line, column) = place(text, at);
        return Err(wrong(format!("nested more than {DEPTH_MAX} deep"), line, column));
    }
    let collect = CollectOptions { comments: CommentCollectionStrategy::Separate, tokens: true };
    let read = parse_to_ast(text, &collect, &lenient()).map_err(|e| wrong(e.kind().to_string(), e.line_display(), e.column_display()))?;
    let mut plain = text.as_bytes().to_vec();
    let comments = read.comments.iter().flat_map(|map| map.values()).flat_map(|list| list.iter());
    comments.for_each(|comment| blank(&mut plain, comment.start(), comment.end()));
    let tokens = read.tokens.as_deref().unwrap_or_default();
    for pair in tokens.windows(2) {
        if pair[0].token == Token::Comma && matches!(pair[1].token, Token::CloseBrace | Token::CloseBracket) {
            blank(&mut plain, pair[0].start(), pair[0].end());
        }
    }
    let job: JobFile = serde_json::from_slice(&plain).map_err(|e| {
        let message = e.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(what, _)| what);
        wrong(message.to_owned(), e.line(), e.column())
    })?;
    let mut found = check(&job);
    for problem in &mut found {
        problem.place = read.value.as_ref().map(|value| place(text, locate(value, &problem.path)));
    }
    found.sort_by_key(|p| p.place);
    if found.is_empty() { Ok(job) } else { Err(problems(found)) }
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
        ..ParseOptions::default()
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

fn blank(text: &mut [u8], start: usize, end: usize) {
    for byte in &mut text[start..end] {
        if *byte != b'\n' {
            *byte = b' ';
        }
    }
}

// Where the value of `path` begins; or the innermost value around it that is there.
fn locate(value: &Value<'_>, path: &str) -> usize {
    let mut value = value;
    let mut start = value.start();
    for part in path.split(['.', '[']).filter(|part| !part.is_empty()) {
        let next = match value {
            Value::Object(object) => object.properties.iter().find(|p| name(&p.name) == part).map(|p| (p.start(), &p.value)),
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

fn name<'a>(name: &'a ObjectPropName<'_>) -> &'a str {
    name.as_str()
}

fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text.as_bytes()[..at.min(text.len())];
    let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
    (before.iter().filter(|b| **b == b'\n').count() + 1, String::from_utf8_lossy(&before[line_start..]).chars().count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{
  // a comment
  "name": "fashion-mnist",
  "model": {
    "layers": [ {"flatten": {}}, {"dense": {"units": 256, "activation": "relu"}}, {"dense": {"units": 10}} ],
    "loss": "softmax_cross_entropy", "metrics": ["accuracy"],
  },
  "data": {
    "format": "idx",
    "train": {"images": "i.gz", "labels": "l.gz", "records": [0, 8000]},
    "eval": {"images": "i.gz", "labels": "l.gz", "records": [8000, 10000]}
  },
  "train": { "batch_size": 128, "micro_batches": 4, "epochs": 10, "seed": 7, "optimizer": {"adam": {"learning_rate": 0.001}} },
  "worker": { "count": 2, "cpus": 1, "mem": 1024 },
  "parameter_server": { "count": 1 },
  "output": { "dir": "out" }, /* the end */
}
"#;

    #[test]
    fn a_good_file_is_read_and_written_back() {
        let mut job = parse("job.json", GOOD).unwrap();
        job.resolve("/base");
        assert_eq!(job.output.dir, "/base/out");
        let json = serde_json::to_string(&job).unwrap();
        assert_eq!(parse("job.json", &json).unwrap(), job);
    }

    fn error(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from), "{from}");
        parse("job.json", &GOOD.replacen(from, to, 1)).unwrap_err().to_string()
    }

    #[test]
    fn problems_have_places() {
        let check = |from, to, start: &str, has: &str| {
            let error = error(from, to);
            assert!(error.starts_with(start) && error.contains(has), "{error}");
        };
        check("\"batch_size\": 128", "\"batch_size\": \"x\"", "job.json:13:", "expected u32");
        check("\"batch_size\": 128", "\"batch_sise\": 128", "job.json:13:", "unknown field `batch_sise`");
        check("\"count\": 2", "\"count\": 5", "job.json:14:15: worker.count: 5 workers", "help: use fewer workers");
        check("\"fashion-mnist\"", "\"Fashion\"", "job.json:3:3: name:", "help:");
        check("\"loss\": \"softmax_cross_entropy\",", "", "job.json:4:3: model: there is no loss", "mse");
        check("\"units\": 256", "\"units\": -1", "job.json:5:", "-1");
        check("/* the end */", "}", "job.json:17:", "more than one");
        check("/* the end */", "\"start_timeout\": 0", "job.json:16:31: start_timeout: 0 is not from 1 to 86400", "such as 600");
    }

    #[test]
    fn all_problems_come_in_one_pass() {
        let text = GOOD.replace("\"epochs\": 10", "\"epochs\": 0").replace("\"fashion-mnist\"", "\"x y\"");
        assert_eq!(parse("job.json", &text).unwrap_err().problems.len(), 2);
    }

    #[test]
    fn deep_nesting_is_refused() {
        let text = "[".repeat(100_000);
        assert!(parse("job.json", &text).unwrap_err().to_string().contains("deep"));
    }

    #[test]
    fn cut_anywhere_it_is_an_error_and_no_panic() {
        for end in 0..GOOD.trim_end().len() {
            assert!(parse("job.json", &GOOD[..end]).is_err(), "{end}");
        }
    }
}
