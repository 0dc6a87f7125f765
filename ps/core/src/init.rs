//! A variable's first values: a pure function of (seed, name, initializer, element), so that chunks may be cut
//! anywhere.

use std::ops::Range;
use tfcoord_types::draw::{Stream, text_key};
use tfcoord_types::variable::{Initializer, Variable};

/// Fills `to` with the first values of these `elements` of `variable`; as many as `to` holds.
///
/// Uniform: element i is drawn from word i of the variable's stream. Normal: elements 2k and 2k + 1 are the
/// Box-Muller pair of words 2k and 2k + 1, in f64.
pub fn fill(seed: u64, variable: &Variable, elements: Range<u64>, to: &mut [f32]) {
    let mut stream = Stream::new("init", &[seed, text_key(&variable.name)]);
    match variable.initializer {
        Initializer::Zeros => to.fill(0.0),
        Initializer::Ones => to.fill(1.0),
        Initializer::Uniform { limit } => {
            stream.seek(elements.start);
            to.iter_mut().for_each(|value| *value = (stream.unit() * 2.0 - 1.0) * limit);
        }
        Initializer::Normal { deviation } => {
            // From the beginning of a pair, wherever the chunk begins.
            stream.seek(elements.start & !1);
            let mut pair = [0.0; 2];
            for (element, value) in elements.clone().zip(to) {
                if element % 2 == 0 || element == elements.start {
                    pair = normal_pair(&mut stream);
                }
                *value = (pair[usize::from(element % 2 == 1)] * f64::from(deviation)) as f32;
            }
        }
    }
}

// Box and Muller 1958.
fn normal_pair(stream: &mut Stream) -> [f64; 2] {
    const WORDS: f64 = 4_294_967_296.0;
    // Above 0, for the logarithm.
    let radius = libm::sqrt(-2.0 * libm::log((f64::from(stream.word()) + 1.0) / WORDS));
    let angle = std::f64::consts::TAU * (f64::from(stream.word()) / WORDS);
    [radius * libm::cos(angle), radius * libm::sin(angle)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tfcoord_types::variable::Group;

    fn variable(name: &str, initializer: Initializer) -> Variable {
        Variable { name: name.into(), shape: vec![20_000], initializer, group: Group::Train, sync: None }
    }

    fn all(variable: &Variable) -> Vec<f32> {
        let mut values = vec![9.0; 20_000];
        fill(7, variable, 0..20_000, &mut values);
        values
    }

    fn moments(values: &[f32]) -> (f64, f64) {
        let mean = |f: &dyn Fn(f64) -> f64| values.iter().map(|v| f(f64::from(*v))).sum::<f64>() / values.len() as f64;
        let first = mean(&|v| v);
        (first, mean(&|v| (v - first).powi(2)))
    }

    #[test]
    fn the_distributions_are_what_they_say() {
        let uniform = all(&variable("u", Initializer::Uniform { limit: 0.5 }));
        assert!(uniform.iter().all(|v| (-0.5..0.5).contains(v)));
        let (mean, variance) = moments(&uniform);
        assert!(mean.abs() < 0.01 && (variance - 1.0 / 12.0).abs() < 0.003, "{mean} {variance}");

        let normal = all(&variable("n", Initializer::Normal { deviation: 2.0 }));
        let (mean, variance) = moments(&normal);
        assert!(mean.abs() < 0.05 && (variance - 4.0).abs() < 0.15, "{mean} {variance}");
        let within = normal.iter().filter(|v| v.abs() < 2.0).count();
        assert!((13_350..13_960).contains(&within), "{within} of 20,000 within one deviation");

        assert_eq!(all(&variable("o", Initializer::Ones))[..2], [1.0, 1.0]);
        assert_ne!(normal, all(&variable("m", Initializer::Normal { deviation: 2.0 })), "the name tells streams apart");
    }

    proptest! {
        #[test]
        fn any_cut_gives_the_same_values(at in 0usize..20_000, len in 0usize..300, normal: bool) {
            let v = variable("v", if normal { Initializer::Normal { deviation: 1.0 } } else { Initializer::Uniform { limit: 1.0 } });
            let end = (at + len).min(20_000);
            let mut part = vec![9.0; end - at];
            fill(7, &v, at as u64..end as u64, &mut part);
            prop_assert_eq!(&part[..], &all(&v)[at..end]);
        }
    }
}
