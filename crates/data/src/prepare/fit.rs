//! Whether data and model fit.

use crate::error::Error;
use tfcoord_types::job::{Format, Graph, Input, JobFile, LabelUse, Loss, Metric, ModelKind, Problem, fits_loss, unknown_layers};
use tfcoord_types::manifest::Manifest;
use tfcoord_types::plan::TrainPlan;

/// The most bytes that the features of a micro-batch may take.
const MICRO_BATCH_BYTES_MAX: u64 = 1 << 30;
/// The most classes of a confusion matrix, which has as many entries as their square.
const CONFUSION_CLASSES_MAX: u32 = 1000;

pub(super) fn check(job: &JobFile, manifest: &Manifest) -> Result<(), Error> {
    let input = Input::from(manifest);
    let graph = graph(job, &input)?;
    if let Some(Problem { path, message, remedy, .. }) = unknown_layers(&job.train, &graph.layers()).into_iter().next()
        && job.model.kind == ModelKind::Layers
    {
        return Err(Error::job(path, message, remedy));
    }
    let output = graph.output().unwrap_or(&input.shape);
    if let Some(loss) = job.model.loss {
        fits_loss(loss, output, &input)
            .map_err(|problem| Error::job("model.loss", format!("{} {problem}", name(loss)), data_say(manifest)))?;
    }
    if job.model.metrics.contains(&Metric::ConfusionMatrix) && input.classes > CONFUSION_CLASSES_MAX {
        let message = format!("a confusion matrix of {} classes is too large", input.classes);
        return Err(Error::job("model.metrics", message, format!("remove it; it takes at most {CONFUSION_CLASSES_MAX}")));
    }
    check_batches(job, manifest)
}

/// How many classes the model can tell apart; nothing without a loss, or with one that takes no classes.
pub(super) fn classes(job: &JobFile, shape: &[u32]) -> Result<Option<usize>, Error> {
    if job.model.label_use() == LabelUse::Anomaly {
        return Ok(Some(2));
    }
    // What a preset gives follows from the classes, not the other way round.
    if job.model.preset.is_some() {
        return Ok(None);
    }
    Ok(match (job.model.loss, output(job, &Input::plain(shape, 0))?.as_slice()) {
        (Some(Loss::SoftmaxCrossEntropy), [units]) => Some(*units as usize),
        (Some(Loss::BinaryCrossEntropy), _) => Some(2),
        _ => None,
    })
}

/// The model's graph on records as `input` has them.
pub(super) fn graph(job: &JobFile, input: &Input) -> Result<Graph, Error> {
    Graph::new(&job.model, input).map_err(|error| {
        let (message, remedy) = error.parts();
        let remedy = if remedy.is_empty() { format!("the data give {:?} a record", input.shape) } else { remedy.to_owned() };
        Error::job(error.path.clone(), message, remedy)
    })
}

// The shape of what the last layer gives.
fn output(job: &JobFile, input: &Input) -> Result<Vec<u32>, Error> {
    Ok(graph(job, input)?.output().unwrap_or(&input.shape).to_vec())
}

fn check_batches(job: &JobFile, manifest: &Manifest) -> Result<(), Error> {
    let (batch_size, micro_batches) = (job.train.batch_size, job.micro_batches());
    let records = manifest.train.records;
    let plan = TrainPlan { records, batch_size, micro_batches, epochs: job.train.epochs };
    if records < u64::from(micro_batches) {
        let message = format!("{records} training records for {micro_batches} micro-batches: some would never have one");
        return Err(Error::job("train.micro_batches", message, "use fewer micro-batches (and workers), or more records"));
    }
    if plan.steps_per_epoch().checked_mul(u64::from(plan.epochs)).is_none() {
        return Err(Error::job("train.epochs", format!("{} epochs have too many steps", plan.epochs), "use fewer"));
    }
    let features: u64 = manifest.input.iter().map(|n| u64::from(*n)).product();
    let bytes = u64::from(plan.micro_batch_size()) * features * 4;
    if bytes > MICRO_BATCH_BYTES_MAX {
        let message = format!("a micro-batch of {} records of {features} features takes {bytes} bytes", plan.micro_batch_size());
        return Err(Error::job("train.batch_size", message, format!("at most {MICRO_BATCH_BYTES_MAX} are possible: use a smaller one")));
    }
    Ok(())
}

fn name(loss: Loss) -> &'static str {
    match loss {
        Loss::SoftmaxCrossEntropy => "softmax_cross_entropy",
        Loss::BinaryCrossEntropy => "binary_cross_entropy",
        Loss::Mse => "mse",
        Loss::Reconstruction => "reconstruction",
    }
}

fn data_say(manifest: &Manifest) -> String {
    use tfcoord_types::manifest::Label;
    match &manifest.label {
        // Not each of them needs to occur.
        Label::Class { names } if manifest.format == Format::Idx => {
            format!("the labels go from 0 to {}; change the last layer or the loss", names.len() - 1)
        }
        Label::Class { names } => format!("the training labels are {}; change the last layer or the loss", crate::error::listed(names)),
        Label::Number => "the label is a number; change the last layer".to_owned(),
    }
}
