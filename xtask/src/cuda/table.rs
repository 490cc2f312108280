//! The tables of bench/cuda.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use super::check::{Checked, Done};
use crate::shell::root;
use crate::terminal::note;

/// Between these the file is written anew; what stands around is left alone.
const BEGIN: &str = "<!-- cargo xtask cuda check: from here -->";
const END: &str = "<!-- cargo xtask cuda check: to here -->";

const HEADING: &str = "\
# CUDA, as far as it shows without a GPU

Kernels are compiled by Burn and assembled by NVIDIA's `ptxas`; launches are counted on a stand-in for the driver
(tests/cuda), which runs none of them. So registers, spills, shared memory and counts are real; times and results are not.
Tuning on a real GPU chooses other candidates than here: counts of launches change a little with them.

";

/// What the kernels of a kind take, on one GPU.
#[derive(Default)]
struct Family {
    variants: usize,
    spilling: usize,
    registers: u32,
    spilled: u32,
    stack: u32,
    shared: u32,
}

/// A few lines for the terminal.
pub fn summary(checked: &[Checked], done: &[Done]) -> String {
    let mut text = String::new();
    let targets: BTreeSet<&str> = checked.iter().map(|kernel| kernel.target.as_str()).collect();
    for target in targets {
        let of: Vec<_> = checked.iter().filter(|kernel| kernel.target == target).collect();
        let spilling = of.iter().filter(|kernel| kernel.usage.spilled != (0, 0)).count();
        let _ = writeln!(text, "{target}: {} kernels assembled, {spilling} spill", of.len());
    }
    for (done, counts) in counted(done) {
        let launches = counts.get("launches").copied().unwrap_or(0.0);
        let waits = counts.get("host waits").copied().unwrap_or(0.0);
        let _ =
            writeln!(text, "{}: {launches:.0} launches, {waits:.1} waits a step", done.case.name);
    }
    text
}

/// Writes the file; whether that worked.
pub fn write(checked: &[Checked], done: &[Done]) -> bool {
    let file = root().join("bench/cuda.md");
    let known = fs::read_to_string(&file).unwrap_or_default();
    let (before, after) = match (known.find(BEGIN), known.find(END)) {
        (Some(begin), Some(end)) if begin < end => (&known[..begin], &known[end + END.len()..]),
        _ if known.is_empty() => (HEADING, "\n"),
        _ => (known.as_str(), "\n"),
    };
    let text = format!(
        "{before}{BEGIN}\n\n{}{}{}{END}{after}",
        steps(done),
        kernels(checked),
        functions(done)
    );
    match fs::write(&file, text) {
        Ok(()) => true,
        Err(error) => {
            note!("{}: {error}", file.display());
            false
        }
    }
}

/// The cases whose steps were counted.
fn counted(done: &[Done]) -> impl Iterator<Item = (&Done, &BTreeMap<String, f64>)> {
    done.iter().filter_map(|done| Some((done, done.per_step.as_ref()?)))
}

fn steps(done: &[Done]) -> String {
    let mut text = String::from(
        "## One step\n\nThe difference of two runs with more and fewer steps, a step. Waits: the host waits for \
         the GPU. Pageable: of the bytes, those from or to host memory that is not pinned.\n\n\
         | step | launches | kernels | waits | allocations | KB to the GPU | of these pageable | KB back | most GB held |\n\
         |---|---|---|---|---|---|---|---|---|\n",
    );
    for (done, counts) in counted(done) {
        let of = |name: &str| counts.get(name).copied().unwrap_or(0.0);
        let _ = writeln!(
            text,
            "| {} | {:.0} | {} | {:.1} | {:.1} | {:.0} | {:.0} | {:.1} | {:.1} |",
            done.case.name,
            of("launches"),
            done.kernels_per_step.len(),
            of("host waits"),
            of("allocations"),
            of("bytes to device") / 1e3,
            of("pageable bytes to device") / 1e3,
            of("bytes to host") / 1e3,
            done.record.count("most bytes held") as f64 / 1e9,
        );
    }
    for (done, _) in counted(done) {
        let mut by_family: BTreeMap<&str, f64> = BTreeMap::new();
        for (kernel, launches) in &done.kernels_per_step {
            *by_family.entry(family(&kernel.entry)).or_default() += launches;
        }
        let mut most: Vec<_> = by_family.into_iter().collect();
        most.sort_by(|a, b| b.1.total_cmp(&a.1));
        let most = most.iter().take(8).map(|(name, launches)| format!("{name} {launches:.0}"));
        let _ = writeln!(
            text,
            "\nMost launches of \"{}\": {}.",
            done.case.name,
            most.collect::<Vec<_>>().join(", ")
        );
    }
    text + "\n"
}

fn kernels(checked: &[Checked]) -> String {
    let mut families: BTreeMap<(&str, &str), Family> = BTreeMap::new();
    for Checked { kernel, target, usage } in checked {
        let family = families.entry((family(&kernel.entry), target)).or_default();
        let spilled = usage.spilled.0.max(usage.spilled.1);
        family.variants += 1;
        family.spilling += usize::from(spilled > 0);
        family.registers = family.registers.max(usage.registers);
        family.spilled = family.spilled.max(spilled);
        family.stack = family.stack.max(usage.stack);
        family.shared = family.shared.max(usage.shared + kernel.shared);
    }
    let mut text = String::from(
        "## Kernels\n\nAll that were launched, tuning's candidates among them. Most of each column over the variants; \
         bytes of a thread (spilled, local) and of a block (shared).\n\n\
         | kernel | GPU | variants | registers | spilling | spilled | local | shared |\n|---|---|---|---|---|---|---|---|\n",
    );
    for ((name, target), family) in families {
        let Family { variants, spilling, registers, spilled, stack, shared } = family;
        let _ = writeln!(
            text,
            "| {name} | {target} | {variants} | {registers} | {spilling} | {spilled} | {stack} | {shared} |"
        );
    }
    text + "\n"
}

fn functions(done: &[Done]) -> String {
    let calls: BTreeMap<&String, u32> = done
        .iter()
        .flat_map(|done| &done.record.calls)
        .map(|(name, since)| (name, *since))
        .collect();
    let names = calls.iter().map(|(name, since)| match since {
        0 => format!("`{name}`"),
        since => format!("`{name}` (CUDA {}.{})", since / 1000, since % 1000 / 10),
    });
    let names = names.collect::<Vec<_>>().join(", ");
    format!(
        "## Functions of the driver and of NCCL\n\nThose that were called; where a release is named, none before has it.\n\n{names}.\n\n"
    )
}

/// A kernel's name without types, sizes and hash.
fn family(entry: &str) -> &str {
    const MARKS: [&str; 9] = ["_lhs_", "_in_", "_c_", "_t_", "_e_", "_f_", "_b_", "_i_", "_u_"];
    let hash = entry.rsplit_once('_').filter(|(_, hash)| hash.len() == 8);
    let name = hash.map_or(entry, |(name, _)| name);
    let end = MARKS.iter().filter_map(|mark| name.find(mark)).min();
    end.filter(|end| *end > 0).map_or(name, |end| &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_have_no_types_and_no_hash() {
        for (entry, name) in [
            (
                "matmul_entry_lhs_f32_lhs_size_4_rhs_f32_rhs_size_4_acc_f32_acc_size_4_f0e34ba0",
                "matmul_entry",
            ),
            ("elemwise_fuse_0123abcd", "elemwise_fuse"),
            ("reduce_kernel_fused_in_f32_size_in_4_0123abcd", "reduce_kernel_fused"),
            ("slice_kernel_e_f32_0123abcd", "slice_kernel"),
            ("launch_overhead_i_i32_n_1_0123abcd", "launch_overhead"),
        ] {
            assert_eq!(family(entry), name);
        }
    }
}
