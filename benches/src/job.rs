//! The examples' job files, changed for measuring.

use anyhow::Context;
use clap::ValueEnum;
use std::path::{Path, PathBuf};
use tfcoord_types::job::{JobFile, parse};

/// An example's model; both are trained on the data that are shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Example {
    /// That of `examples/fashion-mnist/job.json`.
    Mlp,
    /// That of `examples/fashion-mnist/full.json`.
    Cnn,
}

impl Example {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mlp => "mlp",
            Self::Cnn => "cnn",
        }
    }

    /// `job.json` with this model, absolute paths, and outputs under `dir`.
    ///
    /// # Errors
    /// If an example cannot be read.
    pub fn job(self, dir: &Path) -> anyhow::Result<JobFile> {
        let mut job = read("job.json")?;
        if self == Self::Cnn {
            job.model = read("full.json")?.model;
        }
        job.output.dir = text(&dir.join("out"))?;
        Ok(job)
    }

    /// As [`Self::job`] with so many workers, without evaluation and without an end in sight: for measuring steps.
    ///
    /// # Errors
    /// If an example cannot be read.
    pub fn endless(self, dir: &Path, workers: u32) -> anyhow::Result<JobFile> {
        let mut job = self.job(dir)?;
        job.worker.count = workers;
        job.data.eval = None;
        job.train.epochs = 10_000;
        Ok(job)
    }
}

fn read(name: &str) -> anyhow::Result<JobFile> {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/fashion-mnist"));
    let file = folder.join(name);
    let content = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let mut job = parse(name, &content)?;
    job.resolve(&text(&folder)?);
    Ok(job)
}

fn text(path: &Path) -> anyhow::Result<String> {
    Ok(path.to_str().with_context(|| format!("{} is not UTF-8", path.display()))?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_fit_the_benchmarks() {
        let dir = Path::new("/d");
        let mlp = Example::Mlp.job(dir).unwrap();
        assert_eq!((mlp.worker.count, mlp.parameter_server.count, mlp.output.dir.as_str()), (2, 1, "/d/out"));
        let cnn = Example::Cnn.endless(dir, 1).unwrap();
        assert_eq!((cnn.worker.count, cnn.data.eval.is_none()), (1, true));
        assert_eq!(cnn.data.train, mlp.data.train);
        assert_ne!(cnn.model, mlp.model);
    }

    #[test]
    fn the_job_beside_peers_is_the_full_example_for_one_epoch() {
        let peer =
            |name| parse(name, &std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name)).unwrap()).unwrap();
        let (m1, m2, mut full) = (peer("m1.json"), peer("m2.json"), read("full.json").unwrap());
        full.train.epochs = 1;
        assert_eq!(
            (&m2.model, &m2.train, &m2.worker, &m2.parameter_server),
            (&full.model, &full.train, &full.worker, &full.parameter_server)
        );
        assert_eq!((&m1.data, &m1.worker, m1.train.batch_size, m1.train.epochs), (&m2.data, &m2.worker, m2.train.batch_size, 3));
    }
}
