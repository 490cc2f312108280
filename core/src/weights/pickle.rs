//! Python pickles read as plain data.
//!
//! A pickle is a program that may call anything. Here nothing is called: a
//! class stays its name, an object stays what it was made from. That is enough
//! for the options in an official checkpoint and for pickled arrays.

mod value;

use std::collections::HashMap;

pub use value::Value;

/// How many values one pickle may unfold to; a few hundred bytes could
/// otherwise describe a structure larger than any memory.
const MAX_VALUES: usize = 10_000_000;
/// How deep values may nest.
const MAX_DEPTH: usize = 200;

/// Reads one pickle of protocol 2 to 5.
///
/// # Errors
/// What is wrong and at which byte: an unknown instruction, a pickle that ends
/// early, or one that unfolds to more than memory should hold.
pub fn read(bytes: &[u8]) -> Result<Value, String> {
    let mut machine = Machine { bytes, ..Machine::default() };
    let root = machine.run().map_err(|e| format!("pickle, byte {}: {e}", machine.position))?;
    let mut budget = MAX_VALUES;
    machine.unfold(root, 0, &mut budget)
}

/// Where a node stands in the arena. Values are shared through the memo and
/// changed later (a list is memoised empty, then filled), so they live in one
/// place and are referred to by number until the end.
type Id = usize;

enum Node {
    Leaf(Value),
    List(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Object { class: Id, arguments: Id, state: Option<Id> },
}

#[derive(Default)]
struct Machine<'a> {
    bytes: &'a [u8],
    position: usize,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    fn run(&mut self) -> Result<Id, String> {
        loop {
            let instruction = self.byte()?;
            match instruction {
                // PROTO, FRAME: nothing to do.
                0x80 => drop(self.take(1)?),
                0x95 => drop(self.take(8)?),
                b'.' => return self.pop(),
                b'(' => self.marks.push(self.stack.len()),
                b'0' => drop(self.pop()?),
                b'1' => drop(self.pop_to_mark()?),
                b'2' => {
                    let top = *self.stack.last().ok_or("empty stack")?;
                    self.stack.push(top);
                }
                b'N' => self.leaf(Value::None),
                0x88 => self.leaf(Value::Bool(true)),
                0x89 => self.leaf(Value::Bool(false)),
                b'J' => {
                    let value = i32::from_le_bytes(self.array()?);
                    self.leaf(Value::Int(value.into()));
                }
                b'K' => {
                    let value = self.byte()?;
                    self.leaf(Value::Int(value.into()));
                }
                b'M' => {
                    let value = u16::from_le_bytes(self.array()?);
                    self.leaf(Value::Int(value.into()));
                }
                0x8a => {
                    let length = self.byte()?.into();
                    let value = long(self.take(length)?);
                    self.leaf(value);
                }
                b'G' => {
                    let value = f64::from_be_bytes(self.array()?);
                    self.leaf(Value::Float(value));
                }
                0x8c | b'X' | 0x8d => self.text(instruction)?,
                b'U' | b'C' | b'T' | b'B' | 0x8e => self.raw(instruction)?,
                b')' | b']' | 0x8f => self.push(Node::List(Vec::new())),
                b'}' => self.push(Node::Dict(Vec::new())),
                0x85..=0x87 => {
                    let from = self.stack.len().checked_sub((instruction - 0x84).into());
                    let items = self.stack.split_off(from.ok_or("empty stack")?);
                    self.push(Node::List(items));
                }
                b't' | b'l' | 0x91 => {
                    let items = self.pop_to_mark()?;
                    self.push(Node::List(items));
                }
                b'd' => {
                    let items = self.pop_to_mark()?;
                    self.push(Node::Dict(pairs(&items)?));
                }
                b'a' => {
                    let item = self.pop()?;
                    self.append(&[item])?;
                }
                b'e' | 0x90 => {
                    let items = self.pop_to_mark()?;
                    self.append(&items)?;
                }
                b's' => {
                    let value = self.pop()?;
                    let key = self.pop()?;
                    self.set_items(&[key, value])?;
                }
                b'u' => {
                    let items = self.pop_to_mark()?;
                    self.set_items(&items)?;
                }
                b'q' => {
                    let key = self.byte()?.into();
                    self.remember(key)?;
                }
                b'r' => {
                    let key = u32::from_le_bytes(self.array()?);
                    self.remember(key)?;
                }
                0x94 => self.remember(self.memo.len() as u32)?,
                b'h' => {
                    let key = self.byte()?.into();
                    self.recall(key)?;
                }
                b'j' => {
                    let key = u32::from_le_bytes(self.array()?);
                    self.recall(key)?;
                }
                b'c' => {
                    let module = self.line()?;
                    let name = self.line()?;
                    self.leaf(Value::Class(format!("{module}.{name}")));
                }
                0x93 => {
                    let name = self.pop()?;
                    let module = self.pop()?;
                    let class = format!("{}.{}", self.string(module)?, self.string(name)?);
                    self.leaf(Value::Class(class));
                }
                b'R' | 0x81 => {
                    let arguments = self.pop()?;
                    let class = self.pop()?;
                    self.object(class, arguments);
                }
                0x92 => {
                    let keywords = self.pop()?;
                    let arguments = self.pop()?;
                    let class = self.pop()?;
                    self.push(Node::List(vec![arguments, keywords]));
                    let both = self.pop()?;
                    self.object(class, both);
                }
                b'Q' => {
                    let arguments = self.pop()?;
                    self.leaf(Value::Class("persistent".to_string()));
                    let class = self.pop()?;
                    self.object(class, arguments);
                }
                b'b' => self.build()?,
                other => return Err(format!("unknown instruction {other:#04x}")),
            }
        }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let end = self.position.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or("ends early")?;
        let taken = &self.bytes[self.position..end];
        self.position = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| "ends early".to_string())
    }

    fn byte(&mut self) -> Result<u8, String> {
        Ok(self.array::<1>()?[0])
    }

    fn line(&mut self) -> Result<String, String> {
        let rest = self.bytes.get(self.position..).unwrap_or_default();
        let length = rest.iter().position(|b| *b == b'\n').ok_or("ends early")?;
        let line = self.take(length + 1)?;
        Ok(String::from_utf8_lossy(&line[..length]).into_owned())
    }

    /// A length written in 1, 4 or 8 bytes.
    fn length(&mut self, width: usize) -> Result<usize, String> {
        let mut value = [0; 8];
        value[..width].copy_from_slice(self.take(width)?);
        usize::try_from(u64::from_le_bytes(value)).map_err(|_| "ends early".to_string())
    }

    fn text(&mut self, instruction: u8) -> Result<(), String> {
        let width = match instruction {
            0x8c => 1,
            b'X' => 4,
            _ => 8,
        };
        let length = self.length(width)?;
        let text = String::from_utf8_lossy(self.take(length)?).into_owned();
        self.leaf(Value::Text(text));
        Ok(())
    }

    fn raw(&mut self, instruction: u8) -> Result<(), String> {
        let width = match instruction {
            b'U' | b'C' => 1,
            b'T' | b'B' => 4,
            _ => 8,
        };
        let length = self.length(width)?;
        let bytes = self.take(length)?.into();
        self.leaf(Value::Bytes(bytes));
        Ok(())
    }

    fn push(&mut self, node: Node) {
        self.stack.push(self.nodes.len());
        self.nodes.push(node);
    }

    fn leaf(&mut self, value: Value) {
        self.push(Node::Leaf(value));
    }

    fn pop(&mut self) -> Result<Id, String> {
        self.stack.pop().ok_or_else(|| "empty stack".to_string())
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().filter(|mark| *mark <= self.stack.len());
        Ok(self.stack.split_off(mark.ok_or("no mark")?))
    }

    fn remember(&mut self, key: u32) -> Result<(), String> {
        let top = *self.stack.last().ok_or("empty stack")?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Result<(), String> {
        let id = *self.memo.get(&key).ok_or_else(|| format!("no memo {key}"))?;
        self.stack.push(id);
        Ok(())
    }

    fn string(&self, id: Id) -> Result<&str, String> {
        match &self.nodes[id] {
            Node::Leaf(Value::Text(text)) => Ok(text),
            _ => Err("a name that is no string".to_string()),
        }
    }

    fn append(&mut self, items: &[Id]) -> Result<(), String> {
        match self.stack.last().map(|id| &mut self.nodes[*id]) {
            Some(Node::List(list)) => list.extend_from_slice(items),
            // A list-like object: what it holds is its own affair.
            Some(Node::Object { .. }) => {}
            _ => return Err("appends to what is no list".to_string()),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Result<(), String> {
        let entries = pairs(items)?;
        match self.stack.last().map(|id| &mut self.nodes[*id]) {
            Some(Node::Dict(dict)) => dict.extend(entries),
            Some(Node::Object { .. }) => {}
            _ => return Err("sets items of what is no dictionary".to_string()),
        }
        Ok(())
    }

    /// `class(*arguments)`, which for an ordered dictionary is a dictionary.
    fn object(&mut self, class: Id, arguments: Id) {
        let ordered = matches!(&self.nodes[class],
            Node::Leaf(Value::Class(name)) if name == "collections.OrderedDict");
        let empty = matches!(&self.nodes[arguments], Node::List(items) if items.is_empty());
        self.push(if ordered && empty {
            Node::Dict(Vec::new())
        } else {
            Node::Object { class, arguments, state: None }
        });
    }

    fn build(&mut self) -> Result<(), String> {
        let new = self.pop()?;
        // A dictionary's own attributes are of no interest beside its items.
        match self.stack.last().map(|id| &mut self.nodes[*id]) {
            Some(Node::Object { state, .. }) => *state = Some(new),
            Some(_) => {}
            None => return Err("empty stack".to_string()),
        }
        Ok(())
    }

    fn unfold(&self, id: Id, depth: usize, budget: &mut usize) -> Result<Value, String> {
        *budget = budget.checked_sub(1).ok_or("pickle: unfolds to too many values")?;
        if depth > MAX_DEPTH {
            return Err("pickle: nests too deeply".to_string());
        }
        let mut unfold = |id: Id| self.unfold(id, depth + 1, budget);
        Ok(match &self.nodes[id] {
            Node::Leaf(Value::Text(text)) => {
                let text = text.clone();
                *budget = budget.checked_sub(text.len()).ok_or("pickle: too much text")?;
                Value::Text(text)
            }
            Node::Leaf(value) => value.clone(),
            Node::List(items) => {
                Value::List(items.iter().map(|id| unfold(*id)).collect::<Result<_, _>>()?)
            }
            Node::Dict(entries) => {
                let entries = entries.iter().map(|(k, v)| Ok((unfold(*k)?, unfold(*v)?)));
                Value::Dict(entries.collect::<Result<_, String>>()?)
            }
            Node::Object { class, arguments, state } => Value::Object {
                class: match unfold(*class)? {
                    Value::Class(name) => name,
                    _ => "unknown".to_string(),
                },
                arguments: Box::new(unfold(*arguments)?),
                state: Box::new(state.map_or(Ok(Value::None), unfold)?),
            },
        })
    }
}

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>, String> {
    let (pairs, rest) = items.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("a key without a value".to_string());
    }
    Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect())
}

/// A little-endian two's-complement integer; one too wide becomes a float.
fn long(bytes: &[u8]) -> Value {
    let sign = if bytes.last().is_some_and(|b| b & 0x80 != 0) { 0xff } else { 0 };
    if bytes.len() <= 8 {
        let mut wide = [sign; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        return Value::Int(i64::from_le_bytes(wide));
    }
    let magnitude = bytes.iter().rev().fold(0.0, |sum, b| sum * 256.0 + f64::from(b ^ sign));
    Value::Float(if sign == 0 { magnitude } else { -magnitude - 1.0 })
}
