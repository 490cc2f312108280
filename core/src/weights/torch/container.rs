//! Where in a checkpoint the model's tensors are.

use std::collections::BTreeMap;

use super::view::{View, view};
use crate::weights::names::unwrapped;
use crate::weights::pickle::{Id, Pickle};

/// The keys under which checkpoints put the state dict, if not at the root: of two the first. Averages over
/// training steps come last, as they are mostly saved beside the model.
const CONTAINERS: [&str; 13] = [
    "model",
    "state_dict",
    "model_state_dict",
    "module",
    "net",
    "network",
    "weights",
    "params",
    "ema",
    "model_ema",
    "ema_model",
    "state_dict_ema",
    "ema_state_dict",
];
/// How deep dictionaries of tensors may nest.
const MAX_DEPTH: usize = 32;
/// How many values are looked at.
const MAX_VISITS: usize = 4_000_000;

/// The model's tensors by name.
pub(super) fn views(pickle: &Pickle) -> Result<BTreeMap<String, View>, String> {
    let mut root = pickle.root;
    if let Some((class, _)) = pickle.object(root).filter(|_| view(pickle, root).is_none())
        && pickle.entries(root).is_none()
    {
        return Err(no_state_dict(pickle, "it", class, root));
    }
    for _ in 0..MAX_DEPTH {
        let held = CONTAINERS.iter().filter_map(|key| pickle.get(root, key));
        let mut held = held.filter(|id| Search::new(pickle, true).visit(*id, "", 0).is_err());
        match held.next() {
            Some(inner) => root = inner,
            None => break,
        }
    }
    let mut search = Search::new(pickle, false);
    search.visit(root, "", 0)?;
    if search.found.is_empty() {
        return Err(nothing(pickle));
    }
    Ok(search.found)
}

/// What is to be said of a checkpoint without tensors in its dictionaries.
fn nothing(pickle: &Pickle) -> String {
    for key in CONTAINERS {
        let Some(id) = pickle.get(pickle.root, key) else { continue };
        if let Some((class, _)) = pickle.object(id).filter(|_| pickle.entries(id).is_none()) {
            return no_state_dict(pickle, &format!("`{key}`"), class, id);
        }
    }
    "holds no tensors".to_string()
}

fn no_state_dict(pickle: &Pickle, what: &str, class: &str, id: Id) -> String {
    let state = pickle.object(id).and_then(|(_, object)| object.state);
    let module = state.is_some_and(|state| pickle.get(state, "_modules").is_some());
    if module || class.starts_with("__torch__.") {
        return format!(
            "{what} is a whole pickled model (class {class}), which needs the code it was made \
             with. Save its weights there: torch.save(model.state_dict(), \"weights.pth\")"
        );
    }
    format!("{what} is an object of class {class}, not a dictionary of tensors; save a state_dict")
}

/// Goes through dictionaries and lists for tensors.
struct Search<'a> {
    pickle: &'a Pickle,
    found: BTreeMap<String, View>,
    /// Whether to stop at the first tensor: with an error, whatever is wrong with it.
    first: bool,
    visits: usize,
    /// What the present value is in.
    path: Vec<Id>,
}

impl<'a> Search<'a> {
    fn new(pickle: &'a Pickle, first: bool) -> Self {
        Self { pickle, found: BTreeMap::new(), first, visits: 0, path: Vec::new() }
    }

    fn visit(&mut self, id: Id, name: &str, depth: usize) -> Result<(), String> {
        self.visits += 1;
        if depth > MAX_DEPTH || self.visits > MAX_VISITS {
            // So may only what stands beside tensors, or a file made for it.
            return if self.first { Ok(()) } else { Err(format!("`{name}` nests too deeply")) };
        }
        if self.path.contains(&id) {
            return Ok(());
        }
        if let Some(view) = view(self.pickle, id) {
            return self.insert(name, view);
        }
        self.path.push(id);
        let visited = self.visit_parts(id, name, depth);
        self.path.pop();
        visited
    }

    fn visit_parts(&mut self, id: Id, name: &str, depth: usize) -> Result<(), String> {
        let join =
            |key: &str| if name.is_empty() { key.to_string() } else { format!("{name}.{key}") };
        if let Some(entries) = self.pickle.entries(id) {
            // Of two equal keys the later one counts, as in Python.
            let mut last: BTreeMap<String, Id> = BTreeMap::new();
            for (key, value) in entries {
                let number = || self.pickle.int(*key).map(|number| number.to_string());
                if let Some(key) = self.pickle.text(*key).map(str::to_string).or_else(number) {
                    last.insert(key, *value);
                }
            }
            for (key, value) in last {
                self.visit(value, &join(&key), depth + 1)?;
            }
        } else if let Some(items) = self.pickle.list(id) {
            for (at, item) in items.iter().enumerate() {
                self.visit(*item, &join(&at.to_string()), depth + 1)?;
            }
        }
        Ok(())
    }

    fn insert(&mut self, name: &str, view: Result<View, String>) -> Result<(), String> {
        if self.first {
            return Err("found".to_string());
        }
        if name.is_empty() {
            return Err("is one tensor without a name; save a state_dict".to_string());
        }
        let view = view.map_err(|e| format!("`{name}` {e}"))?;
        let bare = unwrapped(name);
        if self.found.insert(bare.clone(), view).is_some() {
            return Err(format!("`{bare}` is there twice, once as `{name}`"));
        }
        Ok(())
    }
}
