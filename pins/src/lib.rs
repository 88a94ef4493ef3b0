//! The features of shared crates, written down once.
//!
//! Cargo unites the features that the *selected* packages ask for. Without this crate, `cargo build -p parallax-edge` would
//! compile tract with other features than `cargo build --workspace`, and `cargo test -p parallax-core` nearly everything
//! anew: a quarter of an hour each time. Every room depends on this crate, so every selection asks for the same features.
//! There is nothing to call.
