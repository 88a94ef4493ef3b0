//! The labelled set, whole and broken.

use super::*;
use image::RgbImage;
use std::path::PathBuf;

fn classes() -> Classes {
    Classes::dense(&[("road", [128, 64, 128]), ("grass", [0, 200, 0])])
}

fn set_of(count: usize) -> (tempfile::TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("set");
    let writer = LabelledSetWriter::create(&path, classes()).unwrap();
    for index in 0..count {
        let labels = LabelMap { width: 3, height: 2, indices: vec![0, 1, 1, 0, IGNORE, 1] };
        writer.add(&format!("{index:03}"), &RgbImage::from_pixel(3, 2, image::Rgb([index as u8; 3])), &labels).unwrap();
    }
    writer.finish().unwrap();
    (parent, path)
}

#[test]
fn a_set_gives_back_what_was_written() {
    let (_parent, path) = set_of(3);
    let set = LabelledSet::open(&path, None).unwrap();
    assert_eq!((set.len(), set.classes()), (3, &classes()));
    let (image, labels) = set.pair(2).unwrap();
    assert_eq!(image.get_pixel(0, 0).0, [2; 3]);
    assert_eq!(labels.indices, [0, 1, 1, 0, IGNORE, 1]);
}

#[test]
fn a_draw_is_repeatable_disjoint_and_depends_on_the_seed() {
    let (_parent, path) = set_of(40);
    let set = LabelledSet::open(&path, None).unwrap();
    let split = set.draw(16, 1).unwrap();
    assert_eq!(split, set.draw(16, 1).unwrap());
    assert_ne!(split, set.draw(16, 2).unwrap());
    let mut all = [split.chosen.clone(), split.rest.clone()].concat();
    all.sort_unstable();
    assert_eq!(all, (0..40).collect::<Vec<_>>());
    assert!(set.draw(41, 1).unwrap_err().to_string().contains("asked for 41"));
    assert!(set.draw(0, 1).is_err());
}

#[test]
fn a_label_out_of_range_is_named_with_its_place() {
    let (_parent, path) = set_of(1);
    let file = path.join("labels/000.png");
    image::GrayImage::from_raw(3, 2, vec![0, 1, 0, 0, 7, 0]).unwrap().save(&file).unwrap();
    let error = LabelledSet::open(&path, None).unwrap().labels(0).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("value 7 at column 1, row 1") && text.contains("000.png"), "{text}");
    assert!(error.hint().unwrap().contains("classes.toml"));
}

#[test]
fn unlisted_values_can_be_ignored_and_ids_need_not_be_dense() {
    let (_parent, path) = set_of(1);
    let mut sparse = classes();
    (sparse.unlisted, sparse.entries[1].id) = (Unlisted::Ignore, 26);
    sparse.write(&path.join("other.toml")).unwrap();
    image::GrayImage::from_raw(3, 2, vec![0, 26, 1, 0, 255, 9]).unwrap().save(path.join("labels/000.png")).unwrap();
    let set = LabelledSet::open(&path, Some(&path.join("other.toml"))).unwrap();
    assert_eq!(set.labels(0).unwrap().indices, [0, 1, IGNORE, 0, IGNORE, IGNORE]);
}

#[test]
fn palette_pictures_give_their_indices_not_their_colours() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("palette.png");
    let mut encoder = png::Encoder::new(std::fs::File::create(&path).unwrap(), 2, 1);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(vec![9, 9, 9, 200, 0, 0]);
    encoder.write_header().unwrap().write_image_data(&[1, 0]).unwrap();
    assert_eq!(LabelMap::read(&path, &classes()).unwrap().indices, [1, 0]);
}

#[test]
fn broken_sets_are_refused_with_the_file_at_fault() {
    let (_parent, path) = set_of(2);
    std::fs::remove_file(path.join("labels/001.png")).unwrap();
    assert!(LabelledSet::open(&path, None).unwrap_err().to_string().contains("001.png"));
    std::fs::remove_file(path.join("images/001.png")).unwrap();
    RgbImage::new(4, 4).save(path.join("images/000.png")).unwrap();
    let error = LabelledSet::open(&path, None).unwrap().pair(0).unwrap_err();
    assert!(error.to_string().contains("labels are 3x2 but their picture is 4x4"), "{error}");
    RgbImage::new(3, 2).save(path.join("labels/000.png")).unwrap();
    assert!(LabelledSet::open(&path, None).unwrap().labels(0).unwrap_err().to_string().contains("Rgb"));
    for file in ["images/000.png", "labels/000.png"] {
        std::fs::remove_file(path.join(file)).unwrap();
    }
    assert!(LabelledSet::open(&path, None).unwrap_err().to_string().contains("empty"));
}

#[test]
fn classes_that_contradict_themselves_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("classes.toml");
    for (change, expected) in [
        ("schema = 2", "schema = 1"),
        ("schema = 1\nignore = [1]", "also ignored"),
        ("schema = 1\ncolour = 3", "unknown field"),
    ] {
        let class = |id, name| format!("[[class]]\nid = {id}\nname = {name:?}\ncolor = [1, 2, 3]\n");
        std::fs::write(&path, format!("{change}\n{}{}", class(0, "a"), class(1, "b"))).unwrap();
        assert!(Classes::read(&path).unwrap_err().to_string().contains(expected), "{change}");
    }
}
