//! `submit --chaos`: what is to happen to the processes of a job, and when. Pure; [`striker`] does it.

mod striker;

pub use striker::{Striker, Struck};

use std::str::FromStr;
use std::time::Duration;
use tfcoord_types::draw::Stream;

/// The shortest time between two strikes of one kind.
const EVERY_MIN: Duration = Duration::from_millis(100);
/// The same for a coordinator: each life of it is long enough to read its log and hear of all tasks, or no job would get on.
const COORDINATOR_EVERY_MIN: Duration = Duration::from_secs(1);

/// What is to happen: `kill=worker/10s,stop=any/20s,seed=7,for=60s`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chaos {
    faults: Vec<Fault>,
    seed: u64,
    lasts: Option<Duration>,
}

/// One kind of strike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    what: What,
    whom: Whom,
    every: Duration,
}

/// What happens to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// SIGKILL.
    Kill,
    /// SIGSTOP, and SIGCONT after one and a half leases.
    Stop,
}

/// To which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whom {
    /// A worker.
    Worker,
    /// A parameter server.
    ParameterServer,
    /// The coordinator.
    Coordinator,
    /// One of all these.
    Any,
}

/// When a strike is due, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Strike {
    /// After the job was submitted.
    pub at: Duration,
    /// What happens.
    pub what: What,
    /// To whom.
    pub whom: Whom,
    /// Which of those that are there: this number modulo how many there are.
    pub choice: u64,
}

impl Chaos {
    /// All strikes, in the order of their times: a pure function of the seed. The time from one to the next of a kind is
    /// drawn from half of what was said up to half as much again.
    pub fn strikes(&self) -> impl Iterator<Item = Strike> + use<> {
        let mut next: Vec<(Stream, Strike, Duration)> = (0u64..).zip(&self.faults).map(|(index, fault)| self.first(index, fault)).collect();
        let lasts = self.lasts;
        std::iter::from_fn(move || {
            let (stream, strike, every) = next.iter_mut().min_by_key(|(_, strike, _)| strike.at)?;
            let now = *strike;
            draw(stream, strike, *every);
            Some(now)
        })
        .take_while(move |strike| lasts.is_none_or(|lasts| strike.at <= lasts))
    }

    fn first(&self, index: u64, fault: &Fault) -> (Stream, Strike, Duration) {
        let mut stream = Stream::new("chaos", &[self.seed, index]);
        let mut strike = Strike { at: Duration::ZERO, what: fault.what, whom: fault.whom, choice: 0 };
        draw(&mut stream, &mut strike, fault.every);
        (stream, strike, fault.every)
    }
}

fn draw(stream: &mut Stream, strike: &mut Strike, every: Duration) {
    strike.at += every.mul_f32(0.5 + stream.unit());
    strike.choice = stream.below(u64::from(u32::MAX));
}

impl FromStr for Chaos {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut chaos = Self { faults: Vec::new(), seed: 0, lasts: None };
        for part in text.split(',').map(str::trim) {
            let wrong = || format!("{part:?} is none of kill=ROLE/TIME, stop=ROLE/TIME, seed=NUMBER, for=TIME");
            match part.split_once('=').ok_or_else(wrong)? {
                ("kill", fault) => chaos.faults.push(Fault::parse(What::Kill, fault)?),
                ("stop", fault) => chaos.faults.push(Fault::parse(What::Stop, fault)?),
                ("seed", seed) => chaos.seed = seed.parse().map_err(|_| format!("seed={seed}: expected a whole number from 0"))?,
                ("for", time) => chaos.lasts = Some(duration(time)?),
                _ => return Err(wrong()),
            }
        }
        if chaos.faults.is_empty() {
            return Err("nothing would happen: say kill=ROLE/TIME or stop=ROLE/TIME, such as kill=worker/10s".to_owned());
        }
        Ok(chaos)
    }
}

impl Fault {
    fn parse(what: What, text: &str) -> Result<Self, String> {
        let (whom, every) = text.split_once('/').ok_or_else(|| format!("{text:?}: expected ROLE/TIME, such as worker/10s"))?;
        let whom = match whom {
            "worker" => Whom::Worker,
            "ps" => Whom::ParameterServer,
            "coordinator" => Whom::Coordinator,
            "any" => Whom::Any,
            _ => return Err(format!("{whom:?} is no role: expected worker, ps, coordinator or any")),
        };
        let every = duration(every)?;
        if whom == Whom::Coordinator && every < COORDINATOR_EVERY_MIN {
            let least = COORDINATOR_EVERY_MIN.as_millis();
            return Err(format!(
                "{text}: expected at least {least} ms: one that is gone sooner has not got to its jobs, and none would end"
            ));
        }
        if every < EVERY_MIN {
            return Err(format!("{text}: expected at least {} ms", EVERY_MIN.as_millis()));
        }
        Ok(Self { what, whom, every })
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time: expected such as 10s, 500ms or 2m");
    let unit = text.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at(unit);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "ms" => number / 1000.0,
        "s" => number,
        "m" => number * 60.0,
        _ => return Err(wrong()),
    };
    // A year is enough, and no sum of them overflows.
    Duration::try_from_secs_f64(seconds).ok().filter(|time| *time <= Duration::from_secs(31_536_000)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn strikes(text: &str, count: usize) -> Vec<Strike> {
        text.parse::<Chaos>().unwrap().strikes().take(count).collect()
    }

    #[test]
    fn a_plan_says_what_to_whom_and_how_often() {
        let chaos: Chaos = "kill=worker/10s,stop=any/500ms, seed=7,for=2m".parse().unwrap();
        let kill = Fault { what: What::Kill, whom: Whom::Worker, every: Duration::from_secs(10) };
        let stop = Fault { what: What::Stop, whom: Whom::Any, every: Duration::from_millis(500) };
        assert_eq!(chaos, Chaos { faults: vec![kill, stop], seed: 7, lasts: Some(Duration::from_secs(120)) });
    }

    #[test]
    fn nonsense_is_refused_with_what_would_be_right() {
        let check = |text: &str, expect: &str| {
            let error = text.parse::<Chaos>().unwrap_err();
            assert!(error.contains(expect), "{text}: {error}");
        };
        check("", "\"\" is none of kill=ROLE/TIME");
        check("seed=7", "such as kill=worker/10s");
        check("kill=worker", "expected ROLE/TIME");
        check("kill=boss/1s", "\"boss\" is no role: expected worker, ps, coordinator or any");
        check("kill=worker/10", "\"10\" is no time: expected such as 10s");
        check("kill=worker/99ms", "at least 100 ms");
        check("kill=coordinator/999ms", "coordinator/999ms: expected at least 1000 ms: one that is gone sooner");
        check("stop=coordinator/100ms", "at least 1000 ms");
        check("kill=worker/1e300m", "is no time");
        check("kill=worker/-1s", "is no time");
        check("kill=ps/1s,seed=x", "seed=x: expected a whole number");
        check("maim=worker/1s", "is none of");
    }

    #[test]
    fn strikes_are_a_pure_function_of_the_seed() {
        let text = "kill=worker/10s,stop=any/3s,seed=7";
        let all = strikes(text, 100);
        assert_eq!(all, strikes(text, 100));
        assert_ne!(all, strikes(&text.replace('7', "8"), 100));
        assert!(all.is_sorted_by_key(|strike| strike.at));
        let kills: Vec<Duration> = all.iter().filter(|strike| strike.what == What::Kill).map(|strike| strike.at).collect();
        let apart = kills.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(kills.len() > 10 && apart.map(|time| time.as_secs_f64()).all(|s| (5.0..15.0).contains(&s)), "{kills:?}");
    }

    #[test]
    fn it_is_over_when_that_was_said() {
        let all = strikes("kill=any/1s,for=30s", 1000);
        assert!((20..=60).contains(&all.len()) && all.iter().all(|strike| strike.at <= Duration::from_secs(30)), "{}", all.len());
    }
}
