//! What a terminal shows while an epoch goes on; without a terminal nothing, and the log's lines say enough.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, MultiProgress, ProgressBar, ProgressStyle};

use crate::machine::{peak_memory, resident_memory};
use crate::progress;

/// How often the memory is asked for.
const MEMORY_EVERY: Duration = Duration::from_secs(1);

/// How long a run is.
#[derive(Clone, Copy, Debug)]
pub struct RunLength {
    /// Epochs.
    pub epochs: usize,
    /// Steps in each.
    pub steps_per_epoch: usize,
    /// Captions that a step takes on all devices.
    pub captions_per_step: usize,
}

/// What a step has shown.
#[derive(Clone, Copy, Debug)]
pub struct StepFigures {
    /// Mean loss of the epoch so far.
    pub loss: f64,
    /// Gradient norm before clipping.
    pub gradient_norm: f64,
    /// The heads' learning rate.
    pub learning_rate: f64,
    /// Seconds of the epoch that were spent waiting for data.
    pub waited: f64,
}

/// Bars over the run and its epoch, and two lines of figures below them.
pub struct Dashboard {
    length: RunLength,
    shown: bool,
    /// Validation rSum of the last evaluated epoch, and the best.
    rsum: Option<(f64, f64)>,
    /// Steps that this process has taken and how long they took, evaluations left out.
    steps: usize,
    spent: Duration,
    epoch: Option<Epoch>,
}

/// The epoch in progress.
struct Epoch {
    started: Instant,
    steps: usize,
    run: ProgressBar,
    bar: ProgressBar,
    figures: ProgressBar,
    state: ProgressBar,
    memory: (Instant, String),
}

impl Dashboard {
    /// For a run of that length, on standard error if that is a terminal.
    pub fn new(length: RunLength) -> Self {
        let shown = std::io::stderr().is_terminal();
        Self { length, shown, rsum: None, steps: 0, spent: Duration::ZERO, epoch: None }
    }

    /// Shows an epoch of which `from` steps are done.
    pub fn begin_epoch(&mut self, epoch: usize, from: usize) {
        if !self.shown {
            return;
        }
        let RunLength { epochs, steps_per_epoch, captions_per_step } = self.length;
        let all = MultiProgress::new();
        let run = all.add(ProgressBar::new((epochs * steps_per_epoch) as u64));
        run.set_style(style("{prefix:>10} {wide_bar:.cyan/blue} {percent}% {msg}"));
        run.set_prefix("run");
        run.set_position((epoch * steps_per_epoch + from) as u64);
        let captions = (steps_per_epoch * captions_per_step) as u64;
        let bar = all.add(progress::bar(captions, &format!("epoch {epoch}")));
        bar.set_position((from * captions_per_step) as u64);
        // What was done before says nothing about the speed now.
        bar.reset_eta();
        let line = || {
            let line = all.add(ProgressBar::new(1));
            line.set_style(style("           {wide_msg}"));
            line
        };
        let (figures, state) = (line(), line());
        let now = Instant::now();
        let memory = (now, memory());
        let epoch = Epoch { started: now, steps: 0, run, bar, figures, state, memory };
        self.epoch = Some(epoch);
    }

    /// Shows a step that was taken.
    pub fn step(&mut self, figures: &StepFigures) {
        let Some(epoch) = &mut self.epoch else { return };
        epoch.steps += 1;
        epoch.run.inc(1);
        epoch.bar.inc(self.length.captions_per_step as u64);
        let elapsed = epoch.started.elapsed();
        let steps = self.steps + epoch.steps;
        let a_step = (self.spent + elapsed).div_f64(steps as f64);
        let left = epoch.run.length().unwrap_or(0).saturating_sub(epoch.run.position());
        let left = a_step.mul_f64(left as f64);
        epoch.run.set_message(format!("ETA {}", HumanDuration(left)));
        let captions = epoch.steps * self.length.captions_per_step;
        epoch.figures.set_message(training_line(figures, captions, elapsed.as_secs_f64()));
        if epoch.memory.0.elapsed() >= MEMORY_EVERY {
            epoch.memory = (Instant::now(), memory());
        }
        epoch.state.set_message(state_line(self.rsum, &epoch.memory.1));
    }

    /// Clears the terminal for what the log has to say.
    pub fn end_epoch(&mut self) {
        let Some(epoch) = self.epoch.take() else { return };
        self.steps += epoch.steps;
        self.spent += epoch.started.elapsed();
        for bar in [epoch.state, epoch.figures, epoch.bar, epoch.run] {
            bar.finish_and_clear();
        }
    }

    /// Takes note of an evaluation.
    pub fn evaluated(&mut self, rsum: f64, best: f64) {
        self.rsum = Some((rsum, best));
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn training_line(figures: &StepFigures, captions: usize, seconds: f64) -> String {
    let seconds = seconds.max(1e-9);
    format!(
        "loss {:.3}   |g| {:.2}   lr {:.2e}   {:.0} images/s   data wait {:.1}%",
        figures.loss,
        figures.gradient_norm,
        figures.learning_rate,
        captions as f64 / seconds,
        100.0 * figures.waited / seconds,
    )
}

fn state_line(rsum: Option<(f64, f64)>, memory: &str) -> String {
    let rsum = match rsum {
        Some((last, best)) => format!("rSum {last:.1} (best {best:.1})"),
        None => "rSum not measured yet".into(),
    };
    format!("{rsum}   {memory}")
}

/// The process's memory now and at most, where the system tells.
fn memory() -> String {
    let gibibytes = |bytes: Option<u64>| match bytes {
        Some(bytes) => format!("{:.2} GiB", bytes as f64 / f64::from(1 << 30)),
        None => "unknown".into(),
    };
    format!("memory {} (peak {})", gibibytes(resident_memory()), gibibytes(peak_memory()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_say_everything() {
        let figures =
            StepFigures { loss: 3.25, gradient_norm: 1.5, learning_rate: 2e-4, waited: 0.5 };
        let line = training_line(&figures, 640, 10.0);
        assert_eq!(line, "loss 3.250   |g| 1.50   lr 2.00e-4   64 images/s   data wait 5.0%");
        assert_eq!(state_line(None, "memory"), "rSum not measured yet   memory");
        assert_eq!(state_line(Some((140.04, 145.2)), "m"), "rSum 140.0 (best 145.2)   m");
    }

    #[test]
    fn the_run_goes_on_where_it_was() {
        let length = RunLength { epochs: 4, steps_per_epoch: 10, captions_per_step: 8 };
        let mut dashboard = Dashboard { shown: true, ..Dashboard::new(length) };
        let figures =
            StepFigures { loss: 1.0, gradient_norm: 1.0, learning_rate: 1.0, waited: 0.0 };
        dashboard.begin_epoch(2, 3);
        dashboard.step(&figures);
        let epoch = dashboard.epoch.as_ref().unwrap();
        assert_eq!((epoch.run.position(), epoch.run.length()), (24, Some(40)));
        assert_eq!((epoch.bar.position(), epoch.bar.length()), (32, Some(80)));
        assert!(epoch.run.message().starts_with("ETA "), "{}", epoch.run.message());
        dashboard.end_epoch();
        assert_eq!(dashboard.steps, 1);
        dashboard.shown = false;
        dashboard.begin_epoch(3, 0);
        dashboard.step(&figures);
        assert!(dashboard.epoch.is_none());
    }
}
