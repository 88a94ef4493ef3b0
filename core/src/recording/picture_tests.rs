//! Pictures of recordings: turned by EXIF, with camera files and depth beside them; and depth where pictures should be.

use super::messages::frame_from_compressed;
use super::*;
use crate::camera::Intrinsics;
use crate::depth::DepthUnit;
use crate::picture_file::Orientation;
use crate::picture_file::tests::png_stored_for;
use foxglove::messages::CompressedImage;
use image::{DynamicImage, ImageBuffer, Luma, Rgb, RgbImage};

fn shown() -> DynamicImage {
    RgbImage::from_fn(24, 16, |x, y| Rgb([10 * x as u8, 15 * y as u8, 7])).into()
}

fn camera(width: u32, height: u32) -> Camera {
    let (cx, cy) = (f64::from(width) / 2.0, f64::from(height) / 2.0);
    Camera::pinhole("front", width, height, Intrinsics { fx: 20.0, fy: 20.0, cx, cy })
}

/// A folder of pictures of these orientations, all shown alike.
fn folder_of(orientations: &[u8]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (index, &value) in orientations.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{index}.png")), png_stored_for(&shown(), value)).unwrap();
    }
    folder
}

#[test]
fn pictures_of_a_folder_are_those_that_a_viewer_shows() {
    let folder = folder_of(&[1, 2, 3, 4, 5, 6, 7, 8]);
    let recording = Recording::open(folder.path()).unwrap();
    assert_eq!(recording.size(), (24, 16));
    for index in 0..8 {
        assert_eq!(recording.frame(index, Eye::Left).unwrap().to_rgb().unwrap(), shown().into_rgb8(), "{index}");
    }
}

#[test]
fn a_camera_file_must_be_that_of_the_pictures_as_shown() {
    for value in [3, 6] {
        let folder = folder_of(&[value, value]);
        ros_yaml::write(&folder.path().join("camera.yaml"), &camera(24, 16)).unwrap();
        assert!(Recording::open(folder.path()).unwrap().camera(Eye::Left).is_some());
        ros_yaml::write(&folder.path().join("camera.yaml"), &camera(16, 24)).unwrap();
        let error = Recording::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains(&format!("EXIF orientation {value}")) && error.contains("16x24"), "{error}");
    }
}

#[test]
fn one_camera_file_is_not_that_of_pictures_turned_differently() {
    let folder = folder_of(&[1, 1, 3]);
    assert!(Recording::open(folder.path()).is_ok(), "without a camera file nothing depends on it");
    ros_yaml::write(&folder.path().join("camera.yaml"), &camera(24, 16)).unwrap();
    let error = Recording::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("EXIF orientation 1") && error.contains("EXIF orientation 3"), "{error}");
}

#[test]
fn pictures_of_different_size_as_shown_are_told_with_what_turns_them() {
    let folder = folder_of(&[1, 6]);
    let mut upright = shown();
    upright.apply_orientation(picture_turn(6));
    std::fs::write(folder.path().join("1.png"), png_stored_for(&upright, 6)).unwrap();
    let error = Recording::open(folder.path()).unwrap_err().to_string();
    assert!(error.contains("1.png is 16x24 by EXIF orientation 6"), "{error}");
}

fn picture_turn(value: u8) -> Orientation {
    Orientation::from_exif(value).unwrap()
}

#[test]
fn depth_measured_on_the_stored_pixels_is_turned_with_its_picture() {
    let folder = folder_of(&[6]);
    std::fs::create_dir(folder.path().join("depth")).unwrap();
    let steps = |width: u32| move |x: u32, y: u32| Luma([256 * (1 + x + width * y) as u16]);
    let mut as_shown = DynamicImage::from(ImageBuffer::from_fn(24, 16, steps(24)));
    let expected = DepthMap::from_steps(24, 16, as_shown.as_luma16().unwrap().as_raw(), DepthUnit::KittiStep);
    let file = folder.path().join("depth/0.png");
    for turn in [Orientation::NoTransforms, Orientation::Rotate270] {
        as_shown.apply_orientation(turn);
        as_shown.save(&file).unwrap();
        let found = Recording::open(folder.path()).unwrap().depth(0).unwrap().unwrap();
        assert_eq!(found, expected, "{turn:?}");
    }
}

#[test]
fn depth_on_a_topic_or_in_a_folder_of_pictures_is_refused() {
    let depth = DynamicImage::from(ImageBuffer::from_pixel(24, 16, Luma([1234_u16])));
    let data = crate::files::png_bytes(&depth).unwrap();
    let message = CompressedImage { data: data.clone().into(), format: "png".into(), ..CompressedImage::default() };
    let error = frame_from_compressed(&message, Timestamp::default(), 0).unwrap_err();
    assert!(error.contains("depth"), "{error}");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("0.png"), data).unwrap();
    let error = Recording::open(folder.path()).unwrap().frame(0, Eye::Left).unwrap_err();
    assert!(error.to_string().contains("0.png") && error.hint().unwrap().contains("depth/"), "{error}");
}

#[test]
fn turned_pictures_of_messages_are_shown_too() {
    let data = png_stored_for(&shown(), 8);
    let message = CompressedImage { data: data.into(), format: "png".into(), ..CompressedImage::default() };
    let frame = frame_from_compressed(&message, Timestamp::default(), 0).unwrap();
    assert_eq!(frame.to_rgb().unwrap(), shown().into_rgb8());
}
