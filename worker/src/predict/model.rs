//! The model that is used: in a directory of this machine, or in HDFS, from where it is fetched first.

use anyhow::Context;
use std::fs::File;
use std::io;
use std::path::Path;
use tfcoord_data::Preprocessing;
use tfcoord_fs::FileSystems;
use tfcoord_fs::storage::{self, FileSystem, Location};
use tfcoord_model::file::{self, DESCRIPTION, TENSORS};
use tfcoord_model::{Model, ModelFile, Parameters};

/// Reads the model in `dir`.
pub(super) fn read(dir: &Path, threads: usize) -> anyhow::Result<(ModelFile<Preprocessing>, Model, Parameters)> {
    // Only a text can be an address.
    let address = dir.to_str().filter(|text| text.contains("://"));
    let Some(address) = address else { return Ok(file::read(dir, threads)?) };
    match Location::parse(address, None)? {
        Location::Local(path) => Ok(file::read(&path, threads)?),
        at @ Location::Remote(_) => {
            let fetched = tempfile::tempdir().context("no temporary directory")?;
            let system = FileSystems::of_environment().get(&at)?;
            [DESCRIPTION, TENSORS].into_iter().try_for_each(|name| fetch(&*system, &at.join(name), &fetched.path().join(name)))?;
            file::read(fetched.path(), threads).with_context(|| at.to_string())
        }
    }
}

fn fetch(system: &dyn FileSystem, from: &Location, to: &Path) -> anyhow::Result<()> {
    let mut stream = system.open(from)?.stream(0..u64::MAX)?;
    let mut file = File::create_new(to)?;
    match io::copy(&mut stream, &mut file) {
        Ok(_) => Ok(()),
        // What the file system says, or this machine.
        Err(error) => Err(error.downcast::<storage::Error>().map_or_else(anyhow::Error::from, anyhow::Error::from)),
    }
}
