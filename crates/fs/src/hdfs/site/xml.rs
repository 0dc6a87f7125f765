//! The form of Hadoop's configuration files.

use crate::storage::Problem;
use roxmltree::{Document, Node};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The most bytes of a configuration file.
pub(super) const FILE_MAX: u64 = 4 << 20;

/// One setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Property {
    pub name: String,
    pub value: String,
    /// Whether later files leave it as it is.
    pub is_final: bool,
}

/// The settings of a file, in its order.
pub(super) fn read(path: &Path) -> Result<Vec<Property>, Problem> {
    let failed = |why: String| Problem::NotConfigured { detail: format!("{}: {why}", path.display()) };
    let text = content(path).map_err(|error| failed(error.to_string()))?;
    let document = Document::parse(&text).map_err(|error| failed(error.to_string()))?;
    let root = document.root_element();
    if root.tag_name().name() != "configuration" {
        return Err(failed(format!("it holds <{}>, not <configuration>", root.tag_name().name())));
    }
    let mut properties = Vec::new();
    for node in root.children().filter(Node::is_element) {
        match node.tag_name().name() {
            "property" => properties.extend(property(node)),
            "include" => {
                return Err(failed("it includes another file, which is not followed: put that file's properties into it".to_owned()));
            }
            _ => {}
        }
    }
    Ok(properties)
}

fn content(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(FILE_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > FILE_MAX {
        return Err(io::Error::other(format!("it has more than {FILE_MAX} bytes")));
    }
    Ok(text)
}

fn property(node: Node<'_, '_>) -> Option<Property> {
    let child = |name: &str| {
        let child = node.children().find(|child| child.tag_name().name() == name)?;
        Some(child.text().unwrap_or_default().trim().to_owned())
    };
    let is_final = child("final").is_some_and(|value| value == "true");
    Some(Property { name: child("name").filter(|name| !name.is_empty())?, value: child("value")?, is_final })
}
