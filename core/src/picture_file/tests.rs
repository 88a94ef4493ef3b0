//! Pictures in every form: turned, cut, damaged, too large, and what is none.

use super::*;
use image::{GrayImage, ImageBuffer, Luma, Rgb, Rgba};

fn picture() -> RgbImage {
    RgbImage::from_fn(24, 16, |x, y| Rgb([(x * 10) as u8, (y * 15) as u8, (x ^ y) as u8 * 3]))
}

fn png_of(picture: impl Into<DynamicImage>) -> Vec<u8> {
    crate::files::png_bytes(&picture.into()).unwrap()
}

fn jpeg_of(picture: &RgbImage) -> Vec<u8> {
    let mut data = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut data, 95).encode_image(picture).unwrap();
    data
}

/// EXIF with nothing but an orientation.
fn exif(value: u8) -> Vec<u8> {
    [b"MM\0*\0\0\0\x08\0\x01".as_slice(), &[1, 18, 0, 3, 0, 0, 0, 1, 0, value, 0, 0], &[0; 4]].concat()
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |crc: u32, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 })
    })
}

fn chunk(name: [u8; 4], content: &[u8]) -> Vec<u8> {
    let named = [name.as_slice(), content].concat();
    [&(content.len() as u32).to_be_bytes(), named.as_slice(), &crc(&named).to_be_bytes()].concat()
}

/// Behind the first chunk of a PNG, or before its last one.
fn with_chunk(data: &[u8], name: [u8; 4], content: &[u8], early: bool) -> Vec<u8> {
    let at = if early { 33 } else { data.len() - 12 };
    [&data[..at], &chunk(name, content), &data[at..]].concat()
}

fn turned_jpeg(picture: &RgbImage, value: u8) -> Vec<u8> {
    let (data, exif) = (jpeg_of(picture), [b"Exif\0\0".to_vec(), exif(value)].concat());
    [&data[..2], &[0xff, 0xe1], &(exif.len() as u16 + 2).to_be_bytes(), &exif, &data[2..]].concat()
}

/// The picture as a PNG whose pixels are stored so that EXIF of this orientation shows it.
pub(crate) fn png_stored_for(shown: &DynamicImage, value: u8) -> Vec<u8> {
    let orientation = Orientation::from_exif(value).unwrap();
    let mut stored = shown.clone();
    stored.apply_orientation(match orientation {
        Orientation::Rotate90 => Orientation::Rotate270,
        Orientation::Rotate270 => Orientation::Rotate90,
        itself => itself,
    });
    with_chunk(&png_of(stored), *b"eXIf", &exif(value), true)
}

#[test]
fn every_orientation_is_honoured_in_every_form_that_has_one() {
    for value in 1..=8 {
        let orientation = Orientation::from_exif(value).unwrap();
        let mut expected = DynamicImage::from(picture());
        expected.apply_orientation(orientation);
        let png = png_of(picture());
        for early in [true, false] {
            let data = with_chunk(&png, *b"eXIf", &exif(value), early);
            assert_eq!(decode_picture(&data).unwrap(), expected, "PNG, {value}");
            let header = header(&data).unwrap();
            assert_eq!((header.size(), header.stored), ((expected.width(), expected.height()), (24, 16)));
        }
        let data = turned_jpeg(&picture(), value);
        let mut expected = decode_picture(&jpeg_of(&picture())).unwrap();
        expected.apply_orientation(orientation);
        assert_eq!(decode_picture(&data).unwrap(), expected, "JPEG, {value}");
        assert_eq!(header(&data).unwrap().size(), (expected.width(), expected.height()));
        // A live camera's frames go the same way.
        let (width, height) = (expected.width(), expected.height());
        let (format, frame_data) = (crate::frame::PixelFormat::Jpeg, data.clone());
        let frame = crate::frame::Frame { width, height, format, data: frame_data, ..Default::default() };
        assert_eq!(frame.to_rgb().unwrap(), expected.into_rgb8(), "frame, {value}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.png"); // the content counts
        std::fs::write(&path, &data).unwrap();
        assert_eq!(read_header(&path).unwrap().orientation, orientation);
    }
    for senseless in [0, 9] {
        assert_eq!(decode_picture(&turned_jpeg(&picture(), senseless)).unwrap().width(), 24);
    }
}

#[test]
fn half_a_picture_is_none() {
    let bmp = {
        let mut data = Cursor::new(Vec::new());
        picture().write_to(&mut data, image::ImageFormat::Bmp).unwrap();
        data.into_inner()
    };
    for whole in [png_of(picture()), jpeg_of(&picture()), bmp] {
        assert!(decode_picture(&whole).is_ok());
        for length in 0..whole.len() {
            assert!(decode_picture(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
        }
    }
    let png = png_of(picture());
    let filled_up = [&png[..png.len() / 2], &vec![0; png.len() / 2]].concat();
    assert!(decode_picture(&filled_up).is_err());
    // What a writer left behind the end of the file is no damage.
    assert!(decode_picture(&[png.as_slice(), b"more"].concat()).is_ok());
}

#[test]
fn wrong_bytes_in_a_png_contradict_its_checksums() {
    let png = png_of(picture());
    for at in 8..png.len() {
        let mut damaged = png.clone();
        damaged[at] ^= 0x20;
        assert!(decode_picture(&damaged).is_err(), "byte {at} of {}", png.len());
    }
}

#[test]
fn what_is_no_picture_is_named() {
    for (bytes, expected) in [
        (b"".as_slice(), "empty"),
        (&[0; 4096], "zeros"),
        (b"GIF89a\x01\0\x01\0", "a GIF"),
        (b"RIFF\x10\0\0\0WEBPVP8 ", "WebP"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"#!/bin/sh", "no PNG, JPEG or BMP"),
    ] {
        let fault = decode_picture(bytes).unwrap_err();
        assert!(fault.to_string().contains(expected) && header(bytes).is_err(), "{fault}");
    }
}

#[test]
fn sixteen_bits_of_gray_are_depth_and_of_colour_a_picture() {
    let depth = png_of(ImageBuffer::from_pixel(3, 2, Luma([4321_u16])));
    assert_eq!(decode_picture(&depth).unwrap_err(), PictureFault::Depth);
    assert_eq!(decode(&depth).unwrap().into_luma16().get_pixel(2, 1).0, [4321]);
    let color = png_of(ImageBuffer::from_pixel(3, 2, Rgb([65535_u16, 257 * 7, 0])));
    assert_eq!(decode_picture(&color).unwrap().into_rgb8().get_pixel(2, 1).0, [255, 7, 0]);
}

#[test]
fn opacity_palettes_and_few_bits_become_plain_colours() {
    let opaque = png_of(ImageBuffer::from_pixel(3, 2, Rgba([9_u8, 8, 7, 0])));
    assert_eq!(decode_picture(&opaque).unwrap().into_rgb8().get_pixel(0, 0).0, [9, 8, 7]);
    let mut data = Vec::new();
    let mut encoder = ::png::Encoder::new(&mut data, 2, 1);
    encoder.set_color(::png::ColorType::Indexed);
    encoder.set_depth(::png::BitDepth::One);
    encoder.set_palette(vec![1, 2, 3, 200, 100, 50]);
    encoder.write_header().unwrap().write_image_data(&[0b0100_0000]).unwrap();
    let picture = decode_picture(&data).unwrap().into_rgb8();
    assert_eq!((picture.get_pixel(0, 0).0, picture.get_pixel(1, 0).0), ([1, 2, 3], [200, 100, 50]));
}

#[test]
fn an_animation_is_refused_and_a_still_one_is_not() {
    for frames in [1_u32, 3] {
        let mut data = Vec::new();
        let mut encoder = ::png::Encoder::new(&mut data, 2, 1);
        encoder.set_animated(frames, 0).unwrap();
        let mut writer = encoder.write_header().unwrap();
        for _ in 0..frames {
            writer.write_image_data(&[1, 2]).unwrap();
        }
        writer.finish().unwrap();
        match decode_picture(&data) {
            Ok(picture) => assert_eq!((frames, picture.into_luma8().into_raw()), (1, vec![1, 2])),
            Err(fault) => assert_eq!((frames, fault), (3, PictureFault::Animated { frames: 3 })),
        }
    }
}

#[test]
fn a_size_out_of_bounds_is_refused_before_anything_is_allocated() {
    let begin = png_of(GrayImage::new(1, 1))[..8].to_vec();
    for (width, height) in [(0_u32, 4_u32), (4, 0), (30_000, 31_000), (1 << 30, 1 << 30), (u32::MAX, 1)] {
        // Gray, one bit: half a megabyte of such a file would be gigabytes of pixels.
        let head = [&width.to_be_bytes(), &height.to_be_bytes(), [1, 0, 0, 0].as_slice(), &[0]].concat();
        let data = [begin.clone(), chunk(*b"IHDR", &head), chunk(*b"IDAT", &[0; 9]), chunk(*b"IEND", &[])].concat();
        assert_eq!(decode_picture(&data).unwrap_err(), PictureFault::Size { width, height });
        assert_eq!(header(&data).unwrap_err(), PictureFault::Size { width, height });
        assert!(raw_png(&data).is_err());
    }
    assert!(size_fault((8192, 8192)).is_none() && size_fault((8192, 8193)).is_some());
    assert!(size_fault((1, 1)).is_none() && size_fault((65_535, 1)).is_none() && size_fault((65_536, 1)).is_some());
}

#[test]
fn one_pixel_is_a_picture() {
    assert_eq!(decode_picture(&png_of(RgbImage::from_pixel(1, 1, Rgb([7; 3])))).unwrap().width(), 1);
    assert_eq!(decode_picture(&jpeg_of(&RgbImage::from_pixel(1, 1, Rgb([7; 3])))).unwrap().height(), 1);
}
