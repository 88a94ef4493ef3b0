//! The part of `linux/videodev2.h` that a capture program needs, for 64-bit Linux.
//!
//! Layouts are the kernel's promise to user space and do not change; a test holds each against the header of the
//! machine where there is one. Fields that are not used are named after what they are, or `reserved`.
//!
//! Reference: Linux Media Infrastructure userspace API, part I (Video for Linux), section 7, "Function Reference".

use crate::sys::Request;

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

/// Four letters as one number.
pub(crate) const fn fourcc(letters: [u8; 4]) -> u32 {
    u32::from_le_bytes(letters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write as _;
    use std::mem::offset_of;
    use std::process::Command;

    /// What this file says: the header's expression and its value.
    fn ours() -> Vec<(String, usize)> {
        macro_rules! sizes {
            ($($name:literal => $type:ty),*) => { vec![$((format!("sizeof(struct {})", $name), size_of::<$type>())),*] };
        }
        macro_rules! places {
            ($($name:literal $field:literal => $type:ty, $ours:ident),*) => {
                [$((format!("offsetof(struct {}, {})", $name, $field), offset_of!($type, $ours))),*]
            };
        }
        macro_rules! numbers {
            ($($name:literal => $request:expr),*) => { [$(($name.to_owned(), $request.number() as usize)),*] };
        }
        let mut all = sizes![
            "v4l2_capability" => Capability, "v4l2_fmtdesc" => FormatDescription, "v4l2_frmsizeenum" => FrameSize,
            "v4l2_frmivalenum" => FrameInterval, "v4l2_format" => Format, "v4l2_streamparm" => Parameters,
            "v4l2_requestbuffers" => RequestBuffers, "v4l2_buffer" => Buffer, "v4l2_plane" => Plane,
            "v4l2_query_ext_ctrl" => QueryControl, "v4l2_querymenu" => QueryMenu, "v4l2_control" => Control
        ];
        all.extend(places![
            "v4l2_capability" "device_caps" => Capability, device_caps,
            "v4l2_fmtdesc" "pixelformat" => FormatDescription, fourcc,
            "v4l2_frmsizeenum" "discrete" => FrameSize, values,
            "v4l2_frmivalenum" "discrete" => FrameInterval, values,
            "v4l2_format" "fmt" => Format, words,
            "v4l2_streamparm" "parm.capture.timeperframe" => Parameters, time_per_frame,
            "v4l2_buffer" "bytesused" => Buffer, bytes_used, "v4l2_buffer" "timestamp" => Buffer, secs,
            "v4l2_buffer" "sequence" => Buffer, sequence, "v4l2_buffer" "memory" => Buffer, memory,
            "v4l2_buffer" "m" => Buffer, location, "v4l2_buffer" "length" => Buffer, length,
            "v4l2_plane" "m" => Plane, location, "v4l2_plane" "data_offset" => Plane, data_offset,
            "v4l2_query_ext_ctrl" "minimum" => QueryControl, minimum,
            "v4l2_query_ext_ctrl" "flags" => QueryControl, flags,
            "v4l2_querymenu" "name" => QueryMenu, name, "v4l2_control" "value" => Control, value
        ]);
        all.extend(numbers![
            "VIDIOC_QUERYCAP" => QUERY_CAPABILITY, "VIDIOC_ENUM_FMT" => LIST_FORMATS, "VIDIOC_S_FMT" => SET_FORMAT,
            "VIDIOC_REQBUFS" => REQUEST_BUFFERS, "VIDIOC_QUERYBUF" => QUERY_BUFFER, "VIDIOC_QBUF" => QUEUE_BUFFER,
            "VIDIOC_DQBUF" => DEQUEUE_BUFFER, "VIDIOC_STREAMON" => STREAM_ON, "VIDIOC_STREAMOFF" => STREAM_OFF,
            "VIDIOC_G_PARM" => GET_PARAMETERS, "VIDIOC_S_PARM" => SET_PARAMETERS, "VIDIOC_G_CTRL" => GET_CONTROL,
            "VIDIOC_S_CTRL" => SET_CONTROL, "VIDIOC_QUERYMENU" => QUERY_MENU, "VIDIOC_ENUM_FRAMESIZES" => LIST_SIZES,
            "VIDIOC_ENUM_FRAMEINTERVALS" => LIST_INTERVALS, "VIDIOC_QUERY_EXT_CTRL" => QUERY_CONTROL
        ]);
        // The two unions are read by word: 8 bytes into the format, then by these places.
        let words = |word: usize| word * 4;
        for (name, place) in [
            ("pix_format, width", words(0)),
            ("pix_format, pixelformat", words(2)),
            ("pix_format, field", words(3)),
            ("pix_format, bytesperline", words(4)),
            ("pix_format, colorspace", words(6)),
            ("pix_format, ycbcr_enc", words(9)),
            ("pix_format, quantization", words(10)),
            ("pix_format_mplane, colorspace", words(4)),
            ("pix_format_mplane, plane_fmt[0].bytesperline", words(6)),
            ("pix_format_mplane, plane_fmt[1].bytesperline", words(11)),
            ("pix_format_mplane, num_planes", words(45)),
            ("pix_format_mplane, ycbcr_enc", words(45) + 2),
            ("pix_format_mplane, quantization", words(45) + 3),
        ] {
            all.push((format!("offsetof(struct v4l2_{name})"), place));
        }
        for (name, value) in [
            ("V4L2_CAP_VIDEO_CAPTURE", CAP_VIDEO_CAPTURE),
            ("V4L2_CAP_VIDEO_CAPTURE_MPLANE", CAP_VIDEO_CAPTURE_MPLANE),
            ("V4L2_CAP_STREAMING", CAP_STREAMING),
            ("V4L2_CAP_DEVICE_CAPS", CAP_DEVICE_CAPS),
            ("V4L2_CAP_TIMEPERFRAME", CAP_TIME_PER_FRAME),
            ("V4L2_BUF_FLAG_ERROR", BUFFER_ERROR),
            ("V4L2_BUF_FLAG_TIMESTAMP_MASK", BUFFER_CLOCK_MASK),
            ("V4L2_BUF_FLAG_TIMESTAMP_MONOTONIC", BUFFER_CLOCK_MONOTONIC),
            ("V4L2_BUF_FLAG_TSTAMP_SRC_MASK", BUFFER_STAMP_MASK),
            ("V4L2_BUF_FLAG_TSTAMP_SRC_SOE", BUFFER_STAMP_AT_EXPOSURE),
            ("V4L2_CTRL_FLAG_NEXT_CTRL", CONTROL_NEXT),
            ("V4L2_CTRL_FLAG_DISABLED", CONTROL_DISABLED),
            ("V4L2_CTRL_FLAG_READ_ONLY", CONTROL_READ_ONLY),
            ("V4L2_CTRL_FLAG_INACTIVE", CONTROL_INACTIVE),
            ("V4L2_CTRL_FLAG_WRITE_ONLY", CONTROL_WRITE_ONLY),
            ("V4L2_FIELD_NONE", FIELD_NONE),
            ("V4L2_BUF_TYPE_VIDEO_CAPTURE", CAPTURE),
            ("V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE", CAPTURE_MULTIPLANAR),
            ("V4L2_MEMORY_MMAP", MEMORY_MMAP),
            ("V4L2_FRMSIZE_TYPE_DISCRETE", SIZES_DISCRETE),
            ("VIDEO_MAX_PLANES", MAX_PLANES as u32),
        ] {
            all.push((name.to_owned(), value as usize));
        }
        all
    }

    #[test]
    fn every_layout_and_number_is_that_of_the_machines_kernel_header() {
        let header = "/usr/include/linux/videodev2.h";
        if !std::path::Path::new(header).exists() {
            println!("SKIPPED: no {header} to compare with (package linux-libc-dev)");
            return;
        }
        let ours = ours();
        let mut source =
            "#include <linux/videodev2.h>\n#include <stddef.h>\n#include <stdio.h>\nint main(void) {\n".to_owned();
        for (expression, _) in &ours {
            writeln!(source, "printf(\"%llu\\n\", (unsigned long long)({expression}));").unwrap();
        }
        source.push_str("return 0; }\n");
        let folder = tempfile::tempdir().unwrap();
        let (file, program) = (folder.path().join("layout.c"), folder.path().join("layout"));
        std::fs::write(&file, source).unwrap();
        let Ok(compiled) = Command::new("cc").arg("-o").arg(&program).arg(&file).output() else {
            println!("SKIPPED: no C compiler to read {header} with");
            return;
        };
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let output = Command::new(program).output().unwrap();
        let theirs: Vec<usize> =
            String::from_utf8(output.stdout).unwrap().lines().map(|line| line.parse().unwrap()).collect();
        assert_eq!(theirs.len(), ours.len());
        for ((expression, ours), theirs) in ours.into_iter().zip(theirs) {
            assert_eq!(ours, theirs, "{expression}");
        }
    }
}
