//! `submit --resume`: the checkpoints that an earlier submission of a job has left, found without any log.
//!
//! Each job has a folder of its own; that of the same name whose newest checkpoint was written last is the one to go on
//! from. What is damaged is passed over, said aloud: for an older one of that job, or of a job before. What does not fit the job
//! file is an error.

mod modes;

use serde_json::json;
use std::mem::discriminant;
use std::path::{Path, PathBuf};
use tfcoord_checkpoint::{Directory, Manifest, Origin, find as find_in, verify};
use tfcoord_coordinator_core::checkpoint::Resume;
use tfcoord_fs::FileSystems;
use tfcoord_fs::storage::Location;
use tfcoord_types::checkpoint::Checkpoint;
use tfcoord_types::id::JobId;
use tfcoord_types::job::{Graph, JobFile, Model, ModelKind, Schedule, Train};
use tfcoord_types::manifest::ManifestSummary;
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::shard::Shards;
use tfcoord_types::variable::{Group, Variable};

/// Why a job cannot go on from what an earlier one has left.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is nothing to go on from.
    #[error(
        "--resume: there is no checkpoint of a job named {name} in {dir}{passed_over}\n  help: submit it without --resume, or name the checkpoint.dir of the job to go on from"
    )]
    None {
        /// The job file's name.
        name: String,
        /// Where they were looked for.
        dir: PathBuf,
        /// What was found and cannot be used.
        passed_over: String,
    },
    /// What lies there cannot be made durable.
    #[error("--resume: {0}")]
    NotDurable(#[from] tfcoord_fs::Error),
    /// It is of another training.
    #[error("--resume: {path}: the checkpoint {id} of {job} does not fit this job file: {problem}")]
    Unfit {
        /// What of the job file.
        path: &'static str,
        /// The checkpoint.
        id: String,
        /// Its job.
        job: JobId,
        /// The difference, and the remedy.
        problem: String,
    },
}

/// Finds what to go on from. Reads files.
///
/// # Errors
/// As [`Error`] says.
pub fn find(systems: &FileSystems, file: &JobFile, summary: &ManifestSummary) -> Result<Resume, Error> {
    let (root, inside) = root(file);
    let mut passed_over = Vec::new();
    let jobs =
        folders(systems, root, &file.name, &mut passed_over).into_iter().map(|dir| if inside.is_empty() { dir } else { dir.join(inside) });
    let found = jobs.filter_map(|dir| Some((whole(systems, &dir, &mut passed_over)?, dir))).collect();
    let verify = |dir: &Path, manifest: &Manifest| {
        let whole = directory(systems, dir).and_then(|dir| verify(&dir, manifest));
        whole.map_err(|error| error.to_string())
    };
    let resume = choose(file, summary, found, passed_over, verify)?;
    // Whoever wrote a manifest may have been killed before its name was durable, and from here on it is relied upon.
    resume.checkpoints.last().map_or(Ok(()), |newest| synced(Path::new(&newest.dir)))?;
    Ok(resume)
}

/// Chooses among what was found: of each directory the whole checkpoints, the newest first. `passed_over` says what else lies
/// there, and why it cannot be used; `verify`, whether what is to be gone on from can be read. Older ones, which are gone back
/// to where that one is lost, are not looked at.
///
/// # Errors
/// As [`Error`] says.
pub fn choose(
    file: &JobFile,
    summary: &ManifestSummary,
    mut found: Vec<(Vec<Manifest>, PathBuf)>,
    mut passed_over: Vec<String>,
    mut verify: impl FnMut(&Path, &Manifest) -> Result<(), String>,
) -> Result<Resume, Error> {
    loop {
        let usable = (0..).zip(&found).filter_map(|(place, (manifests, dir))| Some((place, usable(manifests)?, dir)));
        let newest = usable.max_by_key(|(_, manifests, _)| manifests.last().map(|manifest| manifest.saved_at_ms));
        let Some((place, manifests, dir)) = newest else {
            let (name, (dir, _)) = (file.name.clone(), root(file));
            let passed_over = if passed_over.is_empty() { String::new() } else { format!("; passed over: {}", passed_over.join("; ")) };
            return Err(Error::None { name, dir: dir.to_owned(), passed_over });
        };
        let newest = *manifests.last().expect("one is usable");
        let within = || manifests.iter().filter(|manifest| is_within(manifest));
        if let Some((path, problem)) = difference(file, summary, newest).or_else(|| within().find_map(|manifest| moved(file, manifest))) {
            return Err(Error::Unfit { path, id: newest.id.to_string(), job: newest.job.clone(), problem });
        }
        if let Err(problem) = verify(dir, newest) {
            let id = newest.id;
            passed_over.push(problem);
            found[place].0.retain(|manifest| manifest.id != id);
            continue;
        }
        let (dir, chunk_elements) = (dir.to_string_lossy().into_owned(), within().next().map(|_| newest.chunk_elements));
        return Ok(Resume {
            checkpoints: manifests.iter().map(|manifest| Checkpoint { id: manifest.id, dir: dir.clone() }).collect(),
            evaluations: newest.evaluations.clone(),
            passed_over: passed_over.join("; "),
            chunk_elements,
            from_seed: from_seed(file, newest),
        });
    }
}

// Where jobs of this file have a folder each, and where in it their checkpoints are.
pub(crate) fn root(file: &JobFile) -> (&Path, &'static str) {
    match file.checkpoint.as_ref().and_then(|checkpoint| checkpoint.dir.as_ref()) {
        Some(dir) => (Path::new(dir), ""),
        None => (Path::new(&file.output.dir), "checkpoints"),
    }
}

// The folders of jobs of this name.
fn folders(systems: &FileSystems, root: &Path, name: &str, passed_over: &mut Vec<String>) -> Vec<PathBuf> {
    let of_name = |folder: &str| folder.parse::<JobId>().is_ok_and(|job| job.name == name);
    let names: Vec<String> = match location(root) {
        Some(at @ Location::Remote(_)) => {
            let listed = systems.get(&at).and_then(|system| system.list(&at));
            let listed = listed.map_err(|error| passed_over.push(error.to_string())).unwrap_or_default();
            listed.into_iter().map(|entry| entry.name).collect()
        }
        _ => {
            // One that cannot be read has no jobs that could be found.
            let entries = std::fs::read_dir(root).into_iter().flatten().filter_map(Result::ok);
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect()
        }
    };
    names.into_iter().filter(|folder| of_name(folder)).map(|folder| root.join(folder)).collect()
}

// In HDFS names are durable from the first.
fn synced(dir: &Path) -> Result<(), tfcoord_fs::Error> {
    if matches!(location(dir), Some(Location::Remote(_))) { Ok(()) } else { tfcoord_fs::sync_directory(dir) }
}

fn directory(systems: &FileSystems, dir: &Path) -> Result<Directory, tfcoord_checkpoint::Error> {
    match location(dir) {
        Some(at @ Location::Remote(_)) => Ok(Directory::new(systems.get(&at)?, at)),
        _ => Ok(dir.into()),
    }
}

fn location(dir: &Path) -> Option<Location> {
    Location::parse(dir.to_str()?, None).ok()
}

// Checkpoints with all their parts, the newest first; nothing where there is no directory.
fn whole(systems: &FileSystems, dir: &Path, passed_over: &mut Vec<String>) -> Option<Vec<Manifest>> {
    let dir = directory(systems, dir).ok()?;
    let found = find_in(&dir).ok()?;
    passed_over.extend(found.passed_over.into_iter().map(|(_, error)| error.to_string()));
    Some(found.whole)
}

// Those that one could begin from, the oldest first; nothing where there are none.
fn usable(manifests: &[Manifest]) -> Option<Vec<&Manifest>> {
    // Those of another plan than the newest one are of another training.
    let plan = |manifest: &Manifest| TrainPlan { epochs: 1, ..manifest.plan };
    let newest = manifests.first().map(plan)?;
    Some(manifests.iter().rev().filter(|manifest| plan(manifest) == newest).collect())
}

// Whether the seed and the job file make just these parameters.
fn from_seed(file: &JobFile, manifest: &Manifest) -> bool {
    let ends_with_the_plan = matches!(file.train.schedule, Schedule::Cosine { steps: None, .. });
    let same = Train { epochs: file.train.epochs, ..manifest.train.clone() } == file.train;
    let since = manifest.origin.as_ref().is_some_and(|origin| origin.from_seed);
    since && same && (manifest.plan.epochs == file.train.epochs || !ends_with_the_plan)
}

// Whether it was cut within an epoch outside of `bsp`: what counts is said by chunk and shard then.
fn is_within(manifest: &Manifest) -> bool {
    Shards::new(&manifest.plan, &manifest.train).is_some_and(|shards| shards.within(manifest.id.step).is_some())
}

// What of the job file makes other chunks or shards than a checkpoint within an epoch has.
fn moved(file: &JobFile, manifest: &Manifest) -> Option<(&'static str, String)> {
    let remedy = "it was saved in the midst of an epoch";
    if Shards::new(&manifest.plan, &manifest.train) != Shards::new(&manifest.plan, &file.train) {
        // Where nothing is `local` a round is one batch.
        let [was, is] = [&manifest.train, &file.train].map(|train| train.every().unwrap_or(1));
        let problem = format!("it was {was}, and is {is}, but {remedy}: set it back, or submit without --resume");
        return Some(if file.train.sync.is_local() { ("train.sync.local.every", problem) } else { ("train.groups", problem) });
    }
    let (was, is) = (manifest.chunk_elements * 4, file.parameter_server.chunk_bytes?);
    let problem = format!("chunks had {was} bytes, and would have {is}, but {remedy}: leave it out, or submit without --resume");
    (was != is).then_some(("parameter_server.chunk_bytes", problem))
}

// What of the job file is otherwise, and what to do about it. Learning rate, schedule, clipping and epochs may change.
fn difference(file: &JobFile, summary: &ManifestSummary, manifest: &Manifest) -> Option<(&'static str, String)> {
    let Manifest { plan, train, variables, .. } = manifest;
    let told = |was: &dyn std::fmt::Display, is: &dyn std::fmt::Display| {
        Some(format!("it was {was}, and is {is}: set it back, or submit without --resume"))
    };
    if plan.records != summary.train_records {
        let problem = format!("it has {} training records, and there were {}: use the same data", summary.train_records, plan.records);
        return Some(("data.train", problem));
    }
    if let Some(Origin { records_digest, shuffle, .. }) = &manifest.origin {
        if *shuffle != file.data.shuffle {
            return Some("data.shuffle").zip(told(shuffle, &file.data.shuffle));
        }
        // A log of an earlier version does not know it.
        if *records_digest != summary.records_digest && !summary.records_digest.is_empty() {
            let problem = "the records are not those that it was trained on: use files of the same names and contents, the same ranges of records, columns and label, for training and evaluation, or submit without --resume";
            return Some(("data", problem.to_owned()));
        }
    }
    if plan.batch_size != file.train.batch_size {
        return Some("train.batch_size").zip(told(&plan.batch_size, &file.train.batch_size));
    }
    if plan.micro_batches != file.micro_batches() {
        return Some("train.micro_batches").zip(told(&plan.micro_batches, &file.micro_batches()));
    }
    if train.seed != file.train.seed {
        return Some("train.seed").zip(told(&train.seed, &file.train.seed));
    }
    if discriminant(&train.optimizer) != discriminant(&file.train.optimizer) {
        return Some("train.optimizer").zip(told(&train.optimizer.kind(), &file.train.optimizer.kind()));
    }
    if let Some(problem) = modes::difference(train, &file.train, variables) {
        return Some(problem);
    }
    let graph = Graph::new(&file.model, &summary.input).ok()?;
    let trained = |variable: &&Variable| !matches!(variable.group, Group::Curve);
    let mut theirs = variables.iter().filter(trained);
    if file.model.kind == ModelKind::Counting {
        // It has no layers, and one variable with a number for each record.
        let others = theirs.any(|variable| variable.group != Group::Add);
        return others.then(|| ("model", "it counted nothing: use the same model".into()));
    }
    for (name, shape, _) in graph.variables() {
        match theirs.next() {
            Some(variable) if variable.name == name && variable.shape == shape => {}
            Some(Variable { name: old, shape: was, .. }) => {
                return Some((
                    "model",
                    format!("it has {name} of shape {shape:?} where there was {old} of shape {was:?}: use the same model"),
                ));
            }
            None => return Some(("model", format!("it has {name}, which was not there: use the same model"))),
        }
    }
    if let Some(variable) = theirs.next() {
        return Some(("model", format!("it lacks {}: use the same model", variable.name)));
    }
    manifest.origin.as_ref().and_then(|origin| another_model(&origin.model, &file.model))
}

// What a model of the same variables computes otherwise. Metrics may change: they are looked at, nothing more.
fn another_model(was: &Model, is: &Model) -> Option<(&'static str, String)> {
    let unless_same = |path, was: serde_json::Value, is: serde_json::Value| {
        (was != is).then(|| (path, format!("it was {was}, and is {is}: set it back, or submit without --resume")))
    };
    let layers = was.layers.len().max(is.layers.len());
    unless_same("model.loss", json!(was.loss), json!(is.loss))
        .or_else(|| unless_same("model.preset", json!(was.preset), json!(is.preset)))
        .or_else(|| {
            let (at, (path, problem)) =
                (0..layers).find_map(|at| Some((at, unless_same("model.layers", json!(was.layers.get(at)), json!(is.layers.get(at)))?)))?;
            Some((path, format!("of layer {at}, counted from 0: {problem}")))
        })
}

#[cfg(test)]
mod tests;
