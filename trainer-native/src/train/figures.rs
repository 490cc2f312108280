//! What the steps have done: figures that stay on the device until several of them are read together.
//!
//! Reading waits for all work that was queued before. A run that reads in every step has its device wait for
//! the host and its host for the device, in turn.

use burn::tensor::Tensor;

use super::precision::LossScale;
use crate::{Error, Result};

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// Its number, from 1.
    pub step: usize,
    /// The heads' learning rate.
    pub learning_rate: f64,
    /// Total loss of the batch (of all replicas).
    pub loss: f64,
    /// Global gradient norm before clipping.
    pub gradient_norm: f64,
    /// Whether f16 overflowed, so that the weights stayed as they were.
    pub skipped: bool,
}

/// The steps whose figures have not been handed over.
#[derive(Default)]
pub struct Figures {
    unread: Vec<Unread>,
    read: Vec<StepReport>,
}

struct Unread {
    step: usize,
    learning_rate: f64,
    /// Loss and norm, `[1]` each.
    values: [Tensor<1>; 2],
}

impl Figures {
    /// Takes note of a step.
    pub fn add(&mut self, step: usize, learning_rate: f64, loss: Tensor<1>, norm: Tensor<1>) {
        self.unread.push(Unread { step, learning_rate, values: [loss, norm] });
    }

    /// Number of steps that have not been handed over.
    pub fn len(&self) -> usize {
        self.unread.len() + self.read.len()
    }

    /// The last step that was read and not handed over.
    pub fn last(&self) -> Option<&StepReport> {
        self.read.last()
    }

    /// Waits for the figures of all steps and moves the scale on by them; `by_device` says whether the device
    /// has moved its own already.
    ///
    /// # Errors
    /// [`Error::Usage`] naming the first step in which one is not a number; those before it are kept. Also when
    /// the device failed.
    pub fn read(&mut self, scale: &mut LossScale, by_device: bool) -> Result<()> {
        if self.unread.is_empty() {
            return Ok(());
        }
        let unread = std::mem::take(&mut self.unread);
        let values = unread.iter().flat_map(|step| step.values.clone()).collect();
        let values = Tensor::cat(values, 0).try_into_data().map_err(|e| failed(&e))?;
        let values = values.try_to_vec::<f32>().map_err(|e| failed(&e))?;
        for (Unread { step, learning_rate, .. }, values) in unread.into_iter().zip(values.chunks(2))
        {
            let (loss, gradient_norm) = (f64::from(values[0]), f64::from(values[1]));
            let skipped = !gradient_norm.is_finite() && scale.overflowed();
            if skipped {
                scale.skipped += usize::from(by_device);
            } else {
                check("loss", loss, step)?;
                check("gradient norm", gradient_norm, step)?;
                scale.passed();
            }
            self.read.push(StepReport { step, learning_rate, loss, gradient_norm, skipped });
        }
        Ok(())
    }

    /// Hands over what was read.
    ///
    /// # Errors
    /// What `each` returns.
    pub fn hand_over(&mut self, each: &mut dyn FnMut(&StepReport) -> Result<()>) -> Result<()> {
        self.read.drain(..).try_for_each(|report| each(&report))
    }
}

fn check(what: &str, value: f64, step: usize) -> Result<()> {
    if value.is_finite() {
        return Ok(());
    }
    Err(Error::Exploded(format!("the {what} became {value} in step {step}: training stopped")))
}

fn failed(error: &dyn std::fmt::Display) -> Error {
    Error::Device(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::precision::Precision;
    use super::*;
    use burn::tensor::{Device, TensorData};

    fn one(value: f32) -> Tensor<1> {
        Tensor::from_data(TensorData::from([value]), &Device::flex())
    }

    fn steps(values: &[[f32; 2]]) -> Figures {
        let mut figures = Figures::default();
        for (at, [loss, norm]) in values.iter().enumerate() {
            figures.add(at + 1, 0.5, one(*loss), one(*norm));
        }
        figures
    }

    fn handed(figures: &mut Figures) -> Vec<(usize, f64)> {
        let mut all = Vec::new();
        let mut each = |report: &StepReport| {
            all.push((report.step, report.loss));
            Ok(())
        };
        figures.hand_over(&mut each).unwrap();
        all
    }

    #[test]
    fn all_steps_are_handed_over_once() {
        let mut scale = LossScale::new(Precision::F32);
        let mut figures = steps(&[[3.0, 1.0], [2.0, 1.0]]);
        assert_eq!(figures.len(), 2);
        figures.read(&mut scale, false).unwrap();
        assert_eq!(handed(&mut figures), [(1, 3.0), (2, 2.0)]);
        assert_eq!(figures.len(), 0);
        figures.read(&mut scale, false).unwrap();
        assert!(handed(&mut figures).is_empty());
    }

    #[test]
    fn the_first_step_that_is_no_number_is_named() {
        for broken in [[f32::NAN, 1.0], [2.0, f32::INFINITY]] {
            let mut scale = LossScale::new(Precision::Bf16);
            let mut figures = steps(&[[3.0, 1.0], broken, [f32::NAN, f32::NAN]]);
            let error = figures.read(&mut scale, false).unwrap_err().to_string();
            assert!(error.contains("in step 2:"), "{error}");
            assert_eq!(handed(&mut figures), [(1, 3.0)]);
        }
    }

    #[test]
    fn overflows_of_f16_are_skipped_and_counted() {
        let mut scale = LossScale::new(Precision::F16);
        let mut figures = steps(&[[3.0, f32::INFINITY], [2.0, f32::NAN], [2.0, 1.0]]);
        figures.read(&mut scale, true).unwrap();
        assert_eq!((scale.factor, scale.skipped), (65_536.0 / 4.0, 2));
        let skipped: Vec<bool> = figures.read.iter().map(|report| report.skipped).collect();
        assert_eq!(skipped, [true, true, false]);
    }
}
