//! `parallax-calib board`: a board to print.

use super::Outcome;
use crate::cli::BoardArgs;
use anyhow::{Context, bail};
use parallax_calib::print::{Page, Paper, pdf, svg};
use parallax_core::files::{OutputKind, check_output, write_bytes};
use parallax_core::program::print;

pub(crate) fn run(args: &BoardArgs) -> anyhow::Result<Outcome> {
    let paper = args.paper.as_deref().map(Paper::by_name).transpose().map_err(anyhow::Error::msg)?;
    let page =
        Page::new(&args.board, paper).map_err(anyhow::Error::msg).context("the board does not fit on the paper")?;
    let (bytes, kind) = match args.out.extension().and_then(|extension| extension.to_str()) {
        Some("pdf") => (pdf(&page), OutputKind::Pdf),
        Some("svg") => (svg(&page).into_bytes(), OutputKind::Svg),
        _ => bail!("expected --out to end in .pdf or .svg, got {}", args.out.display()),
    };
    check_output(&args.out, kind, &[])?;
    write_bytes(&args.out, &bytes)?;
    let (width, height) = (page.paper.width_mm, page.paper.height_mm);
    print(format_args!("{} on {width}x{height} mm: print at 100 %, then measure the 100 mm line", args.board));
    print(format_args!("wrote {}", args.out.display()));
    Ok(Outcome::Done)
}
