//! Where a job's files are.

use super::Found;
use crate::job::JobFile;

/// What files may lie in beside plain paths.
const SCHEMES: [&str; 3] = ["file", "hdfs", "viewfs"];

/// Files are on this machine or in HDFS.
pub(super) fn check(job: &JobFile, found: &mut Found) {
    let sources = [("data.train", Some(&job.data.train)), ("data.eval", job.data.eval.as_ref())];
    for (path, source) in sources.into_iter().filter_map(|(path, source)| source.map(|source| (path, source))) {
        for (part, paths) in [("images", &source.images), ("labels", &source.labels), ("files", &source.files)] {
            let path = format!("{path}.{part}");
            paths.iter().flat_map(|paths| paths.iter()).for_each(|text| check_scheme(&path, "data cannot be read from", text, found));
        }
    }
    check_results("output.dir", &job.output.dir, found);
    let checkpoints = job.checkpoint.as_ref().and_then(|checkpoint| checkpoint.dir.as_ref());
    checkpoints.into_iter().for_each(|dir| check_results("checkpoint.dir", dir, found));
}

fn check_results(path: &str, text: &str, found: &mut Found) {
    check_scheme(path, "files cannot be written to", text, found);
    if scheme(text).is_some_and(|scheme| text[scheme.len() + 3..].split_once('/').is_none_or(|(_, rest)| rest.trim_matches('/').is_empty()))
    {
        found.at(path, "it is the root of a file system", "name a directory in it");
    }
}

fn check_scheme(path: &str, problem: &str, text: &str, found: &mut Found) {
    if let Some(scheme) = scheme(text).filter(|scheme| !SCHEMES.iter().any(|known| scheme.eq_ignore_ascii_case(known))) {
        let remedy = "name a path, file:///path, hdfs://host:port/path or hdfs://nameservice/path";
        found.at(path, format!("{problem} {scheme}://"), remedy);
    }
}

/// What stands before `://`, if the text begins like an address (RFC 3986, 3.1).
pub(in crate::job) fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once("://")?;
    let rest = |b: u8| b.is_ascii_alphanumeric() || b"+-.".contains(&b);
    (scheme.starts_with(|first: char| first.is_ascii_alphabetic()) && scheme.bytes().all(rest)).then_some(scheme)
}

/// The path of a `file://` address on this machine.
pub(in crate::job) fn path_of(text: &str) -> Option<&str> {
    let path = text.split_once("://").filter(|(scheme, _)| scheme.eq_ignore_ascii_case("file"))?.1;
    Some(path.strip_prefix("localhost").unwrap_or(path)).filter(|path| path.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_is_what_comes_before_the_authority() {
        assert_eq!([scheme("hdfs://default/data"), scheme("s3a://b/k"), scheme("file:///x")], [Some("hdfs"), Some("s3a"), Some("file")]);
        assert_eq!([scheme("data/a:b"), scheme("://x"), scheme("a b://x"), scheme("/data/hdfs://x"), scheme("7z://x")], [None; 5]);
    }

    #[test]
    fn a_file_of_this_machine_is_its_path() {
        assert_eq!(
            [path_of("file:///x"), path_of("FILE://localhost/x"), path_of("file:///localhost")],
            [Some("/x"), Some("/x"), Some("/localhost")]
        );
        assert_eq!([path_of("file://other/x"), path_of("hdfs:///x"), path_of("/x"), path_of("file://")], [None; 4]);
    }
}
