//! Numbers and times.

use crate::job::Plan;

/// With commas: `203,530`.
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let comma = |(index, digit): (usize, char)| {
        let before = (index > 0 && (digits.len() - index).is_multiple_of(3)).then_some(',');
        before.into_iter().chain([digit])
    };
    digits.chars().enumerate().flat_map(comma).collect()
}

/// With its unit: `1 worker`, `2 workers`.
pub fn counted(n: impl Into<u64>, unit: &str) -> String {
    let n = n.into();
    format!("{} {unit}{}", count(n), if n == 1 { "" } else { "s" })
}

/// Memory, rounded up: `21 MB`, of 2^20 bytes.
pub fn megabytes(bytes: u64) -> String {
    format!("{} MB", count(bytes.div_ceil(1 << 20)))
}

/// A loss, a share, an area: four places.
pub fn share(x: f64) -> String {
    format!("{x:.4}")
}

/// A rate, rounded to a whole number.
pub fn rate(x: f64) -> String {
    let whole = if x.is_finite() { x.round().clamp(0.0, 1e15) } else { 0.0 };
    // In range: clamped above.
    count(whole as u64)
}

/// How far: `24 %`, rounded down.
pub fn percent(part: u64, whole: u64) -> String {
    let share = u128::from(part.min(whole)) * 100 / u128::from(whole.max(1));
    format!("{share} %")
}

/// For a clock that runs down: `0:12`, `1:02:03`.
pub fn clock(seconds: f64) -> String {
    let s = if seconds.is_finite() { seconds.ceil().clamp(0.0, 1e9) as u64 } else { return "?".into() };
    let (hours, minutes, s) = (s / 3600, s / 60 % 60, s % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{s:02}") } else { format!("{minutes}:{s:02}") }
}

/// How long: `0.4 s`, `42 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`.
pub fn duration(ms: u64) -> String {
    let s = ms / 1000;
    match s {
        0..10 => format!("{}.{} s", s, ms % 1000 / 100),
        10..60 => format!("{s} s"),
        60..3600 => format!("{} min {} s", s / 60, s % 60),
        3600..86_400 => format!("{} h {} min", s / 3600, s / 60 % 60),
        _ => format!("{} d {} h", s / 86_400, s / 3600 % 24),
    }
}

/// `epoch 3/10`; the epoch of the last step done.
pub fn epoch(epoch: u64, plan: &Plan) -> String {
    format!("epoch {epoch}/{}", plan.epochs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_commas() {
        let table = [(0, "0"), (999, "999"), (1000, "1,000"), (203_530, "203,530"), (1_000_000, "1,000,000")];
        for (n, text) in table {
            assert_eq!(count(n), text);
        }
        assert_eq!((counted(1u32, "worker"), counted(0u32, "worker")), ("1 worker".into(), "0 workers".into()));
    }

    #[test]
    fn durations_have_at_most_two_units() {
        let table = [
            (400, "0.4 s"),
            (9_999, "9.9 s"),
            (42_000, "42 s"),
            (185_000, "3 min 5 s"),
            (7_800_000, "2 h 10 min"),
            (273_600_000, "3 d 4 h"),
        ];
        for (ms, text) in table {
            assert_eq!(duration(ms), text);
        }
    }

    #[test]
    fn clocks_run_down() {
        for (seconds, text) in [(0.0, "0:00"), (11.2, "0:12"), (3723.0, "1:02:03"), (f64::INFINITY, "?"), (-3.0, "0:00")] {
            assert_eq!(clock(seconds), text);
        }
    }

    #[test]
    fn rates_and_percents_take_anything() {
        assert_eq!((rate(12_345.6), rate(f64::NAN), rate(-1.0)), ("12,346".into(), "0".into(), "0".into()));
        assert_eq!((percent(150, 630), percent(5, 0), percent(u64::MAX, u64::MAX)), ("23 %".into(), "0 %".into(), "100 %".into()));
    }
}
