//! `data` and its verbs.

use super::{Page, help};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `data`
#[derive(Debug, Args)]
#[command(disable_help_subcommand = true)]
pub struct Data {
    /// What to do with data sets.
    #[command(subcommand)]
    pub verb: DataVerb,
}

/// What to do with data sets.
#[derive(Debug, Subcommand)]
pub enum DataVerb {
    /// Put files, a directory or an archive somewhere, all of it or nothing
    #[command(after_long_help = help::DATA_PUT)]
    Put(DataPut),
    /// List what is somewhere: names, sizes, times
    #[command(after_long_help = help::DATA_LS)]
    Ls(DataLs),
}

/// `data put`
#[derive(Debug, Args)]
pub struct DataPut {
    /// Files, directories, or archives (.tar, .tgz, .tar.gz), which are unpacked
    #[arg(value_name = "SOURCE", required = true, num_args = 1..)]
    pub sources: Vec<PathBuf>,
    /// The data set's own directory: hdfs://NAMESERVICE/PATH/NAME, or a path
    #[arg(value_name = "TARGET")]
    pub target: String,
    /// In the place of what is there
    #[arg(long)]
    pub replace: bool,
    /// The most that comes out of an archive: 500M, 20G
    #[arg(long, value_name = "SIZE", value_parser = size, default_value = "2G")]
    pub unpacked_max: u64,
    /// The form of what is printed
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t = Page::Text)]
    pub output: Page,
}

/// `data ls`
#[derive(Debug, Args)]
pub struct DataLs {
    /// A directory or file: hdfs://NAMESERVICE/PATH, or a path
    #[arg(value_name = "LOCATION")]
    pub location: String,
    /// With all that is below it
    #[arg(short, long)]
    pub recursive: bool,
    /// The form of what is printed
    #[arg(short, long, value_enum, value_name = "FORM", default_value_t = Page::Text)]
    pub output: Page,
}

// Bytes, or with K, M, G or T: times 1024.
fn size(text: &str) -> Result<u64, String> {
    let expected = || "expected a number of bytes, or one with K, M, G or T, such as 20G".to_owned();
    let upper = text.to_ascii_uppercase();
    let upper = upper.strip_suffix("IB").or(upper.strip_suffix('B')).unwrap_or(&upper);
    let (digits, shift) = match upper.char_indices().next_back() {
        Some((at, unit)) if "KMGT".contains(unit) => (&upper[..at], 10 * (1 + "KMGT".find(unit).unwrap_or_default())),
        _ => (upper, 0),
    };
    let number: u64 = digits.parse().map_err(|_| expected())?;
    number.checked_mul(1 << shift).filter(|size| *size > 0).ok_or_else(expected)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{Arguments, Verb};
    use clap::Parser;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [("7", 7), ("1k", 1024), ("20G", 20 << 30), ("2GiB", 2 << 30), ("3mb", 3 << 20), ("1T", 1 << 40)] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "G", "-1", "0", "1.5G", "99999999999999T", "1X", "é"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_last_word_is_the_target() {
        let Verb::Data(Data { verb: DataVerb::Put(put) }) = Arguments::parse_from(["tfcoord", "data", "put", "a", "b", "hdfs:///c"]).verb
        else {
            panic!("put")
        };
        assert_eq!((put.sources, put.target.as_str(), put.unpacked_max), (vec!["a".into(), "b".into()], "hdfs:///c", 2 << 30));
        assert!(Arguments::try_parse_from(["tfcoord", "data", "put", "a"]).is_err());
    }
}
