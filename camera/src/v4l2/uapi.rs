//! The part of `linux/videodev2.h` that a capture program needs, for 64-bit Linux.
//!
//! Layouts are the kernel's promise to user space and do not change; a test holds each against the header of the
//! machine where there is one. Fields that are not used are named after what they are, or `reserved`.
//!
//! Reference: Linux Media Infrastructure userspace API, part I (Video for Linux), section 7, "Function Reference".

use super::request::Request;

pub(crate) const CAPTURE: u32 = 1;
pub(crate) const CAPTURE_MULTIPLANAR: u32 = 9;
pub(crate) const MEMORY_MMAP: u32 = 1;
/// Planes of a buffer at most (`VIDEO_MAX_PLANES`).
pub(crate) const MAX_PLANES: usize = 8;

pub(crate) const CAP_VIDEO_CAPTURE: u32 = 0x0000_0001;
pub(crate) const CAP_VIDEO_CAPTURE_MPLANE: u32 = 0x0000_1000;
pub(crate) const CAP_STREAMING: u32 = 0x0400_0000;
pub(crate) const CAP_DEVICE_CAPS: u32 = 0x8000_0000;
/// `V4L2_CAP_TIMEPERFRAME`, of [`Parameters`].
pub(crate) const CAP_TIME_PER_FRAME: u32 = 0x1000;

pub(crate) const FIELD_ANY: u32 = 0;
pub(crate) const FIELD_NONE: u32 = 1;

pub(crate) const BUFFER_ERROR: u32 = 0x40;
pub(crate) const BUFFER_CLOCK_MASK: u32 = 0xe000;
pub(crate) const BUFFER_CLOCK_MONOTONIC: u32 = 0x2000;
pub(crate) const BUFFER_STAMP_MASK: u32 = 0x70000;
pub(crate) const BUFFER_STAMP_AT_EXPOSURE: u32 = 0x10000;

pub(crate) const SIZES_DISCRETE: u32 = 1;

pub(crate) const CONTROL_NEXT: u32 = 0x8000_0000;
pub(crate) const CONTROL_DISABLED: u32 = 0x1;
pub(crate) const CONTROL_READ_ONLY: u32 = 0x4;
pub(crate) const CONTROL_INACTIVE: u32 = 0x10;
pub(crate) const CONTROL_WRITE_ONLY: u32 = 0x40;

pub(crate) const QUERY_CAPABILITY: Request<Capability> = Request::read(0);
pub(crate) const LIST_FORMATS: Request<FormatDescription> = Request::read_write(2);
pub(crate) const SET_FORMAT: Request<Format> = Request::read_write(5);
pub(crate) const REQUEST_BUFFERS: Request<RequestBuffers> = Request::read_write(8);
pub(crate) const QUERY_BUFFER: Request<Buffer> = Request::read_write(9);
pub(crate) const QUEUE_BUFFER: Request<Buffer> = Request::read_write(15);
pub(crate) const DEQUEUE_BUFFER: Request<Buffer> = Request::read_write(17);
pub(crate) const STREAM_ON: Request<u32> = Request::write(18);
pub(crate) const STREAM_OFF: Request<u32> = Request::write(19);
pub(crate) const GET_PARAMETERS: Request<Parameters> = Request::read_write(21);
pub(crate) const SET_PARAMETERS: Request<Parameters> = Request::read_write(22);
pub(crate) const GET_CONTROL: Request<Control> = Request::read_write(27);
pub(crate) const SET_CONTROL: Request<Control> = Request::read_write(28);
pub(crate) const QUERY_MENU: Request<QueryMenu> = Request::read_write(37);
pub(crate) const LIST_SIZES: Request<FrameSize> = Request::read_write(74);
pub(crate) const LIST_INTERVALS: Request<FrameInterval> = Request::read_write(75);
pub(crate) const QUERY_CONTROL: Request<QueryControl> = Request::read_write(103);

/// `v4l2_capability`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Capability {
    pub(crate) driver: [u8; 16],
    pub(crate) card: [u8; 32],
    pub(crate) bus_info: [u8; 32],
    pub(crate) version: u32,
    pub(crate) capabilities: u32,
    pub(crate) device_caps: u32,
    pub(crate) reserved: [u32; 3],
}

/// `v4l2_fmtdesc`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FormatDescription {
    pub(crate) index: u32,
    pub(crate) kind: u32,
    pub(crate) flags: u32,
    pub(crate) description: [u8; 32],
    pub(crate) fourcc: u32,
    pub(crate) bus_code: u32,
    pub(crate) reserved: [u32; 3],
}

/// `v4l2_frmsizeenum`: discrete sizes have width and height in `values`, others min, max, step of each.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FrameSize {
    pub(crate) index: u32,
    pub(crate) fourcc: u32,
    pub(crate) kind: u32,
    pub(crate) values: [u32; 6],
    pub(crate) reserved: [u32; 2],
}

/// `v4l2_frmivalenum`: discrete intervals are the fraction in the first two values, others min, max, step.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FrameInterval {
    pub(crate) index: u32,
    pub(crate) fourcc: u32,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) kind: u32,
    pub(crate) values: [u32; 6],
    pub(crate) reserved: [u32; 2],
}

/// `v4l2_format`: a union of 200 bytes that holds pointers on other paths, hence the alignment.
#[repr(C, align(8))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    pub(crate) kind: u32,
    padding: u32,
    words: [u32; 50],
}

/// What both of a format's forms (`v4l2_pix_format`, `v4l2_pix_format_mplane`) say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) fourcc: u32,
    pub(crate) field: u32,
    pub(crate) colorspace: u32,
    pub(crate) encoding: u32,
    pub(crate) quantization: u32,
    pub(crate) planes: usize,
    /// Bytes from one row of a plane to the next.
    pub(crate) strides: [u32; MAX_PLANES],
}

impl Format {
    /// A question for this size and format; everything else is the driver's choice.
    pub(crate) fn asking(kind: u32, width: u32, height: u32, fourcc: u32) -> Self {
        let mut words = [0; 50];
        words[..4].copy_from_slice(&[width, height, fourcc, FIELD_ANY]);
        let kind = if kind == CAPTURE_MULTIPLANAR { CAPTURE_MULTIPLANAR } else { CAPTURE };
        Self { kind, padding: 0, words }
    }

    pub(crate) fn picture(&self) -> Picture {
        let words = &self.words;
        let [width, height, fourcc, field] = [words[0], words[1], words[2], words[3]];
        if self.kind == CAPTURE_MULTIPLANAR {
            // Packed: 5 words, 8 planes of 5 words (size, stride, reserved), then single bytes.
            let [planes, _flags, encoding, quantization] = words[45].to_ne_bytes();
            let strides = std::array::from_fn(|plane| words[6 + 5 * plane]);
            return Picture {
                width,
                height,
                fourcc,
                field,
                colorspace: words[4],
                encoding: encoding.into(),
                quantization: quantization.into(),
                planes: usize::from(planes),
                strides,
            };
        }
        let mut strides = [0; MAX_PLANES];
        strides[0] = words[4];
        let [colorspace, encoding, quantization] = [words[6], words[9], words[10]];
        Picture { width, height, fourcc, field, colorspace, encoding, quantization, planes: 1, strides }
    }
}

/// `v4l2_streamparm` for capture: a union of 200 bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Parameters {
    pub(crate) kind: u32,
    pub(crate) capability: u32,
    pub(crate) mode: u32,
    /// Seconds per frame as a fraction.
    pub(crate) time_per_frame: [u32; 2],
    rest: [u32; 46],
}

impl Parameters {
    pub(crate) fn of(kind: u32) -> Self {
        let kind = if kind == CAPTURE_MULTIPLANAR { CAPTURE_MULTIPLANAR } else { CAPTURE };
        Self { kind, capability: 0, mode: 0, time_per_frame: [0; 2], rest: [0; 46] }
    }
}

/// `v4l2_requestbuffers`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RequestBuffers {
    pub(crate) count: u32,
    pub(crate) kind: u32,
    pub(crate) memory: u32,
    pub(crate) capabilities: u32,
    pub(crate) flags: u32,
}

/// `v4l2_buffer`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Buffer {
    pub(crate) index: u32,
    pub(crate) kind: u32,
    pub(crate) bytes_used: u32,
    pub(crate) flags: u32,
    pub(crate) field: u32,
    pub(crate) padding: u32,
    pub(crate) secs: i64,
    pub(crate) micros: i64,
    pub(crate) timecode: [u32; 4],
    pub(crate) sequence: u32,
    pub(crate) memory: u32,
    /// The offset for `mmap` (low half), or the address of the planes.
    pub(crate) location: u64,
    /// Bytes of the buffer, or number of planes.
    pub(crate) length: u32,
    pub(crate) reserved: [u32; 3],
}

/// `v4l2_plane`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Plane {
    pub(crate) bytes_used: u32,
    pub(crate) length: u32,
    /// The offset for `mmap` (low half).
    pub(crate) location: u64,
    pub(crate) data_offset: u32,
    pub(crate) reserved: [u32; 11],
}

/// `v4l2_query_ext_ctrl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct QueryControl {
    pub(crate) id: u32,
    pub(crate) kind: u32,
    pub(crate) name: [u8; 32],
    pub(crate) minimum: i64,
    pub(crate) maximum: i64,
    pub(crate) step: u64,
    pub(crate) default: i64,
    pub(crate) flags: u32,
    pub(crate) element_size: u32,
    pub(crate) elements: u32,
    pub(crate) dimensions: u32,
    pub(crate) sizes: [u32; 4],
    pub(crate) reserved: [u32; 32],
}

/// `v4l2_querymenu`; packed in the header, and so it is here: only bytes and words.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct QueryMenu {
    pub(crate) id: u32,
    pub(crate) index: u32,
    /// The item's name, or its value in the first 8 bytes.
    pub(crate) name: [u8; 32],
    pub(crate) reserved: u32,
}

/// `v4l2_control`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Control {
    pub(crate) id: u32,
    pub(crate) value: i32,
}

const _: () = assert!(size_of::<usize>() == 8, "the layouts of videodev2.h are written down for 64-bit Linux only");

/// A C string in a field of fixed length.
pub(crate) fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|&byte| byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests;
