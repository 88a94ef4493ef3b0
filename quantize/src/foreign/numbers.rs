//! Arithmetic on the few numbers that say how large something is: what exporters write instead of a fixed size.

use parallax_onnx::{DataType, NodeProto, TensorProto};

use crate::graph;

/// More numbers than this are weights, not sizes.
const MOST: usize = 256;

/// A small constant: integers (also booleans) or floats, row-major.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Numbers {
    shape: Vec<usize>,
    values: Values,
    /// What a file calls their type.
    data_type: DataType,
}

#[derive(Debug, Clone, PartialEq)]
enum Values {
    /// Of Int64, Int32 or Bool.
    Longs(Vec<i64>),
    Floats(Vec<f32>),
}

impl Numbers {
    /// A list of integers.
    pub(super) fn list(values: Vec<i64>) -> Self {
        Self { shape: vec![values.len()], values: Values::Longs(values), data_type: DataType::Int64 }
    }

    fn scalar(value: i64) -> Self {
        Self { shape: Vec::new(), ..Self::list(vec![value]) }
    }

    /// A constant of the file, if it is small and of a type that sizes have.
    pub(super) fn read(tensor: &TensorProto) -> Option<Self> {
        let shape: Vec<usize> = tensor.dims.iter().map(|size| usize::try_from(*size).ok()).collect::<Option<_>>()?;
        let count = shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size))?;
        if count > MOST {
            return None;
        }
        let raw = &tensor.raw_data;
        let data_type = DataType::try_from(tensor.data_type).ok()?;
        let values = match data_type {
            DataType::Int64 if raw.is_empty() => Values::Longs(tensor.int64_data.clone()),
            DataType::Int64 => {
                Values::Longs(raw.as_chunks::<8>().0.iter().map(|bytes| i64::from_le_bytes(*bytes)).collect())
            }
            DataType::Int32 | DataType::Bool if raw.is_empty() => {
                Values::Longs(tensor.int32_data.iter().map(|value| i64::from(*value)).collect())
            }
            DataType::Int32 => {
                let numbers = raw.as_chunks::<4>().0.iter().map(|bytes| i32::from_le_bytes(*bytes));
                Values::Longs(numbers.map(i64::from).collect())
            }
            DataType::Bool => Values::Longs(raw.iter().map(|byte| i64::from(*byte)).collect()),
            DataType::Float => Values::Floats(graph::floats(tensor).ok()?),
            _ => return None,
        };
        let found = match &values {
            Values::Longs(values) => values.len(),
            Values::Floats(values) => values.len(),
        };
        (found == count).then_some(Self { shape, values, data_type })
    }

    /// The constant for a file.
    pub(super) fn tensor(&self, name: &str) -> TensorProto {
        let mut tensor = match &self.values {
            Values::Longs(values) => TensorProto::of_longs(name, &self.shape, values),
            Values::Floats(values) => TensorProto::of_floats(name, &self.shape, values),
        };
        if let (Values::Longs(values), DataType::Int32 | DataType::Bool) = (&self.values, self.data_type) {
            tensor.data_type = self.data_type as i32;
            tensor.raw_data.clear();
            tensor.int32_data = values.iter().map(|value| *value as i32).collect();
        }
        tensor
    }

    fn longs(&self) -> Option<&[i64]> {
        match &self.values {
            Values::Longs(values) => Some(values),
            Values::Floats(_) => None,
        }
    }

    fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// The numbers at these places, as a list of that shape.
    fn pick(&self, places: &[usize], shape: Vec<usize>) -> Option<Self> {
        let values = match &self.values {
            Values::Longs(values) => {
                Values::Longs(places.iter().map(|at| values.get(*at).copied()).collect::<Option<_>>()?)
            }
            Values::Floats(values) => {
                Values::Floats(places.iter().map(|at| values.get(*at).copied()).collect::<Option<_>>()?)
            }
        };
        Some(Self { shape, values, data_type: self.data_type })
    }
}

/// A function of each number.
fn each(numbers: &Numbers, long: fn(i64) -> Option<i64>, float: fn(f32) -> f32) -> Option<Numbers> {
    let values = match &numbers.values {
        Values::Longs(values) => Values::Longs(values.iter().map(|value| long(*value)).collect::<Option<_>>()?),
        Values::Floats(values) => Values::Floats(values.iter().map(|value| float(*value)).collect()),
    };
    Some(Numbers { values, ..numbers.clone() })
}

/// What an operator makes of small constants; none where it is not one of those that compute sizes. `shapes` are those of its
/// inputs, for Shape and Size.
pub(super) fn evaluate(node: &NodeProto, inputs: &[Option<Numbers>], shape: Option<&[usize]>) -> Option<Numbers> {
    let given = |index: usize| inputs.get(index)?.as_ref();
    let longs = |index: usize| given(index)?.longs();
    match node.op_type.as_str() {
        "Shape" => {
            let sizes: Vec<i64> = shape?.iter().map(|size| *size as i64).collect();
            let end = |name: &str, default: i64| {
                let at = node.attribute_named(name).map_or(default, |attribute| attribute.i);
                (if at < 0 { at + sizes.len() as i64 } else { at }).clamp(0, sizes.len() as i64) as usize
            };
            let (start, end) = (end("start", 0), end("end", sizes.len() as i64));
            Some(Numbers::list(sizes.get(start..end.max(start))?.to_vec()))
        }
        "Size" => Some(Numbers::scalar(shape?.iter().product::<usize>() as i64)),
        "Identity" => given(0).cloned(),
        "Cast" => cast(given(0)?, node.integer("to", 0)),
        "Add" | "Sub" | "Mul" | "Div" | "Mod" | "Min" | "Max" | "Equal" | "Greater" | "Less" if inputs.len() == 2 => {
            pairwise(&node.op_type, given(0)?, given(1)?)
        }
        "Neg" => each(given(0)?, i64::checked_neg, |x| -x),
        "Floor" => each(given(0)?, |_| None, f32::floor),
        "Ceil" => each(given(0)?, |_| None, f32::ceil),
        "Round" => each(given(0)?, |_| None, f32::round_ties_even),
        "Sqrt" => each(given(0)?, |_| None, f32::sqrt),
        "Gather" => gather(given(0)?, given(1)?, node.integer("axis", 0)),
        "Slice" => slice(given(0)?, longs(1)?, longs(2)?, longs(3), longs(4)),
        "Concat" => concat(inputs.iter().map(Option::as_ref).collect::<Option<Vec<_>>>()?.as_slice()),
        "Unsqueeze" => unsqueeze(given(0)?, longs(1)?),
        "Squeeze" => squeeze(given(0)?, longs(1)),
        "Reshape" => reshape(given(0)?, longs(1)?),
        "Transpose" if given(0)?.shape.len() == 2 => {
            let [rows, columns] = given(0)?.shape[..] else { return None };
            let places: Vec<usize> = (0..rows * columns).map(|at| at % rows * columns + at / rows).collect();
            given(0)?.pick(&places, vec![columns, rows])
        }
        "ConstantOfShape" => {
            let shape: Vec<usize> = longs(0)?.iter().map(|size| usize::try_from(*size).ok()).collect::<Option<_>>()?;
            let count = shape.iter().try_fold(1_usize, |product, size| product.checked_mul(*size))?;
            let value = node.attribute_named("value").and_then(|value| value.t.as_ref());
            let value = value.map_or(Some(zero()), Numbers::read)?;
            (count <= MOST).then(|| value.pick(&vec![0; count], shape))?
        }
        "Range" => {
            let [start, limit, step] = [0, 1, 2].map(|index| longs(index).and_then(|values| values.first().copied()));
            range(start?, limit?, step?)
        }
        "Where" => {
            let (condition, yes, no) = (given(0)?, given(1)?, given(2)?);
            let count = condition.len().max(yes.len()).max(no.len());
            let at = |numbers: &Numbers, at: usize| if numbers.len() == 1 { 0 } else { at };
            let fits = [condition, yes, no].iter().all(|numbers| [1, count].contains(&numbers.len()));
            let shape = [condition, yes, no].into_iter().find(|numbers| numbers.len() == count)?.shape.clone();
            let chosen = |place: usize| {
                let holds = *condition.longs()?.get(at(condition, place))? != 0;
                let from = if holds { yes } else { no };
                from.longs()?.get(at(from, place)).copied()
            };
            let values = (0..count).map(chosen).collect::<Option<_>>().filter(|_| fits)?;
            Some(Numbers { shape, values: Values::Longs(values), data_type: yes.data_type })
        }
        "ReduceProd" => {
            let product = longs(0)?.iter().try_fold(1_i64, |product, size| product.checked_mul(*size))?;
            let keeps = node.integer("keepdims", 1) != 0;
            let one = given(0)?.shape.len() == 1;
            one.then(|| if keeps { Numbers::list(vec![product]) } else { Numbers::scalar(product) })
        }
        _ => None,
    }
}

/// What ConstantOfShape repeats where it does not say.
fn zero() -> Numbers {
    Numbers { shape: vec![1], values: Values::Floats(vec![0.0]), data_type: DataType::Float }
}

fn range(start: i64, limit: i64, step: i64) -> Option<Numbers> {
    let numbers = std::iter::successors(Some(start), |at| at.checked_add(step));
    let inside = |at: &i64| if step > 0 { *at < limit } else { *at > limit };
    let listed: Vec<i64> = numbers.take_while(inside).take(MOST + 1).collect();
    (step != 0 && listed.len() <= MOST).then(|| Numbers::list(listed))
}

fn cast(numbers: &Numbers, to: i64) -> Option<Numbers> {
    let to = DataType::try_from(i32::try_from(to).ok()?).ok()?;
    let values = match (&numbers.values, to) {
        (Values::Longs(values), DataType::Int64 | DataType::Int32) => Values::Longs(values.clone()),
        (Values::Longs(values), DataType::Float) => Values::Floats(values.iter().map(|value| *value as f32).collect()),
        (Values::Longs(values), DataType::Bool) => {
            Values::Longs(values.iter().map(|value| i64::from(*value != 0)).collect())
        }
        (Values::Floats(values), DataType::Float) => Values::Floats(values.clone()),
        (Values::Floats(values), DataType::Int64 | DataType::Int32) => {
            Values::Longs(values.iter().map(|value| value.trunc() as i64).collect())
        }
        _ => return None,
    };
    Some(Numbers { shape: numbers.shape.clone(), values, data_type: to })
}

fn pairwise(operator: &str, a: &Numbers, b: &Numbers) -> Option<Numbers> {
    let shape = match (a.len(), b.len()) {
        _ if a.shape == b.shape => a.shape.clone(),
        (_, 1) if a.shape.len() >= b.shape.len() => a.shape.clone(),
        (1, _) if b.shape.len() >= a.shape.len() => b.shape.clone(),
        _ => return None,
    };
    let count: usize = shape.iter().product();
    let place = |numbers: &Numbers, at: usize| if numbers.len() == 1 { 0 } else { at };
    let values = match (&a.values, &b.values) {
        (Values::Longs(x), Values::Longs(y)) => {
            let pair = |at: usize| Some((*x.get(place(a, at))?, *y.get(place(b, at))?));
            let value = |at: usize| {
                let (x, y) = pair(at)?;
                match operator {
                    "Add" => x.checked_add(y),
                    "Sub" => x.checked_sub(y),
                    "Mul" => x.checked_mul(y),
                    "Div" => x.checked_div(y),
                    "Mod" => x.checked_rem_euclid(y),
                    "Min" => Some(x.min(y)),
                    "Max" => Some(x.max(y)),
                    "Equal" => Some(i64::from(x == y)),
                    "Greater" => Some(i64::from(x > y)),
                    _ => Some(i64::from(x < y)),
                }
            };
            Values::Longs((0..count).map(value).collect::<Option<_>>()?)
        }
        (Values::Floats(x), Values::Floats(y)) => {
            let value = |at: usize| {
                let (x, y) = (*x.get(place(a, at))?, *y.get(place(b, at))?);
                match operator {
                    "Add" => Some(x + y),
                    "Sub" => Some(x - y),
                    "Mul" => Some(x * y),
                    "Div" => Some(x / y),
                    "Min" => Some(x.min(y)),
                    "Max" => Some(x.max(y)),
                    _ => None,
                }
            };
            Values::Floats((0..count).map(value).collect::<Option<_>>()?)
        }
        _ => return None,
    };
    let compared = matches!(operator, "Equal" | "Greater" | "Less");
    Some(Numbers { shape, values, data_type: if compared { DataType::Bool } else { a.data_type } })
}

/// Of a list, along its only axis.
fn gather(numbers: &Numbers, indices: &Numbers, axis: i64) -> Option<Numbers> {
    let [length] = numbers.shape[..] else { return None };
    let at = |index: &i64| usize::try_from(if *index < 0 { index + length as i64 } else { *index }).ok();
    let places: Vec<usize> = indices.longs()?.iter().map(at).collect::<Option<_>>()?;
    (axis == 0 || axis == -1).then(|| numbers.pick(&places, indices.shape.clone()))?
}

/// Along one axis of a list or a table.
fn slice(
    numbers: &Numbers,
    starts: &[i64],
    ends: &[i64],
    axes: Option<&[i64]>,
    steps: Option<&[i64]>,
) -> Option<Numbers> {
    let ([start], [end]) = (starts, ends) else { return None };
    let rank = numbers.shape.len() as i64;
    let axis = axes.map_or(Some(0), |axes| axes.first().copied())?;
    let axis = usize::try_from(if axis < 0 { axis + rank } else { axis }).ok()?;
    let length = *numbers.shape.get(axis)? as i64;
    let step = steps.map_or(Some(1), |steps| steps.first().copied())?;
    if step == 0 {
        return None;
    }
    let (low, high) = if step > 0 { (0, length) } else { (-1, length - 1) };
    let bound = |at: i64| (if at < 0 { at.saturating_add(length) } else { at }).clamp(low, high);
    let (mut at, end) = (bound(*start), bound(*end));
    let mut chosen = Vec::new();
    while if step > 0 { at < end } else { at > end } {
        chosen.push(at as usize);
        at = at.saturating_add(step);
    }
    let inner: usize = numbers.shape[axis + 1..].iter().product();
    let outer: usize = numbers.shape[..axis].iter().product();
    let mut places = Vec::new();
    for before in 0..outer {
        for place in &chosen {
            places.extend((0..inner).map(|after| (before * length as usize + place) * inner + after));
        }
    }
    let mut shape = numbers.shape.clone();
    shape[axis] = chosen.len();
    numbers.pick(&places, shape)
}

/// Of lists.
fn concat(parts: &[&Numbers]) -> Option<Numbers> {
    let lists = parts.iter().all(|part| part.shape.len() == 1);
    let count: usize = parts.iter().map(|part| part.len()).sum();
    if !lists || count > MOST {
        return None;
    }
    let longs: Option<Vec<&[i64]>> = parts.iter().map(|part| part.longs()).collect();
    let values = if let Some(longs) = longs {
        Values::Longs(longs.concat())
    } else {
        let floats = parts.iter().map(|part| match &part.values {
            Values::Floats(values) => Some(values.as_slice()),
            Values::Longs(_) => None,
        });
        Values::Floats(floats.collect::<Option<Vec<_>>>()?.concat())
    };
    Some(Numbers { shape: vec![count], values, data_type: parts.first()?.data_type })
}

fn unsqueeze(numbers: &Numbers, axes: &[i64]) -> Option<Numbers> {
    let rank = (numbers.shape.len() + axes.len()) as i64;
    let mut axes: Vec<i64> = axes.iter().map(|axis| if *axis < 0 { axis + rank } else { *axis }).collect();
    axes.sort_unstable();
    let mut shape = numbers.shape.clone();
    for axis in axes {
        let axis = usize::try_from(axis).ok().filter(|axis| *axis <= shape.len())?;
        shape.insert(axis, 1);
    }
    Some(Numbers { shape, ..numbers.clone() })
}

fn squeeze(numbers: &Numbers, axes: Option<&[i64]>) -> Option<Numbers> {
    let rank = numbers.shape.len() as i64;
    let gone = |axis: usize| match axes {
        None => numbers.shape[axis] == 1,
        Some(axes) => axes.iter().any(|gone| (if *gone < 0 { gone + rank } else { *gone }) == axis as i64),
    };
    let shape: Vec<usize> =
        (0..numbers.shape.len()).filter(|axis| !gone(*axis)).map(|axis| numbers.shape[axis]).collect();
    (shape.iter().product::<usize>() == numbers.len()).then_some(Numbers { shape, ..numbers.clone() })
}

fn reshape(numbers: &Numbers, wanted: &[i64]) -> Option<Numbers> {
    let known: i64 = wanted.iter().filter(|size| **size > 0).product();
    let size = |(axis, size): (usize, &i64)| match size {
        -1 => numbers.len().checked_div(usize::try_from(known).ok()?),
        0 => numbers.shape.get(axis).copied(),
        size => usize::try_from(*size).ok(),
    };
    let shape: Vec<usize> = wanted.iter().enumerate().map(size).collect::<Option<_>>()?;
    (shape.iter().product::<usize>() == numbers.len()).then_some(Numbers { shape, ..numbers.clone() })
}
