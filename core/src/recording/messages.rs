//! Frames, depth, cameras and poses as Foxglove's protobuf messages, and back.
//!
//! Reference: Foxglove SDK message schemas, <https://docs.foxglove.dev/docs/visualization/message-schemas>.

use super::raw_image;
use crate::camera::{Camera, CameraNumbers};
use crate::depth::{DepthMap, DepthUnit};
use crate::frame::{Frame, PixelFormat, Timestamp};
use crate::picture_file::decode_picture;
use foxglove::messages as fox;
use image::{DynamicImage, ImageEncoder};
use nalgebra::{Isometry3, Quaternion, Translation3, UnitQuaternion};

/// How a frame is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Lossless.
    Png,
    /// Lossy; quality 1 to 100.
    Jpeg(u8),
}

pub(super) fn stamp(timestamp: Timestamp) -> fox::Timestamp {
    let nanos = timestamp.nanos();
    let seconds = u32::try_from(nanos / 1_000_000_000).unwrap_or(u32::MAX); // until the year 2106
    fox::Timestamp::new(seconds, (nanos % 1_000_000_000) as u32)
}

/// Encodes a frame; gray frames stay gray, and a JPEG stays the JPEG it is.
pub(super) fn compressed_image(
    frame: &Frame,
    encoding: Encoding,
    frame_id: &str,
) -> Result<fox::CompressedImage, String> {
    if frame.format == PixelFormat::Jpeg {
        // As the camera sent it: encoding it again would cost time and lose detail.
        let data = crate::picture_file::jpeg::with_tables(&frame.data)?.into_owned();
        return Ok(message(frame, frame_id, data, "jpeg"));
    }
    let converted;
    let (pixels, color) = match frame.format {
        PixelFormat::Gray8 => (frame.data.as_slice(), image::ExtendedColorType::L8),
        PixelFormat::Rgb8 => (frame.data.as_slice(), image::ExtendedColorType::Rgb8),
        _ => {
            converted = frame.to_rgb().map_err(|error| error.to_string())?;
            (converted.as_raw().as_slice(), image::ExtendedColorType::Rgb8)
        }
    };
    if pixels.len() != frame.width as usize * frame.height as usize * usize::from(color.bits_per_pixel() / 8) {
        return Err(format!("a {}x{} frame with {} bytes", frame.width, frame.height, pixels.len()));
    }
    let mut data = Vec::new();
    let (format, result) = match encoding {
        Encoding::Png => {
            let encoder = image::codecs::png::PngEncoder::new(&mut data);
            ("png", encoder.write_image(pixels, frame.width, frame.height, color))
        }
        Encoding::Jpeg(quality) => {
            let quality = quality.clamp(1, 100);
            let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut data, quality);
            ("jpeg", encoder.write_image(pixels, frame.width, frame.height, color))
        }
    };
    result.map_err(|error| error.to_string())?;
    Ok(message(frame, frame_id, data, format))
}

fn message(frame: &Frame, frame_id: &str, data: Vec<u8>, format: &str) -> fox::CompressedImage {
    fox::CompressedImage {
        timestamp: Some(stamp(frame.timestamp)),
        frame_id: frame_id.to_owned(),
        data: data.into(),
        format: format.to_owned(),
    }
}

/// A decoded picture as a frame: gray pictures stay gray, everything else becomes RGB.
pub(super) fn frame_from_picture(picture: DynamicImage, timestamp: Timestamp, sequence: u64) -> Frame {
    if picture.color().has_color() {
        return Frame::from_rgb(picture.into_rgb8(), timestamp, sequence);
    }
    let gray = picture.into_luma8();
    let (width, height) = gray.dimensions();
    Frame { timestamp, sequence, width, height, format: PixelFormat::Gray8, data: gray.into_raw(), ..Frame::default() }
}

pub(super) fn frame_from_compressed(
    message: &fox::CompressedImage,
    timestamp: Timestamp,
    sequence: u64,
) -> Result<Frame, String> {
    let picture = decode_picture(&message.data)
        .map_err(|error| format!("cannot decode a {:?} picture: {error}", message.format))?;
    Ok(frame_from_picture(picture, timestamp, sequence))
}

/// Depth in millimetres; 0 where not measured or farther than 65.535 m.
pub(super) fn raw_depth(depth: &DepthMap, timestamp: Timestamp, frame_id: &str) -> fox::RawImage {
    let data: Vec<u8> = depth.to_steps(DepthUnit::Millimetre).into_iter().flat_map(u16::to_le_bytes).collect();
    fox::RawImage {
        timestamp: Some(stamp(timestamp)),
        frame_id: frame_id.to_owned(),
        width: depth.width,
        height: depth.height,
        encoding: "16UC1".to_owned(),
        step: depth.width * 2,
        data: data.into(),
    }
}

/// Depth of 16 bits in millimetres or of 32 bits in metres (REP 118), little-endian.
pub(super) fn depth_from_raw(message: &fox::RawImage) -> Result<DepthMap, String> {
    let (width, height, columns) = (message.width, message.height, message.width as usize);
    let rows = |bytes: usize| raw_image::rows(message, columns * bytes, height as usize);
    match message.encoding.as_str() {
        "16UC1" | "mono16" => {
            let bytes = rows(2)?;
            let steps: Vec<u16> = bytes.as_chunks().0.iter().map(|pixel| u16::from_le_bytes(*pixel)).collect();
            Ok(DepthMap::from_steps(width, height, &steps, DepthUnit::Millimetre))
        }
        "32FC1" => {
            let bytes = rows(4)?;
            let metres = bytes.as_chunks().0.iter().map(|pixel| f32::from_le_bytes(*pixel));
            // Not measured is NaN there, too near or too far an infinity.
            let metres = metres.map(|metres| if metres.is_finite() && metres > 0.0 { metres } else { 0.0 }).collect();
            Ok(DepthMap { width, height, metres })
        }
        other => Err(format!("depth encoding must be 16UC1 or 32FC1, found {other:?}")),
    }
}

pub(super) fn calibration(camera: &Camera, timestamp: Timestamp, frame_id: &str) -> fox::CameraCalibration {
    let CameraNumbers { width, height, k, d, r, p, .. } = CameraNumbers::of(camera);
    fox::CameraCalibration {
        timestamp: Some(stamp(timestamp)),
        frame_id: frame_id.to_owned(),
        width,
        height,
        distortion_model: camera.distortion.foxglove_name().to_owned(),
        d,
        k,
        r,
        p,
    }
}

pub(super) fn camera_from_calibration(message: fox::CameraCalibration, name: String) -> Result<Camera, String> {
    CameraNumbers {
        name,
        width: message.width,
        height: message.height,
        k: message.k,
        model: message.distortion_model,
        d: message.d,
        r: message.r,
        p: message.p,
    }
    .into_camera()
}

pub(super) fn transform(pose: &Isometry3<f64>, timestamp: Timestamp, parent: &str, child: &str) -> fox::FrameTransform {
    let (t, q) = (pose.translation, pose.rotation);
    fox::FrameTransform {
        timestamp: Some(stamp(timestamp)),
        parent_frame_id: parent.to_owned(),
        child_frame_id: child.to_owned(),
        translation: Some(fox::Vector3 { x: t.x, y: t.y, z: t.z }),
        rotation: Some(fox::Quaternion { x: q.i, y: q.j, z: q.k, w: q.w }),
    }
}

/// The pose, bit for bit as it was written; none for a message without one.
pub(super) fn pose_from_transform(message: &fox::FrameTransform) -> Option<Isometry3<f64>> {
    let (t, q) = (message.translation?, message.rotation?);
    let quaternion = Quaternion::new(q.w, q.x, q.y, q.z);
    let norm = quaternion.norm();
    // A unit quaternion is kept as it is; others' rounding is put right; anything else is no rotation.
    let rotation = if (norm - 1.0).abs() < 1e-12 {
        UnitQuaternion::new_unchecked(quaternion)
    } else if (norm - 1.0).abs() < 1e-2 {
        UnitQuaternion::new_normalize(quaternion)
    } else {
        return None;
    };
    Some(Isometry3::from_parts(Translation3::new(t.x, t.y, t.z), rotation))
}
