use super::*;
use crate::detect::{Corner, Detection};
use crate::solve::{BoardShape, Lens, SolveConfig, View, solve};
use parallax_core::board::Board;
use parallax_world::boards::{self, BoardsConfig};

/// Six views with small errors that follow a rule, one of them seen wrongly, one without a board.
fn solution() -> Solution {
    let board: Board = "chessboard:9x6:25mm".parse().unwrap();
    let scene = boards::scene(&BoardsConfig::new(3, &board, 6, (640, 480))).unwrap();
    let mut views: Vec<View> = Vec::new();
    for (index, view) in scene.views.iter().enumerate() {
        let corners = view.corners(&scene, 0).into_iter().map(|(number, mut pixel)| {
            pixel.x += 0.1 * ((number * 37 + index * 11) % 17) as f64 / 17.0;
            pixel.y += 0.1 * ((number * 53 + index * 29) % 19) as f64 / 19.0;
            Corner { number, pixel }
        });
        let detection = Detection { corners: corners.collect(), spacing_px: 30.0 };
        views.push(View { name: format!("<view {index}>.png"), detections: vec![Ok(detection)] });
    }
    views.push(View { name: "empty.png".into(), detections: vec![Err("no board in it".into())] });
    let config = SolveConfig { lens: Lens::PlumbBob, board: BoardShape::Flat };
    solve(&board, &[(640, 480)], &views, &config).unwrap()
}

#[test]
fn the_page_shows_every_corner_and_view_and_needs_nothing_else() {
    let solution = solution();
    let page = page(&solution);
    for view in &solution.views {
        let name = view.name.replace('<', "&lt;").replace('>', "&gt;");
        assert!(page.contains(&name), "{name}");
    }
    assert!(!page.contains("<view") && page.contains("no board in it"));
    let corners: usize = solution.views.iter().map(|view| view.corners.len()).sum();
    // Once among the residuals, once over the picture, and the circle of the rms.
    assert_eq!(page.matches("<circle").count(), 2 * corners + 1);
    assert!(!page.contains("NaN") && !page.contains("inf"), "a number is missing");
    for outside in ["http:", "https:", "src=", "href=", "@import", "<script"] {
        assert!(!page.contains(outside), "{outside}");
    }
    for word in [solution.cameras[0].trust.verdict.to_string(), "fx".into(), "±".into()] {
        assert!(page.contains(&word), "{word}");
    }
}
