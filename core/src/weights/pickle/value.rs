//! What a pickle holds, as plain data.

use std::sync::Arc;

/// A pickled value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// `None`.
    None,
    /// `True` or `False`.
    Bool(bool),
    /// An integer of at most 64 bits.
    Int(i64),
    /// A float.
    Float(f64),
    /// A string.
    Text(String),
    /// Bytes, and strings of Python 2.
    Bytes(Arc<[u8]>),
    /// A list, a tuple or a set.
    List(Vec<Value>),
    /// A dictionary, in its order.
    Dict(Vec<(Value, Value)>),
    /// A class or function, as `module.name`.
    Class(String),
    /// An object that is not made, as what would make it.
    Object {
        /// The class or function that would be called, as `module.name`.
        class: String,
        /// What it would be called with.
        arguments: Box<Value>,
        /// What would be set on the result, or `None`.
        state: Box<Value>,
    },
}

impl Value {
    /// The value of `key` in a dictionary, or in the state of an object.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Self::Dict(entries) => {
                let found = entries.iter().find(|(k, _)| matches!(k, Self::Text(t) if t == key));
                found.map(|(_, value)| value)
            }
            Self::Object { state, .. } => state.get(key),
            _ => None,
        }
    }

    /// The value as JSON; `None` for what JSON cannot say: bytes, classes,
    /// objects, and containers with such in them.
    pub fn to_json(&self) -> Option<serde_json::Value> {
        use serde_json::Value as Json;
        Some(match self {
            Self::None => Json::Null,
            Self::Bool(v) => Json::from(*v),
            Self::Int(v) => Json::from(*v),
            Self::Float(v) => serde_json::Number::from_f64(*v)?.into(),
            Self::Text(v) => Json::from(v.as_str()),
            Self::List(v) => v.iter().map(Self::to_json).collect::<Option<Vec<_>>>()?.into(),
            Self::Dict(v) => {
                let entries = v.iter().map(|(key, value)| match key {
                    Self::Text(key) => Some((key.clone(), value.to_json()?)),
                    _ => None,
                });
                Json::Object(entries.collect::<Option<_>>()?)
            }
            Self::Bytes(_) | Self::Class(_) | Self::Object { .. } => return None,
        })
    }
}
