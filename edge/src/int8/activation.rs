//! Functions of one number, as ONNX defines them: what a table of 256 entries is made of.

use parallax_onnx::NodeProto;

use super::graph::Graph;
use super::recognition::Refusal;

/// A function of one number.
pub(crate) type Function = Box<dyn Fn(f32) -> f32>;

/// The function of an operator with one input.
pub(crate) fn activation(graph: &Graph<'_>, node: &NodeProto) -> Result<Function, Refusal> {
    let alpha = |default| node.float("alpha", default);
    Ok(match node.op_type.as_str() {
        "Identity" => Box::new(|x| x),
        "Relu" => Box::new(|x| x.max(0.0)),
        "Clip" => {
            let (low, high) = (limit(graph, node, 1, f32::NEG_INFINITY)?, limit(graph, node, 2, f32::INFINITY)?);
            Box::new(move |x| x.max(low).min(high))
        }
        "LeakyRelu" => {
            let alpha = alpha(0.01);
            Box::new(move |x| if x < 0.0 { alpha * x } else { x })
        }
        "Elu" => {
            let alpha = alpha(1.0);
            Box::new(move |x| if x < 0.0 { alpha * x.exp_m1() } else { x })
        }
        "Sigmoid" => Box::new(|x| 1.0 / (1.0 + (-x).exp())),
        "Tanh" => Box::new(f32::tanh),
        "HardSigmoid" => {
            let (alpha, beta) = (alpha(0.2), node.float("beta", 0.5));
            Box::new(move |x| (alpha * x + beta).clamp(0.0, 1.0))
        }
        "HardSwish" => Box::new(|x| x * (x / 6.0 + 0.5).clamp(0.0, 1.0)),
        other => return Err(format!("there is no int8 form of {other}")),
    })
}

/// A limit of a Clip: a constant, or not given.
fn limit(graph: &Graph<'_>, node: &NodeProto, index: usize, default: f32) -> Result<f32, Refusal> {
    // Before operator set 11 limits were attributes.
    let Some(name) = node.input_at(index) else {
        return Ok(node.float(if index == 1 { "min" } else { "max" }, default));
    };
    match graph.floats(name).as_deref() {
        Some([limit]) => Ok(*limit),
        _ => Err("its limits are not constant".to_owned()),
    }
}
