//! Fine-tuning on a small made-up labelled set: what is frozen, what is taken over, what is scored.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Device;
use image::{GrayImage, Luma, RgbImage};
use parallax_core::labels::LabelledSet;
use parallax_core::run::Transfer;
use parallax_train::finetune::evaluation::Pictures;
use parallax_train::finetune::{FinetuneConfig, FinetunedRun, evaluate, finetune};

use crate::few_shot::{SIZE, changed, config, cpu, depth_run, labelled_set, tensors};

fn same<'a>(before: &'a BTreeMap<String, Vec<u8>>, after: &BTreeMap<String, Vec<u8>>, prefix: &str) -> Vec<&'a str> {
    let both = before.iter().filter(|(name, _)| name.starts_with(prefix) && after.contains_key(*name));
    both.filter(|(name, bytes)| after[*name] == **bytes).map(|(name, _)| name.as_str()).collect()
}

#[test]
fn a_frozen_encoder_stays_as_it_is_to_the_bit_and_a_whole_transfer_changes_it() {
    let folder = tempfile::tempdir().unwrap();
    let (labels, init) = (labelled_set(folder.path(), 8), depth_run(folder.path()));
    let before = tensors(&init);
    assert!(
        before.keys().any(|name| name.starts_with("encoder.") && name.contains("running_var")),
        "{:?}",
        before.keys()
    );

    let frozen = folder.path().join("frozen");
    finetune(&config(labels.clone(), Some(init.clone()), Transfer::Frozen, 3), &frozen, &cpu()).unwrap();
    let after = tensors(&frozen);
    assert_eq!(changed(&before, &after, "encoder."), Vec::<&str>::new());
    assert!(!changed(&before, &after, "decoder.").is_empty());

    let whole = folder.path().join("whole");
    finetune(&config(labels, Some(init), Transfer::Whole, 3), &whole, &cpu()).unwrap();
    assert_eq!(same(&before, &tensors(&whole), "encoder."), Vec::<&str>::new());
}

#[test]
fn each_transfer_starts_from_what_its_name_says() {
    let folder = tempfile::tempdir().unwrap();
    let (labels, init) = (labelled_set(folder.path(), 8), depth_run(folder.path()));
    let before = tensors(&init);
    // One step at a rate that is zero in f32; batch norm statistics do move, so weights alone are compared.
    let start = |transfer: Transfer| {
        let out = folder.path().join(format!("start_{transfer}"));
        let mut config = config(labels.clone(), Some(init.clone()), transfer, 1);
        config.training.learning_rate = 1e-60;
        finetune(&config, &out, &cpu()).unwrap();
        tensors(&out)
    };
    let weights = |names: Vec<&str>| names.iter().filter(|name| !name.contains("running")).count();
    let whole = start(Transfer::Whole);
    assert_eq!(weights(changed(&before, &whole, "")), 0);
    let encoder = start(Transfer::Encoder);
    assert_eq!(weights(changed(&before, &encoder, "encoder.")), 0);
    assert!(changed(&before, &encoder, "decoder.").iter().any(|name| name.ends_with("weight")));
}

#[test]
fn boxes_are_found_where_the_location_prior_cannot_know_them() {
    let folder = tempfile::tempdir().unwrap();
    let labels = labelled_set(folder.path(), 16);
    let out = folder.path().join("run");
    let mut config = config(labels.clone(), None, Transfer::Whole, 60);
    (config.count, config.batch, config.training.learning_rate) = (6, 4, 3e-3);
    finetune(&config, &out, &cpu()).unwrap();

    let run = FinetunedRun::open(&out).unwrap();
    let set = LabelledSet::open(&labels, Some(&run.classes_path())).unwrap();
    let report = evaluate(&run, &set, Pictures::Unseen, &Device::flex()).unwrap();
    assert_eq!((report.score.images, report.left_out), (10, 6));
    assert!(report.score.miou > 0.8 && report.score.miou > report.location_prior.miou + 0.2, "{report}");
    let all = evaluate(&run, &set, Pictures::All, &Device::flex()).unwrap();
    assert_eq!((all.score.images, all.left_out), (16, 0));

    let json = serde_json::to_value(&report).unwrap();
    for key in ["miou", "pixel_accuracy", "per_class", "images", "location_prior", "left_out"] {
        assert!(json.get(key).is_some(), "{key} in {json}");
    }
    assert!(json["location_prior"]["miou"].is_number());
    let drawn = std::fs::read_dir(out.join("samples")).unwrap().count();
    assert_eq!(drawn, 4, "three unseen pictures and a learned one");
}

#[test]
fn a_picture_that_was_learned_is_left_out_of_scores_even_in_a_copy_of_the_set() {
    let folder = tempfile::tempdir().unwrap();
    let labels = labelled_set(folder.path(), 6);
    let out = folder.path().join("run");
    finetune(&config(labels.clone(), None, Transfer::Whole, 1), &out, &cpu()).unwrap();
    let copy = folder.path().join("copy");
    std::fs::rename(&labels, &copy).unwrap();
    let run = FinetunedRun::open(&out).unwrap();
    let set = LabelledSet::open(&copy, Some(&run.classes_path())).unwrap();
    assert_eq!(evaluate(&run, &set, Pictures::Unseen, &Device::flex()).unwrap().left_out, 4);
    // The same name with another picture is another picture.
    let learned = &run.trained_on[0].name;
    RgbImage::new(SIZE.0, SIZE.1).save(copy.join(format!("images/{learned}.png"))).unwrap();
    assert_eq!(evaluate(&run, &set, Pictures::Unseen, &Device::flex()).unwrap().left_out, 3);
}

#[test]
fn bad_input_is_an_error_that_names_the_file_and_leaves_no_run_behind() {
    let folder = tempfile::tempdir().unwrap();
    let attempt = |labels: &Path, change: &dyn Fn(&mut FinetuneConfig)| {
        let out = folder.path().join("attempt");
        let mut config = config(labels.to_path_buf(), None, Transfer::Whole, 1);
        config.count = 6;
        change(&mut config);
        let Err(error) = finetune(&config, &out, &cpu()) else { panic!("it was trained") };
        assert!(!out.exists(), "nothing is left behind after: {error}");
        assert!(error.hint().is_some(), "a hint after: {error}");
        error.to_string()
    };
    let fresh = |name: &str| labelled_set(&folder.path().join(name), 6);
    let whole = fresh("whole");
    assert!(attempt(&whole, &|config| config.count = 7).contains('7'));
    assert!(attempt(&whole, &|config| config.input.width = 50).contains("50x32"));
    assert!(attempt(&whole, &|config| config.training.learning_rate = f64::NAN).contains("learning rate"));
    assert!(attempt(&whole, &|config| config.init = Some(folder.path().join("nowhere"))).contains("nowhere"));

    let range = fresh("range");
    GrayImage::from_pixel(SIZE.0, SIZE.1, Luma([77])).save(range.join("labels/002.png")).unwrap();
    let error = attempt(&range, &|_| ());
    assert!(error.contains("77") && error.contains("002.png"), "{error}");

    let sizes = fresh("sizes");
    RgbImage::new(10, 10).save(sizes.join("images/003.png")).unwrap();
    let error = attempt(&sizes, &|_| ());
    assert!(error.contains("10x10") && error.contains("003.png"), "{error}");

    let missing = fresh("missing");
    std::fs::remove_file(missing.join("labels/004.png")).unwrap();
    assert!(attempt(&missing, &|_| ()).contains("004.png"));

    let unreadable = fresh("unreadable");
    std::fs::write(unreadable.join("images/005.png"), "no picture").unwrap();
    assert!(attempt(&unreadable, &|_| ()).contains("005.png"));

    let empty = folder.path().join("empty");
    for part in ["images", "labels"] {
        std::fs::create_dir_all(empty.join(part)).unwrap();
    }
    std::fs::copy(whole.join("classes.toml"), empty.join("classes.toml")).unwrap();
    assert!(attempt(&empty, &|_| ()).contains("empty"));
}
