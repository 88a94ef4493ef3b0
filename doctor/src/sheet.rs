//! Pictures of the worst pairs: what a check found, to look at.
//!
//! Tracks are lines from where a corner was to where it is: green, or red where it is at fault.

use std::path::Path;

use image::{Rgb, RgbImage};
use parallax_core::picture::{draw_line, sheet};
use parallax_vision::optical_flow::Track;

use super::drive::{Drive, DriveConfig};
use super::report::{Exhibit, Report};
use crate::DoctorError;

/// Widest a picture on a sheet is, pixels.
const CELL_WIDTH: usize = 640;
const FOLLOWED: Rgb<u8> = Rgb([60, 220, 60]);
const AT_FAULT: Rgb<u8> = Rgb([255, 60, 40]);

/// Writes `NUMBER_CHECK.png` into `folder` for each check with something to show, and names it in the report.
///
/// # Errors
/// When a recording can no longer be read or a picture cannot be written.
pub fn write_sheets(report: &mut Report, config: &DriveConfig, folder: &Path) -> Result<(), DoctorError> {
    std::fs::create_dir_all(folder).map_err(DoctorError::io("create", folder))?;
    for (number, drive_report) in report.drives.iter_mut().enumerate() {
        if drive_report.checks.iter().all(|check| check.worst.is_empty()) {
            continue;
        }
        let drive = Drive::open(&drive_report.path, config)?;
        for check in drive_report.checks.iter_mut().filter(|check| !check.worst.is_empty()) {
            let path = folder.join(format!("{number}_{}.png", check.name.replace([' ', '-'], "_")));
            write_sheet(&drive, &check.worst, &path)?;
            check.sheet = Some(path);
        }
    }
    Ok(())
}

fn write_sheet(drive: &Drive, exhibits: &[Exhibit], path: &Path) -> Result<(), DoctorError> {
    let (width, height) = drive.size();
    let cell_width = width.min(CELL_WIDTH);
    let cell = (cell_width as u32, (height * cell_width / width) as u32);
    let rows: Vec<Vec<(String, RgbImage)>> =
        exhibits.iter().map(|exhibit| row(drive, exhibit)).collect::<Result<_, _>>()?;
    let picture = image::DynamicImage::from(sheet(&rows, cell));
    Ok(parallax_core::files::write_picture(path, &picture)?)
}

fn row(drive: &Drive, exhibit: &Exhibit) -> Result<Vec<(String, RgbImage)>, DoctorError> {
    let mut row = Vec::new();
    for (place, (index, eye)) in exhibit.frames.iter().enumerate() {
        let mut picture = drive.view(*index, *eye)?.picture;
        draw_tracks(&mut picture, &exhibit.tracks);
        let caption = if place == 0 { exhibit.caption.clone() } else { format!("frame {index}, {} eye", eye.name()) };
        row.push((caption, picture));
    }
    Ok(row)
}

fn draw_tracks(picture: &mut RgbImage, tracks: &[(Track, bool)]) {
    let pixel = |place: [f32; 2]| (place[0].round() as i32, place[1].round() as i32);
    for (track, at_fault) in tracks {
        let color = if *at_fault { AT_FAULT } else { FOLLOWED };
        let (from, to) = (pixel(track.from), pixel(track.to));
        draw_line(picture, from, to, color);
        // A dot where the corner is now, so that one that does not move is seen too.
        draw_line(picture, (to.0 - 1, to.1), (to.0 + 1, to.1), color);
        draw_line(picture, (to.0, to.1 - 1), (to.0, to.1 + 1), color);
    }
}
