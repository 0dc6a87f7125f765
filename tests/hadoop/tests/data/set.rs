//! Data of known content, here and in HDFS.

use bytes::Bytes;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use tfcoord_data::{Files, Limits, Preprocessing, Reader, RecordBatch, Scratch, prepare};
use tfcoord_fs::FileSystems;
use tfcoord_fs::hdfs::{self, Identity, Site};
use tfcoord_fs::storage::{Location, Placement, write_whole};
use tfcoord_testkit::hadoop::{Form, Hadoop, Security};
use tfcoord_testkit::{idx, job, table};
use tfcoord_types::job::JobFile;
use tfcoord_types::manifest::Manifest;

pub const RECORDS: u32 = 12_000;
const MIB: u64 = 1 << 20;

/// An HDFS with small blocks; nothing where it cannot be installed.
pub fn start(high_availability: bool) -> Option<Hadoop> {
    Hadoop::start(Form { block_size: MIB, high_availability, ..Form::new(Security::Simple) })
}

/// As a user of an HDFS without Kerberos.
pub fn systems(hadoop: &Hadoop, user: &str) -> FileSystems {
    let site = Site::load(Some(&hadoop.conf_dir()), &|_| None).unwrap();
    FileSystems::of_site(site, Identity { user: Some(user.to_owned()), ..Identity::default() }, hdfs::Limits::default())
}

/// A directory of alice's, which exists afterwards.
pub fn home(hadoop: &Hadoop, name: &str) -> Location {
    let home = Location::parse(&hadoop.url(), None).unwrap().join("user/alice").join(name);
    systems(hadoop, "alice").get(&home).unwrap().make_directory(&home).unwrap();
    home
}

/// Writes a file of alice's.
pub fn put(hadoop: &Hadoop, at: &Location, bytes: &[u8]) {
    let (system, bytes) = (systems(hadoop, "alice").get(at).unwrap(), Bytes::copy_from_slice(bytes));
    write_whole(&*system, at, 0o644, Placement::Replace, &mut |writer| writer.write(bytes.clone())).unwrap_or_else(|e| panic!("{e}"));
}

/// Copies all files of a directory.
pub fn put_all(hadoop: &Hadoop, from: &Path, to: &Location) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        put(hadoop, &to.join(entry.file_name().to_str().unwrap()), &fs::read(entry.path()).unwrap());
    }
}

/// Reading as a user, with a scratch directory of its own.
pub struct Place {
    pub dir: TempDir,
    pub files: Files,
}

impl Place {
    pub fn of(systems: FileSystems) -> Self {
        let dir = tempfile::tempdir().unwrap();
        Self { files: Files::new(systems, dir.path()), dir }
    }

    /// With room for few pieces of remote files.
    pub fn narrow(systems: FileSystems, fetched_bytes_max: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let limits = Limits { fetched_bytes_max, ..Limits::default() };
        Self { files: Files::new(systems, Scratch { dir: dir.path().to_owned(), limits }), dir }
    }

    pub fn prepare(&self, data: &Value) -> Result<Manifest, String> {
        prepare(&job(data), &self.files).map_err(|error| error.to_string())
    }

    pub fn train(&self, manifest: &Manifest) -> Reader {
        Reader::open(&Preprocessing::from(manifest), &manifest.train, &self.files).unwrap_or_else(|error| panic!("{error}"))
    }

    /// All training records in an order in which few are neighbours.
    pub fn read(&self, manifest: &Manifest) -> RecordBatch {
        let mut reader = self.train(manifest);
        let mut all = RecordBatch::default();
        let mut batch = RecordBatch::default();
        for step in order(reader.records()).chunks(64) {
            reader.read(step, &mut batch).unwrap_or_else(|error| panic!("{error}"));
            all.features.extend(&batch.features);
            all.classes.extend(&batch.classes);
            all.indices.extend(&batch.indices);
        }
        all
    }
}

/// Each record once, none before its neighbour.
pub fn order(records: u64) -> Vec<u64> {
    let runs: Vec<Vec<u64>> = (0..records).collect::<Vec<_>>().chunks(500).map(|run| run.iter().rev().copied().collect()).collect();
    // A prime that divides no count of runs here, so that each comes once.
    (0..runs.len()).flat_map(|n| runs[n * 7 % runs.len()].clone()).collect()
}

/// A job on these data, whose model takes what they are.
pub fn job(data: &Value) -> JobFile {
    let layers = json!([{"flatten": {}}, {"dense": {"units": 4}}]);
    let mut job = match data["format"].as_str() {
        Some("csv") => job::table("table", json!([{"dense": {"units": 1}}]), 1, 1),
        _ => job::pictures("pictures", layers, 1, 1),
    };
    job["data"] = data.clone();
    serde_json::from_value(job).unwrap()
}

/// The same pictures in two files and a table in three, some of them packed, in a directory of this machine.
pub fn write(dir: &Path) {
    let make = |name: &str| {
        let made = dir.join(name);
        fs::create_dir_all(&made).unwrap();
        made
    };
    let (images, labels, tables) = (make("images"), make("labels"), make("tables"));
    idx::write_pictures(dir, RECORDS, 28, 4, 1);
    fs::rename(dir.join("images.idx"), images.join("a")).unwrap();
    fs::rename(dir.join("labels.idx"), labels.join("a")).unwrap();
    idx::write_pictures(dir, 500, 28, 4, 2);
    for (name, to) in [("images.idx", images.join("b.gz")), ("labels.idx", labels.join("b.gz"))] {
        fs::write(to, gzip(&fs::read(dir.join(name)).unwrap())).unwrap();
        fs::remove_file(dir.join(name)).unwrap();
    }
    for (seed, name) in [(1, "a.csv"), (2, "b.csv.gz"), (3, "b-c.csv")] {
        table::write_table(dir, 3_000, seed);
        let text = fs::read(dir.join("table.csv")).unwrap();
        fs::write(tables.join(name), if name.ends_with("gz") { gzip(&text) } else { text }).unwrap();
    }
    fs::write(tables.join("_SUCCESS"), "").unwrap();
    fs::remove_file(dir.join("table.csv")).unwrap();
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The same directory in HDFS.
pub fn copy(hadoop: &Hadoop, from: &Path, to: &Location) {
    for name in ["images", "labels", "tables"] {
        let below = to.join(name);
        systems(hadoop, "alice").get(&below).unwrap().make_directory(&below).unwrap();
        put_all(hadoop, &from.join(name), &below);
    }
}
