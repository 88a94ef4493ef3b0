//! The Resize of a QDQ file: repetition of pixels, or bilinear interpolation.

use parallax_kernels::addition::Grid;
use parallax_kernels::assembly::{Assembly, Part};
use parallax_kernels::interpolation::{Coordinates, Interpolation};
use parallax_kernels::shape::PictureShape;
use parallax_onnx::NodeProto;

use super::operator::Kernel;
use super::rearrangement::rescaling;
use super::recognition::{Planned, Quantized, Recognition, Refusal, because};

impl Recognition<'_> {
    pub(super) fn plan_resize(&self, node: &NodeProto, grid: Grid) -> Result<Planned, Refusal> {
        let input = self.read(node, 0)?;
        let output = self.picture(&node.output[0]).ok_or("the shape of its result is not fixed")?;
        if output.channels != input.shape.channels {
            return Err("it changes the number of channels".to_owned());
        }
        if node.input_at(1).is_some() && node.input.len() == 2 {
            return Err("it is that of operator set 10, whose pixels lie elsewhere".to_owned());
        }
        let kernel = match node.text("mode").unwrap_or("nearest") {
            "linear" => self.interpolation(node, input, output, grid)?,
            _ => repetition(node, input, output, grid)?,
        };
        Ok(Planned::new("Resize", vec![input.tensor.clone()], kernel))
    }

    fn interpolation(
        &self,
        node: &NodeProto,
        input: &Quantized,
        output: PictureShape,
        grid: Grid,
    ) -> Result<Kernel, Refusal> {
        let coordinates = match node.text("coordinate_transformation_mode").unwrap_or("half_pixel") {
            // The symmetric form differs where the scale gives no whole size, which is refused below.
            "half_pixel" | "half_pixel_symmetric" => Coordinates::HalfPixel,
            "pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
            "align_corners" => Coordinates::AlignCorners,
            "asymmetric" => Coordinates::Asymmetric,
            other => return Err(format!("its coordinates are {other}")),
        };
        let odd = node.integer("antialias", 0) != 0
            || node.integer("exclude_outside", 0) != 0
            || node.integers("axes").is_some()
            || node.text("keep_aspect_ratio_policy").unwrap_or("stretch") != "stretch";
        if odd {
            return Err("it asks for antialias, exclude_outside, axes or a fixed aspect ratio".to_owned());
        }
        if let Some(name) = node.input_at(2) {
            let scales = self.graph.floats(name).ok_or("its scales are not constant")?;
            let size = |size: usize, scale: f32| size as f32 * scale;
            let sizes = [output.height as f32, output.width as f32];
            if !scales.is_empty()
                && !matches!(scales[..], [_, _, y, x] if [size(input.shape.height, y), size(input.shape.width, x)] == sizes)
            {
                return Err("its scales give no whole size".to_owned());
            }
        }
        let (size, grids) = ([output.height, output.width], [input.grid, grid]);
        let made = Interpolation::new(input.shape, size, coordinates, grids, self.isa);
        Ok(Kernel::Interpolation(made.map_err(because)?))
    }
}

fn repetition(node: &NodeProto, input: &Quantized, output: PictureShape, grid: Grid) -> Result<Kernel, Refusal> {
    let factor = output.height / input.shape.height.max(1);
    let whole = output.height == factor * input.shape.height && output.width == factor * input.shape.width;
    if !whole || factor == 0 {
        return Err("it does not enlarge height and width by one whole factor".to_owned());
    }
    let mode = ["mode", "coordinate_transformation_mode", "nearest_mode"];
    let defaults = ["nearest", "half_pixel", "round_prefer_floor"];
    let [mode, coordinates, rounding] = [0, 1, 2].map(|index| node.text(mode[index]).unwrap_or(defaults[index]));
    // These repeat every pixel `factor` times; others begin elsewhere.
    let repeats = (coordinates, rounding) == ("asymmetric", "floor")
        || factor == 2 && coordinates == "half_pixel" && rounding.starts_with("round_prefer");
    if mode != "nearest" || !(repeats || factor == 1) {
        return Err(format!("its mode is {mode}, {coordinates}, {rounding}, not the repetition of pixels"));
    }
    let part = Part { shape: input.shape, factor, table: rescaling(input.grid, grid)? };
    Ok(Kernel::Assembly(Assembly::new(vec![part]).map_err(because)?))
}
