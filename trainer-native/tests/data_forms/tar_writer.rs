//! Tar files written header by header, also such that no program here would write.

pub const BLOCK: usize = 512;

/// A tar file, written header by header.
#[derive(Default)]
pub struct Tar(pub Vec<u8>);

impl Tar {
    pub fn header(mut self, name: &[u8], kind: u8, size: u64, link: &[u8]) -> Self {
        let mut block = [0; BLOCK];
        block[..name.len()].copy_from_slice(name);
        block[100..107].copy_from_slice(b"0000644");
        block[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
        block[136..147].copy_from_slice(b"00000000000");
        block[156] = kind;
        block[157..157 + link.len()].copy_from_slice(link);
        block[257..265].copy_from_slice(b"ustar\x0000");
        self.0.extend(block);
        self.summed(|_| ())
    }

    /// Changes the last header.
    pub fn summed(mut self, change: impl Fn(&mut [u8])) -> Self {
        let at = self.0.len() - BLOCK;
        let block = &mut self.0[at..];
        change(block);
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self
    }

    pub fn data(mut self, content: &[u8]) -> Self {
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
        self
    }

    pub fn file(self, name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        self.header(name.as_ref(), b'0', content.len() as u64, b"").data(content)
    }

    /// A sample: a picture and its caption.
    pub fn sample(self, key: impl AsRef<[u8]>, png: &[u8], caption: &str) -> Self {
        let of = |ending: &[u8]| [key.as_ref(), ending].concat();
        self.file(of(b".png"), png).file(of(b".txt"), caption)
    }

    pub fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 2 * BLOCK]);
        self.0
    }
}

/// A record of an extended header.
pub fn record(key: &str, value: &str) -> String {
    let body = key.len() + value.len() + 3;
    let length = (body + 1..).find(|length| body + length.to_string().len() == *length).unwrap();
    format!("{length} {key}={value}\n")
}
