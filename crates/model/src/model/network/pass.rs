//! A batch through a network, and its gradients back.

use super::join::add;
use super::{Network, Step, Target};
use crate::error::Error;
use crate::kernel::Buffer;
use crate::layer::{Backward, Emit, Forward, Pass};
use crate::loss::Judgement;
use crate::workspace::{Slot, Workspace};
use tfcoord_types::job::NodeSource;

impl Network {
    /// Fills the slots of `workspace` for the records of `features`, for which it must have room.
    ///
    /// # Errors
    /// A layer cannot take a feature.
    pub fn forward(&self, pass: &Pass<'_>, features: &[f32], workspace: &mut Workspace) -> Result<(), Error> {
        let records = features.len() / self.features;
        let Workspace { slots, scratch, .. } = workspace;
        for (at, placed) in self.placed.iter().enumerate() {
            let (before, rest) = slots.split_at_mut(at);
            let source = |place: usize| self.seen(at, place, features, before, records);
            let Slot { output, kept } = &mut rest[0];
            let output = &mut output[..records * placed.outputs];
            match &placed.step {
                Step::Layer(layer) => {
                    layer.check(pass.isa, source(0))?;
                    layer.forward(pass, Forward { input: source(0), output, kept, scratch });
                }
                Step::Join(join) => join.forward(pass.isa, placed.sources.len(), source, output),
            }
        }
        Ok(())
    }

    /// What came out for the records of `features`, room for the gradient by it, and for what the loss says about each
    /// record.
    pub fn outcome<'a>(&self, features: &'a [f32], workspace: &'a mut Workspace) -> (&'a [f32], &'a mut [f32], &'a mut [Judgement]) {
        let records = features.len() / self.features;
        let Workspace { slots, gradients, judgements, .. } = workspace;
        let output = self.placed.len().checked_sub(1).map_or(features, |last| &slots[last].output[..records * self.outputs]);
        (output, &mut gradients[self.first_gradient][..records * self.outputs], &mut judgements[..records])
    }

    /// From the gradient by the output: emits those by all variables, the last layer's first.
    pub fn backward(&self, pass: &Pass<'_>, features: &[f32], workspace: &mut Workspace, emit: &mut Emit<'_>) {
        let records = features.len() / self.features;
        let Workspace { slots, gradients, scratch, .. } = workspace;
        for (at, placed) in self.placed.iter().enumerate().rev() {
            let Some(back) = &placed.backward else { continue };
            let (before, rest) = slots.split_at_mut(at);
            let outputs = records * placed.outputs;
            match &placed.step {
                Step::Layer(layer) => {
                    let (input, Slot { output, kept }) = (self.seen(at, 0, features, before, records), &mut rest[0]);
                    let (target, output) = (back.targets.first(), &output[..outputs]);
                    let (output_gradient, input_gradient) = rooms(gradients, (back.own, outputs), target, records);
                    layer.backward(pass, Backward { input, output, kept, output_gradient, input_gradient, scratch }, emit);
                    target.into_iter().for_each(|target| sum(pass, target, records, gradients));
                }
                Step::Join(join) => {
                    for target in &back.targets {
                        let (own, below) = rooms(gradients, (back.own, outputs), Some(target), records);
                        below.into_iter().for_each(|below| join.backward(target.source, own, below));
                        sum(pass, target, records, gradients);
                    }
                }
            }
        }
    }

    // What step number `at` sees as its source number `place`; `before` are the slots of those before it.
    fn seen<'a>(&self, at: usize, place: usize, features: &'a [f32], before: &'a [Slot], records: usize) -> &'a [f32] {
        match self.placed[at].sources[place] {
            NodeSource::Features => features,
            NodeSource::Node(below) => &before[below].output[..records * self.placed[below].outputs],
        }
    }
}

// The gradient by an output, so many values in its buffer, and the room of a target.
fn rooms<'a>(
    gradients: &'a mut [Buffer],
    (own, values): (usize, usize),
    target: Option<&Target>,
    records: usize,
) -> (&'a mut [f32], Option<&'a mut [f32]>) {
    let Some(target) = target else { return (&mut gradients[own][..values], None) };
    let [own, below] = gradients.get_disjoint_mut([own, target.buffer]).expect("each has a buffer of its own");
    (&mut own[..values], Some(&mut below[..records * target.values]))
}

// Adds a gradient to the one by the same output that is there already.
fn sum(pass: &Pass<'_>, target: &Target, records: usize, gradients: &mut [Buffer]) {
    if let Some(into) = target.sum {
        let [part, sums] = gradients.get_disjoint_mut([target.buffer, into]).expect("each has a buffer of its own");
        let values = records * target.values;
        add(pass.isa, &part[..values], &mut sums[..values]);
    }
}
