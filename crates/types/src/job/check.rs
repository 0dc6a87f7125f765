//! What can be wrong with a job file that is well-formed.

mod graph;
mod groups;
pub(super) mod places;
mod service;

pub use groups::unknown_layers;

use super::shape::Fault;
use super::{Checkpointing, Format, JobFile, LabelUse, Layer, Loss, Metric, ModelKind, Optimizer, Problem, Schedule, Sync};
use crate::lane::{MICRO_BATCHES_MAX, WORKERS_MAX};
use crate::timing::{LEASE_SECONDS_RANGE, ORPHAN_GRACE_LEASES_MIN, ORPHAN_GRACE_SECONDS_MAX};

/// The longest time that a start may take, in seconds: a day.
const START_TIMEOUT_MAX: u64 = 86_400;
/// The most steps or seconds between checkpoints.
const EVERY_MAX: u64 = 1 << 40;

/// All problems that can be seen without the data.
pub fn check(job: &JobFile) -> Vec<Problem> {
    let mut found = Found(Vec::new());
    if !crate::id::is_dns_label(&job.name) {
        found.at("name", format!("{:?} cannot name a job", job.name), "use 1 to 63 of a-z, 0-9 and -, beginning with a letter");
    }
    check_model(job, &mut found);
    check_data(job, &mut found);
    places::check(job, &mut found);
    if let Some(service) = &job.service {
        service::check(service, &mut found);
    }
    check_train(job, &mut found);
    check_tasks(job, &mut found);
    found.0
}

struct Found(Vec<Problem>);

impl Found {
    fn at(&mut self, path: &str, message: impl Into<String>, remedy: &str) {
        self.0.push(Problem { path: path.into(), message: message.into(), remedy: remedy.into(), place: None });
    }

    fn unless(&mut self, fine: bool, path: &str, message: impl Into<String>, remedy: &str) {
        if !fine {
            self.at(path, message, remedy);
        }
    }
}

fn check_model(job: &JobFile, found: &mut Found) {
    let model = &job.model;
    let adds = matches!(job.train.optimizer, Optimizer::Add {});
    if model.kind == ModelKind::Counting {
        found.unless(
            model.layers.is_empty() && model.preset.is_none() && model.loss.is_none(),
            "model",
            "the counting model has no layers and no loss",
            "remove them",
        );
        found.unless(adds, "train.optimizer", "the counting model needs the optimizer \"add\"", "write {\"add\": {}}");
        found.unless(job.data.eval.is_none(), "data.eval", "the counting model cannot be evaluated", "remove data.eval");
        return;
    }
    match &model.preset {
        Some(preset) => {
            let message = "there are layers beside a preset, which has layers of its own";
            found.unless(model.layers.is_empty(), "model.layers", message, "keep one of them");
            for Fault { field, value, expected } in preset.faults() {
                let path = format!("model.preset.{}.{field}", preset.kind());
                found.at(&path, format!("{value} is not {expected}"), "choose a value in that range, or leave it out");
            }
        }
        None => found.unless(
            !model.layers.is_empty(),
            "model.layers",
            "there are no layers",
            "name at least one, such as {\"dense\": {\"units\": 10}}, or a preset",
        ),
    }
    found.unless(
        model.loss.is_some(),
        "model.loss",
        "there is no loss",
        "add \"loss\": \"softmax_cross_entropy\", \"binary_cross_entropy\", \"mse\" or \"reconstruction\"",
    );
    found.unless(!adds, "train.optimizer", "\"add\" is for the counting model only", "use \"adam\" or \"sgd\"");
    for (index, entry) in model.layers.iter().enumerate() {
        let path = format!("model.layers[{index}]");
        check_layer(&entry.layer, &path, found);
        if let Some(name) = &entry.name {
            check_name(name, &format!("{path}.name"), found);
        }
    }
    graph::check(job, found);
    for (index, metric) in model.metrics.iter().enumerate() {
        let path = format!("model.metrics[{index}]");
        match (metric, model.loss) {
            (Metric::Auc, Some(Loss::SoftmaxCrossEntropy | Loss::Mse)) => {
                found.at(
                    &path,
                    "auc needs one score a record",
                    "use the loss \"binary_cross_entropy\" or \"reconstruction\", or remove it",
                );
            }
            (Metric::Accuracy | Metric::ConfusionMatrix, Some(Loss::Mse | Loss::Reconstruction)) => {
                found.at(&path, "with this loss no classes are predicted", "remove it");
            }
            _ => {}
        }
    }
}

fn check_layer(layer: &Layer, path: &str, found: &mut Found) {
    for Fault { field, value, expected } in layer.faults() {
        found.at(&format!("{path}.{}.{field}", layer.kind()), format!("{value} is not {expected}"), "choose a value in that range");
    }
    if let Layer::Residual { layers } = layer {
        for (index, layer) in layers.iter().enumerate() {
            check_layer(layer, &format!("{path}.residual.layers[{index}]"), found);
        }
    }
}

// It begins the names of variables.
fn check_name(name: &str, path: &str, found: &mut Found) {
    let fine = (1..=63).contains(&name.len()) && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' | b'-'));
    let taken = ["features", "numbers", "categories"].contains(&name);
    found.unless(fine, path, format!("{name:?} cannot name a layer"), "use 1 to 63 of a-z, A-Z, 0-9, _ and -");
    found.unless(!taken, path, format!("{name:?} stands for what the data give"), "use another name");
}

fn check_data(job: &JobFile, found: &mut Found) {
    let data = &job.data;
    let sources = [("data.train", Some(&data.train)), ("data.eval", data.eval.as_ref())];
    for (path, source) in sources.into_iter().filter_map(|(path, source)| source.map(|s| (path, s))) {
        match data.format {
            Format::Idx => {
                let [images, labels, files] = ["images", "labels", "files"].map(|name| format!("{path}.{name}"));
                found.unless(source.images.is_some(), &images, "idx needs images", "name files with pictures");
                found.unless(source.labels.is_some(), &labels, "idx needs labels", "name as many files with labels");
                let pairs = source.images.as_ref().zip(source.labels.as_ref());
                let even = pairs.is_none_or(|(i, l)| i.iter().count() == l.iter().count());
                found.unless(even, &labels, "there are not as many label files as image files", "name them in pairs, in the same order");
                found.unless(source.files.is_none(), &files, "idx has no files", "use images and labels");
            }
            Format::Csv => {
                let [images, labels, files] = ["images", "labels", "files"].map(|name| format!("{path}.{name}"));
                found.unless(source.files.is_some(), &files, "csv needs files", "name a file, a directory or a pattern with *");
                found.unless(source.images.is_none(), &images, "csv has no images", "use files");
                found.unless(source.labels.is_none(), &labels, "csv has no files with labels", "use files, and data.label for the column");
            }
        }
        if let Some([from, to]) = source.records {
            found.unless(
                from < to,
                &format!("{path}.records"),
                format!("[{from}, {to}] holds no record"),
                "the second number must be larger",
            );
        }
    }
    match data.format {
        Format::Idx => {
            found.unless(data.features.is_empty(), "data.features", "idx has no columns", "remove it");
            found.unless(data.label.is_none(), "data.label", "idx has no columns", "remove it");
            found.unless(data.missing.is_empty(), "data.missing", "idx has no texts", "remove it");
        }
        Format::Csv => {
            let is_needed = job.model.label_use() != LabelUse::None;
            let remedy = "add \"label\": the column's name in the header";
            found.unless(data.label.is_some() || !is_needed, "data.label", "csv needs a label", remedy);
        }
    }
    for (index, feature) in data.features.iter().enumerate() {
        let path = format!("data.features[{index}]");
        let name = feature.column();
        found.unless(Some(name) != data.label.as_deref(), &path, format!("{name:?} is the label"), "remove it");
        let again = data.features[..index].iter().any(|f| f.column() == name);
        found.unless(!again, &path, format!("{name:?} occurs twice"), "remove one");
    }
}

fn check_train(job: &JobFile, found: &mut Found) {
    let train = &job.train;
    found.unless(train.batch_size > 0, "train.batch_size", "a batch has no records", "use at least 1");
    found.unless(train.epochs > 0, "train.epochs", "there is nothing to train", "use at least 1");
    if let Some(lanes) = train.micro_batches {
        let fits = lanes.is_power_of_two() && lanes <= MICRO_BATCHES_MAX && train.batch_size.is_multiple_of(lanes);
        let message = format!("{lanes} is no power of two up to {MICRO_BATCHES_MAX} that divides batch_size {}", train.batch_size);
        found.unless(fits, "train.micro_batches", message, "use 1, 2, 4, 8 or 16, and a batch_size that is a multiple of it");
    }
    check_sync(job, found);
    let positive = |n: f64| n > 0.0 && n.is_finite();
    if let Some(norm) = train.clip_norm {
        found.unless(above_zero(norm), "train.clip_norm", format!("{norm} is not {ABOVE_ZERO}"), "use a number such as 1.0");
    }
    match train.schedule {
        Schedule::Constant => {}
        Schedule::Step { every_steps, factor } => {
            found.unless(every_steps > 0, "train.schedule.step.every_steps", "0 steps", "use at least 1");
            found.unless(positive(factor), "train.schedule.step.factor", format!("{factor} is not above 0"), "use a number such as 0.5");
        }
        Schedule::Cosine { steps, floor } => {
            found.unless(steps != Some(0), "train.schedule.cosine.steps", "0 steps", "use at least 1, or leave it out");
            found.unless(
                (0.0..=1.0).contains(&floor),
                "train.schedule.cosine.floor",
                format!("{floor} is not from 0 to 1"),
                "use a share of the learning rate",
            );
        }
    }
    for (field, value, fine, expected) in optimizer_fields(&train.optimizer) {
        let path = format!("train.optimizer.{}.{field}", train.optimizer.kind());
        let remedy = match field {
            "learning_rate" => "use such as 0.001",
            _ => "leave it out for its default, or choose a value in that range",
        };
        found.unless(fine, &path, format!("{value} is not {expected}"), remedy);
    }
}

fn check_sync(job: &JobFile, found: &mut Found) {
    let train = &job.train;
    check_mode(&train.sync, "train.sync", found);
    groups::check(job, found);
    let whole = train.clip_norm.is_none() || train.is_bsp();
    let message = format!("in {} there is no step whose gradient has a global norm", train.sync.name());
    found.unless(whole, "train.clip_norm", message, "remove it, or leave train.sync out");
}

fn check_mode(sync: &Sync, path: &str, found: &mut Found) {
    match sync {
        Sync::Bsp | Sync::Async {} => {}
        Sync::Ssp { staleness } => {
            let remedy = "use at least 1, or \"bsp\" for workers that go together";
            found.unless(*staleness > 0, &format!("{path}.ssp.staleness"), "0 batches", remedy);
        }
        Sync::Local { every, momentum } => {
            found.unless(*every > 0, &format!("{path}.local.every"), "0 batches", "use at least 1");
            let fine = (0.0..1.0).contains(momentum);
            let path = format!("{path}.local.momentum");
            found.unless(fine, &path, format!("{momentum} is not from 0 to below 1"), "leave it out for 0");
        }
    }
}

// Parameters are computed with 32 bits: beyond them, a number becomes 0 or infinite.
const ABOVE_ZERO: &str = "above 0 and within 32 bits: 1.2e-38 to 3.4e38";
const ZERO_OR_MORE: &str = "0 or more and within 32 bits: up to 3.4e38";

#[expect(clippy::cast_possible_truncation, reason = "whether it can be held is the question")]
fn above_zero(x: f64) -> bool {
    (f32::MIN_POSITIVE..=f32::MAX).contains(&(x as f32))
}

type Field = (&'static str, f64, bool, &'static str);

fn optimizer_fields(optimizer: &Optimizer) -> Vec<Field> {
    let above = |name, x: f64| (name, x, above_zero(x), ABOVE_ZERO);
    let share = |name, x: f64| (name, x, (0.0..1.0).contains(&x), "from 0 to below 1");
    let least = |name, x: f64| (name, x, x == 0.0 || above_zero(x), ZERO_OR_MORE);
    match *optimizer {
        Optimizer::Sgd { learning_rate, weight_decay } => vec![above("learning_rate", learning_rate), least("weight_decay", weight_decay)],
        Optimizer::Momentum { learning_rate, momentum, weight_decay, .. } => {
            vec![above("learning_rate", learning_rate), share("momentum", momentum), least("weight_decay", weight_decay)]
        }
        Optimizer::Adagrad { learning_rate, initial_accumulator, epsilon, weight_decay } => vec![
            above("learning_rate", learning_rate),
            least("initial_accumulator", initial_accumulator),
            above("epsilon", epsilon),
            least("weight_decay", weight_decay),
        ],
        Optimizer::Rmsprop { learning_rate, rho, epsilon, weight_decay } => {
            vec![above("learning_rate", learning_rate), share("rho", rho), above("epsilon", epsilon), least("weight_decay", weight_decay)]
        }
        Optimizer::Adam { learning_rate, beta_1, beta_2, epsilon, weight_decay }
        | Optimizer::AdamW { learning_rate, beta_1, beta_2, epsilon, weight_decay } => vec![
            above("learning_rate", learning_rate),
            share("beta_1", beta_1),
            share("beta_2", beta_2),
            above("epsilon", epsilon),
            least("weight_decay", weight_decay),
        ],
        Optimizer::Add {} => vec![],
    }
}

fn check_tasks(job: &JobFile, found: &mut Found) {
    let lanes = job.micro_batches();
    let workers = job.worker.count;
    found.unless(workers > 0, "worker.count", "there are no workers", "use at least 1");
    let (some, parts) = (counted(workers, "worker", "workers"), counted(lanes, "micro-batch", "micro-batches"));
    let message = format!("{some}, but a step has only {parts}: worker-{lanes} would have nothing to compute");
    found.unless(
        workers <= lanes || !job.train.is_bsp(),
        "worker.count",
        message,
        "use fewer workers, or a larger train.micro_batches (which changes the bits)",
    );
    let message = format!("{some} are more than {WORKERS_MAX}");
    found.unless(workers <= WORKERS_MAX || job.train.is_bsp(), "worker.count", message, "use fewer");
    found.unless((1..=1024).contains(&job.parameter_server.count), "parameter_server.count", "there must be 1 to 1024", "use 1 or more");
    for (path, cpus) in [("worker.cpus", job.worker.cpus), ("parameter_server.cpus", job.parameter_server.cpus)] {
        found.unless(cpus > 0.0 && cpus <= 1024.0, path, format!("{cpus} is not above 0 and up to 1024"), "use a number such as 1");
    }
    for (path, mem) in [("worker.mem", job.worker.mem), ("parameter_server.mem", job.parameter_server.mem)] {
        found.unless(mem > 0, path, "no task runs in 0 MB", "leave it out for 1024, or name MB");
    }
    if let Some(bytes) = job.parameter_server.chunk_bytes {
        let fits = bytes.is_multiple_of(crate::layout::SEGMENT * 4) && (1..=crate::layout::CHUNK_ELEMENTS_MAX * 4).contains(&bytes);
        found.unless(
            fits,
            "parameter_server.chunk_bytes",
            format!("{bytes} is no multiple of 16384 up to 4194304"),
            "leave it out, or use such as 1048576",
        );
    }
    found.unless(
        (1..=START_TIMEOUT_MAX).contains(&job.start_timeout),
        "start_timeout",
        format!("{} is not from 1 to {START_TIMEOUT_MAX} seconds", job.start_timeout),
        "leave it out for 60, or use such as 600",
    );
    check_timing(job, found);
    found.unless(!job.output.dir.is_empty(), "output.dir", "it is empty", "name a directory");
    if let Some(checkpoint) = &job.checkpoint {
        check_checkpoint(checkpoint, found);
    }
}

fn check_checkpoint(checkpoint: &Checkpointing, found: &mut Found) {
    let both = checkpoint.every_steps.is_some() && checkpoint.every_seconds.is_some();
    found.unless(!both, "checkpoint.every_seconds", "there is every_steps beside it", "keep one of them");
    for (path, every) in [("checkpoint.every_steps", checkpoint.every_steps), ("checkpoint.every_seconds", checkpoint.every_seconds)] {
        let fine = every.is_none_or(|every| (1..=EVERY_MAX).contains(&every));
        found.unless(fine, path, format!("it is not from 1 to {EVERY_MAX}"), "leave it out for a checkpoint every 60 seconds");
    }
    found.unless(checkpoint.keep > 0, "checkpoint.keep", "none would be kept", "leave it out for 2, or use at least 1");
    found.unless(checkpoint.dir.as_deref() != Some(""), "checkpoint.dir", "it is empty", "leave it out, or name a directory");
}

fn check_timing(job: &JobFile, found: &mut Found) {
    let lease = job.lease_seconds;
    found.unless(
        LEASE_SECONDS_RANGE.contains(&lease),
        "lease_seconds",
        format!("{lease} is not from {} to {} seconds", LEASE_SECONDS_RANGE.start(), LEASE_SECONDS_RANGE.end()),
        "leave it out for 2, or use such as 10",
    );
    if let Some(grace) = job.orphan_grace_seconds {
        let least = lease * ORPHAN_GRACE_LEASES_MIN;
        found.unless(
            (least..=ORPHAN_GRACE_SECONDS_MAX).contains(&grace),
            "orphan_grace_seconds",
            format!("{grace} is not from {least} (two times lease_seconds) to {ORPHAN_GRACE_SECONDS_MAX} seconds"),
            "leave it out for 30 times lease_seconds, or use a longer time",
        );
    }
}

fn counted(n: u32, one: &str, several: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { several })
}
