//! Batches on their way to a device: the next one is copied there while this one is computed with.

use std::thread::JoinHandle;

use burn::tensor::{Device, StreamId, Tensor, TensorData};
use crossbeam_channel::{Receiver, bounded};

use super::loader::{Batch, EpochLoader};
use crate::device::is_cpu;
use crate::{Error, Result};

/// Batches that may lie on the device beside the one in use.
const AHEAD: usize = 1;

/// The batches of one epoch on a device.
pub struct Feed(Source);

enum Source {
    /// The CPU: there is nothing to copy.
    Here { loader: EpochLoader, device: Device },
    /// A thread copies.
    Ahead { batches: Receiver<Result<Fed>>, thread: Option<JoinHandle<()>> },
}

/// A batch whose pixels are on the device.
pub struct Fed {
    /// The batch, without its pixels.
    pub batch: Batch,
    /// `[B, 3, R, R]`, without autodiff.
    pub pixels: Tensor<4>,
}

impl Feed {
    /// The batches of `loader` on `device`, copied on a `stream` of their own: then a copy waits for no work that
    /// was queued before it. The memory that streams take is kept, so one stream should serve a whole run.
    pub fn start(loader: EpochLoader, device: &Device, stream: StreamId) -> Self {
        let device = device.clone().inner();
        if is_cpu(&device) {
            return Self(Source::Here { loader, device });
        }
        let (sender, batches) = bounded(AHEAD);
        let work = move || stream.executes(|| copy_all(loader, &device, &sender));
        Self(Source::Ahead { batches, thread: Some(std::thread::spawn(work)) })
    }

    /// The next batch, or `None` at the end of the epoch.
    pub fn next_batch(&mut self) -> Option<Result<Fed>> {
        match &mut self.0 {
            Source::Here { loader, device } => {
                loader.next_batch().map(|batch| batch.map(|batch| put(batch, device)))
            }
            Source::Ahead { batches, thread } => match batches.recv() {
                Ok(batch) => Some(batch),
                // The thread has ended: with the epoch, or by a panic.
                Err(_) => match thread.take().map(JoinHandle::join) {
                    Some(Err(_)) => Some(Err(Error::Usage("copying to the device failed".into()))),
                    _ => None,
                },
            },
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        if let Source::Ahead { batches, thread } = &mut self.0 {
            // The thread ends when nobody takes what it sends.
            *batches = bounded(0).1;
            let _ = thread.take().map(JoinHandle::join);
        }
    }
}

fn copy_all(
    mut loader: EpochLoader,
    device: &Device,
    sender: &crossbeam_channel::Sender<Result<Fed>>,
) {
    while let Some(batch) = loader.next_batch() {
        let failed = batch.is_err();
        let fed = batch.map(|batch| put(batch, device));
        if sender.send(fed).is_err() || failed {
            return;
        }
    }
}

/// Moves a batch's pixels to a device: through memory that the device reads by itself, where it has such.
fn put(mut batch: Batch, device: &Device) -> Fed {
    let pixels = std::mem::take(&mut batch.pixels);
    let images = batch.plan.batch;
    let side = (pixels.len() / (3 * images.max(1))).isqrt();
    let mut data = TensorData::new(pixels, [images, 3, side, side]);
    device.staging(std::iter::once(&mut data));
    Fed { batch, pixels: Tensor::from_data(data, device) }
}
