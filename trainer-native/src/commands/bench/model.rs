//! `avse bench model`: encoding and a training step of the published network.

use std::path::PathBuf;

use super::output::{check_folder, write_raw};
use crate::bench::{Job, Phase, Report, VitSize, Workload, own_program};
use crate::machine::Machine;
use crate::terminal;
use crate::train::Method;
use crate::{Result, device};

const EXAMPLES: &str = "\
Examples:
  avse bench model
  avse bench model --vit small --img_res 224 --repetitions 3
  RAYON_NUM_THREADS=2 avse bench model --json bench/model.json";

/// Options of `avse bench model`.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct ModelArgs {
    /// Side of the network's input in pixels
    #[arg(long = "img_res", alias = "img-res", default_value_t = 256)]
    img_res: usize,
    /// Size of the Vision Transformer
    #[arg(long, value_enum, default_value = "base")]
    vit: VitSize,
    /// Device: a GPU's number, `auto` or `cpu`
    #[arg(long = "gpu-id", alias = "gpu_id", default_value = "auto")]
    gpu_id: String,
    /// Timed runs of each phase, after one warm-up [default: 5]
    #[arg(long)]
    repetitions: Option<usize>,
    /// Tiny sizes, to try the command; the figures mean nothing
    #[arg(long, conflicts_with_all = ["img_res", "vit"])]
    quick: bool,
    /// Also write the raw numbers to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl ModelArgs {
    pub(super) fn run(self) -> Result<()> {
        let workload = self.workload();
        workload.validate()?;
        device::choose(&workload.gpu_id)?;
        check_folder("--json", self.json.as_deref())?;
        let program = own_program()?;
        let machine = Machine::here();
        let measurements = Phase::ALL
            .into_iter()
            .map(|phase| {
                let (workload, method) = (workload.clone(), Method::default());
                Job { phase, workload, method }.run_in_child(&program)
            })
            .collect::<Result<_>>()?;
        let report = Report::new(machine, workload, measurements);
        // The file first: nobody may be reading what is printed.
        write_raw(self.json.as_deref(), &report)?;
        terminal::text(&report.table())
    }

    fn workload(&self) -> Workload {
        let mut workload = match self.quick {
            true => Workload::quick(),
            false => Workload::published(self.vit, self.img_res),
        };
        workload.gpu_id.clone_from(&self.gpu_id);
        if let Some(repetitions) = self.repetitions {
            workload.repetitions = repetitions;
        }
        workload
    }
}
