//! Batches on their way to a device: the next one is copied there while this one is computed with.

use std::thread::JoinHandle;

use burn::tensor::{Device, StreamId, Tensor, TensorData};
use crossbeam_channel::{Receiver, Sender, bounded};

use super::loader::{Batch, EpochLoader};
use super::room::panic_text;
use crate::device::is_cpu;
use crate::{Error, Result};

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
    /// The batches of `loader` on `device`, copied on a `stream` of their own, so that a copy waits for no work that
    /// was queued before it. Burn keeps a memory pool for every stream: use one stream for the whole run.
    pub fn start(loader: EpochLoader, device: &Device, stream: StreamId) -> Self {
        let device = device.clone().inner();
        if is_cpu(&device) {
            return Self(Source::Here { loader, device });
        }
        let mut loader = loader;
        Self::ahead(std::iter::from_fn(move || loader.next_batch()), device, stream)
    }

    fn ahead(
        loaded: impl Iterator<Item = Result<Batch>> + Send + 'static,
        device: Device,
        stream: StreamId,
    ) -> Self {
        // The next batch waits on the device until it is taken.
        let (sender, batches) = bounded(0);
        let work = move || stream.executes(|| copy_all(loaded, &device, &sender));
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
                    Some(Err(panic)) => {
                        let text = panic_text(&*panic).unwrap_or("copying to it crashed");
                        Some(Err(Error::Device(text.into())))
                    }
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
    loaded: impl Iterator<Item = Result<Batch>>,
    device: &Device,
    sender: &Sender<Result<Fed>>,
) {
    for batch in loaded {
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

#[cfg(test)]
mod tests {
    use super::*;
    use avse_core::image::sampling::ViewPlan;
    use avse_core::text::tokenizer::TokenBatch;

    fn batch(number: f32) -> Batch {
        let plan = ViewPlan { batch: 1, views: 1, kept: 1, indices: vec![0], token_keep: None };
        let tokens = TokenBatch { ids: vec![0], lengths: vec![1], width: 1, truncated: 0 };
        Batch { pixels: vec![number; 3 * 4], tokens, plan }
    }

    fn ahead(loaded: impl Iterator<Item = Result<Batch>> + Send + 'static) -> Feed {
        Feed::ahead(loaded, Device::flex(), StreamId::allocate())
    }

    fn number(fed: Option<Result<Fed>>) -> f32 {
        let Fed { batch, pixels } = fed.unwrap().unwrap();
        assert!(batch.pixels.is_empty());
        assert_eq!(pixels.dims(), [1, 3, 2, 2]);
        pixels.mean().into_scalar()
    }

    #[test]
    fn all_batches_come_in_order_and_then_no_more() {
        let mut feed = ahead((0..5u8).map(|number| Ok(batch(f32::from(number)))));
        for expected in 0..5u8 {
            assert_eq!(number(feed.next_batch()), f32::from(expected));
        }
        assert!(feed.next_batch().is_none() && feed.next_batch().is_none());
    }

    #[test]
    fn an_error_ends_the_epoch() {
        let broken = || Err(Error::Usage("no such picture".into()));
        let mut feed = ahead([Ok(batch(1.0)), broken(), Ok(batch(2.0))].into_iter());
        assert_eq!(number(feed.next_batch()), 1.0);
        let error = feed.next_batch().unwrap().err().unwrap();
        assert!(error.to_string().contains("no such picture"));
        assert!(feed.next_batch().is_none());
    }

    #[test]
    fn a_crash_is_told() {
        let mut feed = ahead(std::iter::from_fn(|| panic!("no room for the batch")));
        let error = feed.next_batch().unwrap().err().unwrap();
        assert!(error.to_string().contains("no room for the batch"), "{error}");
    }

    #[test]
    fn a_feed_that_is_dropped_early_ends_its_thread() {
        let mut feed = ahead(std::iter::repeat_with(|| Ok(batch(0.0))));
        assert_eq!(number(feed.next_batch()), 0.0);
        drop(feed);
    }
}
