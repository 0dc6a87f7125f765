use super::{EVERYTHING, batch, initial, model, spec};
use std::path::Path;
use tfcoord_model::file::{DESCRIPTION, Error, FORMAT, TENSORS, read, write};
use tfcoord_model::{Model, ModelFile, Parameters, Workspace};
use tfcoord_types::job::Input;

fn described() -> ModelFile<Vec<String>> {
    ModelFile {
        format: FORMAT,
        model: spec(EVERYTHING),
        input: Input::plain(&[2, 10, 11], 5),
        evaluation_batch_size: 40,
        preprocessing: vec!["some".into(), "texts".into()],
        tensors_sha256: None,
    }
}

fn written(dir: &Path) -> (Model, Parameters) {
    let model = model(EVERYTHING, &[2, 10, 11], 5);
    let mut parameters = initial(&model);
    parameters.values_mut(7)[0] = f32::NAN;
    write(dir, described(), model.variables(), &parameters).unwrap();
    (model, parameters)
}

fn error(dir: &Path) -> Error {
    read::<Vec<String>>(dir, 1).err().unwrap()
}

#[test]
fn what_is_written_is_read_and_predicts_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let (model, mut parameters) = written(dir.path());
    let bits = |p: &Parameters| (0..17).flat_map(|v| p.values(v).iter().map(|v| v.to_bits()).collect::<Vec<_>>()).collect::<Vec<_>>();
    let (file, _, back) = read::<Vec<String>>(dir.path(), 2).unwrap();
    assert!(file.tensors_sha256.as_ref().is_some_and(|hex| hex.len() == 64));
    let file = ModelFile { tensors_sha256: None, ..file };
    assert_eq!((file, bits(&back)), (described(), bits(&parameters)));
    let bytes = || [TENSORS, DESCRIPTION].map(|name| std::fs::read(dir.path().join(name)).unwrap());
    let first = bytes();
    written(dir.path());
    assert!(first == bytes());
    parameters.values_mut(7)[0] = 1.0;
    write(dir.path(), described(), model.variables(), &parameters).unwrap();
    let (file, again, back) = read::<Vec<String>>(dir.path(), 2).unwrap();
    let batch = batch(file.evaluation_batch_size as usize, 220, 5);
    assert_eq!(
        again.evaluate(&back, &batch, &mut Workspace::default()).unwrap(),
        model.evaluate(&parameters, &batch, &mut Workspace::default()).unwrap()
    );
}

#[test]
fn a_file_cut_or_extended_anywhere_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    for name in [TENSORS, DESCRIPTION] {
        let path = dir.path().join(name);
        let whole = std::fs::read(&path).unwrap();
        // The last byte of the description is a line feed.
        let cuts = (0..whole.len() - 1).step_by(whole.len() / 200 + 1).map(|len| whole[..len].to_vec());
        for bytes in cuts.chain([[&whole[..], b"x"].concat(), vec![0xff; 4000], vec![0; 4000]]) {
            std::fs::write(&path, bytes).unwrap();
            assert!(error(dir.path()).to_string().contains(name), "{}", error(dir.path()));
        }
        std::fs::write(&path, whole).unwrap();
    }
    std::fs::remove_file(dir.path().join(TENSORS)).unwrap();
    assert!(matches!(error(dir.path()), Error::Io { path, .. } if path.ends_with(TENSORS)));
    let said = error(&dir.path().join("absent")).to_string();
    assert!(said.contains("absent/model.json") && said.contains("\n  help: name the directory of an exported model"), "{said}");
}

#[test]
fn a_flipped_bit_of_a_value_is_seen() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    let path = dir.path().join(TENSORS);
    let mut bytes = std::fs::read(&path).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let said = error(dir.path()).to_string();
    assert!(said.contains(TENSORS) && said.contains("SHA-256") && said.contains(DESCRIPTION), "{said}");
    // A description from before there was a digest says nothing about it.
    std::fs::write(dir.path().join(DESCRIPTION), serde_json::to_vec(&described()).unwrap()).unwrap();
    assert!(read::<Vec<String>>(dir.path(), 1).is_ok());
}

#[test]
fn flipped_bytes_never_panic() {
    let dir = tempfile::tempdir().unwrap();
    written(dir.path());
    for name in [TENSORS, DESCRIPTION] {
        let path = dir.path().join(name);
        let whole = std::fs::read(&path).unwrap();
        let mut refused = 0;
        for at in 0..whole.len().min(2000) {
            let mut bytes = whole.clone();
            bytes[at] ^= 1 << (at % 8);
            std::fs::write(&path, bytes).unwrap();
            refused += usize::from(read::<Vec<String>>(dir.path(), 1).is_err());
        }
        assert!(refused > if name == TENSORS { 1999 } else { 500 }, "{name}: {refused}");
        std::fs::write(&path, whole).unwrap();
    }
}

#[test]
fn files_that_do_not_belong_together_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let problem = |change: &dyn Fn(&mut ModelFile<Vec<String>>)| {
        written(dir.path());
        let mut file = described();
        change(&mut file);
        std::fs::write(dir.path().join(DESCRIPTION), serde_json::to_vec(&file).unwrap()).unwrap();
        error(dir.path()).to_string()
    };
    let swapped = problem(&|file| file.input.shape = vec![3, 10, 11]);
    assert!(swapped.contains(TENSORS) && swapped.contains("conv2d_0/kernel"), "{swapped}");
    assert!(problem(&|file| file.input.shape = vec![2, 400_000, 400_000]).contains(DESCRIPTION));
    assert!(problem(&|file| file.model.layers.truncate(11)).contains("loss"));
    assert!(problem(&|file| file.format = 2).contains("format 2"));
    let foreign = |json: &str| {
        written(dir.path());
        std::fs::write(dir.path().join(DESCRIPTION), json).unwrap();
        error(dir.path()).to_string()
    };
    let described = serde_json::to_string(&described()).unwrap();
    assert!(described.contains(r#""input":[2,10,11],"classes":5,"#), "{described}");
    let unknown = foreign(&described.replacen('{', r#"{"inputs":[1],"#, 1));
    assert!(unknown.contains("unknown field `inputs`"), "{unknown}");
    assert!(problem(&|file| file.evaluation_batch_size = 0).contains("evaluation_batch_size"));
    assert!(problem(&|file| file.model = spec(r#"{"kind": "counting"}"#)).contains("counting"));
    let no_norm = problem(&|file| {
        file.model.layers.remove(10);
    });
    assert!(no_norm.contains("dense_10/kernel"), "{no_norm}");
}
