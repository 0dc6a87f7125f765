//! Losses of one record, each with its gradient, and what is predicted.
//!
//! exp is [`crate::math`]'s and log `libm`'s, in f64: the same bits on every host.

use crate::kernel::{Isa, vectorized};
use crate::math;
use crate::sum::{sum, sum_of_squares};

/// What the loss says about a record.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Judgement {
    /// The record's loss.
    pub loss: f64,
    /// The class that is predicted; 0 where the label is a number.
    pub prediction: u32,
}

/// −ln softmax(logits)\[class\], and into `gradient` softmax(logits) − one-hot(class). Predicts the largest logit,
/// the first of equal ones. `class` must be one of the logits' places.
#[inline(always)]
pub fn softmax_cross_entropy(logits: &[f32], class: usize, gradient: &mut [f32]) -> Judgement {
    let (prediction, largest, total) = exponentials(logits, gradient);
    let loss = libm::log(total) + (f64::from(largest) - f64::from(logits[class]));
    divide(gradient, total);
    gradient[class] -= 1.0;
    Judgement { loss, prediction }
}

/// softmax(logits), and the place of the largest.
pub fn softmax(isa: Isa, logits: &[f32]) -> (Vec<f32>, u32) {
    let mut scores = vec![0.0; logits.len()];
    let prediction = softmax_into(isa, logits, &mut scores);
    (scores, prediction)
}

vectorized! {
    fn softmax_into(logits: &[f32], scores: &mut [f32]) -> u32 {
        let (prediction, _, total) = exponentials(logits, scores);
        divide(scores, total);
        prediction
    }
}

// e^(logit - largest) of each, the place of the largest, the largest, the sum.
#[inline(always)]
fn exponentials(logits: &[f32], powers: &mut [f32]) -> (u32, f32, f64) {
    let largest = largest(logits);
    for (power, logit) in powers.iter_mut().zip(logits) {
        *power = math::exp(logit - largest);
    }
    let place = logits.iter().position(|logit| *logit == largest).unwrap_or(0);
    (u32::try_from(place).unwrap_or(u32::MAX), largest, sum(powers))
}

// NaN is no maximum; it reaches the sum of the powers.
#[inline(always)]
fn largest(logits: &[f32]) -> f32 {
    const LANES: usize = 32;
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let (chunks, rest) = logits.as_chunks::<LANES>();
    let mut lanes = [f32::NEG_INFINITY; LANES];
    for chunk in chunks {
        lanes.iter_mut().zip(chunk).for_each(|(lane, value)| *lane = larger(*lane, *value));
    }
    lanes.iter().chain(rest).fold(f32::NEG_INFINITY, |a, b| larger(a, *b))
}

#[inline(always)]
fn divide(values: &mut [f32], by: f64) {
    let factor = (1.0 / by) as f32;
    values.iter_mut().for_each(|value| *value *= factor);
}

/// −ln of the probability that sigmoid(logit) gives to the class: max(z, 0) − z y + ln(1 + e^−|z|); and the
/// gradient sigmoid(logit) − class. Predicts class 1 if the logit is above 0.
pub fn binary_cross_entropy(logit: f32, positive: bool) -> (Judgement, f32) {
    let (z, y) = (f64::from(logit), f64::from(u8::from(positive)));
    // `max` would lose a NaN.
    let above = if z < 0.0 { 0.0 } else { z };
    let loss = above - z * y + libm::log1p(libm::exp(-z.abs()));
    (Judgement { loss, prediction: u32::from(logit > 0.0) }, math::sigmoid(logit) - f32::from(u8::from(positive)))
}

/// (value − label)², and the gradient 2 (value − label).
pub fn squared_error(value: f32, label: f32) -> (Judgement, f32) {
    let difference = f64::from(value) - f64::from(label);
    (Judgement { loss: difference * difference, prediction: 0 }, 2.0 * (value - label))
}

/// The mean of (output − feature)² over all of them, and into `gradient` 2 (output − feature) / their number.
#[inline(always)]
pub fn reconstruction(outputs: &[f32], features: &[f32], gradient: &mut [f32]) -> Judgement {
    let factor = 2.0 / outputs.len() as f32;
    // Differences first, so that one sum serves.
    for (g, (output, feature)) in gradient.iter_mut().zip(outputs.iter().zip(features)) {
        *g = output - feature;
    }
    let loss = sum_of_squares(gradient, 0.0) / outputs.len() as f64;
    gradient.iter_mut().for_each(|g| *g *= factor);
    Judgement { loss, prediction: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STEP: f64 = 1e-6;

    fn slope(function: impl Fn(f64) -> f64) -> f64 {
        (function(STEP) - function(-STEP)) / (2.0 * STEP)
    }

    fn near(value: f64, exact: f64) -> bool {
        (value - exact).abs() <= 1e-4 * exact.abs().max(1e-3)
    }

    proptest! {
        #[test]
        fn softmax_cross_entropy_equals_f64(logits in proptest::collection::vec(-20f32..20.0, 1..12), class: usize) {
            let class = class % logits.len();
            let wide = |at: usize, step: f64| {
                let z = |i: usize| f64::from(logits[i]) + if i == at { step } else { 0.0 };
                (0..logits.len()).map(|i| z(i).exp()).sum::<f64>().ln() - z(class)
            };
            let mut gradient = vec![9.0; logits.len()];
            let judgement = softmax_cross_entropy(&logits, class, &mut gradient);
            prop_assert!((judgement.loss - wide(0, 0.0)).abs() < 1e-5);
            for (at, value) in gradient.iter().enumerate() {
                let exact = slope(|step| wide(at, step));
                prop_assert!(near(f64::from(*value), exact), "{} instead of {}", value, exact);
            }
            prop_assert!(logits.iter().all(|l| *l <= logits[judgement.prediction as usize]));
        }

        #[test]
        fn the_losses_of_one_output_equal_f64(output in -20f32..20.0, label in -5f32..5.0, positive: bool) {
            let z = f64::from(output);
            let y = if positive { 1.0 } else { 0.0 };
            let wide = |step: f64| (1.0 + (-(z + step)).exp()).ln() + (1.0 - y) * (z + step);
            let (judgement, gradient) = binary_cross_entropy(output, positive);
            prop_assert!(near(judgement.loss, wide(0.0)) && near(f64::from(gradient), slope(wide)));
            prop_assert_eq!(judgement.prediction == 1, output > 0.0);
            let wide = |step: f64| (z + step - f64::from(label)).powi(2);
            let (judgement, gradient) = squared_error(output, label);
            prop_assert!(near(judgement.loss, wide(0.0)) && near(f64::from(gradient), slope(wide)));
        }
    }

    proptest! {
        #[test]
        fn reconstruction_equals_f64(pairs in proptest::collection::vec((-2f32..2.0, -2f32..2.0), 1..40)) {
            let (outputs, features): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let wide = |at: usize, step: f64| {
                let square = |i: usize| (f64::from(outputs[i]) + if i == at { step } else { 0.0 } - f64::from(features[i])).powi(2);
                (0..outputs.len()).map(square).sum::<f64>() / outputs.len() as f64
            };
            let mut gradient = vec![9.0; outputs.len()];
            prop_assert!(near(reconstruction(&outputs, &features, &mut gradient).loss, wide(0, 0.0)));
            for (at, value) in gradient.iter().enumerate() {
                prop_assert!(near(f64::from(*value), slope(|step| wide(at, step))));
            }
        }
    }

    #[test]
    fn far_logits_and_what_is_not_finite() {
        let mut gradient = [0.0; 2];
        assert_eq!(softmax_cross_entropy(&[1000.0, -1000.0], 1, &mut gradient).loss, 2000.0);
        assert_eq!(gradient, [1.0, -1.0]);
        assert_eq!(binary_cross_entropy(-1000.0, true).0.loss, 1000.0);
        assert_eq!(binary_cross_entropy(1000.0, true).0.loss, 0.0);
        for logits in [[f32::NAN, 0.0], [0.0, f32::NAN], [f32::INFINITY, 0.0]] {
            assert!(!softmax_cross_entropy(&logits, 0, &mut gradient).loss.is_finite());
        }
        for logit in [f32::NAN, f32::INFINITY] {
            assert!(!binary_cross_entropy(logit, false).0.loss.is_finite());
            assert!(!squared_error(logit, 0.0).0.loss.is_finite());
        }
    }

    #[test]
    fn the_first_of_equal_logits_is_predicted() {
        assert_eq!(softmax(Isa::detect(), &[0.0, 1.0, 1.0]).1, 1);
        assert_eq!(softmax(Isa::detect(), &[0.0, 0.0]), (vec![0.5, 0.5], 0));
    }
}
