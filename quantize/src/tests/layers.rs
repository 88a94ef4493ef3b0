//! Parts of a model in int8: each layer alone, all but one, and those kept in float for good.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use parallax_core::labels::LabelMap;
use parallax_core::model_output::mask_from_logits;
use parallax_onnx::{ModelProto, metadata};

use super::*;
use crate::by_layer::Watch;
use crate::judge::JudgedPicture;
use crate::report::LEAST_GAIN_DB;
use crate::{BiasCorrection, Judge};

fn unlabelled() -> Vec<JudgedPicture> {
    frames(12).into_iter().skip(8).map(|input| JudgedPicture { input, labels: None }).collect()
}

/// Pictures whose labels are the float model's own masks.
fn labelled_by_float() -> Vec<JudgedPicture> {
    let float = Runner::new(&unet()).unwrap();
    let label = |picture: JudgedPicture| {
        let (width, height) = (WIDTH as u32, HEIGHT as u32);
        let mut mask = LabelMap { width, height, indices: vec![0; WIDTH * HEIGHT] };
        mask_from_logits(float.run(&picture.input).unwrap()[0].values().unwrap(), 3, &mut mask).unwrap();
        JudgedPicture { labels: Some(mask), ..picture }
    };
    unlabelled().into_iter().map(label).collect()
}

/// Ranges that cut off one value in twenty: each layer's rounding shows in the masks of so small a network.
fn coarse() -> Quantized {
    let (calibration, held) = (frames(8), frames(11).split_off(8));
    let given = CalibrationFrames { calibration: &calibration, held: &held };
    let config =
        QuantizeConfig { ranges: Some(RangeMethod::Percentile), percentile: 95.0, ..QuantizeConfig::default() };
    quantize(&unet(), given, &config).unwrap()
}

fn measured(pictures: Vec<JudgedPicture>) -> (Quantized, Judge) {
    let mut quantized = coarse();
    let judge = quantized.judge(pictures).unwrap();
    let watch = Watch { stop: &AtomicBool::new(false), progress: &|_, _| () };
    quantized.measure_layers(&judge, watch).unwrap();
    (quantized, judge)
}

/// The convolutions whose weights are not quantized.
fn float_convolutions(model: &ModelProto) -> Vec<String> {
    let graph = graph::graph(model).unwrap();
    let producers = graph.producers();
    let convolutions = graph.node.iter().filter(|node| node.op_type == "Conv");
    let in_float = convolutions.filter(|node| !producers.contains_key(node.input[1].as_str()));
    in_float.map(|node| node.name.clone()).collect()
}

#[test]
fn a_model_with_every_layer_in_float_is_the_float_model() {
    let quantized = quantized(&unet(), None);
    let places = quantized.layout.layers(&quantized.float).unwrap().iter().map(|layer| layer.place).collect();
    let layout = quantized.layout.with_float(&quantized.float, &places).unwrap();
    let rewritten = rewrite::rewrite(&quantized.float, &layout, &quantized.grid, WeightBits::Eight).unwrap();
    assert!(nodes(&rewritten.model, "QuantizeLinear").is_empty());
    let verdict = quantized.judge(unlabelled()).unwrap().judge(&rewritten.model).unwrap();
    assert_eq!((verdict.output_snr_db, verdict.changed_percent), (999.0, Some(0.0)));
}

#[test]
fn a_layer_alone_quantizes_what_it_reads_and_writes_and_nothing_else() {
    let quantized = quantized(&unet(), None);
    let layers = quantized.layout.layers(&quantized.float).unwrap();
    let names: Vec<&str> = layers.iter().map(|layer| layer.operator.as_str()).collect();
    assert_eq!(
        names,
        ["Conv+Relu", "MaxPool", "Conv", "Add+Relu", "Conv", "Elu", "Resize", "Concat", "Conv", "Elu", "Conv"]
    );
    let alone = |layer: usize| {
        let others: HashSet<usize> =
            layers.iter().map(|layer| layer.place).filter(|p| *p != layers[layer].place).collect();
        let layout = quantized.layout.with_float(&quantized.float, &others).unwrap();
        rewrite::rewrite(&quantized.float, &layout, &quantized.grid, WeightBits::Eight).unwrap().model
    };
    let quantized_tensors = |model: &ModelProto| -> Vec<String> {
        nodes(model, "QuantizeLinear").iter().map(|node| node.output[0].clone()).collect()
    };
    let first = alone(0);
    assert_eq!(quantized_tensors(&first), ["image_quantized", "r1_quantized"]);
    assert_eq!(float_convolutions(&first), ["c2_node", "c4_node", "c3_node", "logits_node"]);
    assert_eq!(nodes(&first, "Relu").len(), 1, "the sum's Relu is there again, the int8 convolution's is not");
    let sum = alone(3);
    assert_eq!(quantized_tensors(&sum), ["p1_quantized", "c2_quantized", "r2_quantized"]);
    let last = alone(10);
    assert_eq!(quantized_tensors(&last), ["e3_quantized", "logits_quantized"]);
    assert_eq!(graph::graph(&last).unwrap().output[0].name, "logits");
    Runner::new(&sum).unwrap();
}

#[test]
fn every_layer_is_measured_and_adds_less_noise_than_all_together() {
    let (quantized, _) = measured(unlabelled());
    let report = &quantized.report;
    let whole = report.whole.as_ref().unwrap();
    assert_eq!((report.by_layer.len(), whole.layers_wanted, whole.pictures), (11, 11, 4));
    assert!(!report.is_interrupted());
    for cost in &report.by_layer {
        assert!(cost.alone.output_snr_db > whole.int8.output_snr_db, "{}: {:?}", cost.node, cost.alone);
        assert!(cost.without.output_snr_db > whole.int8.output_snr_db - 1.0, "{}: {:?}", cost.node, cost.without);
        assert_eq!(cost.alone.miou_percent, None);
    }
    let table = report.to_string();
    assert!(table.contains("this layer alone in int8") && table.contains("e3_node"), "{table}");
}

#[test]
fn with_labels_a_layers_cost_is_the_change_of_miou() {
    let (quantized, _) = measured(labelled_by_float());
    let report = &quantized.report;
    let whole = report.whole.as_ref().unwrap();
    assert_eq!(whole.float.miou_percent, Some(100.0), "its own masks are the labels");
    assert!(whole.int8.miou_percent.unwrap() < 100.0);
    for cost in &report.by_layer {
        let expected = 100.0 - cost.alone.miou_percent.unwrap();
        assert_eq!(report.cost_of(&cost.node), Some(expected));
        assert_eq!(expected > 0.0, cost.alone.changed_percent.unwrap() > 0.0, "{cost:?}");
    }
}

#[test]
fn layers_over_the_budget_are_float_in_the_file_and_named() {
    let (mut quantized, judge) = measured(labelled_by_float());
    let costs: Vec<f64> =
        quantized.report.by_layer.iter().map(|cost| cost.points(&judge.verdict_on_float).unwrap()).collect();
    let mut sorted = costs.clone();
    sorted.sort_by(f64::total_cmp);
    let budget = sorted[sorted.len() / 2];
    let expected: Vec<String> = quantized
        .report
        .by_layer
        .iter()
        .zip(&costs)
        .filter(|(_, cost)| **cost > budget)
        .map(|(cost, _)| cost.node.clone())
        .collect();
    assert!(!expected.is_empty() && expected.len() < costs.len(), "{costs:?}");
    let (calibration, held) = (frames(8), frames(11).split_off(8));
    let given = CalibrationFrames { calibration: &calibration, held: &held };
    quantized.keep_in_float_above(budget, &judge, given).unwrap();
    assert_eq!(quantized.report.kept_in_float, expected);
    let kept: Vec<String> = expected
        .iter()
        .filter(|name| ["c1_node", "c2_node", "c3_node", "c4_node", "logits_node"].contains(&name.as_str()))
        .cloned()
        .collect();
    assert_eq!(float_convolutions(&quantized.model), kept);
    let whole = quantized.report.whole.as_ref().unwrap();
    assert_eq!(judge.judge(&quantized.model).unwrap(), whole.written);
    let summary = quantized.model.metadata(metadata::QUANTIZATION).unwrap();
    assert!(expected.iter().all(|name| summary.contains(name.as_str())), "{summary}");
    let text = quantized.report.to_string();
    assert!(text.contains(&format!("kept in float: {}", expected[0])), "{text}");
    quantized.keep_in_float_above(100.0, &judge, given).unwrap();
    assert_eq!(quantized.report.budget, Some(100.0));
}

#[test]
fn stopped_work_keeps_what_was_measured() {
    let mut quantized = quantized(&unet(), Some(RangeMethod::Mse));
    let judge = quantized.judge(unlabelled()).unwrap();
    let stop = AtomicBool::new(true);
    quantized.measure_layers(&judge, Watch { stop: &stop, progress: &|_, _| () }).unwrap();
    assert!(quantized.report.is_interrupted() && quantized.report.by_layer.is_empty());
    let seen = Mutex::new(Vec::new());
    let stop = AtomicBool::new(false);
    let progress = |done: usize, of: usize| seen.lock().unwrap().push((done, of));
    quantized.measure_layers(&judge, Watch { stop: &stop, progress: &progress }).unwrap();
    let mut seen = seen.into_inner().unwrap();
    seen.sort_unstable();
    assert_eq!(seen, (0..=11).map(|done| (done, 11)).collect::<Vec<_>>());
}

#[test]
fn corrected_biases_take_the_mean_shift_back() {
    let calibration = frames(8);
    let given = CalibrationFrames { calibration: &calibration, held: &[] };
    let config = QuantizeConfig {
        ranges: Some(RangeMethod::Mse),
        bias_correction: BiasCorrection::Off,
        ..QuantizeConfig::default()
    };
    let plain = quantize(&unet(), given, &config).unwrap();
    let mut corrected = rewrite::rewrite(&plain.float, &plain.layout, &plain.grid, WeightBits::Eight).unwrap();
    bias::correct(&plain.float, &mut corrected, &calibration).unwrap();
    let means = |model: &ModelProto, tensor: &str| {
        let runner = Runner::with_outputs(model, &[tensor.to_owned()]).unwrap();
        let mut sums = [0.0_f64; 3];
        for frame in &calibration {
            for (sum, plane) in
                sums.iter_mut().zip(runner.run(frame).unwrap()[0].values().unwrap().chunks_exact(WIDTH * HEIGHT))
            {
                *sum += plane.iter().map(|value| f64::from(*value)).sum::<f64>();
            }
        }
        sums.iter().map(|sum| sum / (8.0 * (WIDTH * HEIGHT) as f64)).collect::<Vec<f64>>()
    };
    let expected = means(&unet(), "logits");
    let shift = |model: &ModelProto| {
        means(model, "logits_float").iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    };
    let (before, after) = (shift(&plain.model), shift(&corrected.model));
    assert!(after < 1e-3 && after < 0.2 * before, "{before} became {after}");
}

#[test]
fn biases_are_corrected_where_that_lowers_the_noise_by_more_than_chance() {
    let report = quantized(&unet(), None).report;
    let outcome = report.bias_correction.unwrap();
    let (before, after) = (outcome.output_snr_db_before, outcome.output_snr_db_after);
    assert_eq!(outcome.applied, after >= before + LEAST_GAIN_DB, "{before} dB became {after}");
    assert_eq!(report.output_snr_db, if outcome.applied { after } else { before });
}

#[test]
fn the_picture_of_the_report_has_a_row_for_each_layer() {
    let (quantized, _) = measured(unlabelled());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("report.png");
    crate::plot::draw(&quantized.report, &path).unwrap();
    let picture = parallax_core::files::read_rgb(&path).unwrap();
    let blue = |row: u32| picture.get_pixel(340, 34 + 14 * row + 7).0 == [90, 140, 210];
    assert!((0..quantized.report.layers.len() as u32).all(blue));
}
