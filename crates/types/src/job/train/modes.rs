//! The modes of a job whose layers have not all the same one.
//!
//! A job with a `bsp` layer has steps that all workers share, so all its layers are updated in them: their own modes count for
//! nothing. In any other job each chunk has the mode of its layers; what bounds a worker as a whole is the tightest of all.

use super::{LayerGroup, Sync, Train};
use crate::figures::CURVE_VARIABLE;

impl Train {
    /// The modes that are named: that of layers in no group, then those of the groups.
    fn modes(&self) -> impl Iterator<Item = &Sync> {
        std::iter::once(&self.sync).chain(self.groups.iter().map(|group| &group.sync))
    }

    /// Whether workers share each step, with all layers.
    pub fn is_bsp(&self) -> bool {
        self.modes().any(Sync::is_bsp)
    }

    /// The batches from one exchange to the next of what is `local`, if anything is: the same for all.
    pub fn every(&self) -> Option<u32> {
        self.modes().find_map(|sync| if let Sync::Local { every, .. } = sync { Some(*every) } else { None }).filter(|_| !self.is_bsp())
    }

    /// How many batches a worker may be ahead of the slowest one, if that is bounded: the least that any layer asks for.
    pub fn staleness(&self) -> Option<u32> {
        let all = self.modes().filter_map(|sync| if let Sync::Ssp { staleness } = sync { Some(*staleness) } else { None });
        all.min().filter(|_| !self.is_bsp())
    }

    /// The mode of what has this one of its own ([`crate::variable::Variable::sync`]), or none.
    pub fn mode(&self, own: Option<Sync>) -> Sync {
        if self.is_bsp() { Sync::Bsp } else { own.unwrap_or(self.sync) }
    }

    /// The mode of a variable, where that is not [`Train::sync`]. The curve has a sum for each batch, unless all layers are
    /// `local`.
    pub fn sync_of(&self, variable: &str) -> Option<Sync> {
        let own = if variable == CURVE_VARIABLE { self.curve() } else { self.group_of(variable).map(|group| group.sync) };
        own.filter(|own| *own != self.sync && !self.is_bsp())
    }

    /// The group that a variable's layer is in: its name begins with the layer's.
    pub fn group_of(&self, variable: &str) -> Option<&LayerGroup> {
        // What is inside of a residual block is called `block.dense_0/kernel`.
        let layer = variable.split(['/', '.']).next()?;
        self.groups.iter().find(|group| group.layers.iter().any(|name| name == layer))
    }

    fn curve(&self) -> Option<Sync> {
        let by_batch = self.modes().any(|sync| !sync.is_local());
        let as_the_tightest = || self.staleness().map_or(Sync::Async {}, |staleness| Sync::Ssp { staleness });
        (by_batch && self.sync.is_local()).then(as_the_tightest)
    }

    /// How workers go together, in words: `ssp`, or `local; async: embedding_0, embedding_1`.
    pub fn modes_in_words(&self) -> String {
        let other = |group: &&LayerGroup| if self.is_bsp() { !group.sync.is_bsp() } else { group.sync != self.sync };
        let groups = self.groups.iter().filter(other).map(|group| format!("; {}: {}", group.sync.name(), group.layers.join(", ")));
        let groups: String = groups.collect();
        match (self.is_bsp(), groups.is_empty()) {
            (false, _) => format!("{}{groups}", self.sync.name()),
            (true, true) if !self.sync.is_bsp() => format!("bsp for all layers, though train.sync is {}", self.sync.name()),
            (true, true) => "bsp".to_owned(),
            (true, false) => format!("bsp for all layers, since one is; not{}", groups.trim_start_matches(';')),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn train(sync: &str, groups: &str) -> Train {
        let text = format!(r#"{{"batch_size": 4, "epochs": 1, "optimizer": {{"add": {{}}}}, "sync": {sync}, "groups": {groups}}}"#);
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn layers_have_the_mode_of_their_group_and_the_worker_the_tightest() {
        let two =
            r#"[{"layers": ["a", "block"], "sync": {"ssp": {"staleness": 5}}}, {"layers": ["b"], "sync": {"ssp": {"staleness": 2}}}]"#;
        let train = train(r#"{"local": {"every": 3}}"#, two);
        let ssp = |staleness| Some(Sync::Ssp { staleness });
        let own = ["a/kernel", "b/kernel", "block.dense_0/bias", "ab/kernel", CURVE_VARIABLE].map(|variable| train.sync_of(variable));
        assert_eq!(own, [ssp(5), ssp(2), ssp(5), None, ssp(2)]);
        assert_eq!((train.every(), train.staleness(), train.is_bsp()), (Some(3), Some(2), false));
        assert_eq!([train.mode(None), train.mode(ssp(5))], [Sync::Local { every: 3, momentum: 0.0 }, Sync::Ssp { staleness: 5 }]);
        assert_eq!(train.modes_in_words(), "local; ssp: a, block; ssp: b");
    }

    #[test]
    fn a_group_of_the_job_s_mode_is_no_group() {
        let train = train(r#"{"async": {}}"#, r#"[{"layers": ["a"], "sync": {"async": {}}}]"#);
        assert_eq!((train.sync_of("a/kernel"), train.sync_of(CURVE_VARIABLE)), (None, None));
        assert_eq!(train.modes_in_words(), "async");
    }

    #[test]
    fn one_layer_in_bsp_takes_all_with_it() {
        for (sync, groups, words) in [
            (r#""bsp""#, r#"[{"layers": ["a"], "sync": {"local": {"every": 3}}}]"#, "bsp for all layers, since one is; not local: a"),
            (r#"{"local": {"every": 3}}"#, r#"[{"layers": ["a"], "sync": "bsp"}]"#, "bsp for all layers, though train.sync is local"),
        ] {
            let train = train(sync, groups);
            assert_eq!((train.is_bsp(), train.every(), train.sync_of("a/kernel")), (true, None, None));
            assert_eq!((train.mode(None), train.modes_in_words()), (Sync::Bsp, words.to_owned()));
        }
    }
}
