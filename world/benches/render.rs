//! How long a picture takes. One iteration is one frame at 640×192, so frames/s is the inverse of the time printed.
fn main() {}
