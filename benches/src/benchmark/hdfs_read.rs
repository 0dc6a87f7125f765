//! Reading a large file from HDFS into batches, beside the client library alone and Hadoop's own `hdfs dfs -cat`; and a smaller one
//! where all is encrypted with AES.

use super::hdfs::{Bed, Line, side_by_side};
use crate::hdfs::{RECORD_BYTES, Way};
use crate::series::Series;
use tfcoord_testkit::hadoop::{Form, Security};

/// Pictures of 28 x 28: two gigabytes.
const RECORDS: u32 = 2_600_000;
/// Where all is encrypted, which Hadoop does slowly.
const RECORDS_ENCRYPTED: u32 = 260_000;

pub fn run(rounds: u32) -> anyhow::Result<Vec<Series>> {
    let plain = Form { replication: 1, ..Form::new(Security::Simple) };
    let encrypted = Form { replication: 1, aes: true, ..Form::new(Security::Privacy) };
    let mut all = of(plain, RECORDS, "", rounds)?;
    all.extend(of(encrypted, RECORDS_ENCRYPTED, "encrypted, ", rounds)?);
    Ok(all)
}

fn of(form: Form, records: u32, what: &str, rounds: u32) -> anyhow::Result<Vec<Series>> {
    let gb = f64::from(records) * f64::from(RECORD_BYTES) / 1e9;
    let bed = Bed::start(form)?;
    bed.spend(Way::Put, records)?;
    bed.shell(&["-touchz", "nothing"])?;
    let way = |name: &str, way: Way| {
        let bed = &bed;
        Line::new(format!("{what}{name}"), move || bed.spend(way, records))
    };
    let cat = || Ok(bed.shell(&["-cat", "images"])?.without(bed.shell(&["-cat", "nothing"])?));
    let lines = [
        way(&format!("{gb:.1} GB by the client alone"), Way::ReadAlone),
        way("into batches, in order", Way::ReadInOrder).held(),
        way("into batches, shuffled", Way::ReadShuffled),
        Line::new(format!("{what}hdfs dfs -cat, without its start"), cat),
    ];
    side_by_side(rounds, gb, &lines)
}
