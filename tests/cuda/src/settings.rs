//! What the stand-in pretends to be: read once from the environment.

use std::path::PathBuf;

use crate::device::Model;

/// The machine that is pretended.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How many GPUs there are.
    pub devices: usize,
    /// What they are.
    pub model: Model,
    /// What `cuDriverGetVersion` answers: 12.8 is 12080.
    pub driver: i32,
    /// Bytes of memory that another process holds on every GPU.
    pub taken: u64,
    /// From which launch on it holds them.
    pub taken_from: u64,
    /// Folder of the records; nothing is recorded without one.
    pub out: Option<PathBuf>,
    /// Whether the callers that wait for the GPU are recorded.
    pub stacks: bool,
}

impl Settings {
    /// Reads `CUDA_STANDIN_*`; README.md of this folder lists them.
    ///
    /// # Errors
    /// The variable that cannot be understood.
    pub fn from_environment() -> Result<Self, String> {
        Self::read(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    /// The same from any source of values.
    pub(crate) fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let capability = get("CUDA_STANDIN_CAPABILITY").unwrap_or_else(|| "9.0".into());
        let mut model = Model::of(&capability)
            .ok_or_else(|| format!("CUDA_STANDIN_CAPABILITY={capability}: 8.0, 9.0 or 10.0"))?;
        if let Some(name) = get("CUDA_STANDIN_NAME") {
            model.name = name;
        }
        if let Some(memory) = get("CUDA_STANDIN_MEMORY") {
            model.memory = bytes("CUDA_STANDIN_MEMORY", &memory)?;
        }
        let (mut taken, mut taken_from) = (0, 0);
        if let Some(value) = get("CUDA_STANDIN_TAKEN") {
            let (amount, from) = value.split_once('@').unwrap_or((&value, "0"));
            taken = bytes("CUDA_STANDIN_TAKEN", amount)?;
            taken_from = number("CUDA_STANDIN_TAKEN", from)?;
        }
        Ok(Self {
            devices: get("CUDA_STANDIN_DEVICES")
                .map_or(Ok(1), |value| number("CUDA_STANDIN_DEVICES", &value))?
                as usize,
            model,
            driver: get("CUDA_STANDIN_DRIVER")
                .map_or(Ok(13000), |value| number("CUDA_STANDIN_DRIVER", &value))?
                as i32,
            taken,
            taken_from,
            out: get("CUDA_STANDIN_OUT").map(PathBuf::from),
            stacks: get("CUDA_STANDIN_STACKS").is_some_and(|value| value != "0"),
        })
    }
}

fn number(name: &str, text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{name}={text}: not a number"))
}

/// A number of bytes, or of KiB, MiB or GiB with `K`, `M` or `G` behind it.
fn bytes(name: &str, text: &str) -> Result<u64, String> {
    let unit = |letter: u8| match letter {
        b'K' => Some(10),
        b'M' => Some(20),
        b'G' => Some(30),
        _ => None,
    };
    let (digits, shift) = match text.as_bytes().last().copied().and_then(unit) {
        Some(shift) => (&text[..text.len() - 1], shift),
        None => (text, 0),
    };
    Ok(number(name, digits)? << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        Settings::read(|name| {
            let found = pairs.iter().find(|(key, _)| name == format!("CUDA_STANDIN_{key}"));
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn one_h200_with_cuda_13_is_the_default() {
        let settings = with(&[]).unwrap();
        assert_eq!((settings.devices, settings.driver, settings.taken), (1, 13000, 0));
        assert_eq!(settings.model.capability, (9, 0));
    }

    #[test]
    fn everything_can_be_chosen() {
        let settings = with(&[
            ("DEVICES", "2"),
            ("CAPABILITY", "8.0"),
            ("DRIVER", "11080"),
            ("MEMORY", "24G"),
            ("TAKEN", "512M@100"),
            ("NAME", "Small"),
        ])
        .unwrap();
        assert_eq!((settings.devices, settings.driver), (2, 11080));
        assert_eq!((settings.taken, settings.taken_from), (512 << 20, 100));
        assert_eq!(settings.model.memory, 24 << 30);
        assert_eq!(settings.model.name, "Small");
    }

    #[test]
    fn what_is_wrong_is_named() {
        assert!(
            with(&[("CAPABILITY", "7.0")]).unwrap_err().contains("CUDA_STANDIN_CAPABILITY=7.0")
        );
        assert!(with(&[("MEMORY", "much")]).unwrap_err().contains("CUDA_STANDIN_MEMORY=much"));
    }
}
