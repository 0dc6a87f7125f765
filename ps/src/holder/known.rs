//! What the shell keeps of the view.

use tfcoord_types::id::Generation;
use tfcoord_types::layout::Layout;
use tfcoord_types::plan::TrainPlan;
use tfcoord_types::view::TaskView;

/// What follows from a generation's placement.
#[derive(Debug)]
pub(super) struct Known {
    generation: Generation,
    /// The placement's epoch.
    pub epoch: u64,
    pub digest: [u8; 32],
    pub layout: Layout,
    pub plan: TrainPlan,
    /// How many servers the job has.
    pub servers: u32,
    /// Bytes of this server's chunks: what one version takes on a stream.
    pub version_bytes: usize,
}

impl Known {
    /// Nothing before there is a placement, or if it makes no sense: the core reports that.
    pub fn new(view: &TaskView, slot: u32) -> Option<Self> {
        let placement = view.placement.as_ref()?;
        let layout = Layout::new(&placement.variables, placement.chunk_elements).ok()?;
        let servers = placement.servers.iter().max().map_or(0, |last| last.saturating_add(1));
        let servers = servers.max(u32::try_from(view.servers.len()).unwrap_or(u32::MAX));
        let own = layout.chunks.iter().zip(&placement.servers).filter(|(_, server)| **server == slot);
        let elements: u64 = own.map(|(chunk, _)| chunk.len).sum();
        Some(Self {
            generation: view.generation,
            epoch: placement.epoch,
            digest: tfcoord_proto::variables_digest(&placement.variables),
            layout,
            plan: view.plan,
            servers,
            version_bytes: usize::try_from(elements.saturating_mul(4)).unwrap_or(usize::MAX),
        })
    }

    /// Whether nothing has changed.
    pub fn is_of(&self, view: &TaskView) -> bool {
        let epoch = view.placement.as_ref().map(|placement| placement.epoch);
        self.generation == view.generation && epoch == Some(self.epoch)
    }
}
