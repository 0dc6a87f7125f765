use super::*;
use crate::tokens::dates::TokenDates;
use proptest::prelude::*;

const S: u64 = 1000;
const H: u64 = 3600 * S;

fn dates(issued_ms: u64, at_ms: u64, interval_ms: u64, life_ms: u64) -> Dates {
    let latest_ms = issued_ms + life_ms;
    let expires_ms = (at_ms + interval_ms).min(latest_ms);
    let token = TokenDates { service: "nn:1".into(), owner: "alice".into(), sequence: 1, issued_ms, expires_ms, latest_ms };
    Dates { tokens: vec![token], at_ms, ticket_ends_ms: None, is_given: false }
}

// All steps of a job's life if each goes well at once: what, and when.
fn life(interval_ms: u64, life_ms: u64, until_ms: u64) -> Vec<(u64, Step)> {
    let mut schedule = Schedule::new(Some(dates(0, 0, interval_ms, life_ms)));
    let (mut issued_ms, mut now_ms, mut steps) = (0, 0, Vec::new());
    loop {
        let (at_ms, step) = schedule.next(now_ms);
        now_ms = now_ms.max(at_ms);
        if now_ms > until_ms {
            return steps;
        }
        if step == Step::Reissue {
            issued_ms = now_ms;
        }
        steps.push((now_ms, step));
        schedule.done(dates(issued_ms, now_ms, interval_ms, life_ms));
    }
}

#[test]
fn tokens_of_hadoops_own_times_are_renewed_twice_a_day_and_replaced_before_their_week_is_over() {
    let steps = life(24 * H, 7 * 24 * H, 130 * H);
    let replaced: Vec<u64> = steps.iter().filter(|(_, step)| *step == Step::Reissue).map(|(at, _)| *at / H).collect();
    assert_eq!((steps[0], replaced), ((12 * H, Step::Renew), vec![126]));
}

#[test]
fn short_lives_leave_clients_more_than_a_minute() {
    use Step::{Reissue, Renew};
    let steps = life(30 * S, 150 * S, 121 * S);
    let expected = [(15, Renew), (30, Renew), (45, Renew), (60, Reissue), (75, Renew), (90, Renew), (105, Renew), (120, Reissue)];
    assert_eq!(steps, expected.map(|(s, step)| (s * S, step)));
}

#[test]
fn what_fails_is_tried_again_sooner_the_less_time_is_left() {
    let mut schedule = Schedule::new(Some(dates(0, 0, 24 * H, 7 * 24 * H)));
    assert!(schedule.failed(12 * H, false));
    assert_eq!(schedule.next(12 * H), (12 * H + 60 * S, Step::Renew));
    assert!(!schedule.failed(24 * H - 40 * S, false), "it was told already");
    assert_eq!(schedule.next(24 * H - 40 * S), (24 * H - 35 * S, Step::Renew));
    assert_eq!(schedule.next(24 * H).1, Step::Reissue, "what is over cannot be renewed");
    schedule.done(dates(24 * H, 24 * H, 24 * H, 7 * 24 * H));
    assert_eq!(schedule.next(24 * H), (36 * H, Step::Renew));
}

#[test]
fn tokens_that_are_gone_are_replaced() {
    let mut schedule = Schedule::new(Some(dates(0, 0, 24 * H, 7 * 24 * H)));
    schedule.failed(12 * H, true);
    schedule.failed(12 * H + 5 * S, false);
    assert_eq!(schedule.next(12 * H + 5 * S).1, Step::Reissue);
}

#[test]
fn of_what_nothing_is_known_it_is_asked_at_once() {
    assert_eq!(Schedule::new(None).next(77), (0, Step::Renew));
}

#[test]
fn a_ticket_that_ends_is_used_once_more_before() {
    let with_ticket = |at_ms, ends_ms| Dates { ticket_ends_ms: Some(ends_ms), ..dates(0, at_ms, 24 * H, 7 * 24 * H) };
    let next = |dates| Schedule::new(Some(dates)).next(0);
    assert_eq!(next(with_ticket(0, 10 * H)), (10 * H / 8 * 7, Step::Renew));
    assert_eq!(next(with_ticket(9 * H, 10 * H)), (21 * H, Step::Renew), "that was it");
    assert_eq!(next(with_ticket(11 * H, 10 * H)), (23 * H, Step::Renew), "it is over");
}

proptest! {
    #[test]
    fn nothing_runs_out_where_all_goes_well(interval_s in 10_u64..100_000, times in 5_u64..20) {
        let (interval, life_ms) = (interval_s * S, (interval_s * times).max(150) * S);
        let steps = life(interval, life_ms, 4 * life_ms);
        let (mut good_until, mut latest) = (interval, life_ms);
        for (at_ms, step) in steps {
            prop_assert!(at_ms < good_until, "{at_ms} {good_until}");
            prop_assert!(latest - at_ms >= 60 * S, "{at_ms} {latest}");
            if step == Step::Reissue {
                latest = at_ms + life_ms;
            }
            good_until = (at_ms + interval).min(latest);
        }
    }

    #[test]
    fn no_dates_make_it_overflow(issued_ms: u64, at_ms: u64, expires_ms: u64, latest_ms: u64, ends_ms: u64, now_ms: u64) {
        let token = TokenDates { service: String::new(), owner: String::new(), sequence: 1, issued_ms, expires_ms, latest_ms };
        let mut schedule = Schedule::new(Some(Dates { tokens: vec![token], at_ms, ticket_ends_ms: Some(ends_ms), is_given: false }));
        schedule.next(now_ms);
        schedule.failed(at_ms, false);
        schedule.next(now_ms);
    }
}
