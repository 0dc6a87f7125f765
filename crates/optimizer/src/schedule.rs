//! The learning rate's factor by step.

use tfcoord_types::job::{Schedule, Train};

/// What the learning rate of `train` is multiplied by at `step` (from 0) of a training of `steps`. In a warm-up
/// of w steps it is (step + 1) / w; the schedule counts from its end.
pub fn factor(train: &Train, step: u64, steps: u64) -> f64 {
    if step < train.warm_up_steps {
        return (step + 1) as f64 / train.warm_up_steps as f64;
    }
    let step = step - train.warm_up_steps;
    match train.schedule {
        Schedule::Constant => 1.0,
        Schedule::Step { every_steps, factor } => libm::pow(factor, (step / every_steps.max(1)) as f64),
        Schedule::Cosine { steps: length, floor } => {
            let length = length.unwrap_or_else(|| steps.saturating_sub(train.warm_up_steps)).max(1);
            let share = step.min(length) as f64 / length as f64;
            floor + (1.0 - floor) * 0.5 * (1.0 + libm::cos(std::f64::consts::PI * share))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn train(text: &str) -> Train {
        serde_json::from_str(&format!(r#"{{"batch_size": 1, "epochs": 1, "optimizer": {{"add": {{}}}}, {text}}}"#)).unwrap()
    }

    #[track_caller]
    fn check(text: &str, expected: &[(u64, f64)]) {
        for (step, expected) in expected {
            let factor = factor(&train(text), *step, 110);
            assert!((factor - expected).abs() < 1e-12, "{text} at {step}: {factor}, not {expected}");
        }
    }

    #[test]
    fn factors_by_step() {
        check(r#""schedule": "constant""#, &[(0, 1.0), (1000, 1.0)]);
        check(r#""schedule": {"step": {"every_steps": 10, "factor": 0.5}}"#, &[(0, 1.0), (9, 1.0), (10, 0.5), (29, 0.25)]);
        check(r#""schedule": {"cosine": {"steps": 100, "floor": 0.2}}"#, &[(0, 1.0), (50, 0.6), (100, 0.2), (500, 0.2)]);
    }

    #[test]
    fn the_schedule_begins_after_the_warm_up() {
        check(r#""warm_up_steps": 10, "schedule": {"cosine": {}}"#, &[(0, 0.1), (4, 0.5), (9, 1.0), (10, 1.0), (60, 0.5), (110, 0.0)]);
    }
}
