//! Python pickles read as plain data.
//!
//! A pickle is a program that may call anything. Here nothing is called: a
//! class stays its name, an object stays what it was made from. That is enough
//! for checkpoints, for the options in them, and for pickled arrays.

mod input;
mod machine;
mod value;

pub use value::Value;

use machine::Machine;
pub(super) use machine::PERSISTENT;

/// How many values one pickle may hold or unfold to; a few hundred bytes could
/// otherwise describe a structure larger than any memory.
const MAX_VALUES: usize = 10_000_000;
/// How deep values may nest.
const MAX_DEPTH: usize = 200;

/// Reads one pickle of protocol 1 to 5.
///
/// # Errors
/// What is wrong and at which byte: an unknown instruction, a pickle that ends
/// early, or one that unfolds to more than memory should hold.
pub fn read(bytes: &[u8]) -> Result<Value, String> {
    let pickle = Pickle::parse(bytes)?;
    pickle.unfold_within(pickle.root, &mut MAX_VALUES.clone())
}

/// Where a value stands in a [`Pickle`].
pub(super) type Id = usize;

/// What stands at an [`Id`]. Values are shared, and changed after they were first referred to
/// (a list is remembered empty, then filled), so they live in one place and are referred to by number.
enum Node {
    Leaf(Value),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Object(Box<Object>),
}

/// An object that is not made, as what would make it.
pub(super) struct Object {
    /// The class or function that would be called.
    class: Id,
    /// What it would be called with.
    pub arguments: Id,
    /// What would be set on the result.
    pub state: Option<Id>,
    /// What would be appended to it.
    items: Vec<Id>,
    /// What would be set in it by key.
    entries: Vec<(Id, Id)>,
}

/// A pickle's values, which may refer to each other in any way, in circles too.
pub(super) struct Pickle {
    nodes: Vec<Node>,
    /// The value that the pickle is of.
    pub root: Id,
    /// How many bytes it took.
    pub length: usize,
}

impl Pickle {
    /// Reads the pickle at the start of `bytes`.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut machine = Machine::new(bytes);
        let root =
            machine.run().map_err(|e| format!("pickle, byte {}: {e}", machine.position()))?;
        Ok(Self { root, length: machine.position(), nodes: machine.into_nodes() })
    }

    /// The value at `id` by itself, everything that it refers to included; each value takes one from `budget`.
    pub fn unfold_within(&self, id: Id, budget: &mut usize) -> Result<Value, String> {
        self.unfold(id, 0, budget)
    }

    /// What the pickle refers to outside of itself: the lists of what names each.
    pub fn references(&self) -> impl Iterator<Item = Id> {
        let objects = (0..self.nodes.len()).filter_map(|id| self.object(id));
        objects.filter(|(class, _)| *class == PERSISTENT).map(|(_, object)| object.arguments)
    }

    /// The entries of a dictionary, or of an object that is one by another name; where Python would keep the later
    /// of two, both are there.
    pub fn entries(&self, id: Id) -> Option<&[(Id, Id)]> {
        match &self.nodes[id] {
            Node::Dict(entries) => Some(entries),
            Node::Object(object) if !object.entries.is_empty() => Some(&object.entries),
            _ => None,
        }
    }

    /// The elements of a list, a tuple or a set, or of an object that is one by another name.
    pub fn list(&self, id: Id) -> Option<&[Id]> {
        match &self.nodes[id] {
            Node::List(items) => Some(items),
            Node::Object(object) if !object.items.is_empty() => Some(&object.items),
            _ => None,
        }
    }

    /// The value of `key` in a dictionary.
    pub fn get(&self, id: Id, key: &str) -> Option<Id> {
        let found = self.entries(id)?.iter().rev().find(|(k, _)| self.text(*k) == Some(key));
        found.map(|(_, value)| *value)
    }

    /// A string, also one of Python 2.
    pub fn text(&self, id: Id) -> Option<&str> {
        match &self.nodes[id] {
            Node::Leaf(Value::Text(text)) => Some(text),
            Node::Leaf(Value::Bytes(bytes)) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// An integer.
    pub fn int(&self, id: Id) -> Option<i64> {
        match self.nodes[id] {
            Node::Leaf(Value::Int(value)) => Some(value),
            Node::Leaf(Value::Bool(value)) => Some(value.into()),
            _ => None,
        }
    }

    /// A class or function, as `module.name`.
    pub fn class(&self, id: Id) -> Option<&str> {
        match &self.nodes[id] {
            Node::Leaf(Value::Class(name)) => Some(name),
            _ => None,
        }
    }

    /// An object with the name of its class.
    pub fn object(&self, id: Id) -> Option<(&str, &Object)> {
        match &self.nodes[id] {
            Node::Object(object) => Some((self.class(object.class).unwrap_or("unknown"), object)),
            _ => None,
        }
    }

    fn unfold(&self, id: Id, depth: usize, budget: &mut usize) -> Result<Value, String> {
        *budget = budget.checked_sub(1).ok_or("pickle: unfolds to too many values")?;
        if depth > MAX_DEPTH {
            return Err("pickle: nests too deeply".to_string());
        }
        if let Some(entries) = self.entries(id) {
            let mut unfold = |id: Id| self.unfold(id, depth + 1, budget);
            let entries = entries.iter().map(|(k, v)| Ok((unfold(*k)?, unfold(*v)?)));
            return Ok(Value::Dict(entries.collect::<Result<_, String>>()?));
        }
        if let Some(items) = self.list(id) {
            let items = items.iter().map(|id| self.unfold(*id, depth + 1, budget));
            return Ok(Value::List(items.collect::<Result<_, _>>()?));
        }
        Ok(match &self.nodes[id] {
            Node::Leaf(Value::Text(text)) => {
                let text = text.clone();
                *budget = budget.checked_sub(text.len()).ok_or("pickle: too much text")?;
                Value::Text(text)
            }
            Node::Leaf(value) => value.clone(),
            Node::List(_) | Node::Dict(_) => Value::None,
            Node::Object(object) => {
                let mut unfold = |id: Id| self.unfold(id, depth + 1, budget);
                Value::Object {
                    class: self.class(object.class).unwrap_or("unknown").to_string(),
                    arguments: Box::new(unfold(object.arguments)?),
                    state: Box::new(object.state.map_or(Ok(Value::None), unfold)?),
                }
            }
        })
    }
}
