//! Whether a step has room on a GPU, and what would have.

use std::any::Any;
use std::cell::Cell;

use avse_core::config::ModelConfig;
use burn::tensor::Device;

use super::memory::{Formula, Layers, Sizes};
use super::{Method, Precision, Preparation, TrainConfig};
use crate::device::{self, DeviceMemory};
use crate::terminal::note;
use crate::{Error, Result};

/// Counted, and not yet fitted to a GPU: four bytes a number, and a GiB for the driver's context, the kernels and
/// what an operation takes beside its inputs.
const SINGLE: Formula = Formula { fixed: 1.1e9, kept: 4.0 };
/// The same with backbones in half precision, whose norms keep single precision.
const HALF: Formula = Formula { fixed: 1.1e9, kept: 2.7 };
/// What a way should leave free: the formula is not exact.
const MARGIN: f64 = 0.95;
/// Captions whose length is looked at.
const SAMPLE: usize = 1000;

/// The formula for GPUs.
pub fn formula(precision: Precision) -> Formula {
    match precision {
        Precision::F32 => SINGLE,
        Precision::Bf16 | Precision::F16 => HALF,
    }
}

/// The step of a run, in numbers.
pub struct Room {
    sizes: Sizes,
    batch: usize,
    method: Method,
}

/// A way to take the step, and the bytes that it needs.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Way {
    method: Method,
    bytes: f64,
}

impl Room {
    /// Of a run, for one of its devices; `None` for networks whose memory is not predicted.
    pub fn of(
        config: &TrainConfig,
        model: &ModelConfig,
        preparation: &Preparation,
    ) -> Option<Self> {
        let tokens = longest_caption(preparation);
        let sizes = Sizes::of(model, tokens, Layers::Plain).ok()?;
        Some(Self { sizes, batch: config.batch_size, method: config.method() })
    }

    fn bytes(&self, method: Method) -> f64 {
        formula(method.precision).predict(&self.sizes, self.batch, method)
    }

    /// What would fit into so many bytes: with and without computing layers again, the largest pieces each.
    fn ways(&self, available: f64) -> Vec<Way> {
        let whole = if self.method.micro_batch == 0 { self.batch } else { self.method.micro_batch };
        let pieces = |recompute: bool| {
            let first = if recompute == self.method.recompute { whole / 2 } else { whole };
            let halves = std::iter::successors(Some(first), |size| Some(size / 2));
            let sizes = halves.take_while(|size| *size > 0);
            sizes.map(move |size| {
                let micro_batch = if size < self.batch { size } else { 0 };
                Method { micro_batch, recompute, ..self.method }
            })
        };
        let fits = |recompute: bool| {
            let mut all = pieces(recompute).map(|method| Way { method, bytes: self.bytes(method) });
            all.find(|way| way.bytes <= MARGIN * available)
        };
        let kept = if self.method.recompute { None } else { fits(false) };
        kept.into_iter().chain(fits(true)).collect()
    }

    /// Warns when the formula says that the step will not fit beside what other processes hold.
    pub fn warn(&self, device: &Device) {
        let Some(memory) = device::memory(device) else { return };
        let available = memory.free + device::held(device).unwrap_or(0);
        if self.bytes(self.method) > available as f64 {
            note!("warning: {}", self.shortage(memory, available));
        }
    }

    /// How much is there, how much is needed, and what would fit.
    fn shortage(&self, memory: DeviceMemory, available: u64) -> String {
        let DeviceMemory { total, .. } = memory;
        let others = match total.saturating_sub(available) {
            // What the driver itself takes.
            taken if taken < total / 20 => String::new(),
            taken => format!(", {} of them taken by other processes", gibibytes(taken as f64)),
        };
        let needs = gibibytes(self.bytes(self.method));
        let options = options(self.method);
        format!(
            "a step of --batch_size {}{options} needs about {needs} of GPU memory; there are {}{others}. {}",
            self.batch,
            gibibytes(total as f64),
            self.advice(available)
        )
    }

    fn advice(&self, available: u64) -> String {
        let ways = self.ways(available as f64);
        let ways = ways.iter().map(|way| {
            format!("{} (about {})", options(way.method).trim_start(), gibibytes(way.bytes))
        });
        match ways.collect::<Vec<_>>().join(" or ") {
            none if none.is_empty() => {
                "No --micro-batch would fit: a smaller --batch_size, or another GPU".into()
            }
            some => format!("This would fit: {some}"),
        }
    }

    /// The error that a device's failure is, in words for the user where it had no memory left.
    pub fn explain(room: Option<&Self>, device: &Device, failure: &str) -> Option<Error> {
        let asked = memory_asked_for(failure)?;
        let asked = match asked {
            0 => String::new(),
            asked => format!(" for another {}", gibibytes(asked as f64)),
        };
        let name = device::describe(device);
        let begin = format!("out of memory: {name} had no room{asked}");
        let rest = match (room, device::memory(device)) {
            (Some(room), Some(memory)) => {
                let held = device::held(device).unwrap_or(0);
                room.shortage(memory, (memory.free + held).min(memory.total))
            }
            (Some(room), None) => format!(
                "a step of --batch_size {}{} needs about {} by the memory formula; a smaller --micro-batch, \
                 and --recompute, need less",
                room.batch,
                options(room.method),
                gibibytes(room.bytes(room.method))
            ),
            (None, _) => "a smaller --micro-batch or --batch_size needs less".into(),
        };
        Some(Error::Usage(format!("{begin}: {rest}")))
    }
}

/// The bytes that a device had no room for; 0 where the message does not say; `None` where it is about
/// something else.
fn memory_asked_for(failure: &str) -> Option<u64> {
    let forms = ["out of device memory allocating ", "can't allocate buffer of size: "];
    for form in forms {
        if let Some((_, rest)) = failure.split_once(form) {
            let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
            return digits.map(|digits| digits.parse().unwrap_or(0));
        }
    }
    let says = failure.to_lowercase();
    ["out of memory", "outofmemory", "out_of_memory"]
        .iter()
        .any(|form| says.contains(form))
        .then_some(0)
}

fn options(method: Method) -> String {
    let micro = match method.micro_batch {
        0 => String::new(),
        size => format!(" --micro-batch {size}"),
    };
    micro + if method.recompute { " --recompute" } else { "" }
}

fn gibibytes(bytes: f64) -> String {
    format!("{:.1} GiB", bytes / f64::from(1 << 30))
}

/// Tokens of the longest among some captions of the training split, evenly spread over it.
fn longest_caption(preparation: &Preparation) -> usize {
    let captions = &preparation.split.captions;
    let every = captions.len().div_ceil(SAMPLE).max(1);
    let longest =
        captions.iter().step_by(every).map(|text| preparation.tokenizer.encode(text).len());
    longest.max().unwrap_or(2).clamp(2, preparation.max_tokens)
}

thread_local! {
    static EXPLAINING: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic of this thread for want of GPU memory becomes an error in words, so that nobody else need report
/// it.
pub fn explains_panics() -> bool {
    EXPLAINING.get()
}

/// What a panic said.
pub(super) fn panic_text(panic: &(dyn Any + Send)) -> Option<&str> {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
}

/// A step's outcome, with a device's failure in words for the user.
///
/// # Errors
/// That of the step.
pub fn explained<T>(
    room: Option<&Room>,
    device: &Device,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    // Burn panics where a result cannot be read.
    let before = EXPLAINING.replace(true);
    let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
    EXPLAINING.set(before);
    match outcome {
        Ok(Err(Error::Device(failure))) => {
            Err(Room::explain(room, device, &failure).unwrap_or(Error::Device(failure)))
        }
        Ok(outcome) => outcome,
        Err(panic) => {
            match panic_text(&*panic).and_then(|text| Room::explain(room, device, text)) {
                Some(error) => Err(error),
                None => std::panic::resume_unwind(panic),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::{VitSize, Workload};

    fn room(batch: usize, method: Method) -> Room {
        let model = Workload::published(VitSize::Base, 256).model;
        Room { sizes: Sizes::of(&model, 32, Layers::Plain).unwrap(), batch, method }
    }

    #[test]
    fn what_fits_is_named() {
        let room = room(128, Method::default());
        let need = room.bytes(room.method);
        for share in [0.9, 0.5, 0.2] {
            let ways = room.ways(share * need);
            assert_eq!(ways.len(), 2, "{share}: {ways:?}");
            assert!(ways.iter().all(|way| way.bytes < share * need));
            // Twice as large pieces would not fit.
            let micro_batch = 2 * ways[0].method.micro_batch;
            let larger = Method { micro_batch, ..ways[0].method };
            assert!(micro_batch == 128 || room.bytes(larger) > MARGIN * share * need);
        }
        let memory = DeviceMemory { free: 20 << 30, total: 80 << 30 };
        let said = room.shortage(memory, 20 << 30);
        for part in [
            "--batch_size 128 needs",
            "80.0 GiB",
            "60.0 GiB of them",
            "--micro-batch ",
            "--recompute",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        let said = room.shortage(DeviceMemory { free: 1 << 30, total: 1 << 30 }, 1 << 30);
        assert!(said.contains("No --micro-batch would fit") && !said.contains("taken"), "{said}");
    }

    #[test]
    fn only_memory_is_explained() {
        let size = |text: &str| memory_asked_for(text);
        assert_eq!(
            size("Caused by: out of device memory allocating 1073741824 bytes\n"),
            Some(1 << 30)
        );
        assert_eq!(size("can't allocate buffer of size: 77\n"), Some(77));
        assert_eq!(size("CUDA_ERROR_OUT_OF_MEMORY"), Some(0));
        assert_eq!(size("an illegal memory access"), None);
        let device = Device::flex();
        let explain = |failure: &str| {
            explained(None, &device, || -> Result<()> { Err(Error::Device(failure.into())) })
        };
        let error = explain("out of device memory allocating 2147483648 bytes").unwrap_err();
        assert!(error.to_string().contains("no room for another 2.0 GiB"), "{error}");
        assert!(explain("a fault").unwrap_err().to_string().contains("the device failed: a fault"));
    }
}
