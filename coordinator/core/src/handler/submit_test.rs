use crate::command::Command;
use crate::handler::submit::JOBS_MAX;
use crate::job::JobState;
use crate::outcome::{Outcome, Refusal};
use crate::test::fixture::{World, file, manifest, submit};
use tfcoord_types::job::JobFile;
use tfcoord_types::manifest::ManifestSummary;

#[test]
fn a_job_is_admitted_and_its_whole_gang_is_launched() {
    let mut world = World { cluster: Default::default(), job: "fashion-1".parse().unwrap(), at_ms: 5, index: 0 };
    let effects = world.done(submit("r", file(1, 2, 2, true)));
    let launched =
        ["LaunchTask fashion-1/ps-0 attempt 1", "LaunchTask fashion-1/worker-0 attempt 1", "LaunchTask fashion-1/worker-1 attempt 1"];
    assert_eq!(effects, launched);
    let job = world.job();
    assert_eq!((job.state, job.submitted_at_ms, job.plan.steps()), (JobState::Admitted, 5, 8));
    assert_eq!(job.reason(), "waiting for ps-0, worker-0, worker-1 to register");
    assert_eq!(crate::desired::desired(&world.cluster).len(), 3);
    assert_eq!(crate::deadline::next_deadline(&world.cluster), Some(60_005));
}

#[test]
fn the_same_request_gets_the_same_job() {
    let mut world = World::submitted(file(1, 2, 2, true));
    let again = world.apply(submit("r", file(2, 1, 1, false)));
    assert_eq!((again.outcome, again.effects), (Outcome::Submitted { job: world.job.clone() }, vec![]));
    world.done(world.cancel());
    assert_eq!(world.apply(submit("r", file(1, 2, 2, true))).outcome, Outcome::Submitted { job: world.job.clone() });
    assert_eq!(world.cluster.jobs().count(), 1);
    let other = world.apply(submit("s", file(1, 2, 2, true))).outcome;
    assert_eq!(other, Outcome::Submitted { job: "fashion-5".parse().unwrap() });
}

#[test]
fn what_cannot_be_trained_is_refused_with_the_reason() {
    let check = |change: &dyn Fn(&mut JobFile, &mut ManifestSummary), expect: &str| {
        let (mut file, mut manifest) = (file(1, 2, 2, true), manifest(true));
        change(&mut file, &mut manifest);
        let mut world = World { cluster: Default::default(), job: "fashion-1".parse().unwrap(), at_ms: 0, index: 0 };
        let refusal = world.refused(Command::SubmitJob { request_id: "r".into(), file: Box::new(file), manifest, resume: None });
        assert!(refusal.to_string().contains(expect), "{refusal}");
    };
    check(&|file, _| file.name = "../up".into(), "cannot name a job");
    check(&|file, _| file.worker.count = 9, "9 workers, but a step has only 8 micro-batches");
    check(&|file, _| file.train.micro_batches = Some(0), "train.micro_batches");
    check(&|_, manifest| manifest.digest = "../../etc/passwd".into(), "digest");
    check(&|_, manifest| manifest.input.shape = vec![0, 28], "no features");
    check(&|_, manifest| manifest.input.classes = 9, "needs one output a class: 9, but the last layer gives 10");
    check(&|_, manifest| manifest.train_records = 0, "no training records");
    check(&|_, manifest| manifest.eval_records = 0, "no records to evaluate");
    check(&|_, manifest| manifest.train_records = u64::MAX, "too many");
    check(&|_, manifest| manifest.eval_records = u64::MAX, "too many");
    let huge = |file: &mut JobFile, manifest: &mut ManifestSummary| {
        (file.train.batch_size, file.train.micro_batches, file.worker.count) = (1, None, 1);
        (file.train.epochs, manifest.train_records) = (u32::MAX, 1 << 48);
    };
    check(&huge, "too many");
}

#[test]
fn request_ids_are_bounded() {
    let mut world = World::submitted(file(1, 2, 2, true));
    assert_eq!(world.refused(submit("", file(1, 2, 2, true))), Refusal::RequestId { bytes: 0 });
    assert_eq!(world.refused(submit(&"x".repeat(129), file(1, 2, 2, true))), Refusal::RequestId { bytes: 129 });
}

#[test]
fn jobs_are_bounded_and_the_oldest_that_is_over_is_forgotten() {
    let mut cluster = crate::Cluster::new();
    cluster.apply(1, 0, submit("r1", file(1, 1, 1, false)));
    let first = cluster.jobs().next().unwrap().clone();
    // Every entry checks all invariants: the others are put in at once.
    for index in 2..=JOBS_MAX as u64 {
        let mut job = first.clone();
        (job.id.number, job.revision.0, job.request_id) = (index, index, format!("r{index}"));
        cluster.requests.insert(job.request_id.clone(), job.id.clone());
        cluster.jobs.insert(job.id.clone(), job);
    }
    cluster.revision.0 = JOBS_MAX as u64;
    let mut next = JOBS_MAX as u64;
    let mut apply = |command| {
        next += 1;
        cluster.apply(next, 0, command).outcome
    };
    let refused = apply(submit("more", file(1, 1, 1, false)));
    assert_eq!(refused, Outcome::Refused(Refusal::TooManyJobs { jobs: JOBS_MAX }));
    apply(Command::TakeOffice { adopts: false });
    for request in ["s1", "s2"] {
        assert!(matches!(apply(submit(request, file(1, 1, 1, false))), Outcome::Submitted { .. }));
        apply(Command::TakeOffice { adopts: false });
    }
    // Those that are over are counted when the next one is submitted.
    assert_eq!(cluster.jobs().count(), JOBS_MAX + 1);
    assert_eq!(cluster.requested("r1"), None);
    assert!(cluster.requested("r2").is_some());
}

#[test]
fn what_does_not_fit_into_memory_is_refused_before_anything_is_launched() {
    let check = |change: &dyn Fn(&mut JobFile), expect: &str| {
        let mut file = file(1, 2, 2, true);
        change(&mut file);
        let mut world = World { cluster: Default::default(), job: "fashion-1".parse().unwrap(), at_ms: 0, index: 0 };
        let refusal = world.refused(submit("r", file));
        assert!(matches!(&refusal, Refusal::TooLarge { problem } if problem.contains(expect)), "{refusal}");
    };
    let layers = |text: &str| serde_json::from_str(text).unwrap();
    let large = r#"[{"flatten": {}}, {"dense": {"units": 100000}}, {"dense": {"units": 10}}]"#;
    let tight = |file: &mut JobFile| (file.model.layers, file.parameter_server.mem) = (layers(large), 1);
    check(&tight, "ps-0 would need about ");
    let wide = r#"[{"flatten": {}}, {"dense": {"units": 4294967295}}, {"dense": {"units": 4294967295}}, {"dense": {"units": 10}}]"#;
    check(&|file| file.model.layers = layers(wide), "the model cannot be placed: ");
    let mut told = manifest(true);
    told.beside.worker = 200 << 20;
    let mut file = file(1, 2, 2, true);
    file.worker.mem = 200;
    let mut world = World { cluster: Default::default(), job: "fashion-1".parse().unwrap(), at_ms: 0, index: 0 };
    let refusal = world.refused(Command::SubmitJob { request_id: "r".into(), file: Box::new(file), manifest: told, resume: None });
    assert!(refusal.to_string().contains("a worker would need about 201 MB of memory, but worker.mem is 200"), "{refusal}");
}
