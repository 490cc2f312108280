//! The stack machine that a pickle is a program for, without its calls.

use std::collections::HashMap;

use super::input::Input;
use super::{Id, MAX_VALUES, Node, Object, Value};

/// The class of what a pickle refers to outside of itself; no class of Python's is called so.
pub(in crate::weights) const PERSISTENT: &str = "persistent";

#[derive(Default)]
pub(super) struct Machine<'a> {
    input: Input<'a>,
    nodes: Vec<Node>,
    stack: Vec<Id>,
    marks: Vec<usize>,
    memo: HashMap<u32, Id>,
}

impl<'a> Machine<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { input: Input::new(bytes), ..Self::default() }
    }

    /// The byte after the last one that was read.
    pub fn position(&self) -> usize {
        self.input.position
    }

    pub fn into_nodes(self) -> Vec<Node> {
        self.nodes
    }

    /// Runs to the end and returns what the pickle is of.
    pub fn run(&mut self) -> Result<Id, String> {
        loop {
            if self.nodes.len() > MAX_VALUES {
                return Err("too many values".to_string());
            }
            match self.input.byte()? {
                b'.' => return self.pop(),
                instruction => self.step(instruction)?,
            }
        }
    }

    fn step(&mut self, instruction: u8) -> Result<(), String> {
        match instruction {
            // PROTO, FRAME: nothing to do.
            0x80 => drop(self.input.take(1)?),
            0x95 => drop(self.input.take(8)?),
            b'(' => self.marks.push(self.stack.len()),
            b'0' => drop(self.pop()?),
            b'1' => drop(self.pop_to_mark()?),
            b'2' => {
                let top = *self.stack.last().ok_or("empty stack")?;
                self.stack.push(top);
            }
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
            b'q' | b'r' | b'p' | 0x94 => self.remember(instruction)?,
            b'h' | b'j' | b'g' => self.recall(instruction)?,
            b'c' | 0x93 => self.class(instruction)?,
            b'R' | 0x81 => {
                let arguments = self.pop()?;
                let class = self.pop()?;
                self.object(class, arguments);
            }
            0x92 => {
                let keywords = self.pop()?;
                let arguments = self.pop()?;
                let class = self.pop()?;
                let both = self.add(Node::List(vec![arguments, keywords]));
                self.object(class, both);
            }
            b'Q' => {
                let arguments = self.pop()?;
                let class = self.add(Node::Leaf(Value::Class(PERSISTENT.to_string())));
                self.object(class, arguments);
            }
            b'b' => self.build()?,
            other => {
                let value = self.input.value(other)?;
                self.push(Node::Leaf(value));
            }
        }
        Ok(())
    }

    fn add(&mut self, node: Node) -> Id {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn push(&mut self, node: Node) {
        let id = self.add(node);
        self.stack.push(id);
    }

    fn pop(&mut self) -> Result<Id, String> {
        self.stack.pop().ok_or_else(|| "empty stack".to_string())
    }

    fn pop_to_mark(&mut self) -> Result<Vec<Id>, String> {
        let mark = self.marks.pop().filter(|mark| *mark <= self.stack.len());
        Ok(self.stack.split_off(mark.ok_or("no mark")?))
    }

    /// The number of a place in the memo, as this instruction has it.
    fn key(&mut self, instruction: u8) -> Result<u32, String> {
        Ok(match instruction {
            b'q' | b'h' => self.input.byte()?.into(),
            b'r' | b'j' => u32::from_le_bytes(self.input.array()?),
            0x94 => self.memo.len() as u32,
            _ => self.input.line()?.parse().map_err(|_| "a memo that is no number")?,
        })
    }

    fn remember(&mut self, instruction: u8) -> Result<(), String> {
        let key = self.key(instruction)?;
        let top = *self.stack.last().ok_or("empty stack")?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, instruction: u8) -> Result<(), String> {
        let key = self.key(instruction)?;
        let id = *self.memo.get(&key).ok_or_else(|| format!("no memo {key}"))?;
        self.stack.push(id);
        Ok(())
    }

    fn class(&mut self, instruction: u8) -> Result<(), String> {
        let name = if instruction == b'c' {
            let module = self.input.line()?;
            format!("{module}.{}", self.input.line()?)
        } else {
            let name = self.pop()?;
            let module = self.pop()?;
            format!("{}.{}", self.string(module)?, self.string(name)?)
        };
        self.push(Node::Leaf(Value::Class(name)));
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
            Some(Node::Object(object)) => object.items.extend_from_slice(items),
            _ => return Err("appends to what is no list".to_string()),
        }
        Ok(())
    }

    fn set_items(&mut self, items: &[Id]) -> Result<(), String> {
        let new = pairs(items)?;
        match self.stack.last().map(|id| &mut self.nodes[*id]) {
            Some(Node::Dict(entries)) => entries.extend(new),
            Some(Node::Object(object)) => object.entries.extend(new),
            _ => return Err("sets items of what is no dictionary".to_string()),
        }
        Ok(())
    }

    /// `class(*arguments)`, which for an ordered dictionary is a dictionary.
    fn object(&mut self, class: Id, arguments: Id) {
        let ordered = matches!(&self.nodes[class],
            Node::Leaf(Value::Class(name)) if name == "collections.OrderedDict");
        let dictionary = if ordered { self.ordered(arguments) } else { None };
        let (items, entries) = (Vec::new(), Vec::new());
        self.push(match dictionary {
            Some(entries) => Node::Dict(entries),
            None => {
                Node::Object(Box::new(Object { class, arguments, state: None, items, entries }))
            }
        });
    }

    /// The entries of an ordered dictionary: set afterwards, or, of Python 2, a list of pairs.
    fn ordered(&self, arguments: Id) -> Option<Vec<(Id, Id)>> {
        let list = |id: Id| match &self.nodes[id] {
            Node::List(items) => Some(items.as_slice()),
            _ => None,
        };
        let pair = |id: &Id| match list(*id)? {
            [key, value] => Some((*key, *value)),
            _ => None,
        };
        match list(arguments)? {
            [] => Some(Vec::new()),
            [pairs] => list(*pairs)?.iter().map(pair).collect(),
            _ => None,
        }
    }

    fn build(&mut self) -> Result<(), String> {
        let new = self.pop()?;
        // A dictionary's own attributes are of no interest beside its items.
        match self.stack.last().map(|id| &mut self.nodes[*id]) {
            Some(Node::Object(object)) => object.state = Some(new),
            Some(_) => {}
            None => return Err("empty stack".to_string()),
        }
        Ok(())
    }
}

fn pairs(items: &[Id]) -> Result<Vec<(Id, Id)>, String> {
    let (pairs, rest) = items.as_chunks::<2>();
    if !rest.is_empty() {
        return Err("a key without a value".to_string());
    }
    Ok(pairs.iter().map(|[key, value]| (*key, *value)).collect())
}
