//! The optimizers: functions on slices.
//!
//! p: parameters, g: the mean gradient (clipped), t: the step from 1, rate: `learning_rate` times the schedule's
//! factor. L2 decay first: g += weight_decay p.
//!
//! | kind | update | from |
//! |---|---|---|
//! | sgd | p -= rate g | |
//! | momentum | v = momentum v + g; p -= rate v | Polyak 1964 |
//! | momentum, nesterov | v = momentum v + g; p -= rate (g + momentum v) | Sutskever and others 2013 |
//! | adagrad | a += g²; p -= rate g / (√a + epsilon) | Duchi and others 2011 |
//! | rmsprop | a = rho a + (1 - rho) g²; p -= rate g / (√a + epsilon) | Hinton's lecture 6e |
//! | adam | m = β₁ m + (1 - β₁) g; v = β₂ v + (1 - β₂) g²; p -= rate (m / (1 - β₁ᵗ)) / (√(v / (1 - β₂ᵗ)) + epsilon) | Kingma and Ba 2015, algorithm 1 |
//! | adam_w | no L2 term; p -= rate weight_decay p, then as adam | Loshchilov and Hutter 2019 |
//! | add | p += g, where g is the sum | the counting model |
//! | outer | v = momentum v + share d; p += v, where d is what a worker has changed alone | of `local`: Stich 2019 without momentum |
//!
//! What is the same for all elements of a step is computed in f64 and rounded once.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod adagrad;
mod adam;
mod momentum;
mod outer;
mod rmsprop;
pub mod schedule;
mod sgd;
#[cfg(test)]
mod tests;

use std::ops::Range;
use std::sync::Arc;
use tfcoord_types::job::Optimizer;

/// What an optimizer keeps for each element of a chunk; a slot that it does not need is empty.
///
/// Cloning shares it; what is shared is copied when it is changed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Slots {
    first: Arc<Vec<f32>>,
    second: Arc<Vec<f32>>,
}

impl Slots {
    /// The slots of a chunk of `len` elements before its first step.
    pub fn new(optimizer: &Optimizer, len: usize) -> Self {
        let one = |value: f64| Self::from([vec![value as f32; len], Vec::new()]);
        match optimizer {
            Optimizer::Sgd { .. } | Optimizer::Add {} => Self::default(),
            Optimizer::Momentum { .. } | Optimizer::Rmsprop { .. } => one(0.0),
            Optimizer::Adagrad { initial_accumulator, .. } => one(*initial_accumulator),
            Optimizer::Adam { .. } | Optimizer::AdamW { .. } => Self::from([vec![0.0; len], vec![0.0; len]]),
        }
    }

    /// The slots of a chunk of `len` elements to which changes are added, with `momentum`.
    pub fn outer(momentum: f64, len: usize) -> Self {
        if momentum > 0.0 { Self::from([vec![0.0; len], Vec::new()]) } else { Self::default() }
    }

    /// How many numbers they have for each element.
    pub fn count(optimizer: &Optimizer) -> u64 {
        let Self { first, second } = Self::new(optimizer, 1);
        (first.len() + second.len()) as u64
    }

    // The part of both that belongs to these elements.
    fn part(&mut self, elements: Range<usize>) -> (&mut [f32], &mut [f32]) {
        let part = |slot: &[f32]| if slot.is_empty() { 0..0 } else { elements.clone() };
        let (first, second) = (part(&self.first), part(&self.second));
        (&mut Arc::make_mut(&mut self.first)[first], &mut Arc::make_mut(&mut self.second)[second])
    }

    /// The numbers of both slots, one for each element; none where the optimizer has no use for it.
    pub fn numbers(&self) -> [&[f32]; 2] {
        [&self.first, &self.second]
    }
}

impl From<[Vec<f32>; 2]> for Slots {
    fn from([first, second]: [Vec<f32>; 2]) -> Self {
        Self { first: Arc::new(first), second: Arc::new(second) }
    }
}

/// An optimizer at one step.
#[derive(Debug)]
pub struct Kernel(Kind);

#[derive(Debug)]
enum Kind {
    Sgd(sgd::Sgd),
    Momentum(momentum::Momentum),
    Adagrad(adagrad::Adagrad),
    Rmsprop(rmsprop::Rmsprop),
    Adam(adam::Adam),
    Outer(outer::Outer),
}

impl Kernel {
    /// `optimizer` at `step` (from 0), where the schedule has this `factor`. `None` for `add`, which is no
    /// function of a mean.
    pub fn new(optimizer: &Optimizer, step: u64, factor: f64) -> Option<Self> {
        Some(Self(match *optimizer {
            Optimizer::Sgd { learning_rate, weight_decay } => Kind::Sgd(sgd::Sgd::new(learning_rate * factor, weight_decay)),
            Optimizer::Momentum { learning_rate, momentum, nesterov, weight_decay } => {
                Kind::Momentum(momentum::Momentum::new(learning_rate * factor, momentum, nesterov, weight_decay))
            }
            Optimizer::Adagrad { learning_rate, epsilon, weight_decay, .. } => {
                Kind::Adagrad(adagrad::Adagrad::new(learning_rate * factor, epsilon, weight_decay))
            }
            Optimizer::Rmsprop { learning_rate, rho, epsilon, weight_decay } => {
                Kind::Rmsprop(rmsprop::Rmsprop::new(learning_rate * factor, rho, epsilon, weight_decay))
            }
            Optimizer::Adam { learning_rate, beta_1, beta_2, epsilon, weight_decay } => {
                Kind::Adam(adam::Adam::new(learning_rate * factor, [beta_1, beta_2], epsilon, step).l2(weight_decay))
            }
            Optimizer::AdamW { learning_rate, beta_1, beta_2, epsilon, weight_decay } => {
                Kind::Adam(adam::Adam::new(learning_rate * factor, [beta_1, beta_2], epsilon, step).decoupled(weight_decay))
            }
            Optimizer::Add {} => return None,
        }))
    }

    /// Adds this share of a change, and `momentum` times what was added before, where a first slot is for it.
    pub fn outer(share: f64, momentum: f64) -> Self {
        Self(Kind::Outer(outer::Outer::new(share, momentum)))
    }

    /// Updates `p` by the mean gradient `g`; `elements` tells where they lie in the chunk whose slots are given. With the
    /// vector instructions of this processor: none of the operations is fused, so the bits are those of plain code.
    pub fn run(&self, p: &mut [f32], g: &[f32], slots: &mut Slots, elements: Range<usize>) {
        pulp::Arch::new().dispatch(Run { kernel: self, p, g, slots: slots.part(elements) });
    }
}

/// Sums become the means of so many records, times `scale`. By a power of two, multiplying gives the same bits as dividing,
/// and sooner. Two roundings, also where the scale is 1: the mean is what is measured for clipping.
pub fn mean(sums: &mut [f32], records: f32, scale: f32) {
    pulp::Arch::new().dispatch(Mean { sums, records, scale });
}

struct Mean<'a> {
    sums: &'a mut [f32],
    records: f32,
    scale: f32,
}

impl pulp::WithSimd for Mean<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self { sums, records, scale } = self;
        // A power of two has no digits behind its first one; its reciprocal is exact.
        if records.to_bits() << 9 == 0 && records.recip().is_normal() {
            let share = records.recip();
            sums.iter_mut().for_each(|sum| *sum = *sum * share * scale);
        } else {
            sums.iter_mut().for_each(|sum| *sum = *sum / records * scale);
        }
    }
}

struct Run<'a> {
    kernel: &'a Kernel,
    p: &'a mut [f32],
    g: &'a [f32],
    slots: (&'a mut [f32], &'a mut [f32]),
}

impl pulp::WithSimd for Run<'_> {
    type Output = ();

    // The loops become vectors of what the caller was compiled for.
    #[inline(always)]
    fn with_simd<S: pulp::Simd>(self, _: S) {
        let Self { kernel, p, g, slots: (first, second) } = self;
        match &kernel.0 {
            Kind::Sgd(sgd) => sgd.run(p, g),
            Kind::Momentum(momentum) => momentum.run(p, g, first),
            Kind::Adagrad(adagrad) => adagrad.run(p, g, first),
            Kind::Rmsprop(rmsprop) => rmsprop.run(p, g, first),
            Kind::Adam(adam) => adam.run(p, g, first, second),
            Kind::Outer(outer) => outer.run(p, g, first),
        }
    }
}
