//! Runs many seeds: `tfcoord-sim [--until-failure] FIRST COUNT`. Prints how fast it is, and what happened how often.

use std::process::ExitCode;
use std::time::Instant;
use tfcoord_sim::{Tally, check};

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
    let (mut tally, mut failed, mut virtual_us, mut lines) = (Tally::default(), 0u64, 0u64, 0u64);
    for seed in first..first.saturating_add(count) {
        match check(seed, false) {
            Ok(run) => {
                tally.merge(&run.tally);
                virtual_us += run.virtual_us;
                lines += run.lines;
            }
            Err(text) => {
                failed += 1;
                println!("{text}");
                if until_failure {
                    return ExitCode::FAILURE;
                }
            }
        }
    }
    let (real_s, virtual_s) = (begun.elapsed().as_secs_f64(), virtual_us as f64 / 1e6);
    tally.iter().for_each(|(what, times)| println!("{times:10} {what}"));
    println!("{count} seeds from {first} in {real_s:.1} s: {:.0} seeds/s, {lines} events", count as f64 / real_s);
    println!("{virtual_s:.0} virtual seconds: {:.0} in each real one", virtual_s / real_s);
    println!("{failed} failed");
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
