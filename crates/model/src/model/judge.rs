//! What the loss says about many records.

use crate::batch::Labels;
use crate::kernel::vectorized;
use crate::layer::{Pass, together};
use crate::loss::{Judgement, binary_cross_entropy, reconstruction, softmax_cross_entropy, squared_error};
use tfcoord_types::job::Loss;

/// What outputs are held against: the labels from number `first` on, and the features of the same records.
#[derive(Clone, Copy)]
pub(super) struct Truth<'a> {
    pub labels: &'a Labels,
    pub first: usize,
    pub features: &'a [f32],
}

impl<'a> Truth<'a> {
    // The class of a record, if labels are classes.
    fn class(&self, record: usize) -> Option<u32> {
        if let Labels::Classes(classes) = self.labels { Some(classes[self.first + record]) } else { None }
    }

    // The features of a record of so many.
    #[inline(always)]
    fn features(&self, record: usize, width: usize) -> &'a [f32] {
        &self.features[record * width..][..width]
    }
}

/// Judges as many records as `judgements` has room for, and fills in the gradients by the outputs. Gives the sum of their losses, added in f64 in their order, and how many classes were
/// predicted. The labels were checked.
pub(super) fn judge(
    pass: &Pass<'_>,
    loss: Loss,
    outputs: &[f32],
    truth: Truth<'_>,
    gradients: &mut [f32],
    judgements: &mut [Judgement],
) -> (f64, u32) {
    let width = outputs.len() / judgements.len();
    let records = together(width);
    let rows = outputs.chunks(records * width).zip(gradients.chunks_mut(records * width));
    let parts = rows.zip(judgements.chunks_mut(records)).zip((0..).step_by(records));
    pass.threads.each(parts, |(((outputs, gradients), judgements), first)| {
        judge_rows(pass.isa, loss, outputs, (truth, first), gradients, judgements);
    });
    let mut sum = 0.0;
    judgements.iter().for_each(|judgement| sum += judgement.loss);
    let right = |(at, judgement): (usize, &Judgement)| loss.predicts_classes() && truth.class(at) == Some(judgement.prediction);
    (sum, judgements.iter().enumerate().filter(|judged| right(*judged)).count() as u32)
}

vectorized! {
    // The first record is number `truth.1` of those that are judged.
    fn judge_rows(loss: Loss, outputs: &[f32], truth: (Truth<'_>, usize), gradients: &mut [f32], judgements: &mut [Judgement]) {
        let width = outputs.len() / judgements.len();
        let rows = outputs.chunks_exact(width).zip(gradients.chunks_exact_mut(width));
        for (at, (judgement, (row, gradient))) in judgements.iter_mut().zip(rows).enumerate() {
            *judgement = judge_record(loss, row, truth.0, truth.1 + at, gradient);
        }
    }
}

#[inline(always)]
fn judge_record(loss: Loss, outputs: &[f32], truth: Truth<'_>, record: usize, gradient: &mut [f32]) -> Judgement {
    let label = truth.first + record;
    match (loss, truth.labels) {
        (Loss::SoftmaxCrossEntropy, Labels::Classes(classes)) => softmax_cross_entropy(outputs, classes[label] as usize, gradient),
        (Loss::BinaryCrossEntropy, Labels::Classes(classes)) => one(gradient, binary_cross_entropy(outputs[0], classes[label] == 1)),
        (Loss::Mse, Labels::Numbers(numbers)) => one(gradient, squared_error(outputs[0], numbers[label])),
        (Loss::Reconstruction, _) => reconstruction(outputs, truth.features(record, outputs.len()), gradient),
        _ => unreachable!("the labels were checked against the loss"),
    }
}

#[inline(always)]
fn one(gradient: &mut [f32], (judgement, slope): (Judgement, f32)) -> Judgement {
    gradient[0] = slope;
    judgement
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Isa;
    use crate::layer::Mode;
    use crate::parameters::Parameters;
    use crate::threads::{ONE, Threads};
    use proptest::prelude::*;
    use tfcoord_types::draw::Stream;

    type Bits = (u64, u32, Vec<u32>, Vec<Judgement>);

    fn judged(threads: &Threads, isa: Isa, loss: Loss, outputs: &[f32], labels: &Labels, records: usize) -> Bits {
        let features: Vec<f32> = outputs.iter().rev().copied().collect();
        let parameters = Parameters::new(&[]).unwrap();
        let pass = Pass { parameters: &parameters, threads, isa, mode: Mode::Evaluate };
        let (mut gradients, mut judgements) = (vec![f32::NAN; outputs.len()], vec![Judgement::default(); records]);
        let (sum, right) = judge(&pass, loss, outputs, Truth { labels, first: 2, features: &features }, &mut gradients, &mut judgements);
        (sum.to_bits(), right, gradients.iter().map(|g| g.to_bits()).collect(), judgements)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn bits_are_the_same_with_more_threads(records in 1usize..60, width in 1u32..40, kind in 0usize..4, seed: u64) {
            let (loss, width) = [(Loss::SoftmaxCrossEntropy, width), (Loss::BinaryCrossEntropy, 1), (Loss::Mse, 1), (Loss::Reconstruction, width)][kind];
            let mut stream = Stream::new("judge test", &[seed]);
            let outputs: Vec<f32> = (0..records * width as usize).map(|_| 8.0 * stream.unit() - 4.0).collect();
            let labels = match loss {
                Loss::Mse => Labels::Numbers((0..records + 2).map(|_| stream.unit()).collect()),
                Loss::BinaryCrossEntropy => Labels::Classes((0..records + 2).map(|_| stream.word() % 2).collect()),
                Loss::Reconstruction => Labels::None,
                Loss::SoftmaxCrossEntropy => Labels::Classes((0..records + 2).map(|_| stream.word() % width).collect()),
            };
            let one = judged(&ONE, Isa::detect(), loss, &outputs, &labels, records);
            for isa in Isa::all() {
                for count in 1..=4 {
                    let threads = Threads::new(count).unwrap();
                    prop_assert!(judged(&threads, isa, loss, &outputs, &labels, records) == one, "{} threads, {}", count, isa.name());
                }
            }
            let losses = one.3.iter().fold(0.0, |sum, judgement| sum + judgement.loss);
            let right = |(at, judged): (usize, &Judgement)| matches!(&labels, Labels::Classes(all) if all[at + 2] == judged.prediction);
            prop_assert_eq!(one.0, losses.to_bits());
            prop_assert_eq!(one.1 as usize, one.3.iter().enumerate().filter(|judged| right(*judged)).count());
        }
    }
}
