//! What a launch depends on, read from a module's PTX text.

use crate::device::Model;
use crate::error::{Code, Failure};

/// A module: its target and its kernels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ptx {
    /// Version of the language: 8.7 is 87.
    pub version: u32,
    /// `sm_80`, or `sm_90a`.
    pub target: String,
    /// Bytes of shared memory that its variables take.
    pub shared: u32,
    /// Its kernels.
    pub entries: Vec<Entry>,
}

/// A kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// Threads of a block, where the kernel is made for one number only.
    pub required: Option<[u32; 3]>,
    /// The most threads of a block.
    pub most: Option<u32>,
    /// Blocks of a cluster.
    pub cluster: Option<[u32; 3]>,
    /// Its parameters: whether each is an address in the GPU's memory.
    pub addresses: Vec<bool>,
}

impl Ptx {
    /// Reads a module.
    ///
    /// # Errors
    /// What is missing, as the driver's code for PTX that cannot be compiled.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let wrong = |what: &str| Code::InvalidPtx.because(format!("PTX without {what}"));
        let directive = |name: &str| {
            text.lines().find_map(|line| line.trim().strip_prefix(name)).map(str::trim)
        };
        let version = directive(".version ").ok_or_else(|| wrong(".version"))?;
        let version = version.split_once('.').and_then(|(major, minor)| {
            Some(major.parse::<u32>().ok()? * 10 + minor.parse::<u32>().ok()?)
        });
        let target = directive(".target ").ok_or_else(|| wrong(".target"))?;
        let entries: Vec<_> = text.split(".entry ").skip(1).map(Entry::parse).collect();
        if entries.is_empty() {
            return Err(wrong(".entry"));
        }
        Ok(Self {
            version: version.ok_or_else(|| wrong("a version"))?,
            target: target.split(',').next().unwrap_or(target).trim().to_owned(),
            shared: text.lines().filter_map(shared_variable).sum(),
            entries,
        })
    }

    /// Whether a driver can compile it for a GPU.
    ///
    /// # Errors
    /// The driver's error where it cannot.
    pub fn check(&self, driver: i32, model: &Model) -> Result<(), Failure> {
        let newest = newest_version(driver);
        if self.version > newest {
            let (version, target) = (self.version, &self.target);
            return Err(Code::UnsupportedPtxVersion.because(format!(
                "PTX {version} for {target}; a driver of CUDA {driver} compiles up to {newest}"
            )));
        }
        let number = self.target.trim_start_matches("sm_");
        let (major, minor) = model.capability;
        let gpu = (major * 10 + minor) as u32;
        // `sm_90a` runs on 9.0 alone, `sm_100f` in its family, `sm_90` on everything newer.
        let fits = match number.strip_suffix(['a', 'f']) {
            Some(exact) => exact.parse() == Ok(gpu),
            None => number.parse::<u32>().is_ok_and(|least| least <= gpu),
        };
        let target = &self.target;
        let message = || format!("PTX for {target} on compute capability {major}.{minor}");
        if fits { Ok(()) } else { Err(Code::NoBinaryForGpu.because(message())) }
    }
}

impl Entry {
    /// Reads what stands behind `.entry `: name, parameters in brackets, directives, body.
    fn parse(text: &str) -> Self {
        let head = text.split('{').next().unwrap_or(text);
        let name = head.split(['(', ' ', '\n', '\r', '\t']).next().unwrap_or("").to_owned();
        let (parameters, directives) = match (head.find('('), head.rfind(')')) {
            (Some(open), Some(close)) if open < close => {
                (&head[open + 1..close], &head[close + 1..])
            }
            _ => ("", head),
        };
        let dimensions = |name: &str| {
            let (_, rest) = directives.split_once(name)?;
            let numbers = rest.lines().next()?.split(',').map(|number| number.trim().parse());
            let mut all = [1; 3];
            for (slot, number) in all.iter_mut().zip(numbers) {
                *slot = number.ok()?;
            }
            Some(all)
        };
        Self {
            name,
            required: dimensions(".reqntid"),
            most: dimensions(".maxntid").map(|all| all.iter().product()),
            cluster: dimensions(".reqnctapercluster"),
            addresses: parameters
                .split(',')
                .filter(|parameter| parameter.contains(".param"))
                .map(|parameter| parameter.contains(".ptr"))
                .collect(),
        }
    }
}

/// Bytes of a variable in shared memory whose size stands in the text.
fn shared_variable(line: &str) -> Option<u32> {
    let line = line.trim();
    if !line.starts_with(".shared") || line.contains(".extern") {
        return None;
    }
    let (_, size) = line.split_once('[')?;
    let count: u32 = size.split(']').next()?.parse().ok()?;
    let width = line.split_whitespace().find_map(|word| {
        let bits = word.strip_prefix(".b").or_else(|| word.strip_prefix(".f"));
        bits.or_else(|| word.strip_prefix(".u"))?.parse::<u32>().ok()
    })?;
    Some(count * width / 8)
}

/// The newest PTX that a driver compiles: the releases' table in the PTX ISA's manual.
fn newest_version(driver: i32) -> u32 {
    const TABLE: [(i32, u32); 15] = [
        (13030, 93),
        (13020, 92),
        (13010, 91),
        (13000, 90),
        (12090, 88),
        (12080, 87),
        (12070, 86),
        (12050, 85),
        (12040, 84),
        (12030, 83),
        (12020, 82),
        (12010, 81),
        (12000, 80),
        (11080, 78),
        (11070, 77),
    ];
    TABLE.iter().find(|(first, _)| driver >= *first).map_or(70, |(_, version)| *version)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
//
.version 8.7
.target sm_90a
.address_size 64
.extern .shared .align 16 .b8 dynamic[];
.shared .align 4 .b8 fixed[96];
.visible .entry kernel(
\t.param .u64 .ptr .global .align 16 kernel_param_0,
\t.param .align 8 .b8 kernel_param_1[32]
)
.reqntid 32, 8, 1
{
\tret;
}
";

    #[test]
    fn reads_what_a_launch_depends_on() {
        let ptx = Ptx::parse(TEXT).unwrap();
        assert_eq!((ptx.version, ptx.target.as_str(), ptx.shared), (87, "sm_90a", 96));
        let entry = &ptx.entries[0];
        assert_eq!(entry.name, "kernel");
        assert_eq!(entry.required, Some([32, 8, 1]));
        assert_eq!((entry.most, entry.cluster), (None, None));
        assert_eq!(entry.addresses, [true, false]);
    }

    #[test]
    fn refuses_what_the_driver_refuses() {
        let ptx = Ptx::parse(TEXT).unwrap();
        let h200 = Model::of("9.0").unwrap();
        assert!(ptx.check(12080, &h200).is_ok());
        assert_eq!(ptx.check(12060, &h200).unwrap_err().code, Code::UnsupportedPtxVersion);
        let b200 = Model::of("10.0").unwrap();
        assert_eq!(ptx.check(13000, &b200).unwrap_err().code, Code::NoBinaryForGpu);
        assert_eq!(Ptx::parse("nothing").unwrap_err().code, Code::InvalidPtx);
    }
}
