//! A hub on this machine, with the few routes that hf-hub asks for.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Serves the folders `<root>/<owner>/<name>` as models.
pub struct HubServer {
    /// What `HF_ENDPOINT` must be.
    pub endpoint: String,
    requests: Arc<AtomicUsize>,
}

impl HubServer {
    pub fn start(root: &Path) -> Self {
        Self::open_to(root, None)
    }

    /// As [`HubServer::start`], private: without `token` the answer is 401, and with the token `other` 403.
    #[allow(dead_code, reason = "not every program of tests has a private model")]
    pub fn private(root: &Path, token: &'static str) -> Self {
        Self::open_to(root, Some(token))
    }

    fn open_to(root: &Path, token: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let (root, counter) = (root.to_path_buf(), Arc::clone(&requests));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                counter.fetch_add(1, Ordering::SeqCst);
                // A client that hangs up early is its own affair.
                let _ = answer(stream, &root, token);
            }
        });
        Self { endpoint, requests }
    }

    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn answer(mut stream: TcpStream, root: &Path, token: Option<&str>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().unwrap_or(Ok(String::new()))?;
    let (mut range, mut shown) = (None, None);
    for line in lines {
        let line = line?;
        let lower = line.to_ascii_lowercase();
        if lower.starts_with("authorization: bearer ") {
            shown = Some(line["authorization: bearer ".len()..].to_string());
        }
        let line = lower;
        if line.is_empty() {
            break;
        }
        if let Some(value) = line.strip_prefix("range: bytes=") {
            let (start, end) = value.split_once('-').unwrap();
            range = Some((start.parse().unwrap(), end.parse::<usize>().ok()));
        }
    }
    if token.is_some() && shown.as_deref() != token {
        let status =
            if shown.as_deref() == Some("other") { "403 Forbidden" } else { "401 Unauthorized" };
        let close = "content-length: 0\r\nconnection: close\r\n\r\n";
        return write!(stream, "HTTP/1.1 {status}\r\n{close}");
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let found = match path.strip_prefix("/api/models/") {
        Some(model) => listing(root, model).map(|text| (text.into_bytes(), "listing".to_string())),
        None => file(root, path).and_then(|path| {
            let name = path.file_name()?.to_string_lossy().into_owned();
            Some((fs::read(&path).ok()?, name))
        }),
    };
    let Some((body, etag)) = found else {
        return stream.write_all(
            b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        );
    };
    let (status, part, content_range) = match range {
        Some((start, end)) => {
            let end = end.map_or(body.len(), |end| (end + 1).min(body.len()));
            let header = format!("content-range: bytes {start}-{}/{}\r\n", end - 1, body.len());
            ("206 Partial Content", &body[start..end], header)
        }
        None => ("200 OK", &body[..], String::new()),
    };
    let length = part.len();
    write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\
         {content_range}etag: \"{etag}\"\r\nx-repo-commit: 0123abcd\r\nconnection: close\r\n\r\n"
    )?;
    stream.write_all(part)
}

fn listing(root: &Path, model: &str) -> Option<String> {
    let model = model.strip_suffix("/revision/main").unwrap_or(model);
    let files = fs::read_dir(root.join(model)).ok()?.flatten();
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    let siblings: Vec<_> = names.map(|n| serde_json::json!({ "rfilename": n })).collect();
    Some(serde_json::json!({ "sha": "0123abcd", "siblings": siblings }).to_string())
}

fn file(root: &Path, path: &str) -> Option<PathBuf> {
    let (model, file) = path.strip_prefix('/')?.split_once("/resolve/main/")?;
    Some(root.join(model).join(file))
}
