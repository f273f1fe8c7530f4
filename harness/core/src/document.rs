//! YAML documents with the line of every value, for facts and for blame.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;

use crate::source::{LoadError, SourceLocation, refuse_large, yaml_options};

/// A YAML value that knows its lines.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// Null.
    Null,
    /// Any scalar, as its text.
    Scalar(String),
    /// A sequence.
    Sequence(Vec<Item>),
    /// A mapping, in the order of the file.
    Mapping(Vec<(String, Item)>),
}

/// A value and the line on which it starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// Line, from 1.
    pub line: u64,
    /// The value.
    pub node: Node,
}

impl Item {
    /// The value under a key of a mapping.
    pub fn get(&self, key: &str) -> Option<&Item> {
        match &self.node {
            Node::Mapping(entries) => entries.iter().find(|(name, _)| name == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// The value under a path of keys and sequence indices.
    pub fn at(&self, path: &[&str]) -> Option<&Item> {
        path.iter().try_fold(self, |item, step| match &item.node {
            Node::Sequence(items) => items.get(step.parse::<usize>().ok()?),
            _ => item.get(step),
        })
    }

    /// The scalar text under a path.
    pub fn text(&self, path: &[&str]) -> Option<&str> {
        match &self.at(path)?.node {
            Node::Scalar(text) => Some(text),
            _ => None,
        }
    }

    /// The items of a sequence under a path, or none.
    pub fn items(&self, path: &[&str]) -> &[Item] {
        match self.at(path).map(|item| &item.node) {
            Some(Node::Sequence(items)) => items,
            _ => &[],
        }
    }

    /// The entries of a mapping under a path, or none.
    pub fn entries(&self, path: &[&str]) -> &[(String, Item)] {
        match self.at(path).map(|item| &item.node) {
            Some(Node::Mapping(entries)) => entries,
            _ => &[],
        }
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

fn item(spanned: Spanned<Node>) -> Item {
    Item { line: spanned.referenced.line(), node: spanned.value }
}

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a YAML value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.to_string()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(spanned) = access.next_element::<Spanned<Node>>()? {
            items.push(item(spanned));
        }
        Ok(Node::Sequence(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = access.next_key::<String>()? {
            entries.push((key, item(access.next_value::<Spanned<Node>>()?)));
        }
        Ok(Node::Mapping(entries))
    }
}

/// One document of a file, usually a Kubernetes object.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Where it starts.
    pub location: SourceLocation,
    /// Its content.
    pub root: Item,
}

impl Document {
    /// `kind`, or empty.
    pub fn kind(&self) -> &str {
        self.root.text(&["kind"]).unwrap_or_default()
    }

    /// `metadata.name`, or empty.
    pub fn name(&self) -> &str {
        self.root.text(&["metadata", "name"]).unwrap_or_default()
    }

    /// `metadata.namespace`, where written.
    pub fn namespace(&self) -> Option<&str> {
        self.root.text(&["metadata", "namespace"])
    }

    /// The location of the value under a path, or of the document.
    pub fn locate(&self, path: &[&str]) -> SourceLocation {
        let line = self.root.at(path).map_or(self.location.line, |item| item.line);
        SourceLocation::new(self.location.file.clone(), line)
    }
}

/// Read every document of a file. Empty documents are left out.
pub fn documents(file: &str, text: &str) -> Result<Vec<Document>, LoadError> {
    refuse_large(file, text)?;
    let parsed: Vec<Spanned<Node>> = serde_saphyr::from_multiple_with_options(text, yaml_options())
        .map_err(|error| LoadError::from_yaml(file, &error))?;
    let not_empty = parsed.into_iter().filter(|spanned| spanned.value != Node::Null);
    Ok(not_empty
        .map(|spanned| {
            let root = item(spanned);
            Document { location: SourceLocation::new(file, root.line), root }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str =
        "kind: A\nmetadata:\n  name: one\n---\nkind: B\nspec:\n  list:\n    - x: 1\n    - x: 2\n";

    #[test]
    fn keeps_the_line_of_every_value() {
        let documents = documents("two.yaml", TWO).unwrap();
        assert_eq!(documents.len(), 2);
        assert_eq!(documents[0].name(), "one");
        let second = &documents[1];
        assert_eq!(second.root.at(&["spec", "list", "1", "x"]).unwrap().line, 9);
        assert_eq!(second.locate(&["spec", "list", "0"]).to_string(), "two.yaml:8");
    }

    #[test]
    fn a_word_is_no_truth_value() {
        let documents = documents("n.yaml", "name: n\nother: yes\ntruth: true\n").unwrap();
        let root = &documents[0].root;
        let read = ["name", "other", "truth"].map(|key| root.text(&[key]));
        assert_eq!(read, [Some("n"), Some("yes"), Some("true")]);
    }

    #[test]
    fn an_absent_path_blames_the_document() {
        let documents = documents("two.yaml", TWO).unwrap();
        assert_eq!(documents[1].locate(&["nowhere"]).line, 5);
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in ".{0,200}") {
            let _ = documents("any.yaml", &text);
        }
    }
}
