//! `ost.txt`, which ROS's camera calibration writes beside its YAML: sections, each value on lines of its own.
//!
//! ```text
//! # oST version 5.0 parameters
//! [image]
//! width
//! 640
//! height
//! 480
//! [narrow_stereo]           # of a pair two sections: [narrow_stereo/left], [narrow_stereo/right]
//! camera matrix
//! 535.9 0 342.3
//! 0 535.9 235.6
//! 0 0 1
//! distortion
//! -0.27 -0.04 0.002 0 0
//! rectification
//! …
//! projection
//! …
//! ```
//!
//! The lens model is not in it: five coefficients are `plumb_bob`'s, eight `rational_polynomial`'s; four are a fisheye's or not.
//!
//! Reference: ROS, `camera_calibration_parsers`, Videre INI format.

use super::found::{Found, FoundCamera};
use parallax_core::camera::CameraNumbers;
use parallax_core::{Error, Result};
use std::path::Path;

pub(super) fn parse(text: &str, path: &Path) -> Result<Found> {
    sections(text).map_err(|what| Error::Malformed {
        what: format!("not ROS's ost.txt: {what}"),
        path: path.to_path_buf(),
        hint: "it has [image] with width and height, and for each camera camera matrix, distortion, rectification and projection",
    })
}

fn sections(text: &str) -> std::result::Result<Found, String> {
    let mut size = [None; 2];
    let mut cameras: Vec<FoundCamera> = Vec::new();
    let (mut section, mut key) = (String::new(), String::new());
    let mut seen: Vec<(String, String)> = Vec::new();
    let lines = text.lines().map(|line| line.split(['#', ';']).next().unwrap_or_default().trim());
    for line in lines.filter(|line| !line.is_empty()) {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut section);
            key.clear();
            if section != "image" && section != "externals" {
                cameras.push(FoundCamera::default());
            }
            continue;
        }
        let numbers: Option<Vec<f64>> =
            line.split_whitespace().map(|word| word.parse().ok().filter(|number: &f64| number.is_finite())).collect();
        let Some(numbers) = numbers else {
            let begun = (section.clone(), line.to_owned());
            if seen.contains(&begun) {
                return Err(format!("{line} is there twice in [{section}]"));
            }
            seen.push(begun);
            line.clone_into(&mut key);
            continue;
        };
        let is_camera = section != "image" && section != "externals";
        let of_camera = cameras.last_mut().filter(|_| is_camera).map(|camera| &mut camera.numbers);
        match (key.as_str(), of_camera) {
            ("width", None) => size[0] = pixels(&numbers),
            ("height", None) => size[1] = pixels(&numbers),
            ("camera matrix", Some(camera)) => camera.k.extend(numbers),
            ("distortion", Some(camera)) => camera.d.extend(numbers),
            ("rectification", Some(camera)) => camera.r.extend(numbers),
            ("projection", Some(camera)) => camera.p.extend(numbers),
            // Where the camera is in the world; zero in ROS's files.
            ("translation" | "rotation", None) if numbers.iter().all(|&number| number == 0.0) => {}
            _ => return Err(format!("{key:?} in [{section}] is not understood")),
        }
    }
    if let Some((section, key)) = seen.iter().find(|(_, key)| !is_key(key)) {
        return Err(format!("{key:?} in [{section}] is not understood"));
    }
    let [Some(width), Some(height)] = size else { return Err("it has no width and height in [image]".into()) };
    if cameras.is_empty() || cameras.len() > 2 {
        return Err(format!("expected one camera or two, found {}", cameras.len()));
    }
    for camera in &mut cameras {
        let CameraNumbers { k, r, p, .. } = &camera.numbers;
        if k.len() != 9 || !matches!(r.len(), 0 | 9) || !matches!(p.len(), 0 | 12) {
            return Err("a camera matrix has 9 numbers, a rectification 9 and a projection 12".into());
        }
        (camera.numbers.width, camera.numbers.height) = (width, height);
    }
    Ok(Found { cameras, right_from_left: None })
}

fn is_key(key: &str) -> bool {
    matches!(
        key,
        "width"
            | "height"
            | "camera matrix"
            | "distortion"
            | "rectification"
            | "projection"
            | "translation"
            | "rotation"
    )
}

fn pixels(numbers: &[f64]) -> Option<u32> {
    match numbers {
        &[number] if number.fract() == 0.0 && (1.0..=1e6).contains(&number) => Some(number as u32),
        _ => None,
    }
}
