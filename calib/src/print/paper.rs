//! Sheets of paper.

/// A sheet of paper, millimetres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paper {
    /// Shorter or longer side, as the sheet lies.
    pub width_mm: f64,
    /// The other one.
    pub height_mm: f64,
}

/// ISO 216 and US sheets, upright.
pub(super) const SHEETS: [(&str, f64, f64); 7] = [
    ("a4", 210.0, 297.0),
    ("a3", 297.0, 420.0),
    ("a2", 420.0, 594.0),
    ("a1", 594.0, 841.0),
    ("a0", 841.0, 1189.0),
    ("letter", 215.9, 279.4),
    ("tabloid", 279.4, 431.8),
];

impl Paper {
    /// A sheet by its name: `a4` to `a0`, `letter`, `tabloid`, or `400x300mm`.
    ///
    /// # Errors
    /// The text names no sheet.
    pub fn by_name(text: &str) -> Result<Self, String> {
        let known = SHEETS.iter().find(|sheet| sheet.0 == text.to_ascii_lowercase());
        let sides = || {
            let (width, height) = text.strip_suffix("mm")?.split_once('x')?;
            let side = |text: &str| text.parse().ok().filter(|side| (20.0..=10_000.0).contains(side));
            Some(Self { width_mm: side(width)?, height_mm: side(height)? })
        };
        let paper = known.map(|&(_, width_mm, height_mm)| Self { width_mm, height_mm }).or_else(sides);
        paper.ok_or_else(|| format!("expected a4, a3, a2, a1, a0, letter, tabloid or WIDTHxHEIGHTmm, got {text:?}"))
    }

    /// The same sheet lying the other way.
    pub(super) fn turned(self) -> Self {
        Self { width_mm: self.height_mm, height_mm: self.width_mm }
    }
}
