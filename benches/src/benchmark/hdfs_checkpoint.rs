//! A server's part of a checkpoint, 1 GB, written to a real HDFS, beside as many bytes in a plain loop over the client library; and a
//! smaller one where all is encrypted with AES.

use super::hdfs::{Bed, Line, side_by_side};
use crate::hdfs::{CHUNK, Way};
use crate::series::Series;
use tfcoord_testkit::hadoop::{Form, Security};

/// Of 4 MiB: 1 GB.
const CHUNKS: u32 = 256;
/// Where all is encrypted, which Hadoop does slowly.
const CHUNKS_ENCRYPTED: u32 = 32;

pub fn run(rounds: u32) -> anyhow::Result<Vec<Series>> {
    let mut all = of(Form::new(Security::Simple), CHUNKS, "", rounds)?;
    all.extend(of(Form { aes: true, ..Form::new(Security::Privacy) }, CHUNKS_ENCRYPTED, "encrypted, ", rounds)?);
    Ok(all)
}

fn of(form: Form, chunks: u32, what: &str, rounds: u32) -> anyhow::Result<Vec<Series>> {
    let gb = f64::from(chunks) * f64::from(CHUNK) / 1e9;
    let bed = Bed::start(form)?;
    let way = |name: String, way: Way| {
        let bed = &bed;
        Line::new(format!("{what}{name}"), move || bed.spend(way, chunks))
    };
    let lines = [
        way(format!("{gb:.1} GB written by the client alone"), Way::WriteAlone),
        way("written as a part of a checkpoint".to_owned(), Way::WritePart).held(),
    ];
    side_by_side(rounds, gb, &lines)
}
