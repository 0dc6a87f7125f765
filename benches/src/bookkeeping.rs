//! What the cores of a worker and a server do in a step beside arithmetic: the two of them wired together, with chunks of
//! one number each, nothing computed, no streams, no encoding. Owners, generations, records and cursors of every push are
//! checked as in a job; pushes are held, counted and settled; versions are followed. More than leases, cursors and fences:
//! what would be needed without them cannot be told apart, so it is an upper bound.

use anyhow::{Context, ensure};
use bytes::Bytes;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use tfcoord_ps_core as ps;
use tfcoord_types::figures::{CURVE_LEN, CURVE_VARIABLE};
use tfcoord_types::id::{Generation, Incarnation, Revision, TaskId};
use tfcoord_types::job::Train;
use tfcoord_types::layout::{Layout, SEGMENT};
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::variable::{Group, Initializer, Variable};
use tfcoord_types::view::{Directive, Placement, ServerAddress, TaskView};
use tfcoord_worker_core::{Effect, Input, Worker};

const SERVER: Incarnation = Incarnation(1);
const WORKER: Incarnation = Incarnation(2);
const GENERATION: Generation = Generation(1);
/// Steps that are not timed.
const WARM_UP_STEPS: u32 = 100;

/// A step of so many chunks, the curve's among them, in microseconds, measured for so long.
///
/// # Errors
/// If there is not even the curve's chunk, or the cores stand still.
pub fn step_us(chunks: u32, window: Duration) -> anyhow::Result<f64> {
    let mut pair = Pair::new(chunks)?;
    (0..WARM_UP_STEPS).try_for_each(|_| pair.step())?;
    let (begun, mut steps) = (Instant::now(), 0u32);
    while begun.elapsed() < window {
        pair.step()?;
        steps += 1;
    }
    Ok(begun.elapsed().as_secs_f64() * 1e6 / f64::from(steps))
}

struct Pair {
    worker: Worker,
    server: ps::Server,
    // What is under way to the worker, and the sums of each chunk.
    inputs: VecDeque<Input>,
    sums: Vec<Bytes>,
    effects: Vec<Effect>,
    answers: Vec<ps::Effect>,
}

impl Pair {
    fn new(chunks: u32) -> anyhow::Result<Self> {
        let trained = chunks.checked_sub(1).context("a model has at least the curve's chunk")?;
        let variable = |name: String, len, group| Variable { name, shape: vec![len], initializer: Initializer::Zeros, group, sync: None };
        // Each group has chunks of its own.
        let alone = |number: u16| variable(format!("v{number}"), 1, Group::Average { momentum: f32::from(number) / 65_536.0 });
        let mut variables: Vec<Variable> = (0..u16::try_from(trained)?).map(alone).collect();
        variables.push(variable(CURVE_VARIABLE.to_owned(), CURVE_LEN, Group::Curve));
        let layout = Layout::new(&variables, SEGMENT)?;
        ensure!(layout.chunks.len() == chunks as usize, "{} chunks, not {chunks}", layout.chunks.len());
        let bytes = |len: u64| usize::try_from(len * 4).map(|len| Bytes::from(vec![0; len]));
        let sums = layout.chunks.iter().map(|chunk| bytes(chunk.len)).collect::<Result<_, _>>()?;
        let train = r#"{"batch_size": 64, "micro_batches": 4, "epochs": 1, "optimizer": {"sgd": {"learning_rate": 0.1}}}"#;
        let train: Train = serde_json::from_str(train)?;
        let mut pair = Self {
            worker: Worker::new(WORKER, &train),
            server: ps::Server::new(ps::Config { slot: 0, train }),
            inputs: VecDeque::new(),
            sums,
            effects: Vec::new(),
            answers: Vec::new(),
        };
        let view = view(Placement { epoch: 1, variables, chunk_elements: SEGMENT, servers: vec![0; chunks as usize] });
        pair.server.apply(ps::Input::View(Box::new(view.clone())), &mut pair.answers);
        pair.answers.clear();
        pair.inputs.push_back(Input::View(Box::new(TaskView { incarnation: WORKER, ..view })));
        Ok(pair)
    }

    // Until the worker is to compute the next step.
    fn step(&mut self) -> anyhow::Result<()> {
        let mut computes = false;
        while !computes {
            let input = self.inputs.pop_front().context("the cores stand still")?;
            let mut effects = std::mem::take(&mut self.effects);
            self.worker.apply(input, &mut effects);
            for effect in effects.drain(..) {
                computes |= matches!(effect, Effect::Compute { .. });
                self.carry_out(effect);
            }
            self.effects = effects;
        }
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Connect { slot, generation, .. } => {
                self.inputs.push_back(Input::Connected { slot, incarnation: SERVER, generation, cursors: self.server.cursors() });
            }
            Effect::Pull { chunks, version, .. } => {
                for chunk in chunks {
                    self.ask(ps::Input::Pull { from: 0, generation: GENERATION, chunk, step: version });
                }
            }
            Effect::Compute { step, blocks } => {
                let chunks = 0..u32::try_from(self.sums.len()).unwrap_or(u32::MAX);
                for block in blocks {
                    self.inputs.extend(chunks.clone().map(|chunk| Input::Computed { step, block, chunk }));
                }
                self.inputs.push_back(Input::StepComputed { step });
            }
            Effect::Push { chunk, step, block, records, view_revision, .. } => {
                let payload = self.sums[chunk as usize].clone();
                let (from, incarnation, generation) = (0, WORKER, GENERATION);
                self.ask(ps::Input::Push(ps::Push { from, incarnation, view_revision, generation, step, chunk, block, records, payload }));
            }
            _ => {}
        }
    }

    fn ask(&mut self, input: ps::Input) {
        self.server.apply(input, &mut self.answers);
        let answer = |effect: ps::Effect| match effect {
            ps::Effect::Answer { generation, chunk, step, block, answer, .. } => {
                Some(Input::Answer { generation, chunk, step, block, answer })
            }
            ps::Effect::Updated { generation, chunk, version, .. } | ps::Effect::Pulled { generation, chunk, version, .. } => {
                Some(Input::Chunk { generation, chunk, version })
            }
            _ => None,
        };
        self.inputs.extend(self.answers.drain(..).filter_map(answer));
    }
}

fn view(placement: Placement) -> TaskView {
    let server = ServerAddress { task: TaskId::server(0), incarnation: SERVER, addresses: Vec::new(), host: String::new() };
    let plan = TrainPlan { records: 64 << 32, batch_size: 64, micro_batches: 4, epochs: 1 };
    TaskView {
        revision: Revision(3),
        incarnation: SERVER,
        directive: Directive::Run,
        generation: GENERATION,
        plan,
        placement: Some(placement),
        servers: vec![server],
        owners: vec![Some(WORKER); 4],
        workers: vec![WORKER],
        leases: Vec::new(),
        run_until: plan.steps(),
        evaluate: None,
        export: None,
        evaluations: Vec::new(),
        restore: None,
        cut: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_pushes_every_chunk_once_and_all_count() {
        let mut pair = Pair::new(5).unwrap();
        (0..20).for_each(|_| pair.step().unwrap());
        // The 20th is to be computed; the ones before it count everywhere.
        assert_eq!((pair.worker.step(), pair.server.cursors()), (19, (0..5).map(|chunk| (chunk, 19)).collect()));
        assert!(Pair::new(0).is_err());
    }
}
