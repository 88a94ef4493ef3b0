//! Every layout and number against the machine's own kernel header.

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
