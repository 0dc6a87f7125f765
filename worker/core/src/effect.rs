//! What a driver asks its shell to do.

use std::fmt;
use std::ops::Range;
use tfcoord_types::id::{Generation, Revision};
use tfcoord_types::lane::Block;
use tfcoord_types::view::{Export, ServerAddress};

/// What a driver asks its shell to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// The worker has made itself equal to a view: report it.
    Applied {
        /// The view's revision.
        revision: Revision,
    },
    /// Report the model's variables, until a view shows a placement.
    ReportVariables,
    /// Open a stream to a server and ask for its cursors: `Connected` or `Disconnected` must follow.
    Connect {
        /// The server's slot.
        slot: u32,
        /// Where it listens.
        server: ServerAddress,
        /// The generation meant.
        generation: Generation,
    },
    /// Close the stream to a server; nothing of it may be reported any more.
    Disconnect {
        /// The server's slot.
        slot: u32,
    },
    /// Ask a server for chunks: `Chunk` must follow for each of them, or `Gone` for one, and then for none behind it.
    Pull {
        /// The server's slot.
        slot: u32,
        /// The chunks, ascending.
        chunks: Vec<u32>,
        /// The step that their values should be for.
        version: u64,
    },
    /// Keep the values that just came, until they are used or discarded. Values that are not kept are dropped.
    Keep {
        /// The chunk.
        chunk: u32,
        /// The step that its values are for.
        version: u64,
    },
    /// Drop kept values.
    Discard {
        /// The chunk.
        chunk: u32,
        /// The step that its values are for.
        version: u64,
    },
    /// Make the kept values of this version the model's parameters; they are all there. They are not kept beside
    /// the model. The compute thread is idle.
    Use {
        /// The step that they are for.
        version: u64,
    },
    /// Make all kept values the model's parameters, each chunk's at whatever version. They are not kept beside the model. The
    /// compute thread is idle.
    UseKept,
    /// Compute a step's gradient sums of these blocks with the model's parameters, which are the step's in `bsp`. The
    /// compute thread is idle. What is `local` is trained alone from the first step of a round on; with its last one comes
    /// what has changed, as of the first.
    Compute {
        /// The step.
        step: u64,
        /// The blocks; each has records.
        blocks: Vec<Block>,
    },
    /// Stop computing as soon as possible; `StepComputed` must still follow.
    AbandonCompute,
    /// Send a sum.
    Push {
        /// The server's slot.
        slot: u32,
        /// The chunk.
        chunk: u32,
        /// The step.
        step: u64,
        /// The lanes.
        block: Block,
        /// Records of these lanes at this step.
        records: u32,
        /// The view that says so.
        view_revision: Revision,
    },
    /// A sum is not needed any more.
    Forget {
        /// The chunk.
        chunk: u32,
        /// The step.
        step: u64,
        /// The lanes.
        block: Block,
    },
    /// Forget all sums, kept values, evaluated shards and the export: a new generation begins.
    ForgetAll,
    /// Evaluate a shard with the model's parameters, which are those of `step`. The compute thread is idle.
    Evaluate {
        /// Which evaluation.
        evaluation: u32,
        /// The parameters' version.
        step: u64,
        /// Which shard.
        shard: u32,
        /// Its records.
        records: Range<u64>,
    },
    /// Export the model's parameters, which are those of the export's step. The compute thread is idle.
    Export(Box<Export>),
    /// Report the shard that was just evaluated.
    ReportShard {
        /// Which evaluation.
        evaluation: u32,
        /// Which shard.
        shard: u32,
    },
    /// Report the export that is just in its place.
    ReportExport {
        /// Its attempt.
        attempt: u64,
    },
    /// Send `Retry` once this time is over.
    RetryAfter {
        /// In milliseconds.
        ms: u64,
    },
    /// End with exit code 0.
    Stop {
        /// Why.
        reason: String,
    },
    /// This incarnation is retired: end at once.
    Fenced,
    /// The worker cannot go on: report it.
    Fail {
        /// Why.
        message: String,
    },
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Effect::Applied { revision } => write!(f, "applied revision {revision}"),
            Effect::ReportVariables => f.write_str("report variables"),
            Effect::Connect { slot, server, .. } => write!(f, "connect ps-{slot} incarnation {}", server.incarnation),
            Effect::Disconnect { slot } => write!(f, "disconnect ps-{slot}"),
            Effect::Pull { slot, chunks, version } => {
                f.write_str("pull chunk")?;
                chunks.iter().try_for_each(|chunk| write!(f, " {chunk}"))?;
                write!(f, " version {version} from ps-{slot}")
            }
            Effect::Keep { chunk, version } => write!(f, "keep chunk {chunk} version {version}"),
            Effect::Discard { chunk, version } => write!(f, "discard chunk {chunk} version {version}"),
            Effect::Use { version } => write!(f, "use version {version}"),
            Effect::UseKept => f.write_str("use what is kept"),
            Effect::Compute { step, blocks } => {
                write!(f, "compute step {step} lanes")?;
                blocks.iter().try_for_each(|block| write!(f, " {block}"))
            }
            Effect::AbandonCompute => f.write_str("abandon compute"),
            Effect::Push { slot, chunk, step, block, .. } => write!(f, "push step {step} chunk {chunk} lanes {block} to ps-{slot}"),
            Effect::Forget { chunk, step, block } => write!(f, "forget step {step} chunk {chunk} lanes {block}"),
            Effect::ForgetAll => f.write_str("forget all"),
            Effect::Evaluate { evaluation, step, shard, .. } => write!(f, "evaluate {evaluation} shard {shard} at step {step}"),
            Effect::Export(export) => write!(f, "export step {} attempt {}", export.step, export.attempt),
            Effect::ReportShard { evaluation, shard } => write!(f, "report shard {shard} of evaluation {evaluation}"),
            Effect::ReportExport { attempt } => write!(f, "report the export of attempt {attempt}"),
            Effect::RetryAfter { ms } => write!(f, "retry after {ms} ms"),
            Effect::Stop { reason } => write!(f, "stop: {reason}"),
            Effect::Fenced => f.write_str("fenced"),
            Effect::Fail { message } => write!(f, "fail: {message}"),
        }
    }
}
