//! A layer in its place: what it is called, and what it sees.

use super::data::OneOrMany;
use super::model::Layer;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A layer of `model.layers`: the layer's own key, and beside it what it is called and what it sees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
pub struct LayerEntry {
    /// What others may call it by, and what its variables' names begin with. Its kind and place if absent: `dense_3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it sees: layers before it, columns, or `features`, `numbers`, `categories`; several one behind the other. The
    /// layer before it (the first one: all features) if absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input: Option<OneOrMany>,
    /// The layer.
    #[serde(flatten)]
    pub layer: Layer,
}

// serde's own flattening would let unknown fields pass.
impl TryFrom<Map<String, Value>> for LayerEntry {
    type Error = serde_json::Error;

    fn try_from(mut fields: Map<String, Value>) -> Result<Self, Self::Error> {
        let mut beside = |name: &str| fields.remove(name).unwrap_or(Value::Null);
        let (name, input) = (serde_json::from_value(beside("name"))?, serde_json::from_value(beside("input"))?);
        Ok(Self { name, input, layer: serde_json::from_value(Value::Object(fields))? })
    }
}

impl From<Layer> for LayerEntry {
    fn from(layer: Layer) -> Self {
        Self { name: None, input: None, layer }
    }
}

impl LayerEntry {
    /// Called `name`.
    pub(super) fn named(self, name: &str) -> Self {
        Self { name: Some(name.to_owned()), ..self }
    }

    /// Seeing what these names stand for.
    pub(super) fn seeing(self, names: &[&str]) -> Self {
        Self { input: Some(OneOrMany::Many(names.iter().map(|name| (*name).to_owned()).collect())), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layer_stands_beside_its_name() {
        let json = r#"{"name":"wide","input":["a","b"],"dense":{"units":1,"bias":true}}"#;
        let entry: LayerEntry = serde_json::from_str(json).unwrap();
        assert_eq!((entry.name.as_deref(), entry.layer.kind()), (Some("wide"), "dense"));
        assert_eq!(serde_json::from_str::<LayerEntry>(&serde_json::to_string(&entry).unwrap()).unwrap(), entry);
        for wrong in
            [r#"{"name":"a"}"#, r#"{"dense":{"units":1},"flatten":{}}"#, r#"{"flatten":{},"names":"a"}"#, r#"{"flatten":{},"name":1}"#]
        {
            assert!(serde_json::from_str::<LayerEntry>(wrong).is_err(), "{wrong}");
        }
    }
}
