use super::*;
use crate::leader::fixture::{job_file, summary};
use std::collections::BTreeSet;
use tfcoord_types::id::{CheckpointId, Generation};
use tfcoord_types::variable::Initializer;

// A checkpoint of the job with this number, saved so long ago.
fn saved(number: u64, step: u64, age_ms: u64) -> Manifest {
    let (file, summary) = (job_file(), summary());
    let graph = Graph::new(&file.model, &summary.input).unwrap();
    let variable = |(name, shape, _)| Variable { name, shape, initializer: Initializer::Zeros, group: Group::Train, sync: None };
    Manifest {
        format: tfcoord_checkpoint::FORMAT,
        id: CheckpointId { generation: Generation(1), step, attempt: 9 },
        job: JobId { name: file.name.clone(), number },
        saved_at_ms: 1_700_000_000_000 - age_ms,
        plan: TrainPlan { records: 1000, batch_size: 64, micro_batches: 4, epochs: 2 },
        train: file.train.clone(),
        origin: Some(Origin { model: file.model.clone(), records_digest: summary.records_digest.clone(), shuffle: true, from_seed: true }),
        variables: graph.variables().map(variable).collect(),
        chunk_elements: 65_536,
        kernel_path: "k".into(),
        evaluations: Vec::new(),
        parts: Vec::new(),
    }
}

fn chosen(found: Vec<(Vec<Manifest>, PathBuf)>, damaged: &[(u64, u64)]) -> Result<Resume, Error> {
    let damaged: BTreeSet<_> = damaged.iter().copied().collect();
    let verify = |dir: &Path, manifest: &Manifest| {
        let is = (manifest.job.number, manifest.id.step);
        assert_eq!(dir, Path::new(&format!("/out/fashion-{}/checkpoints", is.0)));
        if damaged.contains(&is) { Err(format!("{} of {} is damaged", is.1, manifest.job)) } else { Ok(()) }
    };
    choose(&job_file(), &summary(), found, vec!["one has no manifest".into()], verify)
}

fn folders() -> Vec<(Vec<Manifest>, PathBuf)> {
    let of = |number: u64, manifests: Vec<Manifest>| (manifests, PathBuf::from(format!("/out/fashion-{number}/checkpoints")));
    vec![of(2, vec![saved(2, 20, 300), saved(2, 10, 400)]), of(9, vec![saved(9, 12, 100), saved(9, 11, 200)])]
}

fn told(resume: &Resume) -> (String, Vec<u64>, &str) {
    let steps = resume.checkpoints.iter().map(|checkpoint| checkpoint.id.step).collect();
    (resume.checkpoints[0].dir.clone(), steps, &resume.passed_over)
}

#[test]
fn what_was_written_last_and_can_be_read_is_gone_on_from() {
    let dir = |number: u64| format!("/out/fashion-{number}/checkpoints");
    let resume = chosen(folders(), &[]).unwrap();
    assert_eq!(told(&resume), (dir(9), vec![11, 12], "one has no manifest"));
    let resume = chosen(folders(), &[(9, 12)]).unwrap();
    assert_eq!(told(&resume), (dir(9), vec![11], "one has no manifest; 12 of fashion-9 is damaged"));
    // Then those of the job before, and what is passed over is said.
    let resume = chosen(folders(), &[(9, 12), (9, 11)]).unwrap();
    assert_eq!(told(&resume), (dir(2), vec![10, 20], "one has no manifest; 12 of fashion-9 is damaged; 11 of fashion-9 is damaged"));
    let error = chosen(folders(), &[(9, 12), (9, 11), (2, 20), (2, 10)]).unwrap_err().to_string();
    assert!(error.contains("no checkpoint of a job named fashion in /out; passed over: one has no manifest; 12 of"), "{error}");
}

#[test]
fn only_what_was_trained_alike_from_the_seed_on_can_be_made_again() {
    let from_seed = |file: &JobFile, manifest: Manifest| {
        let found = vec![(vec![manifest], PathBuf::from("/c"))];
        choose(file, &summary(), found, Vec::new(), |_, _| Ok(())).unwrap().from_seed
    };
    let with = |change: &dyn Fn(&mut JobFile)| {
        let mut file = job_file();
        change(&mut file);
        file
    };
    assert!(from_seed(&job_file(), saved(2, 10, 0)));
    assert!(from_seed(&with(&|file| file.train.epochs = 3), saved(2, 10, 0)));
    assert!(!from_seed(&with(&|file| file.train.clip_norm = Some(1.0)), saved(2, 10, 0)));
    // Its job went on from what had been trained otherwise; or nothing is known of it.
    let origin = |origin: Option<Origin>| Manifest { origin, ..saved(2, 10, 0) };
    assert!(!from_seed(&job_file(), origin(saved(2, 10, 0).origin.map(|origin| Origin { from_seed: false, ..origin }))));
    assert!(!from_seed(&job_file(), origin(None)));
    // The rate falls over all epochs.
    let cosine = |epochs| with(&|file| (file.train.epochs, file.train.schedule) = (epochs, Schedule::Cosine { steps: None, floor: 0.0 }));
    let over_two = || Manifest { train: cosine(2).train, ..saved(2, 10, 0) };
    assert!(from_seed(&cosine(2), over_two()) && !from_seed(&cosine(3), over_two()));
}
