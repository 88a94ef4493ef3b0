//! A page as PDF: 72 points are an inch.

use super::page::Page;
use pdf_writer::{Content, Finish as _, Name, Pdf, Rect, Ref, Str};

const POINTS_PER_MM: f64 = 72.0 / 25.4;

/// The page as the bytes of a PDF file.
pub fn pdf(page: &Page) -> Vec<u8> {
    let points = |mm: f64| (mm * POINTS_PER_MM) as f32;
    // PDF counts upwards from the lower edge.
    let up = |mm: f64| points(page.paper.height_mm - mm);
    let [catalog, pages, sheet, content, font] = [1, 2, 3, 4, 5].map(Ref::new);
    let mut drawing = Content::new();
    for area in &page.dark {
        drawing.rect(points(area.left), up(area.bottom), points(area.width()), points(area.height()));
    }
    drawing.fill_nonzero();
    for (left, base, words) in &page.text {
        drawing.begin_text();
        // Helvetica's capitals are 0.72 of the font's size.
        drawing.set_font(Name(b"F1"), points(page.text_mm / 0.72));
        drawing.next_line(points(*left), up(*base));
        drawing.show(Str(words.as_bytes()));
        drawing.end_text();
    }
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(pages);
    pdf.pages(pages).kids([sheet]).count(1);
    let mut one = pdf.page(sheet);
    one.media_box(Rect::new(0.0, 0.0, points(page.paper.width_mm), points(page.paper.height_mm)));
    one.parent(pages).contents(content);
    one.resources().fonts().pair(Name(b"F1"), font);
    one.finish();
    pdf.type1_font(font).base_font(Name(b"Helvetica"));
    pdf.stream(content, &drawing.finish());
    pdf.finish()
}
