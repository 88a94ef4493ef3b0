//! The MaxPool, AveragePool, GlobalAveragePool and ReduceMean of a QDQ file.

use parallax_kernels::addition::Grid;
use parallax_kernels::pooling::{AveragePool, AveragePoolConfig, Counted, MaxPool};
use parallax_onnx::NodeProto;

use super::graph;
use super::operator::Kernel;
use super::recognition::{Planned, Recognition, Refusal, because, window};

impl Recognition<'_> {
    pub(super) fn plan_maximum(&self, node: &NodeProto, grid: Grid) -> Result<Planned, Refusal> {
        let input = self.read(node, 0)?;
        if input.grid != grid {
            return Err("its result has another scale than its input".to_owned());
        }
        if node.integer("ceil_mode", 0) != 0 || node.integer("storage_order", 0) != 0 {
            return Err("it rounds sizes up, or stores by columns".to_owned());
        }
        let kernel = graph::sizes(node, "kernel_shape", 0).ok_or("its kernel is not two-dimensional")?;
        let pool = MaxPool::new(input.shape, window(node, kernel)?, self.isa).map_err(because)?;
        Ok(Planned::new("MaxPool", vec![input.tensor.clone()], Kernel::MaxPool(pool)))
    }

    pub(super) fn plan_mean(&self, node: &NodeProto, grid: Grid) -> Result<Planned, Refusal> {
        let input = self.read(node, 0)?;
        let grids = [input.grid, grid];
        let pool = match node.op_type.as_str() {
            "AveragePool" => {
                if node.integer("ceil_mode", 0) != 0 {
                    return Err("it rounds sizes up".to_owned());
                }
                let kernel = graph::sizes(node, "kernel_shape", 0).ok_or("its kernel is not two-dimensional")?;
                let all = node.integer("count_include_pad", 0) != 0;
                let counted = if all { Counted::All } else { Counted::Inside };
                let window = window(node, kernel)?;
                AveragePool::new(AveragePoolConfig { input: input.shape, window, counted, grids }, self.isa)
            }
            "ReduceMean" if !self.reduces_height_and_width(node) => {
                return Err("it is not the mean of height and width, kept as axes".to_owned());
            }
            _ => AveragePool::global(input.shape, grids, self.isa),
        };
        let kernel = Kernel::AveragePool(pool.map_err(because)?);
        Ok(Planned::new(&node.op_type, vec![input.tensor.clone()], kernel))
    }

    fn reduces_height_and_width(&self, node: &NodeProto) -> bool {
        let axes = match node.input_at(1) {
            Some(name) => self.graph.longs(name),
            None => node.integers("axes").map(<[i64]>::to_vec),
        };
        let mut axes: Vec<i64> = axes.unwrap_or_default().iter().map(|axis| axis.rem_euclid(4)).collect();
        axes.sort_unstable();
        axes == [2, 3] && node.integer("keepdims", 1) == 1
    }
}
