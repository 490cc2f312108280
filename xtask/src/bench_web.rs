//! `cargo xtask bench web`: the browser package beside onnxruntime-web, in one Chromium.
//! Everything made lies in cargo's target folder, but for the report.

use std::fs;
use std::path::Path;

use crate::python::Requirements;
use crate::shell::{Step, root, target};
use crate::terminal::note;
use crate::{python, setup, web};

/// Builds the package and the site, exports the same network for the peer, measures both and
/// writes bench/web.json and its table; false when a step failed. `--quick` is a trial of a few
/// runs that writes its figures to the target folder only.
pub fn run(arguments: &[String]) -> bool {
    let quick = arguments.iter().any(|argument| argument == "--quick");
    let folder = target().join("bench-web");
    let (site, graphs) = (web::site(), folder.join("graphs"));
    let report = if quick { folder.join("web.json") } else { root().join("bench/web.json") };
    if let Err(error) = fs::create_dir_all(&folder) {
        note!("{}: {error}", folder.display());
        return false;
    }
    let measure = || {
        Step::new("bench", "node", ["web/bench/bench.mjs"])
            .args(&["--site".into(), text(&site), "--graphs".into(), text(&graphs)])
            .args(&["--made".into(), text(&folder.join("made")), "--json".into(), text(&report)])
            .args(arguments)
            .run()
    };
    let tabulate = || Step::new("table", "node", ["web/bench/table.mjs"]).run();
    web::build(web::Native::Fresh)
        && setup::npm_ci("web/bench")
        && export(&folder, &site, &graphs)
        && measure()
        && (quick || tabulate())
}

/// The site's model as ONNX graphs, with a search graph for each synthetic gallery.
fn export(folder: &Path, site: &Path, graphs: &Path) -> bool {
    let list = Step::new("galleries", "node", ["web/bench/bench.mjs", "--list"]).captured();
    let python = python::environment(
        folder,
        &Requirements::of_peers("requirements-web.txt", "AVSE_WEB_PEERS_PYTHON"),
    );
    let (Some(list), Some(python)) = (list, python) else {
        note!("\n!!! bench: the network cannot be exported for onnxruntime-web\n");
        return false;
    };
    let galleries: Vec<String> = list.split_whitespace().map(str::to_owned).collect();
    Step::new("export", python, ["bench/peers/export_onnx.py"])
        .args(&[text(&site.join("data/model")), text(graphs)])
        .args(&["--queries".into(), "web/bench/queries.json".into(), "--search".into()])
        .args(&galleries)
        .run()
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
