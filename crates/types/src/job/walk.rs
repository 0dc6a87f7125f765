//! Holds the text's tree against the [`grammar`](super::grammar): everything in it that cannot be there is found in one
//! pass, and what is left becomes plain JSON.
//!
//! Where something is wrong or missing, a stand-in takes its place, so that the rest can be checked all the same. There
//! are two stand-ins for everything, and what is found with one only is no problem of the file.

use super::grammar::{Field, Kind, any_of, one_of};
use jsonc_parser::ast::{Object, ObjectProp, Value};
use jsonc_parser::common::Ranged;
use serde_json::{Map, Value as Json, json};
use std::collections::BTreeSet;

/// More problems help nobody.
const PROBLEMS_MAX: usize = 1000;
/// Names this far from a known one are taken for it, mistyped.
const EDITS_MAX: usize = 2;
/// Longer texts are no mistyped names.
const NAME_BYTES_MAX: usize = 64;

/// A problem, and the byte of the text that it begins at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) at: usize,
    pub(super) path: String,
    pub(super) message: String,
    pub(super) remedy: String,
}

/// Which stand-ins are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StandIn {
    First,
    Second,
}

/// The file as JSON with these stand-ins, and all that is wrong with its form.
pub(super) fn walk(kind: Kind, value: &Value<'_>, stand_in: StandIn) -> (Json, Vec<Found>) {
    let mut walk = Walk { stand_in, found: Vec::new() };
    let json = walk.value(kind, value, &Place { path: String::new(), at: value.start(), example: None });
    (json, walk.found)
}

struct Walk {
    stand_in: StandIn,
    found: Vec<Found>,
}

struct Place {
    path: String,
    at: usize,
    example: Option<&'static str>,
}

impl Place {
    fn field(&self, name: &str, at: usize, example: Option<&'static str>) -> Self {
        let dot = if self.path.is_empty() { "" } else { "." };
        Self { path: format!("{}{dot}{}", self.path, clipped(name)), at, example }
    }

    fn element(&self, index: usize, value: &Value<'_>) -> Self {
        Self { path: format!("{}[{index}]", self.path), at: value.start(), example: None }
    }
}

impl Walk {
    fn problem(&mut self, place: &Place, message: String, remedy: String) {
        if self.found.len() < PROBLEMS_MAX {
            self.found.push(Found { at: place.at, path: place.path.clone(), message, remedy });
        }
    }

    fn value(&mut self, kind: Kind, value: &Value<'_>, place: &Place) -> Json {
        match (kind, value) {
            (Kind::Text, Value::StringLit(text)) => json!(text.value),
            (Kind::Truth, Value::BooleanLit(truth)) => json!(truth.value),
            (Kind::Number, Value::NumberLit(number)) => self.number(kind, number.value, place),
            (Kind::Whole(_) | Kind::Pair, Value::NumberLit(number)) => self.whole(kind, number.value, place),
            (Kind::Word(words), Value::StringLit(text)) if words.contains(&text.value.as_ref()) => json!(text.value),
            (Kind::Paths | Kind::Names, Value::StringLit(text)) => json!(text.value),
            (Kind::Paths | Kind::Names, Value::Array(list)) => self.list(Kind::Text, &list.elements, place),
            (Kind::List(kind), Value::Array(list)) => self.list(*kind, &list.elements, place),
            (Kind::Pair, Value::Array(list)) if list.elements.len() == 2 => self.list(Kind::Whole(u32::MAX.into()), &list.elements, place),
            (Kind::Range, Value::Array(list)) if list.elements.len() == 2 => self.list(Kind::Whole(u64::MAX), &list.elements, place),
            (Kind::Object(fields), Value::Object(object)) => self.object(fields, object, place),
            (Kind::OneOf(kinds, word), Value::Object(object)) => {
                self.one_of(kinds, word, &object.properties.iter().collect::<Vec<_>>(), place)
            }
            (Kind::Beside(fields, kinds), Value::Object(object)) => self.beside(fields, kinds, object, place),
            (Kind::OneOf(_, Some(word)), Value::StringLit(text)) if text.value == word => json!(word),
            _ => self.mistyped(kind, value, place),
        }
    }

    fn list(&mut self, kind: Kind, elements: &[Value<'_>], place: &Place) -> Json {
        elements.iter().enumerate().map(|(index, value)| self.value(kind, value, &place.element(index, value))).collect()
    }

    fn number(&mut self, kind: Kind, text: &str, place: &Place) -> Json {
        if let Ok(number) = serde_json::from_str::<serde_json::Number>(text) {
            return Json::Number(number);
        }
        self.problem(place, format!("{} is no number that can be held", clipped(text)), "write such as 0.001 or 1e-3".into());
        self.stand_in(kind)
    }

    fn whole(&mut self, kind: Kind, text: &str, place: &Place) -> Json {
        let most = if let Kind::Whole(most) = kind { most } else { u32::MAX.into() };
        if let Some(number) = text.parse::<u64>().ok().filter(|number| *number <= most) {
            return json!(number);
        }
        let is_whole = text.strip_prefix('-').unwrap_or(text).bytes().all(|b| b.is_ascii_digit());
        let range = if is_whole { format!(" from 0 to {most}") } else { String::new() };
        let message = format!("expected {}{range}, found {}", kind.words(), clipped(text));
        self.problem(place, message, such_as(kind, place));
        self.stand_in(kind)
    }

    fn mistyped(&mut self, kind: Kind, value: &Value<'_>, place: &Place) -> Json {
        let remedy = match (kind, value) {
            (Kind::Whole(_) | Kind::Number, Value::StringLit(text)) if is_number(&text.value) => {
                format!("write {} without quotes", text.value)
            }
            (Kind::Truth, Value::StringLit(text)) if matches!(text.value.as_ref(), "true" | "false") => {
                format!("write {} without quotes", text.value)
            }
            (Kind::Word(words), Value::StringLit(text)) => match nearest(&text.value, words.iter().copied()) {
                Some(word) => format!("did you mean \"{word}\"?"),
                None => "write one of them".into(),
            },
            (Kind::OneOf(kinds, _) | Kind::Beside(_, kinds), Value::StringLit(text)) => {
                match nearest(&text.value, kinds.iter().map(|kind| kind.0)) {
                    Some(name) => format!("write {}", named(kinds, name)),
                    None => such_as(kind, place),
                }
            }
            (Kind::List(_), Value::Object(_) | Value::StringLit(_)) => format!("put it into [ ]: {}", such_as(kind, place)),
            _ => such_as(kind, place),
        };
        self.problem(place, format!("expected {}, found {}", kind.words(), described(value)), remedy);
        self.stand_in(kind)
    }

    fn object(&mut self, fields: &'static [Field], object: &Object<'_>, place: &Place) -> Json {
        let mut json = Map::new();
        let mut seen = BTreeSet::new();
        for property in &object.properties {
            let name = property.name.as_str();
            let field = fields.iter().find(|field| field.name == name);
            let at = place.field(name, property.start(), field.map(|field| field.example));
            match field {
                Some(_) if !seen.insert(name) => self.problem(&at, "occurs twice".into(), "remove one of them".into()),
                // As if it were left out.
                Some(field) if !field.needed && matches!(property.value, Value::NullKeyword(_)) => {}
                Some(field) => {
                    json.insert(name.to_owned(), self.value(field.kind, &property.value, &at));
                }
                None => {
                    let likely = self.unknown(fields, object, property, &at);
                    // Taken for what was meant, so that nothing is said of what seems to be missing.
                    let meant = fields.iter().find(|field| Some(field.name) == likely && !seen.contains(field.name));
                    if let Some(field) = meant {
                        seen.insert(field.name);
                        json.insert(field.name.to_owned(), self.value(field.kind, &property.value, &at));
                    }
                }
            }
        }
        for field in fields.iter().filter(|field| field.needed && !seen.contains(field.name)) {
            // At the place of the object that lacks it.
            let at = place.field(field.name, place.at, None);
            self.problem(&at, "is missing".into(), format!("add \"{}\": {}", field.name, field.example));
            json.insert(field.name.to_owned(), self.stand_in(field.kind));
        }
        Json::Object(json)
    }

    // The field that it may have been meant for, where that is not there.
    fn unknown(&mut self, fields: &'static [Field], object: &Object<'_>, property: &ObjectProp<'_>, at: &Place) -> Option<&'static str> {
        let there = |name: &str| object.properties.iter().any(|property| property.name.as_str() == name);
        let likely = nearest(property.name.as_str(), fields.iter().map(|field| field.name));
        let remedy = match likely {
            Some(name) => format!("did you mean \"{name}\"?"),
            None if fields.is_empty() => "remove it: nothing stands here".into(),
            None => format!("remove it; here may stand {}", any_of(fields.iter().map(|field| field.name))),
        };
        self.problem(at, "there is no such field".into(), remedy);
        likely.filter(|name| !there(name))
    }

    // The fields that may stand beside, and what is left.
    fn beside(&mut self, fields: &'static [Field], kinds: &'static [(&'static str, Kind)], object: &Object<'_>, place: &Place) -> Json {
        let mut json = Map::new();
        let mut rest = Vec::new();
        for property in &object.properties {
            let name = property.name.as_str();
            let Some(field) = fields.iter().find(|field| field.name == name) else {
                rest.push(property);
                continue;
            };
            let at = place.field(name, property.start(), Some(field.example));
            if json.contains_key(name) {
                self.problem(&at, "occurs twice".into(), "remove one of them".into());
            } else if !matches!(property.value, Value::NullKeyword(_)) {
                json.insert(name.to_owned(), self.value(field.kind, &property.value, &at));
            }
        }
        if let Json::Object(one) = self.one_of(kinds, None, &rest, place) {
            json.extend(one);
        }
        Json::Object(json)
    }

    fn one_of(
        &mut self,
        kinds: &'static [(&'static str, Kind)],
        word: Option<&'static str>,
        properties: &[&ObjectProp<'_>],
        place: &Place,
    ) -> Json {
        let whole = Kind::OneOf(kinds, word);
        let [property] = properties else {
            let names: Vec<String> = properties.iter().take(9).map(|property| format!("\"{}\"", clipped(property.name.as_str()))).collect();
            let (message, remedy) = if names.is_empty() {
                (format!("expected {}, found no key", whole.words()), such_as(whole, place))
            } else if place.path.ends_with(']') {
                let each = names.iter().map(|name| format!("{{{name}: …}}")).collect::<Vec<_>>().join(", ");
                (format!("expected {}, found {}", whole.words(), names.join(", ")), format!("give each an object of its own: {each}"))
            } else {
                (format!("expected {}, found {}", whole.words(), names.join(", ")), "keep one of them".into())
            };
            self.problem(place, message, remedy);
            return self.stand_in(whole);
        };
        let name = property.name.as_str();
        let at = place.field(name, property.start(), None);
        if let Some((_, kind)) = kinds.iter().find(|kind| kind.0 == name) {
            return json!({ name: self.value(*kind, &property.value, &at) });
        }
        let remedy = match nearest(name, kinds.iter().map(|kind| kind.0)) {
            _ if Some(name) == word => format!("write \"{name}\" alone"),
            Some(likely) => format!("did you mean \"{likely}\"?"),
            None => format!("use {}", any_of(kinds.iter().map(|kind| kind.0).chain(word))),
        };
        self.problem(&at, "there is no such kind".into(), remedy);
        self.stand_in(whole)
    }

    fn stand_in(&self, kind: Kind) -> Json {
        stand_in(kind, self.stand_in)
    }
}

// Values that serde takes; the two differ in all that checks look at.
fn stand_in(kind: Kind, which: StandIn) -> Json {
    let first = which == StandIn::First;
    match kind {
        Kind::Text => json!(if first { "a" } else { "b" }),
        Kind::Whole(_) => json!(if first { 1 } else { 4096 }),
        Kind::Number => json!(if first { 0.5 } else { 0.25 }),
        Kind::Truth => json!(first),
        Kind::Word(words) => json!(if first { words.first() } else { words.last() }),
        Kind::Pair => json!(if first { 1 } else { 2 }),
        Kind::Range => json!(if first { [0, 1] } else { [0, 4096] }),
        Kind::Paths | Kind::Names => {
            if first {
                json!("a")
            } else {
                Json::Null
            }
        }
        Kind::List(_) => json!([]),
        Kind::Object(fields) => {
            let needed = fields.iter().filter(|field| field.needed);
            needed.map(|field| (field.name.to_owned(), stand_in(field.kind, which))).collect::<Map<_, _>>().into()
        }
        Kind::OneOf(kinds, _) | Kind::Beside(_, kinds) => {
            let chosen = if first { kinds.first() } else { kinds.last() };
            chosen.map_or(Json::Null, |(name, kind)| json!({ *name: stand_in(*kind, which) }))
        }
    }
}

fn such_as(kind: Kind, place: &Place) -> String {
    format!("write such as {}", place.example.map_or_else(|| kind.example(), str::to_owned))
}

fn named(kinds: &[(&'static str, Kind)], name: &str) -> String {
    kinds.iter().find(|kind| kind.0 == name).map(|kind| one_of(*kind)).unwrap_or_default()
}

/// The known name that is meant, if there is one near.
/// What a name may have been meant for, of those that are known.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    if name.len() > NAME_BYTES_MAX {
        return None;
    }
    // Of a short name, two edits leave nothing.
    let near = |known: &str| EDITS_MAX.min(known.len().saturating_sub(1) / 2);
    let distances = known.map(|known| (strsim::damerau_levenshtein(&name.to_lowercase(), known), known));
    distances.filter(|(edits, known)| *edits <= near(known)).min().map(|(_, known)| known)
}

fn is_number(text: &str) -> bool {
    text.len() < NAME_BYTES_MAX && serde_json::from_str::<serde_json::Number>(text).is_ok()
}

fn described(value: &Value<'_>) -> String {
    match value {
        Value::StringLit(text) => format!("the text {:?}", clipped(&text.value)),
        Value::NumberLit(number) => format!("the number {}", clipped(number.value)),
        Value::BooleanLit(truth) => truth.value.to_string(),
        Value::Object(_) => "an object".into(),
        Value::Array(list) => match list.elements.len() {
            0 => "an empty list".into(),
            1 => "a list of 1".into(),
            n => format!("a list of {n}"),
        },
        Value::NullKeyword(_) => "null".into(),
    }
}

fn clipped(text: &str) -> String {
    match text.char_indices().nth(NAME_BYTES_MAX) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
