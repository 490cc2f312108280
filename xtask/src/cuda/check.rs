//! `cargo xtask cuda check`: the kernels of training and evaluation, compiled for GPUs that are not there.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use super::cases::{self, Case};
use super::ptxas::{self, Assembled, Module, REGISTERS, Usage};
use super::record::{Kernel, Record};
use super::table;
use super::tools::Tools;
use crate::files::text;
use crate::parallel;
use crate::shell::target;
use crate::terminal::{self, note, say};

/// What to check.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// All sizes on all GPUs, not the short list.
    pub full: bool,
    /// Only cases whose name holds this.
    pub only: Option<String>,
    /// Leaves bench/cuda.md alone.
    pub no_table: bool,
}

impl Options {
    /// Reads the command line: the program, and what to check; `None` where it cannot be understood.
    pub fn read(arguments: &[String]) -> Option<(PathBuf, Self)> {
        let mut binary = target().join("release/avse");
        let mut options = Self::default();
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--binary" => binary = std::path::absolute(arguments.next()?).ok()?,
                "--full" => options.full = true,
                "--only" => options.only = Some(arguments.next()?.clone()),
                "--no-table" => options.no_table = true,
                _ => return None,
            }
        }
        Some((binary, options))
    }
}

/// A case that has run.
pub struct Done {
    /// Which.
    pub case: Case,
    /// What was recorded: counters of the longest run, kernels and functions of all.
    pub record: Record,
    /// Counts of a step.
    pub per_step: Option<BTreeMap<String, f64>>,
    /// Launches of each kernel in a step.
    pub kernels_per_step: BTreeMap<Kernel, f64>,
}

/// A kernel, how it is launched and what it takes.
pub struct Checked {
    /// The kernel.
    pub kernel: Kernel,
    /// The GPU's name for ptxas.
    pub target: String,
    /// What ptxas says.
    pub usage: Usage,
}

/// Runs the CUDA build `binary` on GPUs that the stand-in pretends, assembles every kernel that it launched, and
/// writes the table; whether all of it was in order.
pub fn check(binary: &Path, options: &Options) -> bool {
    let began = Instant::now();
    let Some(tools) = Tools::get() else { return false };
    let work = target().join("cuda/check");
    let _ = fs::remove_dir_all(&work);
    let mut problems = BTreeSet::new();
    let (done, modules) = match run_all(binary, options, &tools, &work, &mut problems) {
        Ok(found) => found,
        Err(error) => {
            note!("cuda check: {}: {error}", work.display());
            return false;
        }
    };
    say!("assembling {} modules ({:.0} s so far)", modules.len(), began.elapsed().as_secs_f64());
    let checked = assemble(&done, &modules, &mut problems);
    symbols(&done, &mut problems);
    terminal::text(&table::summary(&checked, &done));
    for problem in &problems {
        note!("!!! {problem}");
    }
    let written = options.no_table || options.only.is_some() || table::write(&checked, &done);
    let seconds = began.elapsed().as_secs_f64();
    say!(
        "{} cases, {} kernels, {} problems, {seconds:.0} s",
        done.len(),
        checked.len(),
        problems.len()
    );
    problems.is_empty() && written
}

/// A module's file by its name, and by the GPU it is for.
type Modules = BTreeMap<String, Module>;

fn run_all(
    binary: &Path,
    options: &Options,
    tools: &Tools,
    work: &Path,
    problems: &mut BTreeSet<String>,
) -> io::Result<(Vec<Done>, Modules)> {
    cases::prepare(work)?;
    fs::write(
        work.join("cubecl.toml"),
        if options.full { ALL_CANDIDATES } else { FIRST_CANDIDATES },
    )?;
    let wanted = |case: &Case| {
        let short = options.full || options.only.is_some() || case.short || case.counted;
        short && options.only.as_ref().is_none_or(|only| case.name.contains(only))
    };
    let cases: Vec<Case> = cases::all().into_iter().filter(wanted).collect();
    let run = |at: usize| one(binary, &cases[at], tools, work, &work.join(at.to_string()));
    let (mut done, mut modules) = (Vec::new(), Modules::new());
    for outcome in parallel::each(cases.len(), run) {
        let Ran { case, records, problem } = outcome?;
        let Some((last, _)) = records.last() else { continue };
        let name = format!("{} on {}", case.name, case.capability);
        problems.extend(problem.map(|problem| format!("{name}: {problem}")));
        let mut all = last.clone();
        for (record, out) in &records {
            all.join(record);
            for kernel in record.kernels.keys() {
                let file = out.join("ptx").join(format!("{}.ptx", kernel.module));
                let ptxas = tools.ptxas(case.driver).to_owned();
                modules.entry(kernel.module.clone()).or_insert(Module { file, ptxas });
            }
        }
        if case.refused.is_none() {
            problems.extend(all.failures.iter().map(|failure| format!("{name}: {failure}")));
        }
        let more = cases::STEPS.1 - cases::STEPS.0;
        let short = match records.as_slice() {
            [_, (short, _), _] => Some(short),
            _ => None,
        };
        let per_step = short.map(|short| last.per_step(short, more));
        let kernels_per_step = short.map(|short| last.kernels_per_step(short, more));
        let kernels_per_step = kernels_per_step.unwrap_or_default();
        done.push(Done { case, record: all, per_step, kernels_per_step });
    }
    Ok((done, modules))
}

/// What became of a case.
struct Ran {
    case: Case,
    /// Of each of its runs, with the folder that they are in.
    records: Vec<(Record, PathBuf)>,
    problem: Option<String>,
}

/// Runs a case. Where its steps are counted it runs three times: first to choose among candidates, then, with these choices
/// kept, with fewer and with more steps.
fn one(binary: &Path, case: &Case, tools: &Tools, work: &Path, folder: &Path) -> io::Result<Ran> {
    let began = Instant::now();
    fs::create_dir_all(folder)?;
    let mut ran = Ran { case: case.clone(), records: Vec::new(), problem: None };
    let runs: &[(&str, bool)] = match case.counted {
        true => &[("first", false), ("short", false), ("long", true)],
        false => &[("first", false)],
    };
    if case.counted {
        fs::write(folder.join("cubecl.toml"), kept(&folder.join("kernels")))?;
    }
    for (name, long) in runs {
        let out = folder.join(name);
        let outcome = run(binary, case, *long, tools, (work, folder), &out)?;
        ran.problem = ran.problem.or(outcome.err());
        ran.records.push((Record::of(&out), out));
    }
    let (kernels, launches) = match ran.records.first() {
        Some((record, _)) => (record.kernels.len(), record.count("launches")),
        None => (0, 0),
    };
    let (name, seconds) = (&case.name, began.elapsed().as_secs_f64());
    say!(
        "{:>5} {name:58} {seconds:5.0} s, {kernels} kernels, {launches} launches",
        case.capability
    );
    Ok(ran)
}

/// Kernels and choices in `folder`, for the next run of the same case.
fn kept(folder: &Path) -> String {
    format!(
        "[environment]\npath = {{ directory = {:?} }}\n\n[compilation]\ncache = true\n\n[autotune]\nlevel = \"minimal\"\n",
        text(folder)
    )
}

/// Of every choice the first candidate that works is taken: made-up times are close enough to the best that a GPU
/// can do.
const FIRST_CANDIDATES: &str = "\
[autotune]
disable_cache = true
level = \"minimal\"
";

/// All candidates of a choice are compiled and launched.
const ALL_CANDIDATES: &str = "\
[autotune]
disable_cache = true
disable_short_circuit = true

[autotune.bench]
adaptive = false
max_samples = 1
";

/// Runs a case; why it failed, where it did.
fn run(
    binary: &Path,
    case: &Case,
    long: bool,
    tools: &Tools,
    (work, folder): (&Path, &Path),
    out: &Path,
) -> io::Result<Result<(), String>> {
    let mut libraries = OsString::from(&tools.driver);
    if let Some(others) = std::env::var_os("LD_LIBRARY_PATH") {
        libraries.push(":");
        libraries.push(others);
    }
    for (arguments, input) in case.work.calls((work, folder), long)? {
        let mut child = Command::new(binary)
            .args(&arguments)
            .current_dir(folder)
            .env("LD_LIBRARY_PATH", &libraries)
            .env("CUDA_PATH", &tools.cuda)
            .env("HF_ENDPOINT", "http://127.0.0.1:9")
            .env("CUDA_STANDIN_CAPABILITY", case.capability)
            .env("CUDA_STANDIN_DRIVER", case.driver.to_string())
            .env("CUDA_STANDIN_DEVICES", case.devices.to_string())
            .env("CUDA_STANDIN_OUT", out)
            .envs(case.machine.iter().map(|(key, value)| (format!("CUDA_STANDIN_{key}"), value)))
            .env_remove("CUDA_VISIBLE_DEVICES")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(input.as_bytes())?;
        }
        let output = child.wait_with_output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        let as_expected = match case.refused {
            None => output.status.success(),
            Some(words) => output.status.code() == Some(1) && said.contains(words),
        };
        if !as_expected {
            let last: Vec<_> = said.lines().rev().take(12).collect();
            let last: Vec<_> = last.into_iter().rev().collect();
            let line = arguments.join(" ");
            return Ok(Err(format!("avse {line}: {}\n{}", output.status, last.join("\n"))));
        }
        if case.refused.is_some() {
            break;
        }
    }
    Ok(Ok(()))
}

/// Assembles all modules and checks each kernel with the way it is launched.
fn assemble(done: &[Done], modules: &Modules, problems: &mut BTreeSet<String>) -> Vec<Checked> {
    let files: Vec<Module> = modules.values().cloned().collect();
    let assembled: BTreeMap<&str, Assembled> =
        modules.keys().map(String::as_str).zip(ptxas::assemble(&files)).collect();
    let launched: BTreeSet<&Kernel> =
        done.iter().flat_map(|done| done.record.kernels.keys()).collect();
    let mut checked = Vec::new();
    for kernel in launched {
        let Some(Assembled { kernels, target }) = assembled.get(kernel.module.as_str()) else {
            continue;
        };
        let file = modules.get(&kernel.module).map_or(PathBuf::new(), |module| module.file.clone());
        let name = format!("{} for {target} ({})", kernel.entry, file.display());
        let usage = match kernels {
            Err(error) => {
                problems.insert(format!("ptxas: {name}: {}", error.trim()));
                continue;
            }
            Ok(kernels) => kernels.get(&kernel.entry).copied(),
        };
        let Some(usage) = usage else {
            problems.insert(format!("ptxas says nothing of {name}"));
            continue;
        };
        let registers = usage.registers.next_multiple_of(8) * kernel.threads;
        if registers > REGISTERS {
            problems.insert(format!("{name}: {registers} registers of {} threads", kernel.threads));
        }
        checked.push(Checked { kernel: kernel.clone(), target: target.clone(), usage });
    }
    checked
}

/// Functions that the oldest driver of the cases does not have.
fn symbols(done: &[Done], problems: &mut BTreeSet<String>) {
    for Done { case, record, .. } in done {
        for (name, since) in record.calls.iter().filter(|(_, since)| **since > case.driver) {
            problems.insert(format!("{name} is not in a driver before CUDA {since}"));
        }
    }
}
