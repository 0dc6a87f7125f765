//! Which of a job's files and directories are in HDFS.

use super::JobFile;

/// What locations in HDFS begin with.
const SCHEMES: [&str; 2] = ["hdfs://", "viewfs://"];

/// Whether a location of a job file is in HDFS.
pub fn is_remote(location: &str) -> bool {
    let begins = |scheme: &&str| location.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    SCHEMES.iter().any(begins)
}

impl JobFile {
    /// All locations that it names: of data, outputs and checkpoints.
    pub fn locations(&self) -> impl Iterator<Item = &str> {
        let sources = std::iter::once(&self.data.train).chain(&self.data.eval);
        let data = sources.flat_map(|source| [&source.images, &source.labels, &source.files]).flatten();
        let checkpoints = self.checkpoint.iter().filter_map(|checkpoint| checkpoint.dir.as_ref());
        data.flat_map(|paths| paths.iter()).chain([&self.output.dir]).chain(checkpoints).map(String::as_str)
    }

    /// Those that are in HDFS.
    pub fn remote_locations(&self) -> impl Iterator<Item = &str> {
        self.locations().filter(|location| is_remote(location))
    }
}

#[cfg(test)]
mod tests {
    use super::is_remote;

    #[test]
    fn hdfs_is_known_by_its_scheme() {
        assert_eq!(["hdfs://nn/x", "HDFS:///x", "viewfs://c/x"].map(is_remote), [true; 3]);
        assert_eq!(["/hdfs://x", "hdfs:/x", "file:///x", "s3://b", "", "é"].map(is_remote), [false; 6]);
    }
}
