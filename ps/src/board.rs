//! TensorBoard: the curve and the evaluations as event files, written by a thread of their own.
//!
//! In HDFS nobody can follow a file while it grows: there the whole file is written anew once in a while.

mod copy;

use copy::Copy;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::SystemTime;
use tfcoord_fs::FileSystems;
use tfcoord_fs::storage::Location;
use tfcoord_telemetry::tensorboard::{Error, EventWriter};
use tfcoord_types::figures::CurvePoint;
use tfcoord_types::id::Generation;
use tfcoord_types::job::{JobFile, Loss};
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::view::Evaluation;

/// Every so many steps a point of the curve is written, and the last one of an epoch.
const EVERY_STEPS: u64 = 10;

/// Takes points; the file is made when the first one comes, so only on the server that holds the curve.
#[derive(Debug)]
pub struct Board {
    points: Option<mpsc::Sender<Vec<Scalar>>>,
    writing: Option<JoinHandle<()>>,
    accuracy: bool,
    evaluated: BTreeSet<(Generation, u64)>,
}

/// Where event files go.
#[derive(Debug)]
pub struct Place {
    /// The way there.
    pub systems: FileSystems,
    /// The folder.
    pub at: Location,
    /// Where a file grows whose copies go to HDFS.
    pub scratch: PathBuf,
}

#[derive(Debug, PartialEq)]
struct Scalar {
    tag: &'static str,
    step: u64,
    at: SystemTime,
    value: f32,
}

impl Board {
    /// Writes to `place`; `suffix` ends the file's name. A job without a loss gets no file.
    pub fn new(place: Place, suffix: String, job: &JobFile) -> Self {
        let (points, receiver) = mpsc::channel();
        let writing = job.model.loss.map(|_| {
            let write = move || {
                if let Err(error) = write(&place, &suffix, &receiver) {
                    tracing::warn!("no more TensorBoard events: {error}: {}", error.source);
                }
            };
            std::thread::Builder::new().name("tensorboard".into()).spawn(write).expect("a thread can be started")
        });
        let accuracy = job.model.loss.is_some_and(Loss::predicts_classes);
        Self { points: writing.is_some().then_some(points), writing, accuracy, evaluated: BTreeSet::new() }
    }

    /// A step was trained.
    pub fn trained(&self, plan: &TrainPlan, point: CurvePoint) {
        let (step, records) = (point.step, point.records);
        let ends = (step + 1).is_multiple_of(EVERY_STEPS) || plan.place(step).step + 1 == plan.steps_per_epoch();
        if ends && records > 0.0 {
            let accuracy = self.accuracy.then_some(("train/accuracy", point.correct / records));
            self.send(step, [Some(("train/loss", point.loss_sum / records)), accuracy]);
        }
    }

    /// An evaluation is complete; the same one again changes nothing.
    pub fn evaluated(&mut self, generation: Generation, evaluation: &Evaluation) {
        if self.evaluated.insert((generation, evaluation.step)) {
            let counts = &evaluation.counts;
            let accuracy = counts.accuracy().filter(|_| self.accuracy);
            let scalar = |tag, value: Option<f64>| value.map(|value| (tag, single(value)));
            let scalars = [scalar("eval/loss", counts.loss()), scalar("eval/accuracy", accuracy), scalar("eval/auc", counts.auc())];
            self.send(evaluation.step, scalars);
        }
    }

    /// Waits until everything is written.
    pub fn finish(mut self) {
        self.points = None;
        // A panic there was printed there.
        let _ = self.writing.take().map(JoinHandle::join);
    }

    fn send(&self, step: u64, scalars: impl IntoIterator<Item = Option<(&'static str, f32)>>) {
        let at = SystemTime::now();
        let scalars = scalars.into_iter().flatten().map(|(tag, value)| Scalar { tag, step, at, value });
        // After an error nobody writes.
        let _ = self.points.as_ref().map(|points| points.send(scalars.collect()));
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the event format has single precision")]
fn single(value: f64) -> f32 {
    value as f32
}

fn write(place: &Place, suffix: &str, points: &mpsc::Receiver<Vec<Scalar>>) -> Result<(), Error> {
    let mut copy = Copy::new(place);
    let dir = copy.dir().to_owned();
    let mut writer = None;
    loop {
        let scalars = match points.recv_timeout(copy.wait()) {
            Ok(scalars) => scalars,
            Err(RecvTimeoutError::Timeout) => {
                copy.look();
                continue;
            }
            Err(RecvTimeoutError::Disconnected) => break,
        };
        let writer = match &mut writer {
            Some(writer) => writer,
            None => writer.insert(EventWriter::create(&dir, suffix, SystemTime::now())?),
        };
        for Scalar { tag, step, at, value } in scalars {
            writer.scalar(tag, step, at, value)?;
        }
        writer.flush()?;
        copy.grown(writer.path());
    }
    copy.last();
    Ok(())
}
