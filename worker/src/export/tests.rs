//! What is there after an export, and after one that fails.

use super::*;
use tfcoord_model::{Isa, Options};
use tfcoord_types::job::{Format, Input};
use tfcoord_types::manifest::Label;

struct Place {
    dir: tempfile::TempDir,
    model: Model,
    parameters: Parameters,
}

impl Place {
    fn new() -> Self {
        let spec = serde_json::from_str(r#"{"layers": [{"dense": {"units": 1}}], "loss": "mse"}"#).unwrap();
        let options = Options { threads: 1, train_records: 4, isa: Isa::detect() };
        let model = Model::new(&spec, &Input::plain(&[2], 0), options).unwrap();
        let parameters = Parameters::new(model.variables()).unwrap();
        Self { dir: tempfile::tempdir().unwrap(), model, parameters }
    }

    fn outputs(&self) -> PathBuf {
        self.dir.path().join("demo-2")
    }

    fn export(&self, attempt: u64) -> Result<Exported, Fault> {
        let dir = self.outputs().to_str().unwrap().into();
        let export = Export { step: 9, dir, attempt, evaluations: vec![] };
        let preprocessing = Preprocessing {
            format: Format::Csv,
            input: vec![2],
            label: Label::Number,
            columns: vec![],
            scale: 1.0,
            missing: vec![],
            label_column: None,
        };
        let curve = [CurvePoint { step: 0, loss_sum: 3.0, records: 2.0, correct: 0.0 }];
        let place = super::Place { systems: FileSystems::of_environment(), scratch: self.dir.path().to_owned() };
        Ok(write(&place, &export, &preprocessing, &curve, &self.model, &self.parameters)?)
    }

    fn set(&mut self, value: f32) {
        self.parameters.write(0, 1, &value.to_le_bytes()).unwrap();
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.outputs()).unwrap();
        let mut names: Vec<String> = entries.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn a_later_attempt_has_the_same_files_and_removes_what_earlier_ones_began() {
    let place = Place::new();
    let first = place.export(5).unwrap();
    assert_eq!((first.dir, first.files.len()), (format!("{}/model", place.outputs().display()), 3));
    for temp in [".model-3", ".model-8", ".model-notes"] {
        std::fs::create_dir(place.outputs().join(temp)).unwrap();
    }
    std::fs::remove_file(place.outputs().join(CURVE)).unwrap();
    let second = place.export(7).unwrap();
    assert_eq!(second.files, first.files);
    assert_eq!(place.names(), [".model-8", ".model-notes", CURVE, MODEL_DIR]);
}

#[test]
fn another_model_is_not_touched_nor_its_curve() {
    let mut place = Place::new();
    place.export(5).unwrap();
    std::fs::write(place.outputs().join(CURVE), "theirs").unwrap();
    place.set(0.5);
    let fault = place.export(7).unwrap_err();
    assert!(fault.kind == FaultKind::Job && fault.message.contains("is another model: move it away"), "{}", fault.message);
    assert_eq!(place.names(), [CURVE, MODEL_DIR]);
    assert_eq!(std::fs::read_to_string(place.outputs().join(CURVE)).unwrap(), "theirs");
}

#[test]
fn what_cannot_be_written_ends_the_job_with_one_cause_and_a_remedy() {
    let place = Place::new();
    std::fs::write(place.outputs(), "").unwrap();
    let fault = place.export(5).unwrap_err();
    assert!(fault.kind == FaultKind::Job && fault.message.ends_with(REMEDY), "{}", fault.message);
    assert_eq!(fault.message.matches("os error").count(), 1, "{}", fault.message);

    std::fs::remove_file(place.outputs()).unwrap();
    // A folder in the place of the curve: the model is complete before.
    std::fs::create_dir_all(place.outputs().join(CURVE)).unwrap();
    let fault = place.export(5).unwrap_err();
    assert!(fault.kind == FaultKind::Job && fault.message.contains(CURVE), "{}", fault.message);
    assert_eq!(fault.message.matches("os error").count(), 1, "{}", fault.message);
    assert_eq!(place.names(), [CURVE, MODEL_DIR], "nothing temporary is left");
}

#[test]
fn a_parameter_that_is_not_finite_is_named_with_the_step() {
    let mut place = Place::new();
    place.set(f32::NAN);
    let fault = place.export(5).unwrap_err();
    assert!(fault.message.starts_with("dense_0/kernel is not finite after the last step, 8: "), "{}", fault.message);
    assert!(fault.kind == FaultKind::NotFinite && !place.outputs().exists());
}

#[test]
fn files_are_digested_piece_by_piece() {
    let dir = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..200_001u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(dir.path().join("long"), &bytes).unwrap();
    std::fs::write(dir.path().join("empty"), "").unwrap();
    let hex = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let expected = [("empty".to_owned(), 0, hex(b"")), ("long".to_owned(), 200_001, hex(&bytes))];
    assert_eq!(digests(dir.path()).unwrap(), expected);
}
