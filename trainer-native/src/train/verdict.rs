//! What becomes of a step's gradients: they are clipped, and the step is skipped where the loss or the norm is not finite.

use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::{Bool, Tensor};

use super::factor::Factor;

/// Added to the norm before dividing by it, as PyTorch does.
const EPSILON: f32 = 1e-6;

/// What becomes of a step's gradients.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// What they are multiplied by, so that their norm is within the limit.
    pub factor: Factor,
    /// `[1]`, where the device alone knows it: true where the loss or the norm is not finite, so that nothing may
    /// change.
    pub skipped: Option<Tensor<1, Bool>>,
    /// Earlier steps that the device skipped.
    pub skipped_before: Count,
}

/// A number of steps.
#[derive(Clone, Debug)]
// There are a few of these at a time.
#[allow(clippy::large_enum_variant)]
pub enum Count {
    /// Known here.
    Number(usize),
    /// `[1]` on the device.
    Tensor(Tensor<1>),
}

impl Verdict {
    /// Clips gradients whose norm is known here, and a number.
    pub fn of_number(norm: f32, limit: f32, skipped_before: Count) -> Self {
        let factor = if norm > limit { (limit / (norm + EPSILON)).min(1.0) } else { 1.0 };
        Self { factor: Factor::Number(factor), skipped: None, skipped_before }
    }

    /// The same for gradients whose `norm` `[1]` is on the device, and no step where `is_sound` `[1]` is false.
    pub fn of_tensor(
        norm: Tensor<1>,
        limit: f32,
        is_sound: Tensor<1, Bool>,
        skipped_before: Count,
    ) -> Self {
        let within = norm.clone().lower_equal_scalar(limit);
        let limit = Tensor::full([1], limit, &norm.device());
        let factor = (limit / norm.add_scalar(EPSILON)).clamp_max(1.0);
        Self {
            factor: Factor::Tensor(factor.mask_fill(within, 1.0)),
            skipped: Some(is_sound.bool_not()),
            skipped_before,
        }
    }

    /// What `change` makes of a tensor, or the tensor as it is where the step is skipped.
    pub fn change<const D: usize>(
        &self,
        tensor: Tensor<D>,
        change: impl FnOnce(Tensor<D>) -> Tensor<D>,
    ) -> Tensor<D> {
        match &self.skipped {
            None => change(tensor),
            Some(skipped) => {
                // Not expanded: Burn fuses the broadcast, but no expansion, with what is before and after it.
                change(tensor.clone()).mask_where(skipped.clone().unsqueeze(), tensor)
            }
        }
    }
}

/// The verdict on the step in progress, where every parameter's update finds it.
#[derive(Clone, Debug)]
pub struct Current(Arc<Mutex<Verdict>>);

impl Current {
    /// Before the first step.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Verdict::of_number(0.0, 1.0, Count::Number(0)))))
    }

    /// Sets it for the coming update.
    pub fn set(&self, verdict: Verdict) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = verdict;
    }

    /// A copy of it, and a gradient multiplied by its factor.
    pub fn judge<const D: usize>(&self, gradient: Tensor<D>) -> (Verdict, Tensor<D>) {
        let verdict = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let gradient = verdict.factor.times(gradient);
        (verdict, gradient)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    fn one(value: f32) -> Tensor<1> {
        Tensor::from_data(TensorData::from([value]), &Device::flex())
    }

    #[test]
    fn host_and_device_clip_alike() {
        let limit = 2.0;
        let boundary = [1.999_999_9f32, 2.0, 2.000_000_2];
        for norm in [0.0, 1e-20, 0.3, 7.7, 1e30].into_iter().chain(boundary) {
            let Factor::Number(here) = Verdict::of_number(norm, limit, Count::Number(0)).factor
            else {
                panic!("not a number")
            };
            let sound = one(norm).is_finite();
            let there = Verdict::of_tensor(one(norm), limit, sound, Count::Number(0)).factor;
            let there = there.times(one(1.0)).into_scalar::<f32>();
            assert_eq!(here.to_bits(), there.to_bits(), "{norm}");
        }
    }

    #[test]
    fn a_skipped_step_leaves_no_trace() {
        for norm in [f32::NAN, f32::INFINITY] {
            let sound = one(norm).is_finite();
            let verdict = Verdict::of_tensor(one(norm), 2.0, sound, Count::Number(0));
            let gradient = verdict.factor.times(one(norm));
            let kept = verdict.change(one(3.0), |weight| weight - gradient);
            assert_eq!(kept.into_scalar::<f32>(), 3.0);
        }
    }
}
