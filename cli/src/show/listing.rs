//! `tfcoord data ls`.

use super::number::{count, counted};
use super::plain;
use super::table::{Align, table};
use crate::data::listing::Listing;

/// A row for each file and directory, and the totals.
pub fn listing(found: &Listing) -> String {
    let rows: Vec<Vec<String>> = found
        .entries
        .iter()
        .map(|line| {
            let is_directory = line.kind == "directory";
            let size = if is_directory { "-".to_owned() } else { count(line.bytes) };
            vec![size, time(line.modified_ms), format!("{}{}", line.name.replace('\n', "\u{fffd}"), if is_directory { "/" } else { "" })]
        })
        .collect();
    let (files, directories) = (counted(found.files as u64, "file"), counted_directories(found.directories));
    let totals = format!("{files}, {directories}{}", counted(found.bytes, "byte"));
    let table = table(&[Align::Right, Align::Left, Align::Left], &rows);
    plain(&if rows.is_empty() { totals } else { format!("{table}\n{totals}") }).into_owned()
}

fn counted_directories(directories: usize) -> String {
    match directories {
        0 => String::new(),
        1 => "1 directory, ".to_owned(),
        more => format!("{} directories, ", count(more as u64)),
    }
}

/// `2026-11-26 09:05:00`, in UTC, as all machines see it. Days become dates by the proleptic Gregorian calendar, counted in years
/// that begin in March, so that the leap day is the last one.
fn time(ms: u64) -> String {
    const DAYS_TO_1970: u64 = 719_468; // from March 1st of the year 0
    let (s, days) = (ms / 1000 % 86_400, ms / 86_400_000 + DAYS_TO_1970);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let (month, next_year) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{:04}-{month:02}-{of_month:02} {:02}:{:02}:{:02}", era * 400 + year + next_year, s / 3600, s / 60 % 60, s % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::listing::Line;

    #[test]
    fn times_are_dates() {
        for (s, text) in [
            (0, "1970-01-01 00:00:00"),
            (951_782_400, "2000-02-29 00:00:00"),
            (1_709_251_199, "2024-02-29 23:59:59"),
            (1_709_251_200, "2024-03-01 00:00:00"),
            (1_795_688_931, "2026-11-26 10:28:51"),
            (4_107_542_400, "2100-03-01 00:00:00"),
        ] {
            assert_eq!(time(s * 1000), text);
        }
        assert!(time(u64::MAX).len() > 10);
    }

    #[test]
    fn rows_have_totals() {
        let line = |name: &str, kind, bytes| Line { name: name.into(), kind, bytes, modified_ms: 0 };
        let entries = vec![line("a.csv", "file", 12_345), line("in\u{1b}ner", "directory", 0)];
        let found = Listing { location: "/x".into(), entries, files: 1, directories: 1, bytes: 12_345 };
        let expected = "\
12,345  1970-01-01 00:00:00  a.csv
     -  1970-01-01 00:00:00  in\u{fffd}ner/
1 file, 1 directory, 12,345 bytes";
        assert_eq!(listing(&found), expected);
        let empty = Listing { location: "/x".into(), entries: vec![], files: 0, directories: 0, bytes: 0 };
        assert_eq!(listing(&empty), "0 files, 0 bytes");
    }
}
