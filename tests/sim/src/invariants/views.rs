//! Views are level-triggered: the same incarnation at the same revision always gets the same one, whenever it asks.

use super::ensure;
use std::collections::BTreeMap;
use tfcoord_types::id::Incarnation;
use tfcoord_types::view::TaskView;

#[derive(Debug, Default)]
pub struct Views(BTreeMap<Incarnation, TaskView>);

impl Views {
    /// A view is sent.
    pub fn sent(&mut self, view: &TaskView) {
        let place = format_args!("incarnation {} revision {}", view.incarnation, view.revision).to_string();
        if let Some(last) = self.0.get(&view.incarnation) {
            ensure(last.revision <= view.revision, &place, "views do not go back");
            ensure(last.revision < view.revision || last == view, &place, "a view follows from its revision");
        }
        self.0.insert(view.incarnation, view.clone());
    }
}
