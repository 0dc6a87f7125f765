//! Runs many seeds, on all processors: `tfcoord-sim [--until-failure] FIRST COUNT`. Prints how fast it is, and what happened
//! how often.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;
use tfcoord_sim::{Tally, check};

#[derive(Default)]
struct Sum {
    tally: Tally,
    failed: u64,
    virtual_us: u64,
    lines: u64,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let until_failure = arguments.iter().any(|argument| argument == "--until-failure");
    let numbers: Vec<u64> = arguments.iter().filter_map(|number| number.parse().ok()).collect();
    let [first, count] = numbers[..] else {
        eprintln!("usage: tfcoord-sim [--until-failure] FIRST COUNT");
        return ExitCode::FAILURE;
    };
    // What a run says of its end is printed below.
    std::panic::set_hook(Box::new(|_| {}));
    let begun = Instant::now();
    let (next, sum) = (AtomicU64::new(first), Mutex::new(Sum::default()));
    let last = first.saturating_add(count);
    let work = || {
        while let Some(seed) = Some(next.fetch_add(1, Ordering::Relaxed)).filter(|seed| *seed < last) {
            let checked = check(seed, false);
            let mut sum = sum.lock().expect("nobody panics while adding up");
            if until_failure && sum.failed > 0 {
                return;
            }
            sum.add(checked);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let Sum { tally, failed, virtual_us, lines } = sum.into_inner().expect("nobody panics while adding up");
    if until_failure && failed > 0 {
        return ExitCode::FAILURE;
    }
    let (real_s, virtual_s) = (begun.elapsed().as_secs_f64(), virtual_us as f64 / 1e6);
    tally.iter().for_each(|(what, times)| println!("{times:10} {what}"));
    println!("{count} seeds from {first} in {real_s:.1} s on {threads} threads: {:.0} seeds/s, {lines} events", count as f64 / real_s);
    println!("{virtual_s:.0} virtual seconds: {:.0} in each real one", virtual_s / real_s);
    println!("{failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Sum {
    fn add(&mut self, checked: Result<tfcoord_sim::Run, String>) {
        match checked {
            Ok(run) => {
                self.tally.merge(&run.tally);
                self.virtual_us += run.virtual_us;
                self.lines += run.lines;
            }
            Err(text) => {
                self.failed += 1;
                println!("{text}");
            }
        }
    }
}
