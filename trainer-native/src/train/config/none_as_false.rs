//! No caption augmentation, in TOML. It has no null, and leaving the key out means the default: without
//! this, a run without augmentation would get it back from its own `run.toml`.

use avse_core::text::augmentation::CaptionAugmentation;
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use toml::Value;

pub fn serialize<S: Serializer>(
    value: &Option<CaptionAugmentation>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match value {
        Some(augmentation) => augmentation.serialize(serializer),
        None => false.serialize(serializer),
    }
}

pub fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<CaptionAugmentation>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Boolean(false) => Ok(None),
        Value::Boolean(true) => Ok(Some(CaptionAugmentation::default())),
        settings => settings.try_into().map(Some).map_err(D::Error::custom),
    }
}
