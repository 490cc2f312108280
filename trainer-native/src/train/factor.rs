//! A number that tensors are multiplied by, which may be known on the device only.

use burn::tensor::Tensor;

/// What tensors are multiplied by.
#[derive(Clone, Debug)]
// There are a few of these at a time.
#[allow(clippy::large_enum_variant)]
pub enum Factor {
    /// Known here.
    Number(f32),
    /// `[1]` on the device: reading it would wait for everything before it.
    Tensor(Tensor<1>),
}

impl Factor {
    /// `factor * tensor`, for an f32 tensor; the same bits in both forms.
    pub fn times<const D: usize>(&self, tensor: Tensor<D>) -> Tensor<D> {
        match self {
            Self::Number(number) if *number == 1.0 => tensor,
            Self::Number(number) => tensor.mul_scalar(*number),
            Self::Tensor(factor) => tensor * factor.clone().unsqueeze(),
        }
    }

    /// `1 / factor`.
    pub fn inverse(&self) -> Self {
        match self {
            Self::Number(number) => Self::Number(1.0 / number),
            Self::Tensor(factor) => Self::Tensor(factor.clone().recip()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};

    #[test]
    fn both_forms_give_the_same_bits() {
        let device = Device::flex();
        let values = [1.0f32, -3.7, 1e-30, 0.1];
        let tensor = Tensor::<1>::from_data(TensorData::from(values), &device);
        let numbers = |tensor: Tensor<1>| tensor.into_data().try_to_vec::<f32>().unwrap();
        for factor in [1.0f32, 0.3, 65_536.0] {
            let there = Factor::Tensor(Tensor::from_data(TensorData::from([factor]), &device));
            let here = Factor::Number(factor);
            assert_eq!(numbers(here.times(tensor.clone())), numbers(there.times(tensor.clone())));
            let (here, there) = (here.inverse(), there.inverse());
            assert_eq!(numbers(here.times(tensor.clone())), numbers(there.times(tensor.clone())));
        }
    }
}
