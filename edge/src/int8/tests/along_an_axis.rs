//! What stays with tract between a DequantizeLinear and a QuantizeLinear is computed as it is written. tract's own operators
//! of these names would make a table of it.

use super::*;

/// A picture quantised, an operator in float, quantised again; beside it the operator alone.
fn models(
    operator: &str,
    extra: &[(&str, &[usize], DataType, Vec<u8>)],
    attributes: &[AttributeProto],
) -> [ModelProto; 2] {
    let shape = [1, 5, 6, 7];
    let (mut writer, image) = Writer::new(shape);
    let mut alone = Writer::with_image(shape, 1);
    for writer in [&mut writer, &mut alone] {
        for (name, dims, data_type, bytes) in extra {
            writer.constant(name, dims, *data_type, bytes.clone());
        }
    }
    let names: Vec<&str> = extra.iter().map(|(name, ..)| *name).collect();
    writer.node(operator, &[&[image.as_str()], &names[..]].concat(), "along", attributes.to_vec());
    let result = writer.quantized("along", STEP, ZERO_POINT);
    alone.node(operator, &[&["image"], &names[..]].concat(), "along", attributes.to_vec());
    [writer.finish(&result, shape), alone.finish("along", shape)]
}

const STEP: f32 = 0.04;
const ZERO_POINT: u8 = 100;

#[test]
fn operators_along_an_axis_are_no_tables() {
    let ones = || ("ones", &[7_usize][..], DataType::Float, 1_f32.to_le_bytes().repeat(7));
    let axis = || ("axis", &[][..], DataType::Int64, 1_i64.to_le_bytes().to_vec());
    let along = |axis: i64| vec![AttributeProto::integer("axis", axis)];
    let cases = [
        ("Softmax", vec![], along(1)),
        ("Softmax", vec![], along(3)),
        ("LogSoftmax", vec![], along(1)),
        ("Hardmax", vec![], along(1)),
        ("LpNormalization", vec![], along(1)),
        ("LayerNormalization", vec![ones()], along(-1)),
        ("CumSum", vec![axis()], vec![]),
    ];
    for (operator, extra, attributes) in cases {
        let [quantized, alone] = models(operator, &extra, &attributes);
        let image = picture(&[1, 5, 6, 7]);
        // By hand: the picture on its grid, the operator on floats, and the result on its own.
        let round = |value: f32, step: f32, zero_point: u8| {
            let zero_point = f32::from(zero_point);
            (((value / step).round_ties_even() + zero_point).clamp(0.0, 255.0) - zero_point) * step
        };
        let values = image.try_as_plain_ram().unwrap().as_slice::<f32>().unwrap().to_vec();
        let rounded: Vec<f32> = values.iter().map(|value| round(*value, 0.02, 120)).collect();
        let rounded = Tensor::from_shape(&[1, 5, 6, 7], &rounded).unwrap();
        let float = run(in_tract(&tract_onnx::onnx(), &alone).unwrap(), &rounded);
        let expected: Vec<f32> = float.iter().map(|value| round(*value, STEP, ZERO_POINT)).collect();
        for model in
            [load(&quantized, Isa::best(), &team(1)).unwrap().model, { in_tract(&onnx(), &quantized).unwrap() }]
        {
            let found = run(model, &image);
            let apart = found.iter().zip(&expected).filter(|(a, b)| (*a - *b).abs() > 1e-4).count();
            // A number half way between two steps may go either way.
            assert!(apart <= 1, "{operator} {attributes:?}: {apart} of {} numbers differ", found.len());
        }
        let distinct: HashSet<u32> = expected.iter().map(|value| value.to_bits()).collect();
        assert!(distinct.len() > 1, "{operator}: the answer says something");
    }
}

#[test]
fn a_number_that_is_none_does_not_become_an_integer() {
    let [quantized, _] = models("Log", &[], &[]);
    let image = Tensor::from_shape(&[1, 5, 6, 7], &vec![-1.0_f32; 210]).unwrap();
    for model in [load(&quantized, Isa::best(), &team(1)).unwrap().model, { in_tract(&onnx(), &quantized).unwrap() }] {
        let plan = model.into_optimized().unwrap().into_runnable().unwrap();
        let error = plan.run(tvec!(image.clone().into_tvalue())).unwrap_err();
        let error = error.downcast::<parallax_core::Error>().unwrap();
        assert!(matches!(error, parallax_core::Error::NonFiniteLogits { count: 210, of: 210, .. }), "{error}");
    }
}

#[test]
fn scales_along_an_axis_are_read() {
    let (mut writer, image) = Writer::new([1, 3, 4, 4]);
    let scales = writer.floats("scales", &[3], &[0.01, 0.02, 0.04]);
    let zeros = writer.constant("zeros", &[3], DataType::Int8, vec![0, 3, 0xfd]);
    let axis = |axis: i64| vec![AttributeProto::integer("axis", axis)];
    writer.node("QuantizeLinear", &[&image, &scales, &zeros], "q", axis(1));
    writer.node("DequantizeLinear", &["q", &scales, &zeros], "dq", axis(-3));
    let proto = writer.finish("dq", [1, 3, 4, 4]);
    let image = picture(&[1, 3, 4, 4]);
    let found = run(in_tract(&onnx(), &proto).unwrap(), &image);
    let values = image.try_as_plain_ram().unwrap().as_slice::<f32>().unwrap().to_vec();
    for (at, (found, value)) in found.iter().zip(values).enumerate() {
        let on_grid = ((value / 0.02).round_ties_even() + 120.0).clamp(0.0, 255.0) - 120.0;
        let (scale, zero_point) = [(0.01, 0.0), (0.02, 3.0), (0.04, -3.0)][at / 16];
        let integer = ((on_grid * 0.02 / scale).round_ties_even() + zero_point).clamp(-128.0, 127.0);
        assert!((found - (integer - zero_point) * scale).abs() < 1e-5, "{at}: {found} for {value}");
    }
}
