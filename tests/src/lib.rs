//! The promises of the whole, one per file of `tests/tests`; this library holds what they share.
