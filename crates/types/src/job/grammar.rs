//! What a job file may hold, in the words of `docs/job-file.md`: what is refused is told in them.
//!
//! [`super::JobFile`] says the same to serde; a test keeps the two equal.

/// What stands in a place of a job file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// A text.
    Text,
    /// A whole number from 0 up to this one.
    Whole(u64),
    /// Any number.
    Number,
    /// `true` or `false`.
    Truth,
    /// One of these texts.
    Word(&'static [&'static str]),
    /// A whole number, or `[height, width]`.
    Pair,
    /// `[from, to]`.
    Range,
    /// A path, or a list of paths.
    Paths,
    /// A name, or a list of names.
    Names,
    /// A list.
    List(&'static Kind),
    /// An object of these fields.
    Object(&'static [Field]),
    /// An object with one key, the kind of what it is; or the word, where there is one.
    OneOf(&'static [(&'static str, Kind)], Option<&'static str>),
    /// Such an object with these fields beside its key.
    Beside(&'static [Field], &'static [(&'static str, Kind)]),
}

/// A field of an object.
#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) needed: bool,
    /// A value that may stand there, as JSON.
    pub(super) example: &'static str,
}

const fn needed(name: &'static str, kind: Kind, example: &'static str) -> Field {
    Field { name, kind, needed: true, example }
}

const fn optional(name: &'static str, kind: Kind, example: &'static str) -> Field {
    Field { name, kind, needed: false, example }
}

const COUNT: Kind = Kind::Whole(u32::MAX as u64);
const LONG: Kind = Kind::Whole(u64::MAX);

/// The whole file.
pub(super) const JOB: Kind = Kind::Object(&[
    needed("name", Kind::Text, "\"fashion-mnist\""),
    needed("model", MODEL, "{\"layers\": [{\"flatten\": {}}, {\"dense\": {\"units\": 10}}], \"loss\": \"softmax_cross_entropy\"}"),
    needed("data", DATA, "{\"format\": \"csv\", \"train\": {\"files\": \"train.csv\"}, \"label\": \"price\"}"),
    needed("train", TRAIN, "{\"batch_size\": 128, \"epochs\": 10, \"optimizer\": {\"adam\": {\"learning_rate\": 0.001}}}"),
    optional("worker", WORKER, "{\"count\": 2}"),
    optional("parameter_server", PARAMETER_SERVER, "{\"count\": 1}"),
    needed("output", Kind::Object(&[needed("dir", Kind::Text, "\"out\"")]), "{\"dir\": \"out\"}"),
    optional("checkpoint", CHECKPOINT, "{\"every_seconds\": 30}"),
    optional("service", SERVICE, "{\"hdfs\": {\"config_uri\": \"http://api.hdfs.example.com/v1/endpoints\"}}"),
    optional("start_timeout", LONG, "60"),
    optional("lease_seconds", Kind::Number, "2"),
    optional("orphan_grace_seconds", Kind::Number, "60"),
]);

const MODEL: Kind = Kind::Object(&[
    optional("kind", Kind::Word(&["layers", "counting"]), "\"layers\""),
    optional("preset", PRESET, "{\"mlp\": {\"hidden\": [128]}}"),
    optional("layers", Kind::List(&ENTRY), "[{\"flatten\": {}}, {\"dense\": {\"units\": 10}}]"),
    optional("loss", Kind::Word(&["softmax_cross_entropy", "binary_cross_entropy", "mse", "reconstruction"]), "\"softmax_cross_entropy\""),
    optional("metrics", Kind::List(&Kind::Word(&["accuracy", "confusion_matrix", "auc"])), "[\"accuracy\"]"),
]);

const ACTIVATION: Kind = Kind::Word(&["relu", "tanh", "sigmoid", "gelu"]);
const UNITS: Field = needed("units", COUNT, "10");
const FUNCTION: Field = optional("activation", ACTIVATION, "\"relu\"");
const BIAS: Field = optional("bias", Kind::Truth, "true");
const INIT: Field = optional("init", Kind::Word(&["glorot", "he", "normal", "uniform", "zeros"]), "\"he\"");
const DIM: Field = needed("dim", COUNT, "8");
const VOCABULARY: Field = optional("vocabulary", COUNT, "1000");
const EPSILON: Field = optional("epsilon", Kind::Number, "1e-5");
const RECURRENT: Kind = Kind::Object(&[UNITS, optional("sequences", Kind::Truth, "true"), INIT]);
const WINDOW: Kind = Kind::Object(&[needed("size", Kind::Pair, "2"), optional("stride", Kind::Pair, "2")]);

// Statics, since a layer may hold layers.
static LAYER: Kind = Kind::OneOf(&LAYERS, None);

const ENTRY: Kind = Kind::Beside(&[optional("name", Kind::Text, "\"wide\""), optional("input", Kind::Names, "\"features\"")], &LAYERS);

static LAYERS: [(&str, Kind); 17] = [
    ("flatten", Kind::Object(&[])),
    ("reshape", Kind::Object(&[needed("shape", Kind::List(&COUNT), "[30, 20]")])),
    ("embedding", Kind::Object(&[DIM, VOCABULARY, INIT])),
    ("embedding_bag", Kind::Object(&[DIM, VOCABULARY, optional("mode", Kind::Word(&["sum", "mean"]), "\"mean\""), INIT])),
    ("dense", Kind::Object(&[UNITS, FUNCTION, BIAS, INIT])),
    (
        "conv2d",
        Kind::Object(&[
            needed("filters", COUNT, "32"),
            needed("kernel", Kind::Pair, "3"),
            optional("stride", Kind::Pair, "1"),
            optional("padding", Kind::Word(&["valid", "same"]), "\"same\""),
            optional("groups", COUNT, "1"),
            FUNCTION,
            BIAS,
            INIT,
        ]),
    ),
    ("max_pool2d", WINDOW),
    ("average_pool2d", WINDOW),
    ("dropout", Kind::Object(&[needed("rate", Kind::Number, "0.25")])),
    ("activation", ACTIVATION),
    ("layer_norm", Kind::Object(&[EPSILON])),
    ("batch_norm", Kind::Object(&[optional("momentum", Kind::Number, "0.9"), EPSILON])),
    ("lstm", RECURRENT),
    ("gru", RECURRENT),
    ("residual", Kind::Object(&[needed("layers", Kind::List(&LAYER), "[{\"activation\": \"relu\"}]")])),
    ("add", Kind::Object(&[])),
    ("concatenate", Kind::Object(&[])),
];

const DROPOUT: Field = optional("dropout", Kind::Number, "0.1");
const NUMBERS: Kind = Kind::List(&COUNT);

const PRESET: Kind = Kind::OneOf(
    &[
        ("softmax", Kind::Object(&[])),
        ("mlp", Kind::Object(&[optional("hidden", NUMBERS, "[128]"), FUNCTION, DROPOUT])),
        ("cnn", Kind::Object(&[optional("filters", NUMBERS, "[32, 64]"), optional("hidden", NUMBERS, "[128]"), DROPOUT])),
        (
            "autoencoder",
            Kind::Object(&[
                optional("hidden", NUMBERS, "[128]"),
                optional("code", COUNT, "32"),
                FUNCTION,
                optional("output", ACTIVATION, "\"sigmoid\""),
            ]),
        ),
        ("lstm", Kind::Object(&[optional("shape", NUMBERS, "[30, 20]"), optional("units", NUMBERS, "[64]"), DROPOUT])),
        ("wide_deep", Kind::Object(&[optional("dim", COUNT, "8"), optional("hidden", NUMBERS, "[64, 32]"), DROPOUT])),
    ],
    None,
);

const DATA: Kind = Kind::Object(&[
    needed("format", Kind::Word(&["idx", "csv"]), "\"csv\""),
    needed("train", SOURCE, "{\"files\": \"train.csv\"}"),
    optional("eval", SOURCE, "{\"files\": \"eval.csv\"}"),
    optional("features", Kind::List(&FEATURE), "[{\"number\": \"age\"}, {\"category\": \"plan\"}]"),
    optional("label", Kind::Text, "\"price\""),
    optional("missing", Kind::List(&Kind::Text), "[\"NA\"]"),
    optional("shuffle", Kind::Truth, "true"),
]);

const FEATURE: Kind = Kind::OneOf(&[("number", Kind::Text), ("raw", Kind::Text), ("category", Kind::Text), ("index", Kind::Text)], None);

const SOURCE: Kind = Kind::Object(&[
    optional("images", Kind::Paths, "\"train-images-idx3-ubyte.gz\""),
    optional("labels", Kind::Paths, "\"train-labels-idx1-ubyte.gz\""),
    optional("files", Kind::Paths, "\"train.csv\""),
    optional("records", Kind::Range, "[0, 8000]"),
]);

const TRAIN: Kind = Kind::Object(&[
    needed("batch_size", COUNT, "128"),
    optional("micro_batches", COUNT, "4"),
    needed("epochs", COUNT, "10"),
    optional("seed", LONG, "7"),
    optional("sync", SYNC, "{\"async\": {}}"),
    optional("groups", Kind::List(&GROUP), "[{\"layers\": [\"embedding_0\"], \"sync\": {\"async\": {}}}]"),
    needed("optimizer", OPTIMIZER, "{\"adam\": {\"learning_rate\": 0.001}}"),
    optional("schedule", SCHEDULE, "{\"cosine\": {}}"),
    optional("warm_up_steps", LONG, "100"),
    optional("clip_norm", Kind::Number, "1.0"),
]);

const GROUP: Kind =
    Kind::Object(&[needed("layers", Kind::List(&Kind::Text), "[\"embedding_0\"]"), needed("sync", SYNC, "{\"async\": {}}")]);

const SYNC: Kind = Kind::OneOf(
    &[
        ("ssp", Kind::Object(&[needed("staleness", COUNT, "4")])),
        ("async", Kind::Object(&[])),
        ("local", Kind::Object(&[needed("every", COUNT, "8"), optional("momentum", Kind::Number, "0.5")])),
    ],
    Some("bsp"),
);

const RATE: Field = needed("learning_rate", Kind::Number, "0.001");
const DECAY: Field = optional("weight_decay", Kind::Number, "0.0001");
const TINY: Field = optional("epsilon", Kind::Number, "1e-7");
const ADAM: Kind = Kind::Object(&[RATE, optional("beta_1", Kind::Number, "0.9"), optional("beta_2", Kind::Number, "0.999"), TINY, DECAY]);

const OPTIMIZER: Kind = Kind::OneOf(
    &[
        ("sgd", Kind::Object(&[RATE, DECAY])),
        ("momentum", Kind::Object(&[RATE, optional("momentum", Kind::Number, "0.9"), optional("nesterov", Kind::Truth, "true"), DECAY])),
        ("adagrad", Kind::Object(&[RATE, optional("initial_accumulator", Kind::Number, "0.1"), TINY, DECAY])),
        ("rmsprop", Kind::Object(&[RATE, optional("rho", Kind::Number, "0.9"), TINY, DECAY])),
        ("adam", ADAM),
        ("adam_w", ADAM),
        ("add", Kind::Object(&[])),
    ],
    None,
);

const SCHEDULE: Kind = Kind::OneOf(
    &[
        ("step", Kind::Object(&[needed("every_steps", LONG, "1000"), needed("factor", Kind::Number, "0.5")])),
        ("cosine", Kind::Object(&[optional("steps", LONG, "10000"), optional("floor", Kind::Number, "0.01")])),
    ],
    Some("constant"),
);

const CPUS: Field = optional("cpus", Kind::Number, "1");
const MEM: Field = optional("mem", LONG, "1024");

const WORKER: Kind = Kind::Object(&[
    optional("count", COUNT, "2"),
    CPUS,
    MEM,
    optional("max_restarts", COUNT, "8"),
    optional("straggler", Kind::Word(&["report", "move"]), "\"report\""),
]);

const PARAMETER_SERVER: Kind = Kind::Object(&[
    optional("count", COUNT, "1"),
    CPUS,
    MEM,
    optional("chunk_bytes", LONG, "1048576"),
    optional("max_restarts", COUNT, "8"),
]);

const CHECKPOINT: Kind = Kind::Object(&[
    optional("dir", Kind::Text, "\"checkpoints\""),
    optional("every_steps", LONG, "500"),
    optional("every_seconds", LONG, "30"),
    optional("keep", COUNT, "2"),
]);

const SERVICE: Kind = Kind::Object(&[
    optional("hdfs", HDFS, "{\"config_uri\": \"/etc/hadoop/conf\"}"),
    optional("security", Kind::Object(&[optional("kerberos", KERBEROS, "{\"keytab_secret\": \"alice.keytab\"}")]), "{}"),
]);

const HDFS: Kind = Kind::Object(&[
    optional("config_uri", Kind::Text, "\"/etc/hadoop/conf\""),
    optional("calls", Kind::Word(&["rpc", "webhdfs"]), "\"webhdfs\""),
]);

const KERBEROS: Kind = Kind::Object(&[
    optional("enabled", Kind::Truth, "true"),
    optional("debug", Kind::Truth, "false"),
    optional("kdc", KDC, "{\"hostname\": \"kdc.example.com\"}"),
    optional("primary", Kind::Text, "\"alice\""),
    optional("realm", Kind::Text, "\"EXAMPLE.COM\""),
    optional("keytab_secret", Kind::Text, "\"alice.keytab\""),
    optional("proxy_user", Kind::Text, "\"bob\""),
]);

const KDC: Kind =
    Kind::Object(&[needed("hostname", Kind::Text, "\"kdc.example.com\""), optional("port", Kind::Whole(u16::MAX as u64), "88")]);

impl Kind {
    /// What is expected there.
    pub(super) fn words(self) -> String {
        match self {
            Kind::Text => "a text".into(),
            Kind::Whole(_) => "a whole number".into(),
            Kind::Number => "a number".into(),
            Kind::Truth => "true or false".into(),
            Kind::Word(words) => any_of(words.iter().copied()),
            Kind::Pair => "a whole number or [height, width]".into(),
            Kind::Range => "[from, to], two whole numbers".into(),
            Kind::Paths => "a path or a list of paths".into(),
            Kind::Names => "a name or a list of names".into(),
            Kind::List(_) => "a list".into(),
            Kind::Object(_) => "an object".into(),
            Kind::OneOf(_, None) | Kind::Beside(..) => "an object with one key, its kind".into(),
            Kind::OneOf(_, Some(word)) => format!("\"{word}\", or an object with one key, its kind"),
        }
    }

    /// A value that may stand there, as JSON.
    pub(super) fn example(self) -> String {
        match self {
            Kind::Text => "\"age\"".into(),
            Kind::Whole(_) | Kind::Number | Kind::Pair => "1".into(),
            Kind::Truth => "true".into(),
            Kind::Word(words) => format!("{:?}", words.first().copied().unwrap_or_default()),
            Kind::Range => "[0, 8000]".into(),
            Kind::Paths => "\"train.csv\"".into(),
            Kind::Names => "\"features\"".into(),
            Kind::List(kind) => format!("[{}]", kind.example()),
            Kind::Object(fields) => {
                let needed = fields.iter().filter(|field| field.needed);
                let fields: Vec<String> = needed.map(|field| format!("\"{}\": {}", field.name, field.example)).collect();
                format!("{{{}}}", fields.join(", "))
            }
            Kind::OneOf(kinds, _) | Kind::Beside(_, kinds) => kinds.first().map(|kind| one_of(*kind)).unwrap_or_default(),
        }
    }
}

/// An object with one key as JSON: `{"dense": {"units": 10}}`.
pub(super) fn one_of((name, kind): (&str, Kind)) -> String {
    format!("{{\"{name}\": {}}}", kind.example())
}

/// `"a", "b" or "c"`.
pub(super) fn any_of<'a>(words: impl Iterator<Item = &'a str>) -> String {
    let words: Vec<String> = words.map(|word| format!("\"{word}\"")).collect();
    match words.as_slice() {
        [before @ .., last] if !before.is_empty() => format!("{} or {last}", before.join(", ")),
        _ => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::JobFile;
    use crate::job::walk::{StandIn, walk};
    use serde_json::{Value, json};

    // More than any list of kinds is long.
    const KINDS_MAX: usize = 32;

    // A value with every field, of the kind with this number where there are several.
    fn full(kind: Kind, number: usize) -> Value {
        match kind {
            Kind::Object(fields) => fields.iter().map(|field| (field.name.to_owned(), full(field.kind, number))).collect(),
            // The next kind, so that what may hold its own kind ends.
            Kind::List(kind) => json!([full(*kind, number + 1)]),
            Kind::OneOf(kinds, _) => {
                let (name, kind) = kinds[number % kinds.len()];
                json!({ name: full(kind, number) })
            }
            Kind::Beside(fields, kinds) => {
                let mut object = full(Kind::OneOf(kinds, None), number);
                let beside = full(Kind::Object(fields), number);
                object.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
                object
            }
            Kind::Word(words) => json!(words[number % words.len()]),
            _ => serde_json::from_str(&kind.example()).unwrap(),
        }
    }

    fn names(value: &Value, path: &str, all: &mut Vec<String>) {
        all.push(path.to_owned());
        match value {
            Value::Object(object) => object.iter().for_each(|(name, value)| names(value, &format!("{path}.{name}"), all)),
            Value::Array(list) => list.iter().for_each(|value| names(value, path, all)),
            _ => {}
        }
    }

    #[test]
    fn serde_has_the_same_fields_and_kinds() {
        for number in 0..KINDS_MAX {
            let value = full(JOB, number);
            let job: JobFile = serde_json::from_value(value.clone()).unwrap_or_else(|e| panic!("{e}: {value}"));
            let (mut here, mut there) = (Vec::new(), Vec::new());
            names(&value, "", &mut here);
            names(&serde_json::to_value(job).unwrap(), "", &mut there);
            here.sort();
            there.sort();
            assert_eq!(here, there);
        }
    }

    fn examples(kind: Kind, all: &mut Vec<(Kind, String)>) {
        if all.iter().filter(|(_, example)| *example == kind.example()).count() > 20 {
            return;
        }
        all.push((kind, kind.example()));
        match kind {
            Kind::Object(fields) => {
                for field in fields {
                    all.push((field.kind, field.example.to_owned()));
                    examples(field.kind, all);
                }
            }
            Kind::List(kind) => examples(*kind, all),
            Kind::OneOf(kinds, _) | Kind::Beside(_, kinds) => kinds.iter().for_each(|(_, kind)| examples(*kind, all)),
            _ => {}
        }
    }

    #[test]
    fn every_example_may_stand_where_it_is_shown() {
        let mut all = Vec::new();
        examples(JOB, &mut all);
        for (kind, example) in all {
            let read = jsonc_parser::parse_to_ast(&example, &Default::default(), &Default::default()).unwrap();
            let (_, found) = walk(kind, &read.value.unwrap(), StandIn::First);
            assert_eq!(found, [], "{example}");
        }
    }

    #[test]
    fn stand_ins_are_taken_by_serde() {
        for stand_in in [StandIn::First, StandIn::Second] {
            let read = jsonc_parser::parse_to_ast("7", &Default::default(), &Default::default()).unwrap();
            let (json, _) = walk(JOB, &read.value.unwrap(), stand_in);
            serde_json::from_value::<JobFile>(json).unwrap();
        }
    }

    // The page's tables name every field.
    #[test]
    fn the_page_has_every_field() {
        let page = include_str!("../../../../docs/job-file.md");
        let mut all = Vec::new();
        (0..KINDS_MAX).for_each(|number| names(&full(JOB, number), "", &mut all));
        for name in all.iter().filter_map(|path| path.rsplit('.').next()).filter(|name| !name.is_empty()) {
            let named = page.contains(&format!("`{name}`")) || page.contains(&format!("`{{\"{name}\": "));
            assert!(named, "docs/job-file.md does not name {name}");
        }
    }
}
