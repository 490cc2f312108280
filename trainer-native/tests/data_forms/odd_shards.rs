//! Tar files as other programs write them: names, links and headers of every kind, and several in one.

use std::fs;

use trainer_native::data::ProblemKind::*;
use trainer_native::data::picture;

use super::support::{Folder, captions};

const BLOCK: usize = 512;

/// A tar file, written header by header.
#[derive(Default)]
struct Tar(Vec<u8>);

impl Tar {
    fn header(mut self, name: &[u8], kind: u8, size: u64, link: &[u8]) -> Self {
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
    fn summed(mut self, change: impl Fn(&mut [u8])) -> Self {
        let at = self.0.len() - BLOCK;
        let block = &mut self.0[at..];
        change(block);
        block[148..156].fill(b' ');
        let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
        block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self
    }

    fn data(mut self, content: &[u8]) -> Self {
        self.0.extend(content);
        self.0.resize(self.0.len().next_multiple_of(BLOCK), 0);
        self
    }

    fn file(self, name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) -> Self {
        let content = content.as_ref();
        self.header(name.as_ref(), b'0', content.len() as u64, b"").data(content)
    }

    /// A sample: a picture and its caption.
    fn sample(self, key: impl AsRef<[u8]>, png: &[u8], caption: &str) -> Self {
        let of = |ending: &[u8]| [key.as_ref(), ending].concat();
        self.file(of(b".png"), png).file(of(b".txt"), caption)
    }

    fn end(mut self) -> Vec<u8> {
        self.0.extend([0; 2 * BLOCK]);
        self.0
    }
}

fn record(key: &str, value: &str) -> String {
    let body = key.len() + value.len() + 3;
    let length = (body + 1..).find(|length| body + length.to_string().len() == *length).unwrap();
    format!("{length} {key}={value}\n")
}

/// The pictures' bytes and captions of a shard, and what `verify` has to say.
fn read(folder: &Folder, name: &str, tar: Vec<u8>) -> (Vec<(String, Vec<u8>, String)>, String) {
    folder.write(name, tar);
    let found = match trainer_native::data::Dataset::open(&folder.spec("f30k", name)) {
        Ok(dataset) => {
            let split = dataset.split("test").unwrap();
            let texts = captions(&split);
            let sample = |(image, (id, texts)): (
                &trainer_native::data::ImageEntry,
                &(String, Vec<&str>),
            )| {
                let bytes = picture::read(&image.path).unwrap();
                assert_eq!(picture::stat(&image.path).unwrap().bytes, bytes.len() as u64);
                (id.clone(), bytes, texts.join("|"))
            };
            split.images.iter().zip(&texts).map(sample).collect()
        }
        Err(_) => Vec::new(),
    };
    (found, folder.problems(name).1)
}

#[test]
fn names_lead_to_members_and_never_to_files() {
    let folder = Folder::new();
    let pngs = [0, 1, 2, 3].map(|number| folder.png(number));
    // Pictures of the file system that the members are not to be taken for.
    let outside = folder.path("img/5.png");
    let outside = outside.to_str().unwrap();
    folder.write("b.png", folder.png(4));
    let absolute = outside.strip_suffix(".png").unwrap();
    let tar = Tar::default()
        .header(b"./", b'5', 0, b"")
        .sample("./0001", &pngs[0], "one")
        .sample("a//x/./2", &pngs[1], "two")
        .sample(absolute, &pngs[2], "three")
        .sample("c/../b", &pngs[3], "four");
    let (found, text) = read(&folder, "s.tar", tar.end());
    let ids: Vec<_> = found.iter().map(|(id, ..)| id.as_str()).collect();
    let of_absolute = format!("s{absolute}");
    assert_eq!(ids, ["s/0001", "s/a/x/2", &of_absolute, "s/b"], "{text}");
    for ((_, bytes, caption), (png, expected)) in
        found.iter().zip(pngs.iter().zip(["one", "two", "three", "four"]))
    {
        assert!(bytes == png && caption == expected, "{expected}");
    }
    assert!(text.contains("no problems"), "{text}");

    // What leads out of the tar file has no name in it.
    let tar = Tar::default().sample("../img/5", &pngs[0], "one").sample("ok", &pngs[1], "two");
    let (_, text) = read(&folder, "out.tar", tar.end());
    assert!(text.contains("member \"../img/5.png\": its name leads out of the tar file"), "{text}");
    let through = folder.path("s.tar/../img/5.png");
    assert!(picture::read(&through).is_err());
}

#[test]
fn links_lead_to_members_and_never_to_files() {
    let folder = Folder::new();
    let (png, other) = (folder.png(0), folder.png(1));
    let outside = folder.path("img/5.png");
    let tar = Tar::default()
        .file("pool/p.png", &png)
        .header(b"x/1.png", b'2', 0, b"../pool/p.png")
        .file("x/1.txt", "one")
        .header(b"x/2.png", b'1', 0, b"./pool/p.png")
        .file("x/2.txt", "two")
        .header(b"x/3.png", b'2', 0, b"2.png")
        .header(b"x/3.txt", b'1', 0, b"x/2.txt")
        .file("pool/p.txt", "late");
    let mut found = read(&folder, "l.tar", tar.end());
    // `pool/p` has its members apart.
    assert!(found.1.contains("key \"pool/p\""), "{}", found.1);
    let tar = Tar::default()
        .sample("pool/p", &png, "pool")
        .header(b"x/1.png", b'2', 0, b"../pool/p.png")
        .file("x/1.txt", "one")
        .header(b"x/2.png", b'1', 0, b"./pool/p.png")
        .file("x/2.txt", "two")
        .header(b"x/3.png", b'2', 0, b"2.png")
        .header(b"x/3.txt", b'1', 0, b"x/2.txt");
    found = read(&folder, "m.tar", tar.end());
    let texts: Vec<_> =
        found.0.iter().map(|(_, bytes, text)| (bytes == &png, text.as_str())).collect();
    assert_eq!(texts, [(true, "pool"), (true, "one"), (true, "two"), (true, "two")], "{}", found.1);

    // A hard link is of the member before it, a symbolic one of the last.
    let tar = Tar::default()
        .file("p", &png)
        .header(b"h.png", b'1', 0, b"p")
        .file("h.txt", "hard")
        .header(b"s.png", b'2', 0, b"p")
        .file("s.txt", "soft")
        .file("p", &other);
    let (found, text) = read(&folder, "o.tar", tar.end());
    assert!(found[0].1 == png && found[1].1 == other, "{text}");

    let absolute = outside.to_str().unwrap().as_bytes();
    let wrong: [(&[u8], u8, &str); 7] = [
        (absolute, b'2', "outside of the tar file"),
        (b"../../img/5.png", b'2', "outside of the tar file"),
        (absolute, b'1', "which is not in the tar file"),
        (b"gone.png", b'2', "which is not in the tar file"),
        (b"1.png", b'2', "in a circle"),
        (b"1.txt", b'1', "which is not in the tar file"),
        (b"folder", b'2', "it is a folder"),
    ];
    for (number, (link, kind, reason)) in wrong.into_iter().enumerate() {
        let tar = Tar::default()
            .header(b"x/folder/", b'5', 0, b"")
            .header(b"x/1.png", kind, 0, link)
            .file("x/1.txt", "one");
        let (found, text) = read(&folder, &format!("wrong{number}.tar"), tar.end());
        assert!(found.is_empty() && text.contains(reason), "{number}: {text}");
        assert!(picture::read(&folder.path(&format!("wrong{number}.tar/x/1.png"))).is_err());
    }
}

#[test]
fn joined_tar_files_are_read_to_their_end() {
    let folder = Folder::new();
    let (png, other) = (folder.png(0), folder.png(1));
    let first = Tar::default().sample("1", &png, "one");
    let second = Tar::default().sample("2", &other, "two").end();
    for (number, zeros) in [0, 1, 2, 21].into_iter().enumerate() {
        let tar = [first.0.clone(), vec![0; zeros * BLOCK], second.clone()].concat();
        let (found, text) = read(&folder, &format!("j{number}.tar"), tar);
        assert_eq!(found.len(), 2, "{text}");
        assert!(found[1].1 == other && found[1].2 == "two");
    }
    // The same keys again are other samples, which must not hide each other.
    let again = [first.0.clone(), Tar::default().sample("1", &other, "two").end()].concat();
    assert!(read(&folder, "again.tar", again).1.contains("two pictures, \"1.png\" and \"1.png\""));
    let behind = [second.clone(), b"more".repeat(200)].concat();
    let (_, text) = read(&folder, "behind.tar", behind);
    assert!(text.contains("stands behind the end mark"), "{text}");
    let cut = [second.clone(), first.0.clone()].concat();
    assert!(read(&folder, "cut.tar", cut).1.contains("it has no end mark"));
    let mut broken = [first.0.clone(), second].concat();
    broken[first.0.len() + 3] = b'!';
    let (_, text) = read(&folder, "broken.tar", broken);
    assert!(text.contains(&format!("at byte {} there is no header", first.0.len())), "{text}");
}

#[test]
fn names_that_are_no_utf8_are_spelt_out() {
    let folder = Folder::new();
    let (png, other) = (folder.png(0), folder.png(1));
    let tar = Tar::default().sample(b"caf\xe9", &png, "one").sample("2", &other, "two");
    let (found, text) = read(&folder, "n.tar", tar.end());
    assert_eq!(found.len(), 2, "{text}");
    assert!(found[0].0 == "n/caf\\xe9" && found[0].1 == png && found[1].1 == other);
    let tar = Tar::default().sample(b"\xe9", &png, "one").sample("\\xe9", &other, "two");
    assert!(read(&folder, "twin.tar", tar.end()).1.contains("two members are called"));
}

#[test]
fn compressed_files_are_named() {
    let folder = Folder::new();
    let start = |bytes: &[u8]| [bytes, &[7; 600]].concat();
    for (number, (magic, program)) in [
        (b"\x1f\x8b\x08\0".as_slice(), "gunzip"),
        (b"\x28\xb5\x2f\xfd", "unzstd"),
        (b"BZh9", "bunzip2"),
        (b"\xfd7zXZ\0", "unxz"),
    ]
    .into_iter()
    .enumerate()
    {
        for ending in ["tar", "tar.gz", "csv", "jsonl", "json"] {
            let name = format!("c{number}.{ending}");
            folder.write(&name, start(magic));
            let error = folder.error(&name);
            assert!(
                error.contains(&name)
                    && error.contains("compressed with")
                    && error.contains(program),
                "{error}"
            );
        }
    }
    // Beside others, or in their place.
    folder.tar("w/train-0.tar", &[("0.png", &folder.png(0)), ("0.txt", b"a")]);
    folder.write("w/train-1.tar.gz", start(b"\x1f\x8b"));
    folder.write("w/notes.gz", start(b"\x1f\x8b"));
    let (problems, text) = folder.problems("w");
    assert_eq!(problems, [(BadRecord, "train-1.tar.gz".into(), None)], "{text}");
    folder.write("only/0.tgz", start(b"\x1f\x8b"));
    assert!(folder.error("only").contains("0.tgz: it is compressed"));
    folder.write("tables/train.csv", "image,caption\n0.png,a\n");
    folder.write("tables/val.csv.zst", start(b"\x28\xb5\x2f\xfd"));
    assert!(folder.error("tables").contains("val.csv.zst: it is compressed"));
}

#[test]
fn headers_of_all_programs() {
    let folder = Folder::new();
    let pngs = [0, 1, 2, 3, 4].map(|number| folder.png(number));
    let long = format!("{}/long", "folder".repeat(40));
    let name = |ending: &str| format!("{long}.{ending}\0");
    let gnu = |tar: Tar, kind: u8, text: &str| {
        tar.header(b"././@LongLink", kind, text.len() as u64, b"").data(text.as_bytes())
    };
    let posix = |tar: Tar, kind: u8, records: String| {
        tar.header(b"PaxHeader", kind, records.len() as u64, b"").data(records.as_bytes())
    };
    let size = |size: u64| {
        move |block: &mut [u8]| {
            block[124] = 0x80;
            block[125..136].fill(0);
            block[128..136].copy_from_slice(&size.to_be_bytes());
        }
    };
    let mut tar = posix(Tar::default(), b'g', record("comment", "0123abc"));
    // GNU tar's long names, and a long link.
    tar = gnu(tar, b'L', &name("png")).file("cut.png", &pngs[0]);
    tar = gnu(tar, b'L', &name("txt")).file("cut.txt", "gnu");
    tar = gnu(tar, b'K', &name("png"))
        .header(b"link.png", b'1', 0, b"cut.png")
        .file("link.txt", "link");
    // POSIX's: a name, and a size that the header does not have.
    let records = record("path", "pose/é.png") + &record("size", &pngs[1].len().to_string());
    tar = posix(tar, b'x', records).header(b"e.png", b'0', 0, b"").data(&pngs[1]);
    tar = posix(tar, b'x', record("path", "pose/é.txt")).file("e.txt", "posix");
    // The start of a long name, a size in bytes, no magic at all, a contiguous file, an unknown kind.
    let prefix = |block: &mut [u8]| block[345..350].copy_from_slice(b"pre/f");
    tar = tar.header(b"u.png", b'0', pngs[2].len() as u64, b"").summed(prefix).data(&pngs[2]);
    tar = tar.header(b"u.txt", b'0', 5, b"").summed(prefix).data(b"ustar");
    tar = tar.header(b"v.png", 0, 0, b"").summed(size(pngs[3].len() as u64));
    tar = tar
        .data(&pngs[3])
        .header(b"v.txt", 0, 2, b"")
        .summed(|block| block[257..265].fill(0))
        .data(b"v7");
    tar = tar.header(b"old/", 0, 0, b"").header(b"fifo", b'6', 0, b"");
    tar = tar.header(b"w.png", b'7', pngs[4].len() as u64, b"").data(&pngs[4]);
    tar = tar.header(b"w.txt", b'Z', 7, b"").data(b"unknown");
    let (found, text) = read(&folder, "h.tar", tar.end());
    let found: Vec<_> =
        found.iter().map(|(id, bytes, text)| (id.as_str(), bytes, text.as_str())).collect();
    let long = format!("h/{long}");
    let expected = [
        (long.as_str(), &pngs[0], "gnu"),
        ("h/link", &pngs[0], "link"),
        ("h/pose/é", &pngs[1], "posix"),
        ("h/pre/f/u", &pngs[2], "ustar"),
        ("h/v", &pngs[3], "v7"),
        ("h/w", &pngs[4], "unknown"),
    ];
    assert!(found == expected, "{text}");

    // What is not read is named, and nothing behind it is lost.
    let png = pngs[0].as_slice();
    let next = |tar: Tar| tar.sample("ok", png, "ok").end();
    let gnu_sparse = Tar::default()
        .header(b"1.png", b'S', 512, b"")
        .summed(|block| block[482] = 1)
        .data(&[&[0; 504], [1].as_slice()].concat())
        .data(&[0; 512])
        .data(&[7; 512]);
    let pax_sparse =
        posix(Tar::default(), b'x', record("GNU.sparse.major", "1")).file("1.png", png);
    let device = Tar::default().header(b"1.png", b'3', 0, b"");
    let times = Tar::default().header(b"1.png", b'0', png.len() as u64, b"").summed(|block| {
        block[257..265].copy_from_slice(b"ustar  \0");
        block[345..356].copy_from_slice(b"14412345670");
    });
    let cases = [
        (gnu_sparse, "sparse"),
        (pax_sparse, "sparse"),
        (device, "a device"),
        (times.data(png), "incremental"),
    ];
    for (number, (tar, reason)) in cases.into_iter().enumerate() {
        let (_, text) = read(&folder, &format!("u{number}.tar"), next(tar.file("1.txt", "one")));
        assert!(text.contains("key \"1\": \"1.png\"") && text.contains(reason), "{text}");
        let ok = picture::read(&folder.path(&format!("u{number}.tar/ok.png"))).unwrap();
        assert!(ok == png && text.contains("1 problem"), "{text}");
    }
    let damaged = [
        (posix(Tar::default(), b'x', "99 path=a\n".into()), "an extended header is damaged"),
        (posix(Tar::default(), b'g', record("path", "a.png")), "the same path"),
        (Tar::default().header(b"1.png", b'0', 1 << 32, b""), "the file is truncated"),
        (Tar::default().header(b"1.png", b'0', 0, b"").summed(size(u64::MAX)), "it is damaged"),
        (Tar::default().header(b"x", b'L', 1 << 32, b""), "a header of 4294967296 bytes"),
        (Tar::default().header(b"x", b'L', 4, b"").data(b"name"), "within the headers of a member"),
    ];
    for (number, (tar, reason)) in damaged.into_iter().enumerate() {
        let (found, text) = read(&folder, &format!("d{number}.tar"), tar.end());
        assert!(found.is_empty() && text.contains(reason), "{number}: {text}");
    }
    assert!(fs::metadata(folder.path("d0.tar")).is_ok());
}

#[test]
fn members_that_cannot_be_told_apart_or_read_are_named() {
    let folder = Folder::new();
    let png = folder.png(0);
    type Members<'a> = &'a [(&'a str, &'a [u8])];
    let cases: [(Members<'_>, &str); 6] = [
        (
            &[("1.png", &png), ("1.jpg", &png), ("1.txt", b"a")],
            "two pictures, \"1.png\" and \"1.jpg\"",
        ),
        (
            &[("1.png", &png), ("1.txt", b"a"), ("1.txt", b"b")],
            "two texts, \"1.txt\" and \"1.txt\"",
        ),
        (&[("1.ico", &png), ("1.txt", b"a")], "convert the pictures to JPEG or PNG"),
        (&[("1.png", &png), ("1.txt", b"\xff\xfea\0")], "\"1.txt\": this is UTF-16 text"),
        (
            &[("1.png", &png), ("1.json", b"{\"caption\": \"a\", \"caption\": \"b\"}")],
            "stands there twice",
        ),
        (&[("1.png", &png), ("1.json", b"\xff\xfe{\0}\0")], "\"1.json\": this is UTF-16 text"),
    ];
    for (number, (members, reason)) in cases.into_iter().enumerate() {
        let name = format!("{number}.tar");
        folder.tar(&name, members);
        assert!(folder.error(&name).contains(reason), "{}", folder.error(&name));
    }
    folder.tar(
        "fine.tar",
        &[
            ("1.bmp", b"BM"),
            ("1.txt", b"\xef\xbb\xbfa\r\n\nb"),
            ("2.png", &png),
            ("2.json", b"\xef\xbb\xbf{\"caption\": \"c\"}"),
        ],
    );
    let split = folder.open("f30k", "fine.tar").split("test").unwrap();
    assert_eq!(split.captions, ["a", "b", "c"]);
}
