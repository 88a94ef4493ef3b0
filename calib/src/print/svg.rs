//! A page as SVG: one user unit is a millimetre.

use super::page::Page;
use std::fmt::Write;

/// The page as the text of an SVG file.
pub fn svg(page: &Page) -> String {
    let (width, height) = (page.paper.width_mm, page.paper.height_mm);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}mm\" height=\"{height}mm\" \
         viewBox=\"0 0 {width} {height}\">\n<rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n<path \
         shape-rendering=\"crispEdges\" d=\""
    );
    for area in &page.dark {
        let (w, h) = (area.width(), area.height());
        let _ = write!(text, "M{:.4} {:.4}h{w:.4}v{h:.4}h-{w:.4}z", area.left, area.top);
    }
    text.push_str("\"/>\n");
    for (left, base, words) in &page.text {
        let size = page.text_mm;
        let _ = writeln!(
            text,
            "<text x=\"{left:.2}\" y=\"{base:.2}\" font-size=\"{size}\" font-family=\"Helvetica, Arial, sans-serif\">{words}</text>"
        );
    }
    text.push_str("</svg>\n");
    text
}
