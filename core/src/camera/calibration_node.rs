//! A calibration file as a tree, whichever notation it has: YAML (with the head that OpenCV gives it) and JSON here, XML in
//! the room that reads it.
//!
//! Nothing gets lost on the way: a key that is there twice, a number that is not finite, and a nesting that no calibration
//! has are errors.

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// One value of a calibration file.
#[derive(Clone, Debug, PartialEq)]
pub enum CalibrationNode {
    /// A key without a value.
    Nothing,
    /// True or false.
    Flag(bool),
    /// A finite number.
    Number(f64),
    /// Text.
    Text(String),
    /// Values in order.
    List(Vec<Self>),
    /// Named values, in the file's order; a name occurs once.
    Map(Vec<(String, Self)>),
}

impl CalibrationNode {
    /// Reads YAML or JSON. Several documents (`ros2 topic echo` writes one a message) must say the same but for their
    /// heads.
    ///
    /// # Errors
    /// What is wrong with the text.
    pub fn from_yaml(text: &str) -> Result<Self, String> {
        let mut found: Option<Self> = None;
        for document in documents(text) {
            let node: Self = serde_saphyr::from_str(&document).map_err(|error| first_line(&error.to_string()))?;
            let node = node.without(&["header", "timestamp"], found.is_some());
            match &found {
                None => found = Some(node),
                Some(first) if first.clone().without(&["header", "timestamp"], true) == node => {}
                Some(_) => return Err("it holds several documents, which are not the same".into()),
            }
        }
        Ok(found.unwrap_or(Self::Nothing))
    }

    /// The value of that name, of a map.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.entries().iter().find(|(key, _)| key == name).map(|(_, value)| value)
    }

    /// The names and values of a map; none of anything else.
    pub fn entries(&self) -> &[(String, Self)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The text; a number's digits where a tool has not put text in quotes.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// The number, also where it stands as text.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            _ => None,
        }
    }

    /// A count of pixels.
    pub fn pixels(&self) -> Option<u32> {
        self.number()
            .filter(|&number| number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number))
            .map(|number| number as u32)
    }

    /// The numbers of a matrix row by row: a list, lists in a list, a text of numbers (XML), or any of these as `data`.
    /// None where something else stands there.
    pub fn numbers(&self) -> Option<Vec<f64>> {
        match self {
            Self::Map(_) => self.get("data")?.numbers(),
            Self::List(items) => {
                let parts = items.iter().map(|item| match item {
                    Self::List(_) => item.numbers(),
                    scalar => scalar.number().map(|number| vec![number]),
                });
                parts.collect::<Option<Vec<_>>>().map(|parts| parts.concat())
            }
            Self::Text(text) => text
                .split_whitespace()
                .map(|word| word.parse().ok().filter(|number: &f64| number.is_finite()))
                .collect::<Option<Vec<_>>>()
                .filter(|numbers| !numbers.is_empty()),
            _ => None,
        }
    }

    /// A map without these names, or the same.
    fn without(self, names: &[&str], really: bool) -> Self {
        match self {
            Self::Map(entries) if really => {
                Self::Map(entries.into_iter().filter(|(key, _)| !names.contains(&key.as_str())).collect())
            }
            other => other,
        }
    }
}

/// The documents of a text, without empty ones. `%YAML:1.0` is not the directive that YAML knows; none says anything here.
fn documents(text: &str) -> Vec<String> {
    let mut documents = vec![String::new()];
    for line in text.lines().filter(|line| !line.starts_with("%YAML")) {
        // `--- # comment` and `--- !!map` begin a document as well.
        let rest = line.strip_prefix("---").filter(|rest| rest.is_empty() || rest.starts_with([' ', '\t']));
        let line = rest.map_or(line, |rest| {
            documents.push(String::new());
            rest
        });
        if let Some(last) = documents.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    let says =
        |document: &String| document.lines().any(|line| !line.trim().is_empty() && !line.trim().starts_with('#'));
    documents.into_iter().filter(says).collect()
}

/// Of a reader's complaint, which goes on with a drawing of the place.
fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

impl<'de> Deserialize<'de> for CalibrationNode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = CalibrationNode;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("numbers, text, lists and maps")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(CalibrationNode::Nothing)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(CalibrationNode::Flag(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(CalibrationNode::Number(value as f64))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(CalibrationNode::Number(value as f64))
    }

    fn visit_i128<E>(self, value: i128) -> Result<Self::Value, E> {
        Ok(CalibrationNode::Number(value as f64))
    }

    fn visit_u128<E>(self, value: u128) -> Result<Self::Value, E> {
        Ok(CalibrationNode::Number(value as f64))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
        if value.is_finite() {
            Ok(CalibrationNode::Number(value))
        } else {
            Err(E::custom(format!("numbers must be finite, got {value}")))
        }
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(CalibrationNode::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(CalibrationNode::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut entries: Vec<(String, CalibrationNode)> = Vec::new();
        while let Some((key, value)) = items.next_entry::<String, CalibrationNode>()? {
            if entries.iter().any(|(known, _)| *known == key) {
                return Err(A::Error::custom(format!("{key} is there twice")));
            }
            entries.push((key, value));
        }
        Ok(CalibrationNode::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matrices_of_every_notation_are_the_same_numbers() {
        for text in [
            "m: [1, 2.5, -3e1]",
            "m: {rows: 1, cols: 3, data: [1, 2.5, -3e1]}",
            "%YAML:1.0 # of a tool\n---\nm: !!opencv-matrix\n   rows: 1\n   cols: 3\n   dt: d\n   data: [ 1., 2.5,\n      -30. ]",
            "m:\n- - 1\n  - 2.5\n- - -30.0",
            "{\"m\": [[1], [2.5], [-30]]}",
            "m: \"1 2.5 -30\"",
            "---\nm: [1, 2.5, -30]\n---\n",
            "header: {sec: 1}\nm: [1, 2.5, -30]\n---\nheader: {sec: 2}\nm: [1, 2.5, -30]\n---\n",
        ] {
            let node = CalibrationNode::from_yaml(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(node.get("m").unwrap().numbers().unwrap(), [1.0, 2.5, -30.0], "{text}");
        }
    }

    #[test]
    fn what_would_get_lost_is_refused() {
        let deep = format!("m: {}1{}", "[".repeat(10_000), "]".repeat(10_000));
        let deep_block: String = (0..5000).map(|depth| " ".repeat(depth) + "a:\n").collect();
        for text in [
            "m: [1]\nm: [2]",
            "m: [.nan]",
            "m: [1e400]",
            "m: [-.inf]",
            "m: [1]\n---\nm: [2]",
            "m: [1, 2",
            "m:\n\t- 1",
            &deep,
            &deep_block,
        ] {
            assert!(CalibrationNode::from_yaml(text).is_err(), "{}", &text[..text.len().min(40)]);
        }
        for text in ["m: [a]", "m: 1,5", "m: [true]", "m: []x"] {
            let numbers = CalibrationNode::from_yaml(text).ok().and_then(|node| node.get("m")?.numbers());
            assert_eq!(numbers, None, "{text}");
        }
    }
}
