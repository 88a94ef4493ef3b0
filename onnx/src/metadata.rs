//! The keys under which a model of ours says how to use it and where it comes from. `docs/formats.md` says what stands there.

/// How to prepare the model's input, as JSON.
pub const MODEL_INPUT: &str = "parallax.model_input";

/// The names of the classes, as a JSON list in the order of the logits.
pub const CLASSES: &str = "parallax.classes";

/// The network's name.
pub const NETWORK: &str = "parallax.network";

/// The SHA-256 of the weights that were exported.
pub const WEIGHTS: &str = "parallax.weights_sha256";

/// The version of the program that exported it.
pub const VERSION: &str = "parallax.version";

/// The seed of the run that it was exported from.
pub const SEED: &str = "parallax.seed";

/// How it was quantized, as JSON.
pub const QUANTIZATION: &str = "parallax.quantization";

/// How the user said that the input of a model from elsewhere is prepared, as JSON.
pub const GIVEN_INPUT: &str = "parallax.given_input";
