//! The labelled set, whole and broken.

use super::*;
use image::RgbImage;
use std::path::{Path, PathBuf};

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
fn a_palette_whose_colours_are_those_of_other_classes_is_refused_and_one_without_ids_is_read_by_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("palette.png");
    let [first, second] = [0, 1].map(|index| classes().entries[index].color);
    let read = |palette: &[[u8; 3]], indices: &[u8]| {
        let mut encoder = png::Encoder::new(std::fs::File::create(&path).unwrap(), indices.len() as u32, 1);
        encoder.set_color(png::ColorType::Indexed);
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_palette(palette.concat());
        encoder.write_header().unwrap().write_image_data(indices).unwrap();
        LabelMap::read(&path, &classes())
    };
    assert_eq!(read(&[first, second], &[1, 0]).unwrap().indices, [1, 0]);
    let error = read(&[second, first], &[1, 0]).unwrap_err().to_string();
    assert!(error.contains("palette index 1 at column 0, row 0 has the colour of"), "{error}");
    // Numbers that are no ids, as a program wrote them that makes palettes of colours.
    let gray = [7; 3];
    let palette = [gray, gray, gray, gray, gray, second, first];
    assert_eq!(read(&palette, &[5, 6, 6]).unwrap().indices, [1, 0, 0]);
    // A palette that has nothing to do with the classes.
    assert_eq!(read(&[gray, [8; 3]], &[1, 0]).unwrap().indices, [1, 0]);
}

#[test]
fn broken_sets_are_refused_with_the_file_at_fault() {
    let (_parent, path) = set_of(1);
    RgbImage::new(4, 4).save(path.join("images/000.png")).unwrap();
    let error = LabelledSet::open(&path, None).unwrap().pair(0).unwrap_err();
    assert!(error.to_string().contains("labels are 3x2 but their picture is 4x4"), "{error}");
    std::fs::rename(path.join("labels/000.png"), path.join("labels/001.png")).unwrap();
    let error = LabelledSet::open(&path, None).unwrap_err().to_string();
    assert!(error.contains("empty") && error.contains("000.png") && error.contains("001.png"), "{error}");
    for file in ["images/000.png", "labels/001.png"] {
        std::fs::remove_file(path.join(file)).unwrap();
    }
    assert!(LabelledSet::open(&path, None).unwrap_err().to_string().contains("empty"));
    std::fs::remove_dir(path.join("labels")).unwrap();
    assert!(LabelledSet::open(&path, None).unwrap_err().to_string().contains("labels"));
}

#[test]
fn pictures_without_labels_and_labels_without_pictures_are_left_alone() {
    let (_parent, path) = set_of(4);
    std::fs::remove_file(path.join("labels/001.png")).unwrap();
    std::fs::remove_file(path.join("images/002.png")).unwrap();
    std::fs::write(path.join("images/._000.png"), "what macOS leaves on memory cards").unwrap();
    let set = LabelledSet::open(&path, None).unwrap();
    assert_eq!((set.len(), set.name(0), set.name(1)), (2, "000", "003"));
    RgbImage::new(3, 2).save(path.join("images/003.bmp")).unwrap();
    assert!(LabelledSet::open(&path, None).unwrap_err().to_string().contains("one name"));
}

#[test]
fn labels_are_found_by_the_names_that_well_known_sets_give() {
    for (image, labels) in [
        ("aachen_000000_000019_leftImg8bit.png", "aachen_000000_000019_gtFine_labelIds.png"),
        ("0001TP_006690.png", "0001TP_006690_L.png"),
        ("a.jpg", "a.jpg.png"),
        ("a_rgb.png", "a_mask.png"),
        ("a.b.png", "a.b_seg.png"),
    ] {
        let (_parent, path) = set_of(1);
        std::fs::rename(path.join("images/000.png"), path.join("images").join(image)).unwrap();
        std::fs::copy(path.join("labels/000.png"), path.join("labels/unrelated.png")).unwrap();
        std::fs::rename(path.join("labels/000.png"), path.join("labels").join(labels)).unwrap();
        let set = LabelledSet::open(&path, None).unwrap();
        assert_eq!((set.len(), set.labels_path(0)), (1, path.join("labels").join(labels).as_path()));
        assert_eq!(set.pair(0).unwrap().1.indices, [0, 1, 1, 0, IGNORE, 1]);
    }
    // Of the pictures that Cityscapes has for each, the ids.
    let (_parent, path) = set_of(1);
    std::fs::rename(path.join("images/000.png"), path.join("images/a_leftImg8bit.png")).unwrap();
    for ending in ["color", "instanceIds", "labelIds", "labelTrainIds"] {
        std::fs::copy(path.join("labels/000.png"), path.join(format!("labels/a_gtFine_{ending}.png"))).unwrap();
    }
    let set = LabelledSet::open(&path, None).unwrap();
    assert!(set.labels_path(0).ends_with("a_gtFine_labelIds.png"));
}

/// Writes labels as a PNG of this form.
fn write_png(path: &Path, (width, height): (u32, u32), form: (png::ColorType, png::BitDepth), data: &[u8]) {
    let mut encoder = png::Encoder::new(std::fs::File::create(path).unwrap(), width, height);
    encoder.set_color(form.0);
    encoder.set_depth(form.1);
    if form.0 == png::ColorType::Indexed {
        encoder.set_palette((0..=255).flat_map(|index| [index, 3, 255 - index]).collect::<Vec<u8>>());
    }
    encoder.write_header().unwrap().write_image_data(data).unwrap();
}

#[test]
fn ids_are_read_from_one_to_sixteen_bits() {
    use png::{BitDepth, ColorType};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.png");
    let classes = Classes::dense(&[("a", [1, 2, 3]), ("b", [4, 5, 6]), ("c", [7, 8, 9])]);
    for color in [ColorType::Grayscale, ColorType::Indexed] {
        let forms: [(BitDepth, &[u8], &[u8]); 4] = [
            (BitDepth::One, &[0b0110_0000], &[0, 1, 1]),
            (BitDepth::Two, &[0b0001_1000], &[0, 1, 2]),
            (BitDepth::Four, &[0x01, 0x20], &[0, 1, 2]),
            (BitDepth::Eight, &[2, 1, 255], &[2, 1, IGNORE]),
        ];
        for (bits, data, expected) in forms {
            write_png(&path, (3, 1), (color, bits), data);
            assert_eq!(LabelMap::read(&path, &classes).unwrap().indices, expected, "{color:?}, {bits:?}");
        }
    }
    write_png(&path, (3, 1), (ColorType::Grayscale, BitDepth::Sixteen), &[0, 2, 0, 1, 0, 0]);
    assert_eq!(LabelMap::read(&path, &classes).unwrap().indices, [2, 1, 0]);
    write_png(&path, (3, 1), (ColorType::Grayscale, BitDepth::Sixteen), &[0, 2, 0x65, 0x91, 0, 0]);
    let error = LabelMap::read(&path, &Classes { unlisted: Unlisted::Ignore, ..classes.clone() }).unwrap_err();
    assert!(error.to_string().contains("value 26001 at column 1, row 0"), "instances are no classes: {error}");
    // 0 and 255 in one bit, as programs store them that make files small.
    let mut two = Classes::dense(&[("a", [0; 3]), ("b", [255; 3])]);
    (two.ignore, two.entries[1].id) = (Vec::new(), 255);
    write_png(&path, (3, 1), (ColorType::Grayscale, BitDepth::One), &[0b0110_0000]);
    assert_eq!(LabelMap::read(&path, &two).unwrap().indices, [0, 1, 1]);
}

fn labels_in(form: png::ColorType, data: &[u8], classes: &Classes) -> crate::Result<Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("labels.png");
    let bytes = form.samples();
    write_png(&path, ((data.len() / bytes) as u32, 1), (form, png::BitDepth::Eight), data);
    LabelMap::read(&path, classes).map(|labels| labels.indices)
}

#[test]
fn colours_of_the_classes_are_labels() {
    use png::ColorType::{GrayscaleAlpha, Rgb, Rgba};
    let classes = classes();
    assert_eq!(labels_in(Rgb, &[128, 64, 128, 0, 200, 0, 0, 200, 0], &classes).unwrap(), [0, 1, 1]);
    assert_eq!(labels_in(Rgba, &[128, 64, 128, 255, 0, 200, 0, 0], &classes).unwrap(), [0, 1]);
    // Ids in all channels, as OpenCV writes a mask of three.
    assert_eq!(labels_in(Rgb, &[0, 0, 0, 1, 1, 1, 255, 255, 255], &classes).unwrap(), [0, 1, IGNORE]);
    assert_eq!(labels_in(GrayscaleAlpha, &[1, 255, 0, 255], &classes).unwrap(), [1, 0]);
    // Black and white are colours here although 255 is an ignored id.
    let mask = Classes::dense(&[("outside", [0; 3]), ("inside", [255; 3])]);
    assert_eq!(labels_in(Rgb, &[0, 0, 0, 255, 255, 255], &mask).unwrap(), [0, 1]);
}

#[test]
fn colours_of_no_class_are_named_with_their_place() {
    use png::ColorType::Rgb;
    let error = labels_in(Rgb, &[128, 64, 128, 9, 8, 7, 9, 8, 7], &classes()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("[9, 8, 7] at column 1, row 0") && text.contains("2 pixels"), "{text}");
    assert!(error.hint().unwrap().contains("classes.toml"));
    let edge = labels_in(Rgb, &[128, 64, 128, 64, 132, 64, 0, 200, 0], &classes()).unwrap_err();
    assert!(
        edge.to_string().contains("\"road\" and \"grass\"") && edge.hint().unwrap().contains("antialiasing"),
        "{edge}"
    );
    let ignoring = Classes { unlisted: Unlisted::Ignore, ..classes() };
    assert_eq!(labels_in(Rgb, &[128, 64, 128, 9, 8, 7], &ignoring).unwrap(), [0, IGNORE]);
}

#[test]
fn colours_that_do_not_tell_the_classes_apart_are_refused() {
    use png::ColorType::{Grayscale, Rgb};
    let twins = Classes::dense(&[("road", [9, 9, 0]), ("path", [9, 9, 0]), ("grass", [0, 9, 0])]);
    let error = labels_in(Rgb, &[0, 9, 0, 9, 9, 0], &twins).unwrap_err().to_string();
    assert!(error.contains("\"road\" and \"path\"") && error.contains("[9, 9, 0]"), "{error}");
    assert_eq!(labels_in(Grayscale, &[2, 0, 1], &twins).unwrap(), [2, 0, 1], "ids do");
    // Gray values that are one class as colours and another one as ids.
    let gray = Classes::dense(&[("a", [1; 3]), ("b", [0; 3])]);
    let error = labels_in(Rgb, &[0, 0, 0, 1, 1, 1], &gray).unwrap_err().to_string();
    assert!(error.contains("colour of \"b\" or the id of \"a\""), "{error}");
}

/// A PNG that carries an EXIF orientation.
fn write_turned(path: &Path, picture: &image::DynamicImage, orientation: u8) {
    let mut info = png::Info::with_size(picture.width(), picture.height());
    let gray = picture.color() == image::ColorType::L8;
    info.color_type = if gray { png::ColorType::Grayscale } else { png::ColorType::Rgb };
    info.bit_depth = png::BitDepth::Eight;
    let exif =
        [b"II*\0\x08\0\0\0\x01\0".as_slice(), &[18, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0], &[0; 4]].concat();
    info.exif_metadata = Some(exif.into());
    let encoder = png::Encoder::with_info(std::fs::File::create(path).unwrap(), info).unwrap();
    encoder.write_header().unwrap().write_image_data(picture.as_bytes()).unwrap();
}

#[test]
fn labels_lie_over_the_picture_as_shown_whichever_way_it_is_stored() {
    use image::metadata::Orientation;
    let (_parent, path) = set_of(1);
    let shown = RgbImage::from_fn(3, 2, |x, y| image::Rgb([x as u8, y as u8, 0]));
    for value in 1..=8 {
        let inverse = match Orientation::from_exif(value).unwrap() {
            Orientation::Rotate90 => Orientation::Rotate270,
            Orientation::Rotate270 => Orientation::Rotate90,
            itself => itself,
        };
        let mut stored = image::DynamicImage::from(shown.clone());
        stored.apply_orientation(inverse);
        write_turned(&path.join("images/000.png"), &stored, value);
        let set = LabelledSet::open(&path, None).unwrap();
        // Drawn on what a viewer shows.
        LabelMap { width: 3, height: 2, indices: vec![0, 1, 1, 0, IGNORE, 1] }
            .write(&path.join("labels/000.png"), &classes())
            .unwrap();
        let (image, labels) = set.pair(0).unwrap();
        assert_eq!((image, labels.indices.as_slice()), (shown.clone(), [0, 1, 1, 0, IGNORE, 1].as_slice()), "{value}");
        // Turned like the picture, and saying so.
        let ids = image::GrayImage::from_raw(3, 2, vec![0, 1, 1, 0, 255, 1]).unwrap();
        let mut ids = image::DynamicImage::from(ids);
        ids.apply_orientation(inverse);
        write_turned(&path.join("labels/000.png"), &ids, value);
        assert_eq!(set.pair(0).unwrap().1.indices, [0, 1, 1, 0, IGNORE, 1], "{value}");
        // Drawn on the stored pixels: told by the size alone.
        if value > 4 {
            ids.save(path.join("labels/000.png")).unwrap();
            assert_eq!(set.pair(0).unwrap().1.indices, [0, 1, 1, 0, IGNORE, 1], "{value}");
            assert_eq!(set.labels(0).unwrap().width, 3);
        }
        image::GrayImage::new(4, 2).save(path.join("labels/000.png")).unwrap();
        let error = set.pair(0).unwrap_err().to_string();
        assert!(error.contains("4x2") && (value == 1 || error.contains("EXIF")), "{error}");
    }
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
