//! The functions as a program calls them: through C, with two GPUs, from two threads.

use std::ffi::{CStr, c_char};
use std::sync::Once;
use std::thread;

// Its functions are found by their names.
use cuda_standin as _;

unsafe extern "C" {
    fn cuInit(flags: u32) -> i32;
    fn cuDeviceGetCount(count: *mut i32) -> i32;
    fn cuDeviceGetName(name: *mut c_char, room: i32, device: i32) -> i32;
    fn cuDeviceGetAttribute(value: *mut i32, attribute: i32, device: i32) -> i32;
    fn cuDevicePrimaryCtxRetain(context: *mut usize, device: i32) -> i32;
    fn cuCtxSetCurrent(context: usize) -> i32;
    fn cuMemAlloc_v2(address: *mut u64, bytes: usize) -> i32;
    fn cuMemAllocHost_v2(address: *mut u64, bytes: usize) -> i32;
    fn cuMemFree_v2(address: u64) -> i32;
    fn cuMemcpyHtoDAsync_v2(to: u64, from: usize, bytes: usize, stream: usize) -> i32;
    fn cuMemcpyDtoHAsync_v2(to: usize, from: u64, bytes: usize, stream: usize) -> i32;
    fn cuMemcpy2DAsync_v2(rows: *const [u64; 16], stream: usize) -> i32;
    fn cuStreamCreate(stream: *mut usize, flags: u32) -> i32;
    fn cuStreamSynchronize(stream: usize) -> i32;
    fn cuEventCreate(event: *mut usize, flags: u32) -> i32;
    fn cuEventRecord(event: usize, stream: usize) -> i32;
    fn cuEventSynchronize(event: usize) -> i32;
    fn cuGetErrorName(code: i32, name: *mut *const c_char) -> i32;
    fn ncclGetUniqueId(id: *mut [u8; 128]) -> i32;
    fn ncclCommInitRank(comm: *mut usize, ranks: i32, id: Id, rank: i32) -> i32;
    fn ncclAllReduce(
        from: u64,
        to: u64,
        count: usize,
        kind: i32,
        operation: i32,
        comm: usize,
        stream: usize,
    ) -> i32;
    fn ncclSend(from: u64, count: usize, kind: i32, peer: i32, comm: usize, stream: usize) -> i32;
    fn ncclRecv(to: u64, count: usize, kind: i32, peer: i32, comm: usize, stream: usize) -> i32;
}

#[repr(C)]
#[derive(Clone, Copy)]
struct Id([u8; 128]);

const F32: i32 = 7;

/// Two GPUs. Every test begins with it: the first call of the driver reads the environment.
fn start() {
    static START: Once = Once::new();
    // SAFETY: set before the first call, and nothing else reads the environment.
    START.call_once(|| unsafe {
        std::env::set_var("CUDA_STANDIN_DEVICES", "2");
        std::env::set_var("CUDA_STANDIN_CAPABILITY", "8.0");
        assert_eq!(cuInit(0), 0);
    });
}

/// A stream on a device, which becomes the thread's.
fn stream_on(device: i32) -> usize {
    start();
    let (mut context, mut stream) = (0, 0);
    // SAFETY: all pointers are to locals.
    unsafe {
        assert_eq!(cuDevicePrimaryCtxRetain(&mut context, device), 0);
        assert_eq!(cuCtxSetCurrent(context), 0);
        assert_eq!(cuStreamCreate(&mut stream, 1), 0);
    }
    stream
}

/// Values in a device's memory.
fn upload(values: &[f32], stream: usize) -> u64 {
    let mut address = 0;
    // SAFETY: the sizes agree.
    unsafe {
        assert_eq!(cuMemAlloc_v2(&mut address, size_of_val(values)), 0);
        let from = values.as_ptr() as usize;
        assert_eq!(cuMemcpyHtoDAsync_v2(address, from, size_of_val(values), stream), 0);
    }
    address
}

/// The values behind an event on a stream, as Burn reads them.
fn download(address: u64, count: usize, stream: usize) -> Vec<f32> {
    let mut values = vec![0.0_f32; count];
    let mut event = 0;
    // SAFETY: the sizes agree.
    unsafe {
        assert_eq!(cuEventCreate(&mut event, 0), 0);
        assert_eq!(cuEventRecord(event, stream), 0);
        assert_eq!(cuEventSynchronize(event), 0);
        let to = values.as_mut_ptr() as usize;
        assert_eq!(cuMemcpyDtoHAsync_v2(to, address, 4 * count, stream), 0);
    }
    values
}

#[test]
fn devices_say_what_they_are() {
    stream_on(0);
    let (mut count, mut major) = (0, 0);
    let mut name = [0; 64];
    // SAFETY: all pointers are to locals.
    unsafe {
        assert_eq!(cuDeviceGetCount(&mut count), 0);
        assert_eq!(cuDeviceGetAttribute(&mut major, 75, 1), 0);
        assert_eq!(cuDeviceGetName(name.as_mut_ptr(), 64, 1), 0);
        assert_eq!(CStr::from_ptr(name.as_ptr()).to_str().unwrap(), "NVIDIA A100-SXM4-80GB");
        assert_eq!(cuDeviceGetAttribute(&mut major, 75, 2), 101, "no third device");
    }
    assert_eq!((count, major), (2, 8));
}

#[test]
fn copies_come_back() {
    let stream = stream_on(0);
    let address = upload(&[1.0, 2.0, 3.0], stream);
    assert_eq!(download(address, 3, stream), [1.0, 2.0, 3.0]);
    let mut pinned = 0;
    // SAFETY: three values fit.
    unsafe {
        assert_eq!(cuMemAllocHost_v2(&mut pinned, 64), 0);
        assert_eq!(cuMemcpyDtoHAsync_v2(pinned as usize, address, 12, stream), 0);
        assert_eq!(*(pinned as *const [f32; 3]), [1.0, 2.0, 3.0]);
        assert_eq!(cuMemFree_v2(address), 0);
        assert_eq!(cuMemcpyDtoHAsync_v2(pinned as usize, address, 12, stream), 1, "freed");
    }
}

#[test]
fn rows_with_a_pitch() {
    let stream = stream_on(0);
    let address = upload(&[1.0, 2.0, 9.0, 9.0, 3.0, 4.0, 9.0, 9.0], stream);
    let mut values = [0.0_f32; 4];
    let to = values.as_mut_ptr() as u64;
    // From the device: x, y, kind, host, device, array, pitch; to the host likewise; width, height.
    let rows = [0, 0, 2, 0, address, 0, 16, 0, 0, 1, to, 0, 0, 8, 8, 2];
    // SAFETY: both sides have two rows of two.
    assert_eq!(unsafe { cuMemcpy2DAsync_v2(&rows, stream) }, 0);
    assert_eq!(values, [1.0, 2.0, 3.0, 4.0]);
}

#[test]
fn errors_have_the_drivers_names() {
    start();
    let mut name = std::ptr::null();
    // SAFETY: the pointer is to a local.
    unsafe {
        assert_eq!(cuGetErrorName(2, &mut name), 0);
        assert_eq!(CStr::from_ptr(name).to_str().unwrap(), "CUDA_ERROR_OUT_OF_MEMORY");
        assert_eq!(cuGetErrorName(123_456, &mut name), 1);
    }
}

#[test]
fn collectives_between_two_threads() {
    start();
    let mut id = [0; 128];
    // SAFETY: the pointer is to a local.
    assert_eq!(unsafe { ncclGetUniqueId(&mut id) }, 0);
    let ranks = [0, 1].map(|rank: i32| {
        thread::spawn(move || {
            let stream = stream_on(rank);
            let mut comm = 0;
            let mine = [1.0 + rank as f32, 10.0];
            let (from, to) = (upload(&mine, stream), upload(&[0.0; 2], stream));
            // SAFETY: pointers and sizes are those of the uploads.
            unsafe {
                assert_eq!(ncclCommInitRank(&mut comm, 2, Id(id), rank), 0);
                if rank == 1 {
                    // The other one's sum is there when its stream is waited for, not before.
                    thread::sleep(std::time::Duration::from_millis(50));
                }
                assert_eq!(ncclAllReduce(from, to, 2, F32, 0, comm, stream), 0);
                assert_eq!(cuStreamSynchronize(stream), 0);
                let sums = download(to, 2, stream);
                assert_eq!(ncclAllReduce(from, to, 2, F32, 4, comm, stream), 0);
                let means = download(to, 2, stream);
                let message = match rank {
                    0 => {
                        assert_eq!(ncclSend(from, 2, F32, 1, comm, stream), 0);
                        Vec::new()
                    }
                    _ => {
                        assert_eq!(ncclRecv(to, 2, F32, 0, comm, stream), 0);
                        download(to, 2, stream)
                    }
                };
                (sums, means, message)
            }
        })
    });
    let [first, second] = ranks.map(|rank| rank.join().unwrap());
    assert_eq!((&first.0, &first.1), (&vec![3.0, 20.0], &vec![1.5, 10.0]));
    assert_eq!((&second.0, &second.1), (&first.0, &first.1));
    assert_eq!(second.2, [1.0, 10.0]);
}
