//! What training promises, one promise per file.
//!
//! One program: each that links burn takes 150 MB of disk and half a minute.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod few_shot;
mod footage;
mod places;

mod depth_training_matches_pytorch;
#[cfg(feature = "gpu")]
mod device_self_check;
mod every_run_resumes_bit_for_bit;
mod every_term_trains;
mod finetune_real_pictures;
mod finetune_transfer;
mod flow_points_home;
mod footage_that_cannot_teach_is_named;
#[cfg(feature = "ndarray")]
mod ndarray_agrees_with_flex;
mod rivals_learn_and_hand_on;
mod stereo_finds_the_distance_of_a_wall;
mod the_device_step_is_the_host_step;
mod the_truth_is_where_the_loss_is_least;
mod unknown_intrinsics;
mod validation_chooses_the_checkpoint;
mod zoomed_windows_keep_the_truth;
