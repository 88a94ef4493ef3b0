use super::*;
use crate::frame::Ycbcr;
use image::RgbImage;

const SIZE: (u32, u32) = (34, 18);

/// Red grows to the right, green downwards: smooth, so that a mosaic and halved colours lose little.
fn colour(x: u32, y: u32) -> [u8; 3] {
    [(6 * x) as u8, (12 * y) as u8, 40]
}

fn pixels() -> impl Iterator<Item = [u8; 3]> {
    (0..SIZE.1).flat_map(|y| (0..SIZE.0).map(move |x| colour(x, y)))
}

fn gray([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 299 + u32::from(g) * 587 + u32::from(b) * 114 + 500) / 1000) as u8
}

/// Y, Cb, Cr of BT.601 with limited range, by its closed form.
fn ycbcr([r, g, b]: [u8; 3]) -> [u8; 3] {
    let [r, g, b] = [r, g, b].map(|value| f64::from(value) / 255.0);
    let y = 0.299 * r + 0.587 * g + 0.114 * b;
    let (cb, cr) = ((b - y) / 1.772, (r - y) / 1.402);
    [16.0 + 219.0 * y, 128.0 + 224.0 * cb, 128.0 + 224.0 * cr].map(|value| value.round() as u8)
}

fn wide(value: u8) -> [u8; 2] {
    (u16::from(value) * 257).to_le_bytes()
}

fn bytes_of(encoding: &str) -> Vec<u8> {
    let mosaic = |order: &str, x: u32, y: u32| {
        let channel = match order.as_bytes()[(y % 2 * 2 + x % 2) as usize] {
            b'r' => 0,
            b'g' => 1,
            _ => 2,
        };
        colour(x, y)[channel]
    };
    let places = || (0..SIZE.1).flat_map(|y| (0..SIZE.0).map(move |x| (x, y)));
    let pairs = || places().filter(|(x, _)| x % 2 == 0).map(|(x, y)| [ycbcr(colour(x, y)), ycbcr(colour(x + 1, y))]);
    match encoding {
        "rgb8" => pixels().flatten().collect(),
        "bgr8" | "8UC3" => pixels().flat_map(|[r, g, b]| [b, g, r]).collect(),
        "rgba8" => pixels().flat_map(|[r, g, b]| [r, g, b, 7]).collect(),
        "bgra8" | "8UC4" => pixels().flat_map(|[r, g, b]| [b, g, r, 7]).collect(),
        "mono8" | "8UC1" => pixels().map(gray).collect(),
        "mono16" => pixels().flat_map(|pixel| wide(gray(pixel))).collect(),
        "rgb16" => pixels().flatten().flat_map(wide).collect(),
        "bgr16" | "16UC3" => pixels().flat_map(|[r, g, b]| [b, g, r]).flat_map(wide).collect(),
        "rgba16" => pixels().flat_map(|[r, g, b]| [r, g, b, 7]).flat_map(wide).collect(),
        "bgra16" | "16UC4" => pixels().flat_map(|[r, g, b]| [b, g, r, 7]).flat_map(wide).collect(),
        "yuyv" | "yuv422_yuy2" => pairs().flat_map(|[[a, cb, cr], [b, ..]]| [a, cb, b, cr]).collect(),
        "uyvy" | "yuv422" => pairs().flat_map(|[[a, cb, cr], [b, ..]]| [cb, a, cr, b]).collect(),
        "nv12" | "nv21" => {
            let luma = pixels().map(|pixel| ycbcr(pixel)[0]);
            let halves = places().filter(|(x, y)| x % 2 == 0 && y % 2 == 0).map(|(x, y)| ycbcr(colour(x, y)));
            let chroma = halves.flat_map(|[_, cb, cr]| if encoding == "nv12" { [cb, cr] } else { [cr, cb] });
            luma.chain(chroma).collect()
        }
        other => {
            let (order, bits) = other.strip_prefix("bayer_").unwrap().split_at(4);
            let values = places().map(|(x, y)| mosaic(order, x, y));
            if bits == "8" { values.collect() } else { values.flat_map(wide).collect() }
        }
    }
}

fn message(encoding: &str) -> RawImage {
    let data = bytes_of(encoding);
    let rows = if encoding.starts_with("nv") { SIZE.1 + SIZE.1 / 2 } else { SIZE.1 };
    let step = data.len() as u32 / rows;
    RawImage { width: SIZE.0, height: SIZE.1, encoding: encoding.into(), step, data: data.into(), ..Default::default() }
}

fn picture(message: &RawImage) -> RgbImage {
    frame_from_raw(message, Timestamp::default(), 0).unwrap().to_rgb().unwrap()
}

const COLOURED: [&str; 20] = [
    "rgb8",
    "bgr8",
    "8UC3",
    "rgba8",
    "bgra8",
    "8UC4",
    "rgb16",
    "bgr16",
    "16UC3",
    "rgba16",
    "bgra16",
    "16UC4",
    "yuyv",
    "yuv422_yuy2",
    "uyvy",
    "yuv422",
    "nv12",
    "nv21",
    "bayer_rggb8",
    "bayer_bggr16",
];

#[test]
fn every_encoding_gives_the_same_picture() {
    let bayer = ["bayer_bggr8", "bayer_gbrg8", "bayer_grbg8", "bayer_rggb16", "bayer_gbrg16", "bayer_grbg16"];
    for encoding in COLOURED.into_iter().chain(bayer) {
        let found = picture(&message(encoding));
        // Exact, but for halved colours (6 levels of red from column to column) and for what a mosaic guesses at the border.
        let bound = if encoding.starts_with("bayer") {
            13
        } else if encoding.contains("yuv") || encoding.contains("yuy") || encoding.contains("uyvy") {
            8
        } else if encoding.starts_with("nv") {
            16
        } else {
            0
        };
        for (x, y, pixel) in found.enumerate_pixels() {
            let worst = pixel.0.iter().zip(colour(x, y)).map(|(a, b)| a.abs_diff(b)).max().unwrap();
            assert!(worst <= bound, "{encoding} at {x}, {y}: {:?}, not {:?}", pixel.0, colour(x, y));
        }
    }
    for encoding in ["mono8", "8UC1", "mono16"] {
        let frame = frame_from_raw(&message(encoding), Timestamp::default(), 0).unwrap();
        assert_eq!(frame.format, PixelFormat::Gray8);
        assert_eq!(frame.data, pixels().map(gray).collect::<Vec<_>>(), "{encoding}");
    }
    assert_eq!(Ycbcr::default(), frame_from_raw(&message("nv12"), Timestamp::default(), 0).unwrap().ycbcr);
}

#[test]
fn padding_between_rows_is_no_part_of_the_picture() {
    for encoding in COLOURED.into_iter().chain(["mono8", "mono16"]) {
        let tight = message(encoding);
        let step = tight.step.next_multiple_of(64) as usize;
        let mut padded: Vec<u8> = Vec::new();
        for row in tight.data.chunks(tight.step as usize) {
            padded.extend(row);
            padded.resize(padded.len().next_multiple_of(step), 255);
        }
        let full = RawImage { step: step as u32, data: padded.clone().into(), ..tight.clone() };
        assert_eq!(picture(&full), picture(&tight), "{encoding}");
        // The last row's padding may be missing.
        padded.truncate(padded.len() - (step - tight.step as usize));
        let cut = RawImage { data: padded.into(), ..full };
        assert_eq!(picture(&cut), picture(&tight), "{encoding}");
    }
}

#[test]
fn an_odd_width_of_two_planes_keeps_its_colours() {
    // Rows of three pixels, padded to four; white and gray, no colour.
    let data: Vec<u8> = [[235, 126, 235, 9]; 3].concat().into_iter().chain([128; 8]).collect();
    let message =
        RawImage { width: 3, height: 3, encoding: "nv12".into(), step: 4, data: data.into(), ..Default::default() };
    let found = picture(&message);
    assert_eq!(found.dimensions(), (3, 3));
    assert!(found.enumerate_pixels().all(|(x, _, pixel)| pixel.0 == if x == 1 { [128; 3] } else { [255; 3] }));
}

#[test]
fn depth_and_unknown_encodings_are_refused_by_name() {
    for (encoding, bytes) in [("16UC1", 2), ("32FC1", 4), ("yuv444", 3), ("bayer_rggb12", 2), ("bayer_", 1), ("", 1)] {
        let message = RawImage {
            width: 2,
            height: 2,
            encoding: encoding.into(),
            step: 2 * bytes,
            data: vec![0; 4 * bytes as usize].into(),
            ..Default::default()
        };
        let error = frame_from_raw(&message, Timestamp::default(), 0).unwrap_err();
        assert!(error.contains(encoding), "{error}");
        assert_eq!(error.contains("depth"), encoding == "16UC1" || encoding == "32FC1", "{error}");
    }
}

#[test]
fn sizes_that_do_not_fit_the_bytes_are_refused_before_anything_is_allocated() {
    let right = message("rgb8");
    let wrong = [
        RawImage { height: SIZE.1 + 1, ..right.clone() },
        RawImage { height: 0, ..right.clone() },
        RawImage { width: 0, ..right.clone() },
        RawImage { width: SIZE.0 + 1, ..right.clone() },
        RawImage { width: u32::MAX, height: u32::MAX, step: u32::MAX, ..right.clone() },
        RawImage { step: 0, ..right.clone() },
        RawImage { data: right.data.slice(1..), ..right.clone() },
        RawImage { height: 2, data: vec![0; 9000].into(), ..right },
    ];
    for message in wrong {
        let error = frame_from_raw(&message, Timestamp::default(), 0).unwrap_err();
        assert!(error.contains("image with"), "{error}");
    }
    // Pixels of four bytes that say they have three.
    let four = RawImage {
        width: 160,
        height: 3,
        step: 640,
        data: vec![0; 1920].into(),
        encoding: "rgb8".into(),
        ..Default::default()
    };
    let error = frame_from_raw(&four, Timestamp::default(), 0).unwrap_err();
    assert!(error.contains("4-byte pixels"), "{error}");
    // What a page of a driver's buffer adds is no fault.
    let mut data = bytes_of("mono8");
    data.resize(data.len() + 4000, 0);
    picture(&RawImage { data: data.into(), ..message("mono8") });
}

#[test]
fn the_brightest_number_of_a_picture_of_16_bits_is_found() {
    let data: Vec<u8> = [3_u16, 900, 4095, 12].into_iter().flat_map(u16::to_le_bytes).collect();
    let message =
        RawImage { width: 2, height: 2, encoding: "mono16".into(), step: 4, data: data.into(), ..Default::default() };
    assert_eq!(brightest_of_16_bits(&message), Some(4095));
    let bayer = RawImage { encoding: "bayer_rggb16".into(), ..message.clone() };
    assert_eq!(brightest_of_16_bits(&bayer), Some(4095));
    // Opacity is no light.
    let opaque = RawImage { width: 1, height: 1, encoding: "rgba16".into(), step: 8, ..message.clone() };
    assert_eq!(brightest_of_16_bits(&opaque), Some(4095));
    let data: Vec<u8> = [3_u16, 900, 12, 65535].into_iter().flat_map(u16::to_le_bytes).collect();
    assert_eq!(brightest_of_16_bits(&RawImage { data: data.into(), ..opaque }), Some(900));
    assert_eq!(brightest_of_16_bits(&RawImage { encoding: "16UC1".into(), ..message }), None);
}
