//! The hub's address, the token that opens private models, and what a refusal means.

use hf_hub::Cache;
use hf_hub::api::sync::ApiError;

use super::{Files, either, usage};
use crate::{Error, Result};

/// Where tokens are looked for, as Hugging Face's own programs do; the first that is set counts.
const TOKENS: [&str; 2] = ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"];
/// Names another file for the token.
const TOKEN_PATH: &str = "HF_TOKEN_PATH";
/// The public hub.
const PUBLIC: &str = "https://huggingface.co";

/// The hub that `HF_ENDPOINT` names, or the public one.
pub(super) fn endpoint() -> String {
    let set = variable("HF_ENDPOINT").unwrap_or_else(|| PUBLIC.to_string());
    set.trim_end_matches('/').to_string()
}

/// The access token: of the environment, else of the file that `hf auth login` wrote.
///
/// # Errors
/// [`Error::Usage`] if it cannot be one; it is not shown.
pub(super) fn token(cache: &Cache) -> Result<Option<String>> {
    let of_file = || {
        let file = variable(TOKEN_PATH).and_then(|path| std::fs::read_to_string(path).ok());
        let file = file.map(|text| text.trim().to_string()).filter(|text| !text.is_empty());
        let (path, usual) = (format!("the file that {TOKEN_PATH} names"), "the token file".into());
        file.map(|token| (path, token)).or_else(|| {
            let cache = if cache.token().is_some() { cache.clone() } else { Cache::from_env() };
            Some((usual, cache.token()?))
        })
    };
    let of_environment = TOKENS.iter().find_map(|name| Some((name.to_string(), variable(name)?)));
    let Some((place, token)) = of_environment.or_else(of_file) else { return Ok(None) };
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(usage(format!(
            "{place}: not an access token: it has spaces, line breaks or other signs in it"
        )));
    }
    Ok(Some(token))
}

/// The environment variable `name`, without the white space around it, if anything is in it.
fn variable(name: &str) -> Option<String> {
    let value = std::env::var(name).ok()?;
    let value = value.trim();
    (!value.is_empty()).then(|| value.to_string())
}

/// Why the model `name` could not be fetched, and what to do; `token`: whether one was sent.
pub(super) fn failure(name: &str, files: Files<'_>, token: bool, error: &ApiError) -> Error {
    let status = match error {
        ApiError::RequestError(error) => match **error {
            ureq::Error::StatusCode(status) => Some(status),
            _ => None,
        },
        _ => None,
    };
    let set = "set HF_TOKEN to an access token of an account that may read it";
    usage(match (status, token) {
        (Some(401), true) => {
            format!(
                "{name}: the hub does not accept the access token (HF_TOKEN, or the token file); make a new one"
            )
        }
        (Some(401), false) => format!(
            "{name}: the hub shows it to nobody without an access token. Check the name; if the \
             model is private or gated, {set}"
        ),
        (Some(403), true) => format!(
            "{name}: this access token may not read it. Ask for access on the model's page, or {set}"
        ),
        (Some(403), false) => format!("{name}: the hub refuses it (403). If it is gated, {set}"),
        (Some(404), true) => format!(
            "{name}: the hub has no such model, or the access token may not see it. Check the name"
        ),
        (Some(404), false) => format!(
            "{name}: the hub has no such model or file. Check the name; if the model is private, {set}"
        ),
        _ => {
            let files: Vec<_> = files.iter().map(|any| either(any)).collect();
            format!(
                "{name} is no local folder, and fetching it from the Hugging Face hub failed ({error}). \
                 Without a network, give the path of a folder with {} instead; \
                 for a mirror, set HF_ENDPOINT.",
                files.join(" and ")
            )
        }
    })
}
