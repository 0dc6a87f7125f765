//! What can be wrong with a file as a whole.

use super::{listed, shown};

/// How a file is not what it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Change {
    /// Its length.
    #[error("it had {was} bytes, it has {is}")]
    Length {
        /// Its length then.
        was: u64,
        /// Its length now.
        is: u64,
    },
    /// Its modification time only.
    #[error("its modification time is another one, though it has {length} bytes as before")]
    Time {
        /// Its length, then and now.
        length: u64,
    },
    /// What is in it.
    #[error("its records are not where they were")]
    Content,
}

/// What is wrong with a file as a whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileProblem {
    /// A directory, a device.
    #[error("is no regular file")]
    NotRegular,
    /// Not what preparation saw.
    #[error("has changed since it was first looked at: {0}")]
    Changed(Change),
    /// No gzip, or a damaged one.
    #[error("cannot be unpacked: {reason}")]
    Gzip {
        /// Why not.
        reason: String,
    },
    /// It unfolds to more than is allowed.
    #[error("unpacks to more than {bytes_max} bytes, the most for a file of {length}")]
    Bomb {
        /// The most bytes it may unpack to.
        bytes_max: u64,
        /// Its length.
        length: u64,
    },
    /// Too short for the header of an IDX file.
    #[error("is truncated: {length} bytes do not hold an IDX header")]
    IdxHeader {
        /// Its length.
        length: u64,
    },
    /// Not an IDX file.
    #[error("is no IDX file: it begins with {:02x}{:02x}{:02x}{:02x}, expected 000008 and the number of dimensions", start[0], start[1], start[2], start[3])]
    IdxMagic {
        /// Its first bytes.
        start: [u8; 4],
    },
    /// An IDX file of another type.
    #[error("holds IDX values of type 0x{found:02x}, expected unsigned bytes (0x08)")]
    IdxType {
        /// The type found.
        found: u8,
    },
    /// An IDX file of another kind.
    #[error("has {found} dimensions, expected {expected}")]
    IdxDimensions {
        /// How many it has.
        found: u8,
        /// How many are possible.
        expected: &'static str,
    },
    /// Records without values, or with too many.
    #[error("has records of {features} values, expected 1 to {}", crate::FEATURES_MAX)]
    IdxRecord {
        /// Values of a record.
        features: u64,
    },
    /// Shorter than its header says.
    #[error("is truncated: its header names {records} records of {record_bytes} bytes, which makes {needed} bytes, but it has {length}")]
    IdxTruncated {
        /// Records by the header.
        records: u64,
        /// Bytes of each.
        record_bytes: u64,
        /// Bytes that the file should have.
        needed: u64,
        /// Bytes that it has.
        length: u64,
    },
    /// Longer than its header says.
    #[error("has {extra} bytes after the {records} records that its header names")]
    IdxTrailing {
        /// Records by the header.
        records: u64,
        /// Bytes after them.
        extra: u64,
    },
    /// Pictures and labels that are no pairs.
    #[error("has {images} pictures, but {file} has {labels} labels")]
    IdxCounts {
        /// Pictures.
        images: u64,
        /// The labels' file.
        file: String,
        /// Labels.
        labels: u64,
    },
    /// Pictures of another shape than those before.
    #[error("has records of shape {found:?}, expected {expected:?} as {first} has")]
    IdxShape {
        /// Their shape.
        found: Vec<u32>,
        /// The shape that is needed.
        expected: Vec<u32>,
        /// Where that comes from.
        first: String,
    },
    /// A label that the model has no output for.
    #[error(
        "record {record} (from 0; byte {byte} of the unpacked file) has the label {label}, but the model is for {classes} classes: 0 to {}",
        classes.saturating_sub(1)
    )]
    IdxLabel {
        /// Its place in the file, from 0.
        record: u64,
        /// The place of its label in the plain file, in bytes from 0.
        byte: u64,
        /// Its label.
        label: u8,
        /// How many classes the model can tell apart.
        classes: usize,
    },
    /// Not even a header.
    #[error("is empty: there is no header")]
    NoHeader,
    /// A column of the job file that the header lacks.
    #[error("has no column {}; it has {}", shown(column), listed(columns))]
    NoColumn {
        /// The column.
        column: String,
        /// Those in the header.
        columns: Vec<String>,
    },
    /// A column whose name is not clear.
    #[error("has two columns named {}", shown(column))]
    TwoColumns {
        /// The name.
        column: String,
    },
    /// Only some of the files have labels.
    #[error("has no label column {}, but other files have", shown(column))]
    LabelsOnlyInSome {
        /// The name.
        column: String,
    },
    /// An index that was kept does not fit its file.
    #[error("is damaged")]
    Index,
}

impl FileProblem {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NotRegular => "name a file, a directory of files, or a pattern with * in its last part",
            Self::Changed(_) => "start again; data must not change while a job, or a prediction, uses them",
            Self::Gzip { .. } => "fetch it again; `gzip -t FILE` checks it",
            Self::Bomb { .. } => "unpack it by hand if it is what it should be, and name the unpacked file",
            Self::IdxHeader { .. } | Self::IdxTruncated { .. } => "fetch it again; it is incomplete",
            Self::IdxMagic { .. } => "name an IDX file such as train-images-idx3-ubyte.gz; a table is of the format csv",
            Self::IdxType { .. } => "convert the values to unsigned bytes",
            Self::IdxDimensions { .. } => "check that images and labels are not mixed up",
            Self::IdxRecord { .. } => "use smaller pictures",
            Self::IdxTrailing { .. } => "fetch it again; its header does not fit its content",
            Self::IdxCounts { .. } => "name images and labels that belong together",
            Self::IdxShape { .. } => "use pictures of one size",
            Self::IdxLabel { .. } => {
                "correct the label, or leave its record out with `records`; for more classes, use softmax_cross_entropy and a last layer with an output for each"
            }
            Self::NoHeader => "write the columns' names into the first line",
            Self::NoColumn { .. } => "check data.features and data.label against the header",
            Self::TwoColumns { .. } => "give each column a name of its own",
            Self::LabelsOnlyInSome { .. } => "use files that all have it, or all lack it",
            Self::Index => "remove it; it is made again",
        }
    }
}
