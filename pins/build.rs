//! Cargo looks at build dependencies only where there is a build script; this one does nothing.

fn main() {}
