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
/// Where the averages begin.
const AVERAGES: usize = 8;
/// How deep dictionaries of tensors may nest.
const MAX_DEPTH: usize = 32;
/// How much is looked at: values, and letters of their names. A file can name a few values very often.
const MOST_WORK: usize = 64_000_000;

/// The model's tensors by name.
pub(super) fn views(pickle: &Pickle) -> Result<BTreeMap<String, View>, String> {
    let mut root = pickle.root;
    if let Some((class, _)) = pickle.object(root).filter(|_| view(pickle, root).is_none())
        && pickle.entries(root).is_none()
    {
        return Err(no_state_dict(pickle, "it", class, root));
    }
    let mut work = MOST_WORK;
    for _ in 0..MAX_DEPTH {
        let entries = pickle.entries(root).unwrap_or_default();
        let own = entries.iter().filter(|(_, value)| view(pickle, *value).is_some()).count();
        // With more tensors beside it than in it, it is something else: an average, or a tensor of that name.
        let mut is_container =
            |id: Id| view(pickle, id).is_none() && tensors(pickle, id, own + 1, &mut work, 0) > own;
        let mut held = CONTAINERS
            .iter()
            .enumerate()
            .filter_map(|(at, key)| Some((at, pickle.get(root, key)?)));
        let inner = held.find(|(_, id)| is_container(*id));
        // Whoever saved the model as a whole means it, and not the average beside it.
        if inner.is_none_or(|(at, _)| at >= AVERAGES)
            && let Some(message) = whole_model(pickle, root)
        {
            return Err(message);
        }
        match inner {
            Some((_, inner)) => root = inner,
            None => break,
        }
    }
    let mut search = Search { pickle, found: BTreeMap::new(), work, path: Vec::new() };
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

/// What is to be said where a container's key holds a whole pickled model.
fn whole_model(pickle: &Pickle, root: Id) -> Option<String> {
    CONTAINERS.iter().find_map(|key| {
        let id = pickle.get(root, key)?;
        let (class, object) = pickle.object(id).filter(|_| pickle.entries(id).is_none())?;
        pickle.get(object.state?, "_modules")?;
        Some(no_state_dict(pickle, &format!("`{key}`"), class, id))
    })
}

/// How many tensors there are in dictionaries and lists, counted up to `enough`, while there is `work` left.
fn tensors(pickle: &Pickle, id: Id, enough: usize, work: &mut usize, depth: usize) -> usize {
    if *work == 0 || depth > MAX_DEPTH {
        return 0;
    }
    *work -= 1;
    if view(pickle, id).is_some() {
        return 1;
    }
    let mut found = 0;
    let entries = pickle.entries(id).unwrap_or_default().iter().map(|(_, value)| *value);
    let items = pickle.list(id).unwrap_or_default().iter().copied();
    for inner in entries.chain(items) {
        if found >= enough {
            break;
        }
        found += tensors(pickle, inner, enough - found, work, depth + 1);
    }
    found
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
    /// What is left of [`MOST_WORK`].
    work: usize,
    /// What the present value is in.
    path: Vec<Id>,
}

impl Search<'_> {
    fn visit(&mut self, id: Id, name: &str, depth: usize) -> Result<(), String> {
        let work = self.work.checked_sub(1 + name.len()).filter(|_| depth <= MAX_DEPTH);
        let Some(work) = work else {
            let start: String = name.chars().take(100).collect();
            return Err(format!("`{start}` nests too deeply, or has too long a name"));
        };
        self.work = work;
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
