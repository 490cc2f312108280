//! Where compiled kernels, and the choices between them that were made by timing, are kept from run to run.

use std::path::PathBuf;

use cubecl_runtime::config::cache::CacheConfig;
use cubecl_runtime::config::{CubeClRuntimeConfig, RuntimeConfig};
use toml::{Table, Value};

/// The folder, in that of the user's caches; `None` where the system has no folder of caches. It may be deleted at any time.
pub fn folder() -> Option<PathBuf> {
    let variable =
        |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = if cfg!(windows) {
        variable("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        variable("HOME").map(|home| home.join("Library/Caches"))
    } else {
        variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")))
    };
    Some(caches?.join("avse").join("kernels"))
}

/// Has Burn's GPU backends keep them there. Where the user has a cubecl.toml or burn.toml that sets anything, that file
/// alone counts. To be called before any device is used.
pub fn keep() {
    let written = CubeClRuntimeConfig::from_current_dir();
    let kept = folder().and_then(|folder| in_folder(&written, folder));
    CubeClRuntimeConfig::try_set(kept.unwrap_or(written).override_from_env());
}

/// The settings with a folder for kernels; `None` where they are not the usual ones.
fn in_folder(written: &CubeClRuntimeConfig, folder: PathBuf) -> Option<CubeClRuntimeConfig> {
    let mut table = Table::try_from(written).ok()?;
    if table != Table::try_from(CubeClRuntimeConfig::default()).ok()? {
        return None;
    }
    // By name: the field is only there where something can be kept.
    let compilation = table.get_mut("compilation")?.as_table_mut()?;
    compilation.insert("cache".into(), Value::Boolean(true));
    let mut settings: CubeClRuntimeConfig = table.try_into().ok()?;
    settings.environment.path = CacheConfig::Directory(folder);
    Some(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_settings_win() {
        let usual = CubeClRuntimeConfig::default();
        let kept = in_folder(&usual, "/cache/avse".into()).unwrap();
        assert!(
            matches!(&kept.environment.path, CacheConfig::Directory(path) if path.ends_with("avse"))
        );
        assert_eq!(Table::try_from(&kept).unwrap()["compilation"]["cache"], Value::Boolean(true));
        let mut own = CubeClRuntimeConfig::default();
        own.environment.path = CacheConfig::Local;
        assert!(in_folder(&own, "/cache/avse".into()).is_none());
    }
}
