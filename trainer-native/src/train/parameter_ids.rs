//! The ids by which optimisers and averages know a network's parameters.

use avse_core::AvseModel;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;

/// The ids in the order of a visit.
pub fn ids_of(model: &AvseModel) -> Vec<u64> {
    struct Collect(Vec<u64>);
    impl ModuleVisitor for Collect {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.push(param.id.val());
        }
    }
    let mut ids = Collect(Vec::new());
    model.visit(&mut ids);
    ids.0
}

/// The network with these ids, in the order of [`ids_of`].
pub fn with_ids(model: AvseModel, ids: impl Iterator<Item = u64>) -> AvseModel {
    struct Place<I>(I);
    impl<I: Iterator<Item = u64>> ModuleMapper for Place<I> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let (own, value, mapper) = param.consume();
            let id = self.0.next().map_or(own, ParamId::from);
            Param::from_mapped_value(id, value, mapper)
        }
    }
    model.map(&mut Place(ids))
}
