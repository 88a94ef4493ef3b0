//! The Resize, Concat and MaxPool of a QDQ file: operators that move integers and compute none.

use parallax_kernels::addition::Grid;
use parallax_kernels::assembly::{Assembly, Part};
use parallax_kernels::pooling::MaxPool;
use parallax_kernels::table::Table;
use tract_onnx::pb::NodeProto;

use super::graph;
use super::operator::Kernel;
use super::recognition::{Planned, Recognition, Refusal, because, chained, window};

impl Recognition<'_> {
    pub(super) fn plan_resize(&self, node: &NodeProto, grid: Grid) -> Result<Planned, Refusal> {
        let input = self.read(node, 0)?;
        let output = self.picture(&node.output[0]).ok_or("the shape of its result is not fixed")?;
        let factor = output.height / input.shape.height.max(1);
        let whole = output.height == factor * input.shape.height && output.width == factor * input.shape.width;
        if !whole || output.channels != input.shape.channels || factor == 0 {
            return Err("it does not enlarge height and width by one whole factor".to_owned());
        }
        let mode = ["mode", "coordinate_transformation_mode", "nearest_mode"];
        let defaults = ["nearest", "half_pixel", "round_prefer_floor"];
        let [mode, coordinates, rounding] = [0, 1, 2].map(|index| graph::text(node, mode[index], defaults[index]));
        // These repeat every pixel `factor` times; others begin elsewhere.
        let repeats = (coordinates, rounding) == ("asymmetric", "floor")
            || factor == 2 && coordinates == "half_pixel" && rounding.starts_with("round_prefer");
        if mode != "nearest" || !(repeats || factor == 1) {
            return Err(format!("its mode is {mode}, {coordinates}, {rounding}, not the repetition of pixels"));
        }
        let part = Part { shape: input.shape, factor, table: rescaling(input.grid, grid)? };
        let kernel = Kernel::Assembly(Assembly::new(vec![part]).map_err(because)?);
        Ok(Planned::new("Resize", vec![input.tensor.clone()], kernel))
    }

    pub(super) fn plan_concatenation(&mut self, at: usize, node: &NodeProto, grid: Grid) -> Result<Planned, Refusal> {
        if !matches!(graph::integer(node, "axis", 1), 1 | -3) {
            return Err("it does not join channels".to_owned());
        }
        let upsampling = |kernel: &Kernel| matches!(kernel, Kernel::Assembly(assembly) if assembly.parts().len() == 1);
        let (mut parts, mut inputs, mut label, mut fused) = (Vec::new(), Vec::new(), String::new(), Vec::new());
        for index in 0..node.input.len() {
            let picture = self.read(node, index)?;
            let table = rescaling(picture.grid, grid)?;
            let before = self.fusable(picture, at, upsampling);
            if let Some(place) = before
                && let Some(Planned { kernel: Kernel::Assembly(assembly), .. }) = self.planned.get(&place)
            {
                let with_table =
                    |part: &Part| Part { table: chained(part.table.as_ref(), table.as_ref()), ..part.clone() };
                parts.extend(assembly.parts().iter().map(with_table));
                inputs.extend(self.planned[&place].inputs.iter().cloned());
                label += "Resize+";
                fused.push(place);
            } else {
                parts.push(Part { shape: picture.shape, factor: 1, table });
                inputs.push(picture.tensor.clone());
            }
        }
        let kernel = Kernel::Assembly(Assembly::new(parts).map_err(because)?);
        for place in fused {
            self.planned.remove(&place);
        }
        Ok(Planned::new(&(label + "Concat"), inputs, kernel))
    }

    pub(super) fn plan_maximum(&self, node: &NodeProto, grid: Grid) -> Result<Planned, Refusal> {
        let input = self.read(node, 0)?;
        if input.grid != grid {
            return Err("its result has another scale than its input".to_owned());
        }
        if graph::integer(node, "ceil_mode", 0) != 0 || graph::integer(node, "storage_order", 0) != 0 {
            return Err("it rounds sizes up, or stores by columns".to_owned());
        }
        let kernel = graph::sizes(node, "kernel_shape", 0).ok_or("its kernel is not two-dimensional")?;
        let pool = MaxPool::new(input.shape, window(node, kernel)?, self.isa).map_err(because)?;
        Ok(Planned::new("MaxPool", vec![input.tensor.clone()], Kernel::MaxPool(pool)))
    }
}

/// The table from one grid to another; none if nothing changes.
fn rescaling(from: Grid, to: Grid) -> Result<Option<Table>, Refusal> {
    let table = Table::new(from, to, |value| value).map_err(because)?;
    Ok((!table.is_identity()).then_some(table))
}
