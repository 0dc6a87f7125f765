use super::*;
use proptest::prelude::*;

fn plan(records: u64) -> TrainPlan {
    TrainPlan { records, batch_size: 64, micro_batches: 4, epochs: 3 }
}

fn order(records: u64) -> Order {
    Order::new(&plan(records), 7, true)
}

#[test]
fn the_order_never_changes() {
    let mut order = order(150_000);
    assert_eq!(order.records(0, 0..6), FIRST, "a published seed would give another model");
    assert_eq!(order.records(1, 149_998..150_000), LAST);
}

const FIRST: [u64; 6] = [5880, 28_659, 24_774, 33_984, 48_466, 8023];
const LAST: [u64; 2] = [46_595, 33_542];

#[test]
fn an_epoch_takes_every_record_once_in_an_order_of_its_own() {
    for records in [1, 2, 1000, 65_536, 65_537, 200_001] {
        let mut order = order(records);
        let mut all = order.records(0, 0..records);
        if records > 2 {
            assert_ne!(all, order.records(1, 0..records));
            assert!(!all.is_sorted());
        }
        all.sort_unstable();
        assert_eq!(all, (0..records).collect::<Vec<_>>());
    }
}

#[test]
fn neighbours_in_the_order_are_of_one_shard() {
    let order = order(200_001);
    let shard = |record: u64| (0..4).find(|s| order.shard(*s).contains(&record)).unwrap();
    let shards: Vec<u32> = order.clone().records(0, 0..200_001).into_iter().map(shard).collect();
    assert_eq!(shards.windows(2).filter(|pair| pair[0] != pair[1]).count(), 3);
    assert!((0..4).all(|s| order.shard(s).end - order.shard(s).start <= 65_536));
}

#[test]
fn the_next_shard_is_what_comes_next() {
    let mut order = order(200_001);
    let mut all = order.records(0, 0..200_001);
    let mut place = 0;
    while let Some(next) = order.next_shard(0, place, 200_001) {
        let start = place + 1 + all[place as usize + 1..].iter().position(|record| next.contains(record)).unwrap() as u64;
        let end = start + next.end - next.start;
        let there = &mut all[start as usize..end as usize];
        there.sort_unstable();
        assert_eq!(there, next.clone().collect::<Vec<_>>());
        assert_eq!(order.next_shard(0, start - 1, start), None, "nobody goes there");
        assert_eq!(order.next_shard(0, start - 1, start + 1), Some(next));
        place = start;
    }
    assert!(place > 140_000);
    assert_eq!(order.next_shard(0, 200_001, u64::MAX), None);
    assert_eq!(Order::new(&plan(200_001), 7, false).next_shard(0, 0, 200_001), None);
}

#[test]
fn without_shuffling_places_are_records() {
    assert_eq!(Order::new(&plan(100), 7, false).records(2, 90..120), (90..100).collect::<Vec<_>>());
}

#[test]
fn seeds_give_other_orders() {
    assert_ne!(order(1000).records(0, 0..1000), Order::new(&plan(1000), 8, true).records(0, 0..1000));
}

#[test]
fn little_is_kept() {
    let mut order = Order::new(&TrainPlan { records: 3_000_000, batch_size: 2, micro_batches: 2, epochs: 9 }, 7, true);
    for epoch in 0..3 {
        for place in (0..3_000_000).step_by(50_000) {
            order.records(epoch, place..place + 2);
        }
    }
    assert_eq!((order.kept.len(), order.epochs.len()), (4, 2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]
    #[test]
    fn lanes_take_every_record_once_whoever_asks(records in 1u64..200_000, size in 1u32..3000, log in 0u32..5, epoch in 0u32..3) {
        let lanes = 1 << log;
        let plan = TrainPlan { records, batch_size: size * lanes, micro_batches: lanes, epochs: 3 };
        let (mut one, mut seen) = (Order::new(&plan, 3, true), vec![false; usize::try_from(records).unwrap()]);
        let first = u64::from(epoch) * plan.steps_per_epoch();
        for lane in (0..lanes).rev() {
            for step in first..first + plan.steps_per_epoch() {
                for record in one.records(epoch, plan.micro_batch(step, lane)) {
                    prop_assert!(!std::mem::replace(&mut seen[usize::try_from(record).unwrap()], true));
                }
            }
        }
        prop_assert!(seen.iter().all(|seen| *seen));
    }

    #[test]
    fn pieces_are_parts_of_the_whole(records in 1u64..150_000, cut in any::<prop::sample::Index>(), other in any::<prop::sample::Index>()) {
        let n = usize::try_from(records).unwrap();
        let (a, b) = (cut.index(n + 1), other.index(n + 1));
        let (from, to) = (a.min(b), a.max(b));
        let whole = order(records).records(1, 0..records);
        prop_assert_eq!(&order(records).records(1, from as u64..to as u64), &whole[from..to]);
    }
}
