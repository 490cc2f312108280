//! Between modules and state dicts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{DType, DataError, Tensor, TensorData};
use burn_store::{BurnToPyTorchAdapter, ModuleSnapshot, PyTorchToBurnAdapter, bridge};
use half::slice::HalfFloatSliceExt;
use half::{bf16, f16};

use super::names::{respelled, unwrapped};
use super::{Naming, StateDict};
use crate::{Error, Result};

/// What became of the tensors of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// The tensors that are now in the module, by the file kind's names, sorted.
    pub loaded: Vec<String>,
    /// The tensors that such files hold and the module does not use, sorted.
    pub unused: Vec<String>,
}

/// A new module to load weights into: nothing of it is drawn, and a parameter takes no memory. Its
/// values are zeros, and all of them have to be replaced.
///
/// Drawing a network takes longer than reading one.
pub fn undrawn<M: Module>(module: M) -> M {
    struct Blank;
    impl ModuleMapper for Blank {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            if param.is_initialized() {
                return param;
            }
            let (id, shape) = (param.id, param.lazy_shape());
            // One zero for all places.
            let zero = Tensor::<D>::zeros([1; D], &param.lazy_device());
            param.transform_for_load(zero.expand(shape), id)
        }
    }
    module.map(&mut Blank)
}

/// Puts weights into a module of the same sizes. The module's own values serve
/// for nothing but their shapes; device, parameter ids and dtype stay.
///
/// # Errors
/// [`Error::Weights`] with the names of tensors that are missing, unknown, of another
/// shape (with both shapes), there twice, or not finite.
pub fn load_into<M: Module>(
    mut module: M,
    weights: StateDict,
    naming: Naming,
) -> Result<(M, LoadReport)> {
    let mut expected = BTreeMap::new();
    for slot in slots(&module) {
        expected.insert(official_name(&naming, &slot.name)?, slot);
    }

    let (weights, outside) = official_names(weights, naming)?;
    let mut report = LoadReport { unused: outside, ..LoadReport::default() };
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    let mut problems = Problems::default();
    for (official, data) in weights {
        let shape = data.shape().to_vec();
        if !seen.insert(official.clone()) {
            problems.twice.push(official);
        } else if let Some(slot) = expected.remove(&official) {
            if slot.shape.to_vec() != shape {
                let wanted = slot.shape.to_vec();
                problems.misshapen.push(format!("{official} is {shape:?}, should be {wanted:?}"));
                continue;
            }
            let data =
                cast(data, slot.dtype).map_err(|e| Error::Weights(format!("{official}: {e}")))?;
            if let Some(bad) = not_finite(&data) {
                problems.not_finite.push(format!("{official} ({bad} of {})", data.num_elements()));
            }
            // No parameter id: the module keeps its own, which optimisers know.
            found.push(bridge::from_data(data, slot.name, None));
            report.loaded.push(official);
        } else if naming.is_unused(&official) {
            report.unused.push(official);
        } else {
            problems.unknown.push(format!("{official} {shape:?}"));
        }
    }
    let missing = expected.iter().map(|(name, slot)| format!("{name} {:?}", slot.shape.to_vec()));
    problems.missing.extend(missing);
    problems.into_result()?;

    let result = module.apply(found, None, Some(Box::new(PyTorchToBurnAdapter)), true);
    if !result.errors.is_empty() || !result.missing.is_empty() || !result.unused.is_empty() {
        return Err(Error::Weights(format!("{result}")));
    }
    report.loaded.sort();
    report.unused.sort();
    Ok((module, report))
}

/// Burn's cast converts one number at a time through a function that it looks up; what a page
/// downloads is mostly f16, and a visitor waits for it.
fn cast(data: TensorData, dtype: DType) -> std::result::Result<TensorData, DataError> {
    if dtype == DType::F32
        && let Ok(halves) = data.as_slice::<f16>()
    {
        let mut values = vec![0.0; halves.len()];
        halves.convert_to_f32_slice(&mut values);
        return Ok(TensorData::new(values, data.shape().clone()));
    }
    data.try_cast(dtype)
}

/// The same tensors under the file kind's own names, with the names of those outside of the model.
///
/// # Errors
/// [`Error::Weights`] naming tensors that are there twice, under other prefixes.
pub fn canonical(weights: StateDict, naming: Naming) -> Result<(StateDict, Vec<String>)> {
    let (tensors, outside) = official_names(weights, naming)?;
    let mut weights = StateDict::new();
    let mut problems = Problems::default();
    for (name, data) in tensors {
        if weights.insert(&name, data).is_some() {
            problems.twice.push(name);
        }
    }
    problems.into_result()?;
    Ok((weights, outside))
}

type Named = Vec<(String, TensorData)>;

/// As [`canonical`], where a name may still be there twice.
fn official_names(weights: StateDict, naming: Naming) -> Result<(Named, Vec<String>)> {
    let tensors: Named =
        weights.into_iter().map(|(name, data)| (respelled(unwrapped(&name)), data)).collect();
    let prefix = naming.prefix(tensors.iter().map(|(name, _)| name.as_str()));
    let prefix = prefix.map_err(Error::Weights)?;
    let (mut named, mut outside) = (Vec::with_capacity(tensors.len()), Vec::new());
    for (name, data) in tensors {
        match name.strip_prefix(&prefix) {
            Some(official) => named.push((official.to_string(), data)),
            // A head that such files are known to have beside the model.
            None if naming.is_unused(&name) => named.push((name, data)),
            None => outside.push(name),
        }
    }
    Ok((named, outside))
}

/// How many values are NaN or infinite, if any are.
fn not_finite(data: &TensorData) -> Option<usize> {
    let count = match data.dtype() {
        DType::F32 => count(data.as_slice::<f32>().ok()?, |value| !value.is_finite()),
        DType::F64 => count(data.as_slice::<f64>().ok()?, |value| !value.is_finite()),
        DType::F16 => count(data.as_slice::<f16>().ok()?, |value| !value.is_finite()),
        DType::BF16 => count(data.as_slice::<bf16>().ok()?, |value| !value.is_finite()),
        _ => 0,
    };
    (count > 0).then_some(count)
}

fn count<T>(values: &[T], is_bad: impl Fn(&T) -> bool) -> usize {
    values.iter().filter(|value| is_bad(value)).count()
}

/// The first few of some names, and how many more there are.
pub fn first_few(names: &[String]) -> String {
    let shown = &names[..names.len().min(5)];
    let more = match names.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", shown.join(", "))
}

/// The weights of a module, in PyTorch's layout and under the file kind's names.
///
/// # Errors
/// [`Error::Weights`] if a parameter has no name in `naming`, or cannot be
/// read back from its device.
pub fn state_dict_of<M: Module>(module: &M, naming: Naming) -> Result<StateDict> {
    let mut weights = StateDict::new();
    for slot in slots(module) {
        let name = official_name(&naming, &slot.name)?;
        let data = bridge::into_data(slot).map_err(|e| Error::Weights(format!("{name}: {e}")))?;
        weights.insert(name, data);
    }
    Ok(weights)
}

/// The module's parameters and buffers in PyTorch's layout, not read yet.
fn slots<M: Module>(module: &M) -> Vec<burn_store::burn_pack::Tensor> {
    module.collect(None, Some(Box::new(BurnToPyTorchAdapter)), true)
}

fn official_name(naming: &Naming, ours: &str) -> Result<String> {
    naming
        .to_official(ours)
        .ok_or_else(|| Error::Weights(format!("parameter `{ours}` has no name in such files")))
}

/// All that is wrong with a file, so that one message can say it all.
#[derive(Default)]
struct Problems {
    missing: Vec<String>,
    unknown: Vec<String>,
    misshapen: Vec<String>,
    twice: Vec<String>,
    not_finite: Vec<String>,
}

impl Problems {
    fn into_result(self) -> Result<()> {
        let kinds = [
            ("missing", self.missing),
            ("unknown", self.unknown),
            ("of another shape", self.misshapen),
            ("there twice", self.twice),
            (
                "with values that are NaN or infinite, as after training that diverged",
                self.not_finite,
            ),
        ];
        let mut message = String::new();
        for (kind, names) in kinds.iter().filter(|(_, names)| !names.is_empty()) {
            let separator = if message.is_empty() { "" } else { "; " };
            let _ = write!(message, "{separator}{} {kind}: {}", names.len(), first_few(names));
        }
        if message.is_empty() { Ok(()) } else { Err(Error::Weights(message)) }
    }
}
