//! JPEG pictures: whole, bare, cut, damaged, progressive, with restarts, and what stands around them.

use super::*;

fn picture() -> RgbImage {
    RgbImage::from_fn(80, 48, |x, y| image::Rgb([(x * 3) as u8, (y * 5) as u8, (x + y) as u8]))
}

fn encoded() -> Vec<u8> {
    let mut data = Vec::new();
    let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut data, 95);
    encoder.encode_image(&picture()).unwrap();
    data
}

fn decoded(data: &[u8]) -> Result<RgbImage, String> {
    let mut picture = RgbImage::new(80, 48);
    decode_into(data, &mut picture).map(|()| picture).map_err(|fault| fault.to_string())
}

/// Removes the Huffman tables, as Motion-JPEG cameras do.
fn without_tables(data: &[u8]) -> Vec<u8> {
    let (mut kept, mut at) = (data[..2].to_vec(), 2);
    while data[at + 1] != START_OF_SCAN {
        let end = at + 2 + usize::from(u16::from_be_bytes([data[at + 2], data[at + 3]]));
        if data[at + 1] != HUFFMAN_TABLES {
            kept.extend_from_slice(&data[at..end]);
        }
        at = end;
    }
    kept.extend_from_slice(&data[at..]);
    kept
}

#[test]
fn a_motion_jpeg_without_tables_decodes_like_the_whole_file() {
    let whole = encoded();
    let bare = without_tables(&whole);
    assert!(bare.len() < whole.len() - 400, "the encoder wrote tables, and they are gone");
    assert_eq!(decoded(&bare).unwrap(), decoded(&whole).unwrap());
    let furthest = decoded(&whole).unwrap().iter().zip(picture().iter()).map(|(a, b)| a.abs_diff(*b)).max();
    assert!(furthest <= Some(12), "quality 95 keeps a smooth picture, off by {furthest:?}");
}

#[test]
fn one_colour_is_a_whole_picture_however_few_bytes_it_takes() {
    for (width, height) in [(8, 8), (16, 16), (63, 9), (64, 8), (65, 100), (640, 480)] {
        for gray in [false, true] {
            let picture = image::DynamicImage::from(RgbImage::from_pixel(width, height, image::Rgb([7; 3])));
            let picture = if gray { picture.into_luma8().into() } else { picture };
            let mut data = Vec::new();
            image::codecs::jpeg::JpegEncoder::new(&mut data).encode_image(&picture).unwrap();
            let mut back = RgbImage::new(width, height);
            decode_into(&data, &mut back).unwrap();
            assert!(back.iter().all(|value| value.abs_diff(7) <= 2), "{width}x{height}");
        }
    }
}

#[test]
fn the_header_says_the_size() {
    let header = jpeg_header(&encoded()).unwrap();
    assert_eq!((header.width, header.height, header.has_tables), (80, 48, true));
    assert!(jpeg_header(b"\xff\xd8\xff").is_err() && jpeg_header(b"GIF89a..").is_err());
}

#[test]
fn padding_is_no_damage_and_a_cut_anywhere_is() {
    let whole = encoded();
    assert!(decoded(&[whole.as_slice(), &[0; 100]].concat()).is_ok());
    for length in 0..whole.len() {
        assert!(decoded(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
    }
    let scan = jpeg_header(&whole).unwrap().scan;
    let middle = scan + (whole.len() - scan) / 3;
    let lost_packet = [&whole[..middle], &whole[whole.len() - 2..]].concat();
    assert!(decoded(&lost_packet).is_err(), "a lost packet is no picture although the end marker is there");
}

const BASELINE: &[u8] = include_bytes!("samples/baseline.jpg");
const PROGRESSIVE: &[u8] = include_bytes!("samples/progressive.jpg");
const RESTARTS: &[u8] = include_bytes!("samples/restarts.jpg");
const PROGRESSIVE_RESTARTS: &[u8] = include_bytes!("samples/progressive_restarts.jpg");
const CMYK: &[u8] = include_bytes!("samples/cmyk.jpg");

const SAMPLES: [(&str, &[u8]); 4] = [
    ("baseline", BASELINE),
    ("progressive", PROGRESSIVE),
    ("restarts", RESTARTS),
    ("progressive with restarts", PROGRESSIVE_RESTARTS),
];

#[test]
fn the_same_coefficients_are_the_same_picture_however_they_are_coded() {
    let expected = decode(BASELINE).unwrap().0;
    assert_eq!((expected.width(), expected.height()), (83, 45));
    for (name, data) in SAMPLES {
        assert_eq!(decode(data).unwrap().0, expected, "{name}");
    }
}

#[test]
fn four_colours_become_three() {
    // What libjpeg and Pillow make of it.
    let picture = decode(CMYK).unwrap().0.into_rgb8();
    let furthest = picture.pixels().flat_map(|pixel| pixel.0).zip([225_u8, 49, 137].into_iter().cycle());
    assert!(
        furthest.into_iter().all(|(found, expected)| found.abs_diff(expected) <= 3),
        "{:?}",
        picture.get_pixel(3, 3)
    );
}

#[test]
fn a_cut_is_told_in_every_form_even_when_an_end_marker_is_put_behind_it() {
    for (name, data) in SAMPLES {
        for length in 0..data.len() {
            assert!(decode(&data[..length]).is_err(), "{name}: {length} of {} bytes", data.len());
            let ended = [&data[..length], &[0xff, END_OF_IMAGE]].concat();
            // The last byte of a scan may hold nothing but padding.
            if length < data.len() - 3 {
                assert!(decode(&ended).is_err(), "{name}: {length} of {} bytes and an end marker", data.len());
            }
            let filled_up = [&data[..length], &vec![0; data.len() - length]].concat();
            assert!(decode(&filled_up).is_err(), "{name}: {length} of {} bytes and zeros", data.len());
        }
    }
}

#[test]
fn what_stands_behind_the_end_marker_is_no_part_of_the_picture() {
    for (name, data) in SAMPLES {
        let expected = decode(data).unwrap();
        for behind in [b"film of a phone".as_slice(), &[0; 99], &[0xff; 7], PROGRESSIVE, &[0xff, 0xd9, 1]] {
            assert_eq!(decode(&[data, behind].concat()).unwrap(), expected, "{name}");
        }
    }
}

#[test]
fn a_lost_or_overwritten_stretch_is_told() {
    for (name, data) in SAMPLES {
        let scan = jpeg_header(data).unwrap().scan + 14;
        let (mut told, mut tried) = (0, 0);
        for begin in (scan..data.len() - 60).step_by(7) {
            let overwritten = [0_u8, 0x55, 0xa5, 0xff].map(|filler| {
                let mut damaged = data.to_vec();
                damaged[begin..begin + 40].fill(filler);
                damaged
            });
            let lost = [&data[..begin], &data[begin + 48..]].concat();
            for damaged in overwritten.into_iter().chain([lost]) {
                (told, tried) = (told + usize::from(decode(&damaged).is_err()), tried + 1);
            }
        }
        // Wrong bytes can be right codes by chance, of as many blocks: nothing but their look could tell.
        assert!(told * 100 >= tried * 65, "{name}: {told} of {tried}");
    }
}

#[test]
fn a_part_between_restart_markers_that_is_missing_is_told() {
    let places: Vec<usize> = RESTARTS
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| pair[0] == 0xff && (0xd0..0xd8).contains(&pair[1]))
        .map(|(at, _)| at)
        .collect();
    assert!(places.len() > 4);
    let missing = [&RESTARTS[..places[1]], &RESTARTS[places[2]..]].concat();
    let error = decode(&missing).unwrap_err().to_string();
    assert!(error.contains("missing"), "{error}");
}

#[test]
fn a_few_bytes_of_padding_before_the_end_marker_are_a_cameras_habit() {
    let whole = encoded();
    let padded = [&whole[..whole.len() - 2], &[0; 4], &whole[whole.len() - 2..]].concat();
    assert_eq!(decode(&padded).unwrap(), decode(&whole).unwrap());
}

#[test]
fn a_size_that_no_picture_has_is_refused_before_anything_is_allocated() {
    for (name, data) in SAMPLES {
        let frame = (2..data.len()).find(|&at| data[at] == 0xff && is_frame(data[at + 1])).unwrap();
        for (width, height) in [(0_u16, 45_u16), (83, 0), (0, 0), (65500, 65500), (65535, 2000)] {
            let mut damaged = data.to_vec();
            damaged[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
            damaged[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
            let expected = PictureFault::Size { width: u32::from(width), height: u32::from(height) };
            assert_eq!(jpeg_header(&damaged).unwrap_err(), expected, "{name}");
            assert_eq!(decode(&damaged).unwrap_err(), expected, "{name}");
        }
        // A size within bounds that is not the picture's.
        let mut damaged = data.to_vec();
        damaged[frame + 5..frame + 7].copy_from_slice(&8000_u16.to_be_bytes());
        assert!(decode(&damaged).is_err(), "{name}");
    }
}

#[test]
fn no_bytes_are_a_panic() {
    let mut state = 7_u64;
    for (_, data) in SAMPLES.into_iter().chain([("cmyk", CMYK)]) {
        for _ in 0..3000 {
            let mut damaged = data.to_vec();
            for _ in 0..3 {
                state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                let at = (state >> 33) as usize % damaged.len();
                damaged[at] = (state >> 20) as u8;
            }
            let _ = decode(&damaged);
            let _ = jpeg_fault(&damaged);
        }
    }
}
