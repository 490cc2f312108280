//! The backward pass of the operation, for Burn's autodiff.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, AutodiffBackend, TensorMetadata};
use burn::tensor::{FloatDType, Shape, Slice};

use super::Recurrent;

/// Parents: inputs, weights and bias.
#[derive(Debug)]
struct Gru;

impl<B: Recurrent> Backward<B, 3> for Gru {
    /// The weights and the record.
    type State = [FloatTensor<B>; 2];

    fn backward(self, ops: Ops<Self::State, 3>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let [recurrent, record] = ops.state;
        let of_record = gradients.consume::<B>(&ops.node);
        let of_gates = B::gru_gradients(recurrent.clone(), record.clone(), of_record);
        let [steps, groups, rows, width] = of_gates.shape().dims();
        let hidden = width / 4;
        let columns = |tensor: &FloatTensor<B>, from: usize, to: usize| {
            let all = [steps, groups, rows].map(|length| Slice::from(0..length));
            B::float_slice(tensor.clone(), &[all[0], all[1], all[2], Slice::from(from..to)])
        };
        let [of_inputs, of_recurrent, of_bias] = ops.parents;
        if let Some(node) = of_inputs {
            gradients.register::<B>(node.id, columns(&of_gates, 0, 3 * hidden));
        }
        if of_recurrent.is_none() && of_bias.is_none() {
            return;
        }
        // r and z add what comes of the input and of the state; n takes the latter times r.
        let of_state = B::float_cat(
            vec![columns(&of_gates, 0, 2 * hidden), columns(&of_gates, 3 * hidden, 4 * hidden)],
            3,
        );
        // [G, steps rows, 3H]
        let of_state = B::float_permute(of_state, &[1, 0, 2, 3]);
        let of_state = B::float_reshape(of_state, Shape::new([groups, steps * rows, 3 * hidden]));
        if let Some(node) = of_bias {
            let sum = B::float_sum_dim(of_state.clone(), 1);
            gradients
                .register::<B>(node.id, B::float_reshape(sum, Shape::new([groups, 3 * hidden])));
        }
        if let Some(node) = of_recurrent {
            let states = columns(&record, 0, hidden);
            let start = Shape::new([1, groups, rows, hidden]);
            let start = B::float_zeros(start, &states.device(), FloatDType::F32);
            let all = [groups, rows, hidden].map(|length| Slice::from(0..length));
            let until = [Slice::from(0..steps - 1), all[0], all[1], all[2]];
            let before = B::float_cat(vec![start, B::float_slice(states, &until)], 0);
            // [G, H, steps rows]
            let before = B::float_permute(before, &[1, 3, 0, 2]);
            let before = B::float_reshape(before, Shape::new([groups, hidden, steps * rows]));
            gradients.register::<B>(node.id, B::float_matmul(before, of_state));
        }
    }
}

impl<B: Recurrent, C: CheckpointStrategy> Recurrent for Autodiff<B, C> {
    fn gru(
        inputs: FloatTensor<Self>,
        recurrent: FloatTensor<Self>,
        bias: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let (inputs, of_inputs) = inputs.into_parts();
        let (recurrent, of_recurrent) = recurrent.into_parts();
        let (bias, of_bias) = bias.into_parts();
        let record = B::gru(inputs, recurrent.clone(), bias);
        match Gru.prepare::<C>([of_inputs, of_recurrent, of_bias]).compute_bound().stateful() {
            OpsKind::Tracked(operation) => operation.finish([recurrent, record.clone()], record),
            OpsKind::UnTracked(operation) => operation.finish(record),
        }
    }

    fn gru_gradients(
        recurrent: FloatTensor<Self>,
        record: FloatTensor<Self>,
        gradients: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let [recurrent, record, gradients] =
            [recurrent, record, gradients].map(|tensor| tensor.into_primitive());
        Self::from_inner(B::gru_gradients(recurrent, record, gradients))
    }
}
