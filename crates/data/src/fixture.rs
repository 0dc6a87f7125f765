//! Files and jobs for tests.

use crate::identity::Identity;
use crate::{Error, Files, Limits, Preprocessing, Reader, Scratch, prepare};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write;
use std::path::PathBuf;
use tfcoord_fs::FileSystems;
use tfcoord_types::job::{JobFile, Source};
use tfcoord_types::manifest::Manifest;

/// A directory for data, with a scratch directory in it.
pub struct Dir(tempfile::TempDir);

impl Dir {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub fn scratch(&self) -> Scratch {
        Scratch { dir: self.path("scratch"), limits: Limits::default() }
    }

    /// Of this machine only, but for what the environment would say.
    pub fn files(&self) -> Files {
        self.files_within(Limits::default())
    }

    pub fn files_within(&self, limits: Limits) -> Files {
        Files::new(FileSystems::of_environment(), Scratch { limits, ..self.scratch() })
    }

    pub fn identity(&self, name: &str) -> Result<Identity, Error> {
        Identity::now(&self.path(name).into(), &self.files())
    }

    /// Writes a file, and gives its identity.
    pub fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> Identity {
        self.write(name, bytes);
        self.identity(name).unwrap()
    }

    pub fn scratch_names(&self) -> Vec<String> {
        let Ok(entries) = self.path("scratch").read_dir() else { return Vec::new() };
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    pub fn source(&self, json: &str) -> Source {
        serde_json::from_str(&json.replace("DIR", self.0.path().to_str().unwrap())).unwrap()
    }

    /// A job file whose `model` and `data` are these; `DIR` stands for the directory.
    pub fn job(&self, model: &str, data: &str) -> JobFile {
        let text = format!(
            r#"{{"name": "test", "model": {model}, "data": {data}, "output": {{"dir": "out"}},
                "train": {{"batch_size": 4, "micro_batches": 2, "epochs": 1, "optimizer": {{"sgd": {{"learning_rate": 0.1}}}}}}}}"#
        );
        tfcoord_types::job::parse("job.json", &text.replace("DIR", self.0.path().to_str().unwrap())).unwrap()
    }

    pub fn prepare(&self, job: &JobFile) -> Result<Manifest, Error> {
        prepare(job, &self.files())
    }

    /// An error's text, with `DIR` for the directory.
    pub fn said<T>(&self, result: Result<T, Error>) -> String {
        let error = result.err().expect("this must be an error").to_string();
        error.replace(self.0.path().to_str().unwrap(), "DIR")
    }

    pub fn train(&self, manifest: &Manifest) -> Reader {
        Reader::open(&Preprocessing::from(manifest), &manifest.train, &self.files()).unwrap()
    }
}

pub const BINARY: &str = r#"{"layers": [{"dense": {"units": 1}}], "loss": "binary_cross_entropy"}"#;
pub const REGRESSION: &str = r#"{"layers": [{"dense": {"units": 1}}], "loss": "mse"}"#;

pub fn softmax(classes: usize) -> String {
    format!(r#"{{"layers": [{{"flatten": {{}}}}, {{"dense": {{"units": {classes}}}}}], "loss": "softmax_cross_entropy"}}"#)
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// An IDX file of unsigned bytes.
pub fn idx(sizes: &[u32], values: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, u8::try_from(sizes.len()).unwrap()];
    bytes.extend(sizes.iter().flat_map(|size| size.to_be_bytes()));
    bytes.extend(values);
    bytes
}
