//! Whether two sets of weights are the same to the bit.

use avse_core::weights::StateDict;

/// Checks names, types, shapes and bytes.
pub fn assert_same(left: &StateDict, right: &StateDict) {
    assert_eq!(left.names().collect::<Vec<_>>(), right.names().collect::<Vec<_>>());
    for (name, data) in left.iter() {
        let other = right.get(name).unwrap();
        assert_eq!((data.dtype(), data.shape()), (other.dtype(), other.shape()), "{name}");
        assert!(data.as_bytes() == other.as_bytes(), "{name} differs");
    }
}
