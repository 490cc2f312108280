//! Modules and launches: checked as the driver checks them, recorded, not run.

use std::ffi::c_void;
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::device::DEFAULT_SHARED;
use crate::error::{Code, Failure, Outcome};
use crate::machine::Machine;
use crate::ptx::{Entry, Ptx};
use crate::record::Launch;

/// The attribute of a kernel that allows it more shared memory: `CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES`.
const MOST_DYNAMIC_SHARED: i32 = 8;

#[derive(Debug)]
pub(crate) struct Module {
    hash: String,
    ptx: Ptx,
}

#[derive(Debug)]
pub(crate) struct Function {
    module: usize,
    entry: Entry,
    /// The most shared memory that a launch may ask for, in bytes.
    allowed: i32,
}

/// How a kernel is launched.
#[derive(Clone, Copy, Debug)]
pub struct Configuration {
    /// Blocks of the grid.
    pub grid: [u32; 3],
    /// Threads of a block.
    pub block: [u32; 3],
    /// Bytes of shared memory of a block, beside what the kernel has of its own.
    pub shared: u32,
    /// The stream.
    pub stream: usize,
}

impl Machine {
    /// Loads a module; its handle.
    ///
    /// # Errors
    /// PTX that this driver does not compile for this GPU.
    pub fn load(&mut self, text: &str) -> Result<usize, Failure> {
        let ptx = Ptx::parse(text)?;
        ptx.check(self.settings.driver, &self.settings.model)?;
        let mut hasher = DefaultHasher::new();
        text.hash(&mut hasher);
        let hash = format!("{:016x}", hasher.finish());
        if let Some(folder) = self.modules_folder() {
            let file = folder.join(format!("{hash}.ptx"));
            // Written beside and renamed: other processes write into the same folder.
            let unfinished = folder.join(format!("{hash}.{}", std::process::id()));
            let written = file.exists()
                || (std::fs::create_dir_all(&folder).is_ok()
                    && std::fs::write(&unfinished, text).is_ok()
                    && std::fs::rename(&unfinished, &file).is_ok());
            if !written {
                return Err(Code::Unknown.because(format!("cannot write {}", file.display())));
            }
        }
        self.record.count("modules", 1);
        self.modules.push(Module { hash, ptx });
        Ok(self.modules.len())
    }

    /// A kernel of a module; its handle.
    ///
    /// # Errors
    /// When there is no such module, or no kernel of that name in it.
    pub fn function(&mut self, module: usize, name: &str) -> Result<usize, Failure> {
        let known = module.checked_sub(1).and_then(|at| self.modules.get(at));
        let ptx = &known.ok_or_else(|| Code::InvalidHandle.because("no such module"))?.ptx;
        let entry = ptx.entries.iter().find(|entry| entry.name == name);
        let entry = entry.ok_or_else(|| Code::NotFound.because(format!("no kernel {name}")))?;
        let allowed = DEFAULT_SHARED - ptx.shared as i32;
        self.functions.push(Function { module: module - 1, entry: entry.clone(), allowed });
        Ok(self.functions.len())
    }

    /// Sets an attribute of a kernel.
    ///
    /// # Errors
    /// More shared memory than a block can have.
    pub fn set_attribute(&mut self, function: usize, attribute: i32, value: i32) -> Outcome {
        let at = self.function_at(function)?;
        if attribute != MOST_DYNAMIC_SHARED {
            return Ok(());
        }
        let function = &self.functions[at];
        let own = self.modules[function.module].ptx.shared as i32;
        let most = self.settings.model.most_shared() - own;
        if !(0..=most).contains(&value) {
            return Err(Code::InvalidValue.because(format!(
                "{}: {value} bytes of shared memory; a block has {most}",
                function.entry.name
            )));
        }
        self.functions[at].allowed = value.max(DEFAULT_SHARED - own);
        Ok(())
    }

    /// Launches a kernel: checks and counts.
    ///
    /// # Errors
    /// What the driver would refuse, and addresses outside of the GPUs' memory, which a GPU would fault on.
    ///
    /// # Safety
    /// `parameters` points to as many pointers as the kernel has parameters, each of them to its value.
    pub unsafe fn launch(
        &mut self,
        function: usize,
        how: Configuration,
        parameters: *const *const c_void,
    ) -> Outcome {
        let at = self.function_at(function)?;
        let Function { module, entry, allowed } = &self.functions[at];
        let module = &self.modules[*module];
        check(&self.settings.model, entry, *allowed, how)?;
        for (number, is_address) in entry.addresses.iter().enumerate() {
            if parameters.is_null() {
                return Err(Code::InvalidValue.because(format!("{}: no parameters", entry.name)));
            }
            // SAFETY: the caller's promise.
            let value = unsafe { *parameters.add(number) };
            if value.is_null() {
                let text = format!("{}: parameter {number} is missing", entry.name);
                return Err(Code::InvalidValue.because(text));
            }
            // SAFETY: the same; an address has eight bytes.
            let address =
                if *is_address { unsafe { value.cast::<u64>().read_unaligned() } } else { 0 };
            if address != 0 && self.memory.holding(address, 0).is_none() {
                let text = format!(
                    "{}: parameter {number} is {address:#x}, which is not allocated",
                    entry.name
                );
                return Err(Code::IllegalAddress.because(text));
            }
        }
        self.measuring += u32::from(entry.name.contains("_throughput"));
        let launch = Launch {
            module: module.hash.clone(),
            entry: entry.name.clone(),
            block: how.block,
            shared: how.shared,
        };
        self.advance(how.stream)?;
        self.record.launch(launch);
        Ok(())
    }

    fn function_at(&self, handle: usize) -> Result<usize, Failure> {
        let at = handle.checked_sub(1).filter(|at| *at < self.functions.len());
        at.ok_or_else(|| Code::InvalidHandle.because("no such kernel"))
    }
}

/// The driver's rules for a launch.
fn check(model: &crate::device::Model, entry: &Entry, allowed: i32, how: Configuration) -> Outcome {
    let name = &entry.name;
    let rule = |holds: bool, code: Code, text: String| {
        if holds { Ok(()) } else { Err(code.because(format!("{name}: {text}"))) }
    };
    let limit = |number| model.attribute(number, 0).unwrap_or(0) as u64;
    let threads: u64 = how.block.iter().map(|side| u64::from(*side)).product();
    let invalid = Code::InvalidValue;
    for side in 0..3 {
        let (blocks, units) = (u64::from(how.grid[side]), u64::from(how.block[side]));
        let (most_blocks, most_units) = (limit(5 + side as i32), limit(2 + side as i32));
        rule((1..=most_blocks).contains(&blocks), invalid, format!("grid {:?}", how.grid))?;
        rule((1..=most_units).contains(&units), invalid, format!("block {:?}", how.block))?;
    }
    let most = entry.most.map_or(limit(1), u64::from).min(limit(1));
    rule(threads <= most, invalid, format!("{threads} threads, {most} are allowed"))?;
    if let Some(required) = entry.required {
        let text = format!("block {:?}, made for {required:?}", how.block);
        rule(how.block == required, invalid, text)?;
    }
    let shared = how.shared;
    let text = format!("{shared} bytes of shared memory, {allowed} are allowed");
    rule(i64::from(shared) <= i64::from(allowed), invalid, text)?;
    if let Some(cluster) = entry.cluster {
        let whole = how.grid.iter().zip(cluster).all(|(grid, side)| grid.is_multiple_of(side));
        let size: u32 = cluster.iter().product();
        let text = format!("grid {:?} in clusters of {cluster:?}", how.grid);
        rule(whole && size <= 8, Code::InvalidClusterSize, text)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::tests::machine;

    const TEXT: &str = "\
.version 8.7
.target sm_90a
.visible .entry kernel(.param .u64 .ptr .global .align 16 a, .param .align 8 .b8 b[16])
.reqntid 32, 8, 1
{
}
";

    /// Launches with a block and shared memory; what the driver says.
    fn launch(
        machine: &mut Machine,
        function: usize,
        change: impl Fn(&mut Configuration),
    ) -> Outcome {
        let mut how = Configuration { grid: [4, 1, 1], block: [32, 8, 1], shared: 0, stream: 0 };
        change(&mut how);
        let address = machine.allocate(256, 0).unwrap();
        let info = [0_u64; 2];
        let values = [(&raw const address).cast(), info.as_ptr().cast()];
        // SAFETY: the kernel has two parameters.
        let outcome = unsafe { machine.launch(function, how, values.as_ptr()) };
        machine.free(address).unwrap();
        outcome
    }

    #[test]
    fn launches_are_checked_and_counted() {
        let mut machine = machine(&[]);
        let module = machine.load(TEXT).unwrap();
        let function = machine.function(module, "kernel").unwrap();
        launch(&mut machine, function, |_| ()).unwrap();
        launch(&mut machine, function, |_| ()).unwrap();
        assert_eq!(machine.record.counter("launches"), 2);
        let refused: [fn(&mut Configuration); 5] = [
            |how| how.block = [32, 4, 1],
            |how| how.block = [0, 8, 1],
            |how| how.grid = [1, 70_000, 1],
            |how| how.grid = [0, 1, 1],
            |how| how.shared = 49 << 10,
        ];
        for change in refused {
            let failure = launch(&mut machine, function, change).unwrap_err();
            assert_eq!(failure.code, Code::InvalidValue, "{failure:?}");
        }
        assert_eq!(machine.record.counter("launches"), 2);
    }

    #[test]
    fn more_shared_memory_has_to_be_asked_for_and_ends_at_the_devices() {
        let mut machine = machine(&[]);
        let module = machine.load(TEXT).unwrap();
        let function = machine.function(module, "kernel").unwrap();
        machine.set_attribute(function, MOST_DYNAMIC_SHARED, 227 << 10).unwrap();
        launch(&mut machine, function, |how| how.shared = 227 << 10).unwrap();
        let beyond = machine.set_attribute(function, MOST_DYNAMIC_SHARED, 228 << 10);
        assert_eq!(beyond.unwrap_err().code, Code::InvalidValue);
    }

    #[test]
    fn addresses_that_are_not_allocated_are_found() {
        let mut machine = machine(&[]);
        let module = machine.load(TEXT).unwrap();
        let function = machine.function(module, "kernel").unwrap();
        let how = Configuration { grid: [1; 3], block: [32, 8, 1], shared: 0, stream: 0 };
        let (address, info) = (0x10_u64, [0_u64; 2]);
        let values = [(&raw const address).cast(), info.as_ptr().cast()];
        // SAFETY: the kernel has two parameters.
        let failure = unsafe { machine.launch(function, how, values.as_ptr()) }.unwrap_err();
        assert_eq!(failure.code, Code::IllegalAddress);
    }

    #[test]
    fn kernels_are_found_by_name() {
        let mut machine = machine(&[]);
        let module = machine.load(TEXT).unwrap();
        assert_eq!(machine.function(module, "other").unwrap_err().code, Code::NotFound);
        assert_eq!(machine.function(9, "kernel").unwrap_err().code, Code::InvalidHandle);
    }
}
