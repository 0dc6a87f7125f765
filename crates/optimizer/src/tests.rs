//! Each optimizer against a reference of its own in f64, written from the papers' formulas.

use super::{Kernel, Slots, mean};
use tfcoord_types::draw::Stream;
use tfcoord_types::job::Optimizer;

const LEN: usize = 1000;

#[derive(Clone, Default)]
struct Reference {
    m: f64,
    v: f64,
}

impl Reference {
    fn new(optimizer: &Optimizer) -> Self {
        let v = if let Optimizer::Adagrad { initial_accumulator, .. } = optimizer { *initial_accumulator } else { 0.0 };
        Self { m: 0.0, v }
    }

    // The new parameter, from the old one and the mean gradient at step t, from 1.
    fn step(&mut self, optimizer: &Optimizer, factor: f64, t: i32, p: f64, g: f64) -> f64 {
        match *optimizer {
            Optimizer::Sgd { learning_rate, weight_decay } => p - learning_rate * factor * (g + weight_decay * p),
            Optimizer::Momentum { learning_rate, momentum, nesterov, weight_decay } => {
                let g = g + weight_decay * p;
                self.m = momentum * self.m + g;
                p - learning_rate * factor * if nesterov { g + momentum * self.m } else { self.m }
            }
            Optimizer::Adagrad { learning_rate, epsilon, weight_decay, .. } => {
                let g = g + weight_decay * p;
                self.v += g.powi(2);
                p - learning_rate * factor * g / (self.v.sqrt() + epsilon)
            }
            Optimizer::Rmsprop { learning_rate, rho, epsilon, weight_decay } => {
                let g = g + weight_decay * p;
                self.v = rho * self.v + (1.0 - rho) * g.powi(2);
                p - learning_rate * factor * g / (self.v.sqrt() + epsilon)
            }
            Optimizer::Adam { learning_rate, beta_1, beta_2, epsilon, weight_decay } => {
                p - learning_rate * factor * self.direction(g + weight_decay * p, [beta_1, beta_2], epsilon, t)
            }
            Optimizer::AdamW { learning_rate, beta_1, beta_2, epsilon, weight_decay } => {
                p - learning_rate * factor * (self.direction(g, [beta_1, beta_2], epsilon, t) + weight_decay * p)
            }
            Optimizer::Add {} => p + g,
        }
    }

    fn direction(&mut self, g: f64, [beta_1, beta_2]: [f64; 2], epsilon: f64, t: i32) -> f64 {
        self.m = beta_1 * self.m + (1.0 - beta_1) * g;
        self.v = beta_2 * self.v + (1.0 - beta_2) * g * g;
        self.m / (1.0 - beta_1.powi(t)) / ((self.v / (1.0 - beta_2.powi(t))).sqrt() + epsilon)
    }
}

fn optimizers() -> Vec<Optimizer> {
    [
        r#"{"sgd": {"learning_rate": 0.1}}"#,
        r#"{"sgd": {"learning_rate": 0.03, "weight_decay": 0.01}}"#,
        r#"{"momentum": {"learning_rate": 0.01, "weight_decay": 0.001}}"#,
        r#"{"momentum": {"learning_rate": 0.01, "momentum": 0.95, "nesterov": true}}"#,
        r#"{"adagrad": {"learning_rate": 0.05, "initial_accumulator": 0.1, "weight_decay": 0.01}}"#,
        r#"{"adagrad": {"learning_rate": 0.05}}"#,
        r#"{"rmsprop": {"learning_rate": 0.001, "weight_decay": 0.01}}"#,
        r#"{"adam": {"learning_rate": 0.001}}"#,
        r#"{"adam": {"learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-8, "weight_decay": 0.01}}"#,
        r#"{"adam_w": {"learning_rate": 0.003, "weight_decay": 0.1}}"#,
    ]
    .map(|text| serde_json::from_str(text).unwrap())
    .into()
}

fn values(key: u64) -> Vec<f32> {
    let mut draw = Stream::new("test", &[key]);
    (0..LEN).map(|_| (draw.unit() - 0.5) * 4.0).collect()
}

// In units of the last place of the larger one.
fn ulps(value: f32, reference: f64) -> f64 {
    let nearest = reference.abs() as f32;
    let unit = f64::from(nearest.max(f32::MIN_POSITIVE).next_up()) - f64::from(nearest.max(f32::MIN_POSITIVE));
    (f64::from(value) - reference).abs() / unit
}

#[test]
fn one_step_is_within_4_ulp_of_the_reference() {
    for optimizer in optimizers() {
        for zero in [false, true] {
            let (mut p, g) = (if zero { vec![0.0; LEN] } else { values(1) }, values(2));
            let old = p.clone();
            let mut slots = Slots::new(&optimizer, LEN);
            Kernel::new(&optimizer, 0, 0.75).unwrap().run(&mut p, &g, &mut slots, 0..LEN);
            for i in 0..LEN {
                let expected = Reference::new(&optimizer).step(&optimizer, 0.75, 1, f64::from(old[i]), f64::from(g[i]));
                // Where the step nearly cancels the parameter, the last place that counts is the operand's.
                let error = ulps(p[i], expected).min((f64::from(p[i]) - expected).abs() / f64::from(old[i].abs().next_up() - old[i].abs()));
                assert!(error <= 4.0, "{optimizer:?}: {} is {error} ulp from {expected}", p[i]);
            }
        }
    }
}

#[test]
fn a_hundred_steps_are_within_a_ten_thousandth_of_the_reference() {
    for optimizer in optimizers() {
        let mut p = values(1);
        let mut slots = Slots::new(&optimizer, LEN);
        let mut expected: Vec<f64> = p.iter().map(|p| f64::from(*p)).collect();
        let mut references = vec![Reference::new(&optimizer); LEN];
        for t in 1..=100u16 {
            let g = values(u64::from(t) + 10);
            let factor = 1.0 / f64::from(t);
            let kernel = Kernel::new(&optimizer, u64::from(t) - 1, factor).unwrap();
            // Pieces of any size give what the whole gives.
            let (low, high) = p.split_at_mut(300);
            kernel.run(low, &g[..300], &mut slots, 0..300);
            kernel.run(high, &g[300..], &mut slots, 300..LEN);
            for i in 0..LEN {
                expected[i] = references[i].step(&optimizer, factor, i32::from(t), expected[i], f64::from(g[i]));
            }
        }
        let largest = expected.iter().fold(0.0f64, |a, b| a.max(b.abs()));
        let error = p.iter().zip(&expected).fold(0.0f64, |a, (p, e)| a.max((f64::from(*p) - e).abs()));
        assert!(error <= 1e-4 * largest, "{optimizer:?}: {error} of {largest}");
    }
}

#[test]
fn vectors_give_the_bits_of_plain_code() {
    for optimizer in optimizers() {
        let kernel = Kernel::new(&optimizer, 2, 0.5).unwrap();
        let start = || (values(1), Slots::new(&optimizer, LEN));
        let (mut whole, mut slots) = start();
        kernel.run(&mut whole, &values(2), &mut slots, 0..LEN);
        // One element at a time there are no vectors.
        let (mut single, mut slots) = start();
        for (i, g) in values(2).iter().enumerate() {
            kernel.run(&mut single[i..=i], &[*g], &mut slots, i..i + 1);
        }
        assert!(whole.iter().map(|p| p.to_bits()).eq(single.iter().map(|p| p.to_bits())), "{optimizer:?}");
    }
}

#[test]
fn a_mean_is_the_sum_divided() {
    let sums: Vec<f32> =
        (0..1000u32).map(|n| f32::from_bits(n.wrapping_mul(4_294_967)) + f32::from_bits(n)).filter(|x| x.is_finite()).collect();
    for records in [1.0, 2.0, 3.0, 64.0, 100.0, 128.0, 8_388_608.0, 1e30, f32::MAX] {
        for scale in [1.0, 0.3] {
            let mut means = sums.clone();
            mean(&mut means, records, scale);
            let divided = sums.iter().map(|sum| (sum / records * scale).to_bits());
            assert!(means.iter().map(|mean| mean.to_bits()).eq(divided), "{records}, {scale}");
        }
    }
}
