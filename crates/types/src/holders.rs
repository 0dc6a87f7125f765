//! Which hosts hold the training records, as far as their file system tells: where work on them is near its data.
//!
//! The records are cut into runs of equal length, and of each run it is known how many of its bytes each host holds. That is
//! coarse, and small enough for the coordinator's log. It decides who computes what, and never a bit of what is computed.

use crate::order::Span;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::ops::Range;

/// The most runs.
pub const RUNS_MAX: u64 = 512;
/// The most hosts that are named: those that hold most.
pub const HOSTS_MAX: usize = 1024;
/// The most hosts that are known of a run.
pub const RUN_HOSTS_MAX: usize = 16;
/// The longest name of a host, in bytes (RFC 1035, 2.3.4).
pub const HOST_BYTES_MAX: usize = 255;

/// Which hosts hold the training records that are not on the machine that reads them. Without runs: that could not be told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holders {
    /// Their names.
    pub hosts: Vec<String>,
    /// The training records, cut evenly: in their order, whatever the order of an epoch.
    pub runs: Vec<Run>,
}

/// A run of records.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its bytes, each counted once.
    pub bytes: u64,
    /// Places among the hosts, and how many of the bytes that host holds.
    pub held: Vec<(u32, u64)>,
}

/// Bytes of some records.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Weight {
    /// Each counted once.
    pub bytes: u64,
    /// How many of them each host holds, in the order of the hosts.
    pub held: Vec<u64>,
}

/// Run `number` of `runs` that so many records are cut into.
pub fn run(records: u64, runs: u64, number: u64) -> Range<u64> {
    let at = |number: u64| scaled(records, number, runs);
    at(number)..at(number + 1)
}

/// `number` times `part` of `whole`, rounded down; 0 of nothing.
pub fn scaled(number: u64, part: u64, whole: u64) -> u64 {
    let exact = (u128::from(number) * u128::from(part)).checked_div(whole.into()).unwrap_or(0);
    u64::try_from(exact).unwrap_or(u64::MAX)
}

/// Whether two names are those of one host: a short one is the first part of the full one.
pub fn is_same_host(one: &str, other: &str) -> bool {
    let first = |name: &str| name.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let is_address = |name: &str| name.parse::<IpAddr>().is_ok();
    let one_is_short = one.contains('.') != other.contains('.') && !is_address(one) && !is_address(other);
    one.eq_ignore_ascii_case(other) || (one_is_short && first(one) == first(other))
}

impl Holders {
    /// Where `host` is among the hosts, which may call it by several names.
    pub fn places(&self, host: &str) -> Vec<usize> {
        let is_it = |(place, name): (usize, &String)| is_same_host(name, host).then_some(place);
        self.hosts.iter().enumerate().filter_map(is_it).collect()
    }

    /// The bytes of `spans` of so many records, each run's spread evenly over its records.
    pub fn weigh(&self, records: u64, spans: impl IntoIterator<Item = Span>) -> Weight {
        let mut weight = Weight { bytes: 0, held: vec![0; self.hosts.len()] };
        let runs = self.runs.len() as u64;
        for Span { records: of, taken } in spans {
            let length = of.end.saturating_sub(of.start);
            let first = scaled(of.start, runs, records).saturating_sub(1);
            for (number, one) in (first..).zip(self.runs.iter().skip(usize::try_from(first).unwrap_or(usize::MAX))) {
                let place = run(records, runs, number);
                if place.start >= of.end {
                    break;
                }
                let common = place.end.min(of.end).saturating_sub(place.start.max(of.start));
                let part = |bytes: u64| scaled(scaled(bytes, common, place.end - place.start), taken, length);
                weight.bytes = weight.bytes.saturating_add(part(one.bytes));
                for (host, bytes) in &one.held {
                    if let Some(held) = weight.held.get_mut(*host as usize) {
                        *held = held.saturating_add(part(*bytes));
                    }
                }
            }
        }
        weight
    }
}

impl Weight {
    /// What the host at these places holds of it.
    pub fn at(&self, places: &[usize]) -> u64 {
        let held = places.iter().filter_map(|place| self.held.get(*place)).fold(0u64, |sum, held| sum.saturating_add(*held));
        held.min(self.bytes)
    }

    /// Adds another one of the same hosts.
    pub fn add(&mut self, other: &Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.held.resize(self.held.len().max(other.held.len()), 0);
        self.held.iter_mut().zip(&other.held).for_each(|(sum, held)| *sum = sum.saturating_add(*held));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn holders() -> Holders {
        let run = |host| Run { bytes: 100, held: vec![(host, 100), (2, 50)] };
        Holders { hosts: ["a", "b.example.org", "c"].map(str::to_owned).into(), runs: vec![run(0), run(0), run(1), run(1)] }
    }

    fn span(records: Range<u64>, taken: u64) -> Span {
        Span { records, taken }
    }

    #[test]
    fn spans_weigh_as_much_as_they_take() {
        let weigh = |spans: Vec<Span>| {
            let weight = holders().weigh(40, spans);
            (weight.bytes, weight.held)
        };
        assert_eq!(weigh(vec![span(0..40, 40)]), (400, vec![200, 200, 200]));
        assert_eq!(weigh(vec![span(0..10, 10)]), (100, vec![100, 0, 50]));
        assert_eq!(weigh(vec![span(15..25, 10)]), (100, vec![50, 50, 50]));
        assert_eq!(weigh(vec![span(0..40, 10)]), (100, vec![50, 50, 48]), "anywhere, in whole bytes of each run");
        assert_eq!(weigh(vec![span(90..99, 9), span(0..0, 0)]), (0, vec![0, 0, 0]));
        let none = Holders::default().weigh(40, vec![span(0..40, 40)]);
        assert_eq!((none.bytes, none.at(&[0])), (0, 0));
    }

    #[test]
    fn short_and_full_names_are_one_host() {
        for (one, other, same) in [
            ("a", "A", true),
            ("b", "B.example.org", true),
            ("b.example.org", "b.example.com", false),
            ("10.0.0.5", "10", false),
            ("10.0.0.5", "10.0.0.6", false),
            ("", "x", false),
        ] {
            assert_eq!(is_same_host(one, other), same, "{one} {other}");
        }
        assert_eq!((holders().places("b"), holders().places("d")), (vec![1], vec![]));
    }

    proptest! {
        #[test]
        fn runs_cut_the_records(records in 0u64..5000, runs in 1u64..600) {
            let mut next = 0;
            for number in 0..runs {
                let range = run(records, runs, number);
                prop_assert_eq!(range.start, next);
                next = range.end;
            }
            prop_assert_eq!(next, records);
        }

        #[test]
        fn what_a_stranger_wrote_weighs_something(
            held in proptest::collection::vec((any::<u32>(), any::<u64>()), 0..4),
            bytes: u64,
            runs in 0usize..5,
            records in 0u64..9,
            of in 0u64..9,
            taken: u64,
        ) {
            let holders = Holders { hosts: vec!["a".into()], runs: vec![Run { bytes, held }; runs] };
            let weight = holders.weigh(records, [span(0..of, taken)]);
            prop_assert!(weight.at(&[0, 7]) <= weight.bytes);
        }
    }
}
