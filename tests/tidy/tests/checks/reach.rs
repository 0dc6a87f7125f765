//! What a crate must not link, however far away: the whole graph of normal dependencies, not the first arrow.

use std::collections::BTreeSet;

use crate::graph::linked;
use crate::tree::assert_none;

/// Crates, packages they must not reach (a `*` at the end stands for any rest), and why.
const MUST_NOT_REACH: &[(&[&str], &[&str], &str)] = &[
    (
        &["tfcoord-types", "tfcoord-proto", "tfcoord-client", "tfcoord-cli", "tfcoord-coordinator-core", "tfcoord-coordinator"],
        &["tfcoord-model"],
        "layers are data to them; a client starts in milliseconds",
    ),
    (
        &["tfcoord-coordinator-core", "tfcoord-ps-core", "tfcoord-worker-core"],
        &["tokio", "tokio-*", "tonic", "tonic-*", "hyper", "mio", "socket2", "rand", "getrandom", "fastrand", "chrono", "time"],
        "a core is pure: time, chance and messages are handed to it",
    ),
    (&["tfcoord-coordinator"], &["tfcoord-ps", "tfcoord-ps-*", "tfcoord-worker", "tfcoord-worker-*"], "processes meet in proto"),
    (
        &["tfcoord-ps"],
        &["tfcoord-coordinator", "tfcoord-coordinator-*", "tfcoord-worker", "tfcoord-worker-*"],
        "processes meet in proto and exchange",
    ),
    (
        &["tfcoord-worker"],
        &["tfcoord-coordinator", "tfcoord-coordinator-*", "tfcoord-ps", "tfcoord-ps-*"],
        "processes meet in proto and exchange",
    ),
    (
        &["tfcoord-cli", "tfcoord-coordinator", "tfcoord-ps", "tfcoord-worker"],
        &["tfcoord-testkit", "proptest", "candle-*"],
        "what is for tests is not shipped",
    ),
];

fn findings(root: &str, linked: &BTreeSet<String>, banned: &[&str], why: &str) -> Vec<String> {
    let hit = |name: &&String| {
        banned.iter().any(|ban| match ban.strip_suffix('*') {
            Some(stem) => name.starts_with(stem),
            None => name == ban,
        })
    };
    linked.iter().filter(hit).map(|name| format!("{root} links {name}: {why}")).collect()
}

#[test]
fn nobody_links_what_he_must_not() {
    let mut all = Vec::new();
    for (roots, banned, why) in MUST_NOT_REACH {
        for root in *roots {
            let linked = linked(root);
            assert!(linked.contains(*root), "{root} is not in its own graph: {linked:?}");
            all.extend(findings(root, &linked, banned, why));
        }
    }
    assert_none(all);
}

#[test]
fn a_far_package_is_found() {
    let linked: BTreeSet<String> = ["a", "candle-core", "rand_core", "rand"].map(str::to_owned).into();
    assert_eq!(findings("a", &linked, &["candle-*", "rand"], "w"), ["a links candle-core: w", "a links rand: w"]);
    assert!(findings("a", &linked, &["candle", "ran"], "w").is_empty());
}

#[test]
fn the_graph_goes_deeper_than_one_arrow() {
    // tidy itself has no normal dependency; telemetry reaches hyper through axum.
    assert!(linked("tfcoord-telemetry").contains("hyper"));
    assert_eq!(linked("tfcoord-tidy").len(), 1);
}
