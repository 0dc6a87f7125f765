//! Whether data and model fit.

use crate::error::Error;
use crate::prepare::summary;
use tfcoord_types::job::{Format, JobFile, Loss, Metric, fits_loss, shapes};
use tfcoord_types::manifest::Manifest;
use tfcoord_types::plan::TrainPlan;

/// The most bytes that the features of a micro-batch may take.
const MICRO_BATCH_BYTES_MAX: u64 = 1 << 30;
/// The most classes of a confusion matrix, which has as many entries as their square.
const CONFUSION_CLASSES_MAX: u32 = 1000;

pub(super) fn check(job: &JobFile, manifest: &Manifest) -> Result<(), Error> {
    let (_, found) = summary(manifest);
    if let Some(loss) = job.model.loss {
        fits_loss(loss, &output(job, &manifest.input)?, found.classes)
            .map_err(|problem| Error::job("model.loss", format!("{} {problem}", name(loss)), data_say(manifest)))?;
    }
    if job.model.metrics.contains(&Metric::ConfusionMatrix) && found.classes > CONFUSION_CLASSES_MAX {
        let message = format!("a confusion matrix of {} classes is too large", found.classes);
        return Err(Error::job("model.metrics", message, format!("remove it; it takes at most {CONFUSION_CLASSES_MAX}")));
    }
    check_batches(job, manifest)
}

/// How many classes the model can tell apart; nothing without a loss, or with one that takes no classes.
pub(super) fn classes(job: &JobFile, input: &[u32]) -> Result<Option<usize>, Error> {
    Ok(match (job.model.loss, output(job, input)?.as_slice()) {
        (Some(Loss::SoftmaxCrossEntropy), [units]) => Some(*units as usize),
        (Some(Loss::BinaryCrossEntropy), _) => Some(2),
        _ => None,
    })
}

// The shape of what the last layer gives.
fn output(job: &JobFile, input: &[u32]) -> Result<Vec<u32>, Error> {
    let layers = shapes(&job.model.layers, input).map_err(|error| {
        Error::job(format!("model.layers[{}]", error.index), error.to_string(), format!("the data give {input:?} a record"))
    })?;
    Ok(layers.into_iter().next_back().map_or_else(|| input.to_vec(), |layer| layer.output))
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
