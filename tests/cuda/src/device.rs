//! The GPUs that can be pretended, with their real limits.

/// A kind of GPU.
#[derive(Clone, Debug)]
pub struct Model {
    /// What the driver calls it.
    pub name: String,
    /// Compute capability.
    pub capability: (i32, i32),
    /// Bytes of memory.
    pub memory: u64,
    /// Multiprocessors.
    pub multiprocessors: i32,
    /// Bytes of shared memory of a multiprocessor.
    pub shared: i32,
    /// Bytes of the second-level cache.
    pub cache: i32,
    /// Clock of the multiprocessors in kHz.
    pub clock: i32,
    /// Clock of the memory in kHz.
    pub memory_clock: i32,
    /// Width of the memory's bus in bits.
    pub bus: i32,
}

/// Shared memory that the driver keeps for itself in every block.
const RESERVED_SHARED: i32 = 1024;
/// Shared memory of a block that has not asked for more.
pub const DEFAULT_SHARED: i32 = 48 << 10;
/// Registers of a multiprocessor, and the most that a block can have.
const REGISTERS: i32 = 65536;

impl Model {
    /// The data centre GPU of a compute capability: A100, H200 or B200.
    pub fn of(capability: &str) -> Option<Self> {
        Some(match capability {
            "8.0" => Self {
                name: "NVIDIA A100-SXM4-80GB".into(),
                capability: (8, 0),
                memory: 81_050 << 20,
                multiprocessors: 108,
                shared: 164 << 10,
                cache: 40 << 20,
                clock: 1_410_000,
                memory_clock: 1_593_000,
                bus: 5120,
            },
            "9.0" => Self {
                name: "NVIDIA H200".into(),
                capability: (9, 0),
                memory: 143_167 << 20,
                multiprocessors: 132,
                shared: 228 << 10,
                cache: 60 << 20,
                clock: 1_980_000,
                memory_clock: 3_201_000,
                bus: 6144,
            },
            "10.0" => Self {
                name: "NVIDIA B200".into(),
                capability: (10, 0),
                memory: 182_642 << 20,
                multiprocessors: 148,
                shared: 228 << 10,
                cache: 126 << 20,
                clock: 1_965_000,
                memory_clock: 3_996_000,
                bus: 8192,
            },
            _ => return None,
        })
    }

    /// The most shared memory that a block can have when it asks for it, in bytes.
    pub fn most_shared(&self) -> i32 {
        self.shared - RESERVED_SHARED
    }

    /// The value of a `CUdevice_attribute`, by its number in `cuda.h`.
    pub fn attribute(&self, number: i32, ordinal: i32) -> Option<i32> {
        Some(match number {
            1..=3 => 1024,  // threads of a block, in x, in y
            4 => 64,        // in z
            5 => i32::MAX,  // blocks of a grid in x
            6 | 7 => 65535, // in y and z
            8 => DEFAULT_SHARED,
            9 => 64 << 10,  // constant memory
            10 => 32,       // warp
            11 => i32::MAX, // pitch
            12 => REGISTERS,
            13 => self.clock,
            14 => 512, // texture alignment
            15 => 1,   // copies beside kernels
            16 => self.multiprocessors,
            17 | 18 | 20 => 0, // kernel timeout, integrated, compute mode
            19 => 1,           // host memory can be mapped
            31 | 32 => 1,      // concurrent kernels, ECC
            33 => ordinal + 1, // PCI bus
            34 | 35 | 50 => 0, // PCI device, TCC, PCI domain
            36 => self.memory_clock,
            37 => self.bus,
            38 => self.cache,
            39 => 2048, // threads of a multiprocessor
            40 => 3,    // copy engines
            41 => 1,    // unified addresses
            51 => 32,   // texture pitch alignment
            75 => self.capability.0,
            76 => self.capability.1,
            78..=80 | 83 => 1, // stream priorities, caches, managed memory
            81 => self.shared,
            82 => REGISTERS,
            84 | 85 | 86 | 88 => 0,
            87 => 2, // f32 to f64
            89 | 90 => 1,
            91 => 1,
            95 => 1, // cooperative launches
            97 => self.most_shared(),
            102 | 103 | 115 | 116 => 1,
            106 => 32, // blocks of a multiprocessor
            111 => RESERVED_SHARED,
            120 => i32::from(self.capability >= (9, 0)), // clusters
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_those_of_the_programming_guide() {
        // CUDA C++ programming guide, technical specifications per compute capability.
        for (capability, most, multiprocessors) in
            [("8.0", 163, 108), ("9.0", 227, 132), ("10.0", 227, 148)]
        {
            let model = Model::of(capability).unwrap();
            assert_eq!(model.attribute(97, 0), Some(most << 10), "{capability}");
            assert_eq!(model.attribute(16, 0), Some(multiprocessors), "{capability}");
            assert_eq!(model.attribute(8, 0), Some(48 << 10));
            let (major, minor) = (model.attribute(75, 0).unwrap(), model.attribute(76, 0).unwrap());
            assert_eq!(format!("{major}.{minor}"), capability);
        }
        assert!(Model::of("7.5").is_none());
    }
}
