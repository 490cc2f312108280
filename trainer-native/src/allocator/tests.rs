use super::*;

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 64).unwrap()
}

/// A block that nobody touches.
fn block(number: usize, size: usize) -> Block {
    Block { pointer: std::ptr::without_provenance_mut(number), layout: layout(size) }
}

#[test]
fn the_block_of_the_same_size_that_was_freed_last_comes_back() {
    let mut freed = Freed::new();
    for (number, size) in [(1, LARGE), (2, 2 * LARGE), (3, LARGE)] {
        assert!(freed.keep(Some(block(number, size))).is_none());
    }
    assert_eq!(freed.take(layout(LARGE)).addr(), 3);
    assert_eq!(freed.take(layout(LARGE)).addr(), 1);
    assert!(freed.take(layout(LARGE)).is_null());
    assert!(freed.take(layout(2 * LARGE - 1)).is_null());
    let wider = Layout::from_size_align(2 * LARGE, 128).unwrap();
    assert!(freed.take(wider).is_null(), "another alignment");
    assert_eq!((freed.count, freed.bytes), (1, 2 * LARGE));
}

#[test]
fn the_oldest_goes_when_there_are_too_many_bytes_or_blocks() {
    let mut freed = Freed::new();
    assert!(freed.keep(Some(block(1, KEPT / 2))).is_none());
    assert!(freed.keep(Some(block(2, KEPT / 2))).is_none());
    assert_eq!(freed.keep(Some(block(3, KEPT))).map(|b| b.pointer.addr()), Some(1));
    assert_eq!(freed.keep(None).map(|b| b.pointer.addr()), Some(2));
    assert!(freed.keep(None).is_none());
    assert_eq!(freed.bytes, KEPT);
    // Larger than all that may be kept: not kept at all.
    assert_eq!(freed.keep(Some(block(4, 2 * KEPT))).map(|b| b.pointer.addr()), Some(3));
    assert_eq!(freed.keep(None).map(|b| b.pointer.addr()), Some(4));
    assert_eq!((freed.count, freed.bytes), (0, 0));
    // More may be kept beside much that is in use.
    freed.used = 4 * KEPT * KEPT_PART;
    assert!(freed.keep(Some(block(5, 3 * KEPT))).is_none());

    let mut freed = Freed::new();
    for number in 0..PLACES {
        assert!(freed.keep(Some(block(number + 1, 1))).is_none());
    }
    assert_eq!(freed.keep(Some(block(PLACES + 1, 1))).map(|b| b.pointer.addr()), Some(1));
}

#[test]
fn blocks_keep_their_bytes_through_growing_shrinking_and_reuse_by_many_threads() {
    let allocator = TensorAllocator::new();
    let work = |thread: u8| {
        for round in 0..40usize {
            let sizes = [LARGE - 1, LARGE, 2 * LARGE + 77 * (round % 3), 100];
            let (from, to) = (sizes[round % 4], sizes[(round + 1 + round / 4) % 4]);
            // SAFETY: layouts of some size; what is read was written, or promised to be zero.
            unsafe {
                let start = allocator.alloc_zeroed(layout(from));
                let bytes = std::slice::from_raw_parts_mut(start, from);
                assert!(bytes.iter().all(|&byte| byte == 0));
                assert_eq!(start.addr() % 64, 0);
                bytes.fill(thread);
                let moved = allocator.realloc(start, layout(from), to);
                let bytes = std::slice::from_raw_parts(moved, from.min(to));
                assert!(bytes.iter().all(|&byte| byte == thread));
                allocator.dealloc(moved, layout(to));
            }
        }
    };
    std::thread::scope(|scope| {
        for thread in 1..5 {
            scope.spawn(move || work(thread));
        }
    });
    let freed = allocator.freed();
    assert_eq!(freed.used, 0);
    assert!(freed.bytes <= KEPT);
}
