//! A board laid out on a sheet.

use super::paper::{Paper, SHEETS};
use parallax_core::board::{Board, Rectangle};

/// White that printers leave and detectors want around the print.
const MARGIN_MM: f64 = 8.0;
/// Height of the strip of text under the board.
const STRIP_MM: f64 = 14.0;
/// Length of the line to check the printer with.
const RULER_MM: f64 = 100.0;
const TEXT_MM: f64 = 3.2;

impl Paper {
    fn holds(&self, board: &Board) -> bool {
        let (width, height) = needed_mm(board);
        width <= self.width_mm && height <= self.height_mm
    }
}

fn needed_mm(board: &Board) -> (f64, f64) {
    let extent = board.extent();
    let width = (extent.width() * 1e3).max(RULER_MM);
    (width + 2.0 * MARGIN_MM, extent.height() * 1e3 + 2.0 * MARGIN_MM + STRIP_MM)
}

/// A board laid out on a sheet; millimetres from its upper left corner, y down.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The sheet as it lies.
    pub paper: Paper,
    /// Everything black.
    pub dark: Vec<Rectangle>,
    /// Lines of text: left end of the base line, and the words.
    pub text: Vec<(f64, f64, String)>,
    /// Height of the letters.
    pub text_mm: f64,
}

impl Page {
    /// Lays a board out in the middle of a sheet, lying as the board does if it fits so; without a sheet on the smallest ISO sheet
    /// that holds it.
    ///
    /// # Errors
    /// The board is too large; the message says how much room it needs.
    pub fn new(board: &Board, paper: Option<Paper>) -> Result<Self, String> {
        let sheets: Vec<Paper> = match paper {
            Some(paper) => vec![paper],
            None => SHEETS[..5].iter().map(|&(_, width_mm, height_mm)| Paper { width_mm, height_mm }).collect(),
        };
        let (width, height) = needed_mm(board);
        let lies_like_board = |sheet: &Paper| (sheet.width_mm > sheet.height_mm) == (width > height);
        let as_board_lies = |sheet: &Paper| if lies_like_board(sheet) { *sheet } else { sheet.turned() };
        let ways = sheets.iter().map(as_board_lies).flat_map(|sheet| [sheet, sheet.turned()]);
        let paper = ways
            .into_iter()
            .find(|sheet| sheet.holds(board))
            .ok_or_else(|| format!("{board} needs a sheet of {width:.0}x{height:.0} mm with its margin"))?;
        let extent = board.extent();
        let left = (paper.width_mm - extent.width() * 1e3) / 2.0;
        let top = (paper.height_mm - height) / 2.0 + MARGIN_MM;
        let on_page = |area: &Rectangle| Rectangle {
            left: left + (area.left - extent.left) * 1e3,
            top: top + (area.top - extent.top) * 1e3,
            right: left + (area.right - extent.left) * 1e3,
            bottom: top + (area.bottom - extent.top) * 1e3,
        };
        let mut dark: Vec<Rectangle> = board.dark().iter().map(on_page).collect();
        let text_left = (paper.width_mm - width) / 2.0 + MARGIN_MM;
        let strip = top + extent.height() * 1e3 + 5.0;
        dark.extend(ruler(text_left, strip));
        let text = vec![
            (text_left, strip + 5.5, format!("--board {board}")),
            (
                text_left,
                strip + 9.5,
                format!("Print at 100 %. The line above is {RULER_MM:.0} mm long: measure it, glue the board flat."),
            ),
        ];
        Ok(Self { paper, dark, text, text_mm: TEXT_MM })
    }
}

/// A thin line with a tick at each end; its length is measured between the outer edges of the ticks.
fn ruler(left: f64, top: f64) -> [Rectangle; 3] {
    let tick = |left: f64| Rectangle { left, top: top - 1.5, right: left + 0.2, bottom: top + 1.5 };
    [
        Rectangle { left, top: top - 0.1, right: left + RULER_MM, bottom: top + 0.1 },
        tick(left),
        tick(left + RULER_MM - 0.2),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::{pdf, svg};
    use super::*;

    #[test]
    fn a_board_takes_the_smallest_sheet_that_holds_it() {
        for (board, width, height) in [
            ("chessboard:9x6:25mm", 297.0, 210.0),
            ("chessboard:9x6:26mm", 420.0, 297.0),
            ("charuco:8x11:20mm:15mm", 210.0, 297.0),
            ("aprilgrid:6x6:88mm:0.3", 841.0, 1189.0),
        ] {
            let page = Page::new(&board.parse().unwrap(), None).unwrap();
            assert_eq!((page.paper.width_mm, page.paper.height_mm), (width, height), "{board}");
            let inside =
                |area: &Rectangle| area.left >= 0.0 && area.right <= width && area.top >= 0.0 && area.bottom <= height;
            assert!(page.dark.iter().all(inside));
        }
    }

    #[test]
    fn what_does_not_fit_is_said_with_the_room_it_needs() {
        let paper = Paper::by_name("a4").unwrap();
        let error = Page::new(&"chessboard:9x6:50mm".parse().unwrap(), Some(paper)).unwrap_err();
        assert!(error.contains("516x380 mm"), "{error}");
        assert!(Paper::by_name("a9").is_err() && Paper::by_name("400x300mm").is_ok());
    }

    #[test]
    fn both_forms_are_at_true_scale_and_carry_the_boards_text() {
        let board: Board = "chessboard:9x6:25mm".parse().unwrap();
        let page = Page::new(&board, None).unwrap();
        let svg = svg(&page);
        assert!(svg.contains("width=\"297mm\"") && svg.contains("--board chessboard:9x6:25mm"));
        // A square of 25 mm in user units of 1 mm.
        assert!(svg.contains("h25.0000v25.0000"), "{}", &svg[..500]);
        let pdf = String::from_utf8_lossy(&pdf(&page)).into_owned();
        // 25 mm are 70.866 points.
        assert!(pdf.starts_with("%PDF-") && pdf.contains("70.866"), "{}", &pdf[..600]);
        assert!(pdf.contains("--board chessboard:9x6:25mm"));
    }
}
