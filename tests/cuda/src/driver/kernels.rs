//! Modules, kernels, launches, and the descriptors of tensors that kernels read.

use std::ffi::{CStr, c_char, c_void};
use std::slice::from_raw_parts;

use super::{device, driver, give};
use crate::error::Code;
use crate::launch::Configuration;
use crate::tensor_map;

driver! {
    fn cuModuleLoadData(module: *mut usize, image: *const c_char) = |machine| {
        device()?;
        let text = CStr::from_ptr(image).to_str();
        let text = text.map_err(|_| Code::InvalidPtx.because("PTX is no text"))?;
        give(module, machine.load(text)?)
    };
    fn cuModuleUnload(_module: usize) = |_machine| Ok(());
    fn cuModuleGetFunction(function: *mut usize, module: usize, name: *const c_char) = |machine| {
        let name = CStr::from_ptr(name).to_string_lossy();
        give(function, machine.function(module, &name)?)
    };
    fn cuFuncSetAttribute(function: usize, attribute: i32, value: i32) = |machine| {
        machine.set_attribute(function, attribute, value)
    };
    fn cuLaunchKernel(
        function: usize, grid_x: u32, grid_y: u32, grid_z: u32, block_x: u32, block_y: u32, block_z: u32,
        shared: u32, stream: usize, parameters: *const *const c_void, _extra: *const c_void,
    ) = |machine| {
        device()?;
        let (grid, block) = ([grid_x, grid_y, grid_z], [block_x, block_y, block_z]);
        machine.launch(function, Configuration { grid, block, shared, stream }, parameters)
    };
    since 12000 fn cuTensorMapEncodeTiled(
        map: *mut [u8; tensor_map::BYTES], kind: i32, rank: u32, address: u64, sizes: *const u64,
        strides: *const u64, tile: *const u32, steps: *const u32, interleave: i32, swizzle: i32,
        _promotion: i32, _fill: i32,
    ) = |_machine| {
        let rank = rank as usize;
        let (tile, steps) = (Some(from_raw_parts(tile, rank)), from_raw_parts(steps, rank));
        let (sizes, strides) = (from_raw_parts(sizes, rank), from_raw_parts(strides, rank.saturating_sub(1)));
        tensor_map::check(&tensor_map::Description {
            kind, address, sizes, strides, tile, steps, interleave, swizzle,
        })?;
        give(map, [0; tensor_map::BYTES])
    };
    since 12000 fn cuTensorMapEncodeIm2col(
        map: *mut [u8; tensor_map::BYTES], kind: i32, rank: u32, address: u64, sizes: *const u64,
        strides: *const u64, _lower: *const i32, _upper: *const i32, _channels: u32, _pixels: u32,
        steps: *const u32, interleave: i32, swizzle: i32, _promotion: i32, _fill: i32,
    ) = |_machine| {
        let rank = rank as usize;
        let (sizes, strides) = (from_raw_parts(sizes, rank), from_raw_parts(strides, rank.saturating_sub(1)));
        let steps = from_raw_parts(steps, rank);
        tensor_map::check(&tensor_map::Description {
            kind, address, sizes, strides, tile: None, steps, interleave, swizzle,
        })?;
        give(map, [0; tensor_map::BYTES])
    };
}
