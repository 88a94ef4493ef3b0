//! The values of a file by what they mean, and the cameras that they make.

use super::names::{Meaning, Named, Whose, meaning_of};
use super::relation::right_from_left;
use crate::formats::found::{Found, FoundCamera};
use crate::formats::refusal::{FORMS, unknown_key};
use crate::formats::unsaid::Unsaid;
use nalgebra::{Isometry3, Matrix3};
use parallax_core::camera::{CalibrationNode, CameraNumbers, is_harmless, part_of_the_sensor};
use parallax_core::{Error, Result};
use std::path::Path;

/// One value that is understood.
#[derive(Clone, Debug, PartialEq)]
struct Value {
    /// As the file has it, with the names around it.
    name: String,
    named: Named,
    node: CalibrationNode,
}

/// Everything of a file that is understood.
#[derive(Clone, Debug, Default)]
pub(super) struct Gathered {
    values: Vec<Value>,
    /// The first key that is neither understood nor harmless.
    unknown: Option<String>,
    /// The file as it is, for what belongs to its size.
    root: Option<CalibrationNode>,
}

impl Gathered {
    /// Sorts a file by what its names mean.
    pub(super) fn of(root: &CalibrationNode, path: &Path, unsaid: &Unsaid) -> Result<Self> {
        let mut gathered = Self { values: Vec::new(), unknown: None, root: Some(root.clone()) };
        gathered.gather(&mut Vec::new(), root, unsaid);
        gathered.refuse_unknown(path)?;
        Ok(gathered)
    }

    /// A file without any camera is one of another form; of others every key must be understood.
    fn refuse_unknown(&self, path: &Path) -> Result<()> {
        let is_other = self.values.is_empty();
        self.unknown.as_ref().filter(|_| !is_other).map_or(Ok(()), |key| Err(unknown_key(key, path)))
    }

    fn gather<'a>(&mut self, names: &mut Vec<&'a str>, node: &'a CalibrationNode, unsaid: &Unsaid) {
        for (key, value) in node.entries() {
            names.push(key);
            let name = names.join(".");
            let is_group =
                matches!(value, CalibrationNode::Map(entries) if !entries.is_empty() && value.get("data").is_none());
            if unsaid.ignores(&name)
                || unsaid.ignores(key)
                || is_sensor_part(key)
                || (is_group && is_harmless(key, value))
            {
                // Nothing to be learned from it here.
            } else if is_group {
                self.gather(names, value, unsaid);
            } else if let Some(named) = meaning_of(names, value) {
                self.values.push(Value { name, named, node: value.clone() });
            } else if !is_harmless(key, value) {
                self.unknown.get_or_insert(name);
            }
            names.pop();
        }
    }

    /// Adds what another file says, such as `extrinsics.yml`.
    pub(super) fn join(&mut self, other: Self, path: &Path) -> Result<()> {
        for value in other.values {
            let same = |own: &&Value| own.named.meaning == value.named.meaning && own.named.whose == value.named.whose;
            match self.values.iter().find(same) {
                Some(own) if own.node.numbers() != value.node.numbers() || own.node.text() != value.node.text() => {
                    return Err(Error::Malformed {
                        what: format!("{} is in the other file too, with other numbers", value.name),
                        path: path.to_path_buf(),
                        hint: "give the two files of one calibration",
                    });
                }
                Some(_) => {}
                None => self.values.push(value),
            }
        }
        Ok(())
    }

    /// The cameras.
    pub(super) fn into_found(mut self, path: &Path, unsaid: &Unsaid) -> Result<Found> {
        let malformed = |what: String, hint| Error::Malformed { what, path: path.to_path_buf(), hint };
        self.settle_owners();
        let hint = if self.matrix_owners().is_empty() { FORMS } else { AMBIGUOUS };
        let owners = self.owners().map_err(|what| malformed(what, hint))?;
        if let Some(value) = self.values.iter().find(|value| !belongs(value, &owners)) {
            let what =
                format!("which camera {} belongs to is not clear, or the file has no camera matrix of it", value.name);
            return Err(malformed(what, AMBIGUOUS));
        }
        let cameras = owners.iter().map(|whose| {
            let numbers = self.camera(*whose, owners.len() == 1, unsaid)?;
            Ok(FoundCamera { numbers, ..FoundCamera::default() })
        });
        let cameras =
            cameras.collect::<std::result::Result<Vec<_>, String>>().map_err(|what| malformed(what, AMBIGUOUS))?;
        let size = cameras.first().map_or((0, 0), |camera| (camera.numbers.width, camera.numbers.height));
        if let Some(what) = self.root.as_ref().and_then(|root| part_of_the_sensor(root, size)) {
            return Err(malformed(what, "give the numbers for the pictures as they are taken"));
        }
        let right_from_left = if cameras.len() == 2 { self.relation(path, unsaid)? } else { None };
        let is_placed = |camera: &FoundCamera| camera.numbers.p.get(3).is_some_and(|&shift| shift != 0.0);
        if cameras.len() == 2 && right_from_left.is_none() && !cameras.iter().any(is_placed) {
            return Err(malformed(
                "expected R with 9 numbers and T with 3, which say where the right camera is, found none".into(),
                "name the file that has them with --extrinsics: OpenCV's extrinsics.yml beside intrinsics.yml",
            ));
        }
        Ok(Found { cameras, right_from_left })
    }

    /// R and P of rectification of both cameras; empty where the file has none.
    pub(super) fn rectified(mut self, path: &Path, unsaid: &Unsaid) -> Result<[[Vec<f64>; 2]; 2]> {
        for value in &mut self.values {
            value.named.whose = side_of(value.named.whose);
        }
        let of = |whose| -> std::result::Result<[Vec<f64>; 2], String> {
            let r = self.numbers(Meaning::Rectification, whose, false)?;
            Ok([r, in_metres(self.numbers(Meaning::Projection, whose, false)?, unsaid)])
        };
        let malformed = |what| Error::Malformed { what, path: path.to_path_buf(), hint: AMBIGUOUS };
        Ok([of(Whose::Left).map_err(malformed)?, of(Whose::Right).map_err(malformed)?])
    }

    /// Numbers become sides where there are two cameras, and what has any owner becomes the only camera's where there is one.
    fn settle_owners(&mut self) {
        let owners = self.matrix_owners();
        let mut others: Vec<Whose> =
            self.values.iter().map(|value| value.named.whose).filter(|whose| *whose != Whose::Any).collect();
        others.sort_unstable();
        others.dedup();
        let from_zero = others.contains(&Whose::Number(0));
        for value in &mut self.values {
            value.named.whose = match (owners.as_slice(), value.named.whose) {
                // `camera_matrix` with `R1` and `P1`: one camera of a pair.
                ([Whose::Any], _) if others.len() == 1 => Whose::Any,
                ([_, _], Whose::Number(number)) if number < 3 => side_of(Whose::Number(number + u32::from(from_zero))),
                (_, whose) => whose,
            };
        }
    }

    fn matrix_owners(&self) -> Vec<Whose> {
        let has_matrix = |value: &&Value| matches!(value.named.meaning, Meaning::CameraMatrix | Meaning::Intrinsic(_));
        let mut owners: Vec<Whose> = self.values.iter().filter(has_matrix).map(|value| value.named.whose).collect();
        owners.sort_unstable();
        owners.dedup();
        owners
    }

    /// `x_right = R x_left + T`, where the file says it.
    pub(super) fn relation(&self, path: &Path, unsaid: &Unsaid) -> Result<Option<Isometry3<f64>>> {
        let malformed = |what: String| Error::Malformed {
            what,
            path: path.to_path_buf(),
            hint: "a pair's file says x_right = R x_left + T, in OpenCV's samples in extrinsics.yml: name it with --extrinsics",
        };
        let of = |meaning| self.numbers(meaning, Whose::Any, true).map_err(malformed);
        match (of(Meaning::Rotation)?, of(Meaning::Translation)?) {
            (r, t) if r.is_empty() && t.is_empty() => Ok(None),
            (r, t) => right_from_left(&r, &t, unsaid.metres_per_unit.unwrap_or(1.0)).map(Some).map_err(malformed),
        }
    }

    /// Who has a camera matrix: one, or the left one first.
    fn owners(&self) -> std::result::Result<Vec<Whose>, String> {
        let owners = self.matrix_owners();
        let is_matrix = |value: &&Value| matches!(value.named.meaning, Meaning::CameraMatrix | Meaning::Intrinsic(_));
        match owners.as_slice() {
            [] => {
                let found = self.known();
                Err(format!(
                    "it holds neither camera_matrix nor M1, nor another name of a camera matrix that is known{found}"
                ))
            }
            [_] | [Whose::Left, Whose::Right] => Ok(owners),
            [Whose::Number(one), Whose::Number(other)] if one + 1 == *other => Ok(owners),
            _ => {
                let names: Vec<&str> = self.values.iter().filter(is_matrix).map(|value| value.name.as_str()).collect();
                Err(format!("which camera is meant is not clear: it has the camera matrices {}", names.join(", ")))
            }
        }
    }

    fn known(&self) -> String {
        let names: Vec<&str> = self.values.iter().map(|value| value.name.as_str()).take(12).collect();
        if names.is_empty() { String::new() } else { format!(" (found {})", names.join(", ")) }
    }

    fn camera(&self, whose: Whose, alone: bool, unsaid: &Unsaid) -> std::result::Result<CameraNumbers, String> {
        let numbers = |meaning| self.numbers(meaning, whose, alone);
        let (k, mut d) = (self.camera_matrix(whose, alone)?, numbers(Meaning::Coefficients)?);
        let one_by_one = self.one_by_one(whose, alone)?;
        if !d.is_empty() && !one_by_one.is_empty() {
            return Err("it has the coefficients of the lens both in a list and one by one".into());
        }
        let model = self.model(whose)?;
        d.extend(coefficients(&one_by_one, &model)?);
        let (width, height) = self.size(whose)?;
        let mut r = numbers(Meaning::Rectification)?;
        let p = numbers(Meaning::Projection)?;
        if alone {
            self.own_rotation(&mut r, !p.is_empty())?;
        }
        Ok(CameraNumbers { name: String::new(), width, height, k, model, d, r, p: in_metres(p, unsaid) })
    }

    /// Of one camera, R without an owner is the rectification that goes with P; a place in the world says nothing here.
    fn own_rotation(&self, r: &mut Vec<f64>, has_projection: bool) -> std::result::Result<(), String> {
        let rotation = self.numbers(Meaning::Rotation, Whose::Any, true)?;
        let translation = self.numbers(Meaning::Translation, Whose::Any, true)?;
        let is_identity = rotation.len() == 9 && Matrix3::from_row_slice(&rotation) == Matrix3::identity();
        if rotation.is_empty() && translation.is_empty() {
            return Ok(());
        }
        if translation.iter().all(|&number| number == 0.0) && (has_projection || is_identity) && r.is_empty() {
            *r = rotation;
            return Ok(());
        }
        Err("it has R and T as of a pair, but only one camera matrix".into())
    }

    fn camera_matrix(&self, whose: Whose, alone: bool) -> std::result::Result<Vec<f64>, String> {
        let k = self.numbers(Meaning::CameraMatrix, whose, alone)?;
        let mut one_by_one = [None; 4];
        for value in self.values_of(whose, alone) {
            if let Meaning::Intrinsic(index) = value.named.meaning {
                one_by_one[index] = value.node.number();
            }
        }
        match (k.as_slice(), one_by_one) {
            (_, [None, None, None, None]) => Ok(match k.as_slice() {
                &[fx, fy, cx, cy] => vec![fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0],
                _ => k,
            }),
            ([], [Some(fx), Some(fy), Some(cx), Some(cy)]) => Ok(vec![fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0]),
            ([], _) => Err("expected all of fx, fy, cx and cy".into()),
            _ => Err("it has fx, fy, cx and cy both as a matrix and one by one".into()),
        }
    }

    /// Coefficients one by one: whether tangential, which, and the number.
    fn one_by_one(&self, whose: Whose, alone: bool) -> std::result::Result<Vec<(bool, usize, f64)>, String> {
        let mut found: Vec<(bool, usize, f64)> = Vec::new();
        for value in self.values_of(whose, alone) {
            let (tangential, index) = match value.named.meaning {
                Meaning::Radial(index) => (false, index),
                Meaning::Tangential(index) => (true, index),
                _ => continue,
            };
            if found.iter().any(|other| (other.0, other.1) == (tangential, index)) {
                return Err(format!("{} is there twice", value.name));
            }
            found.extend(value.node.number().map(|number| (tangential, index, number)));
        }
        Ok(found)
    }

    /// The lens model that the file names, in one way or several.
    fn model(&self, whose: Whose) -> std::result::Result<String, String> {
        use parallax_core::camera::{LensFamily, lens_family};
        let (mut model, mut fisheye) = (String::new(), None);
        for value in self.values.iter().filter(|value| value.named.whose == whose || value.named.whose == Whose::Any) {
            match value.named.meaning {
                Meaning::IsFisheye => {
                    fisheye = Some(value.node == CalibrationNode::Flag(true) || value.node.number() == Some(1.0));
                }
                Meaning::Model => {
                    let text = value.node.text().unwrap_or_default();
                    match lens_family(&text) {
                        // `pinhole` is of the rays, and says nothing about the lens before them.
                        Some(LensFamily::Plain) => {}
                        Some(family) if model.is_empty() || lens_family(&model) == Some(family) => model = text,
                        Some(_) => return Err(format!("it names two lens models, {model} and {text}")),
                        None => return Err(format!("{} is {text}, a lens model that is not known", value.name)),
                    }
                }
                Meaning::CameraMatrix | Meaning::Coefficients if value.named.is_fisheye => {
                    fisheye = fisheye.or(Some(true));
                }
                _ => {}
            }
        }
        match (fisheye, lens_family(&model)) {
            (None, _) | (Some(true), Some(LensFamily::Fisheye)) => Ok(model),
            (Some(true), None) => Ok("equidistant".into()),
            // Of OpenCV's lenses, by the count of the coefficients.
            (Some(false), None) => Ok("opencv".into()),
            (Some(is_fisheye), Some(family)) if is_fisheye == (family == LensFamily::Fisheye) => Ok(model),
            _ => Err(format!("its lens model is {model}, but the fisheye flag says otherwise")),
        }
    }

    fn size(&self, whose: Whose) -> std::result::Result<(u32, u32), String> {
        let is_of = |value: &&Value| value.named.whose == whose || value.named.whose == Whose::Any;
        let (mut width, mut height) = (None, None);
        let note = |known: &mut Option<u32>, found: Option<u32>, name: &str| match (*known, found) {
            (_, None) => Err(format!("{name} is no whole number of pixels")),
            (Some(known), Some(found)) if known != found => Err(format!("{name} contradicts another size in the file")),
            _ => {
                *known = found;
                Ok(())
            }
        };
        for value in self.values.iter().filter(is_of) {
            match value.named.meaning {
                Meaning::Width => note(&mut width, value.node.pixels(), &value.name)?,
                Meaning::Height => note(&mut height, value.node.pixels(), &value.name)?,
                Meaning::Size => {
                    let numbers = value.node.numbers().unwrap_or_default();
                    let pixels: Vec<Option<u32>> =
                        numbers.iter().map(|&number| CalibrationNode::Number(number).pixels()).collect();
                    let [across, down] = pixels.as_slice() else {
                        return Err(format!("{} must be a width and a height", value.name));
                    };
                    note(&mut width, *across, &value.name)?;
                    note(&mut height, *down, &value.name)?;
                }
                _ => {}
            }
        }
        match (width, height) {
            (Some(width), Some(height)) => Ok((width, height)),
            (None, None) => Ok((0, 0)),
            _ => Err("it has one side of the pictures' size, but not the other".into()),
        }
    }

    /// The values of a camera; of the only one, also those without an owner.
    fn values_of(&self, whose: Whose, alone: bool) -> impl Iterator<Item = &Value> {
        self.values.iter().filter(move |value| value.named.whose == whose || (alone && value.named.whose == Whose::Any))
    }

    /// The one matrix of that meaning; empty where there is none.
    fn numbers(&self, meaning: Meaning, whose: Whose, alone: bool) -> std::result::Result<Vec<f64>, String> {
        let mut found: Option<(&str, Vec<f64>)> = None;
        for value in self.values_of(whose, alone).filter(|value| value.named.meaning == meaning) {
            let numbers = matrix(&value.node).map_err(|what| format!("{} {what}", value.name))?;
            match &found {
                Some((name, known)) if *known != numbers => {
                    return Err(format!("{name} and {} may both be meant, with different numbers", value.name));
                }
                _ => found = Some((&value.name, numbers)),
            }
        }
        Ok(found.map(|(_, numbers)| numbers).unwrap_or_default())
    }
}

/// What to do about a file that may be meant in several ways.
const AMBIGUOUS: &str = "one camera has camera_matrix and distortion_coefficients, a pair M1, D1, M2, D2, R and T, as in OpenCV's samples; \
                         what says nothing about the camera can be passed over: `parallax-calib convert --ignore KEY`";

/// Whether a value is one of the cameras' or of what they share.
fn belongs(value: &Value, owners: &[Whose]) -> bool {
    let is_shared = matches!(
        value.named.meaning,
        Meaning::Width
            | Meaning::Height
            | Meaning::Size
            | Meaning::Model
            | Meaning::IsFisheye
            | Meaning::Rotation
            | Meaning::Translation
    );
    match value.named.whose {
        Whose::Any => owners.len() == 1 || is_shared,
        whose => owners.contains(&whose),
    }
}

/// The side of a camera that is numbered from 1.
fn side_of(whose: Whose) -> Whose {
    match whose {
        Whose::Number(1) => Whose::Left,
        Whose::Number(2) => Whose::Right,
        other => other,
    }
}

fn is_sensor_part(key: &str) -> bool {
    matches!(key, "binning_x" | "binning_y" | "roi")
}

/// The numbers of a matrix, as many as its rows and columns say.
fn matrix(node: &CalibrationNode) -> std::result::Result<Vec<f64>, String> {
    let numbers = node.numbers().ok_or("holds no finite numbers (they have a point, not a comma)")?;
    let count = |name: &str| node.get(name).and_then(CalibrationNode::number);
    if let (Some(rows), Some(columns)) = (count("rows"), count("cols")) {
        // `dt: "2d"` are two numbers an element.
        let channels = node
            .get("dt")
            .and_then(CalibrationNode::text)
            .and_then(|dt| dt.trim_end_matches(char::is_alphabetic).parse().ok());
        let expected = rows * columns * channels.unwrap_or(1.0);
        if expected != numbers.len() as f64 {
            return Err(format!("has {rows} rows and {columns} columns, but {} numbers", numbers.len()));
        }
    }
    Ok(numbers)
}

/// A 3×4 projection whose fourth column is in the board's unit.
fn in_metres(mut projection: Vec<f64>, unsaid: &Unsaid) -> Vec<f64> {
    if let Some(metres_per_unit) = unsaid.metres_per_unit {
        for number in projection.iter_mut().skip(3).step_by(4) {
            *number *= metres_per_unit;
        }
    }
    projection
}

/// Coefficients one by one in OpenCV's order.
fn coefficients(found: &[(bool, usize, f64)], model: &str) -> std::result::Result<Vec<f64>, String> {
    use parallax_core::camera::{LensFamily, lens_family};
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let number =
        |tangential, index| found.iter().find(|other| (other.0, other.1) == (tangential, index)).map(|other| other.2);
    let has_tangential = found.iter().any(|(tangential, ..)| *tangential);
    let radial: Vec<f64> = (0..6).map(|index| number(false, index).unwrap_or(0.0)).collect();
    if lens_family(model) == Some(LensFamily::Fisheye) {
        return if has_tangential { Err("its lens is a fisheye, which has no p1 and p2".into()) } else { Ok(radial) };
    }
    if !has_tangential && model.is_empty() && radial.iter().any(|&k| k != 0.0) {
        return Err(
            "it has k1, k2, … without p1, p2 and without a lens model: a fisheye's (equidistant) or plumb_bob's?"
                .into(),
        );
    }
    let p = [number(true, 0).unwrap_or(0.0), number(true, 1).unwrap_or(0.0)];
    let mut d = vec![radial[0], radial[1], p[0], p[1], radial[2]];
    if radial[3..].iter().any(|&k| k != 0.0) {
        d.extend(&radial[3..]);
    }
    Ok(d)
}
