//! What a search finds, and how it is shown.

use super::*;

#[test]
fn searches_rank_as_the_plain_matrix_does() {
    let fixture = Fixture::trained();
    let matrix = fixture.matrix();
    let caption = 7;
    let text = format!("Picture {} of test, sentence {}.", caption / CAPTIONS, caption % CAPTIONS);
    let column: Vec<f32> =
        matrix.iter().skip(caption).step_by(IMAGES * CAPTIONS).copied().collect();
    // The scores of 8-bit blocks are only near.
    for (precision, tolerance) in [("f32", 1e-5), ("f16", 2e-3), ("int8", 0.1)] {
        let report = fixture.build_split(precision, &["--precision", precision]);
        assert_eq!(report["items"], IMAGES);
        let answer = fixture.search(precision, &[&text]);
        check_scores(&answer, column.clone(), tolerance);
        assert_eq!(answer["exact"], precision != "int8");
        assert_eq!(answer["kind"], "images");
        let best = &answer["hits"][0];
        let path = best["path"].as_str().unwrap();
        assert!(Path::new(path).is_file() && path.ends_with(".png"), "{path}");
    }
    fixture.build_split("captions", &["--kind", "captions", "--precision", "f32"]);
    let picture = fixture.image("test4.png");
    let answer = fixture.search("captions", &["--image", picture.to_str().unwrap()]);
    let row = &matrix[4 * IMAGES * CAPTIONS..][..IMAGES * CAPTIONS];
    check_scores(&answer, row.to_vec(), 1e-5);
    assert!(answer["hits"][0]["caption"].as_str().unwrap().starts_with("Picture "));
    assert!(answer["hits"][0]["metadata"]["image"].as_str().unwrap().starts_with("test"));
}

#[test]
fn like_finds_like() {
    let fixture = Fixture::trained();
    fixture.build_split("images", &["--precision", "f32"]);
    let picture = fixture.image("test3.png");
    let answer = fixture.search("images", &["--image", picture.to_str().unwrap()]);
    // Each of its four blocks finds itself.
    assert_eq!(keys(&answer)[0], "test3");
    assert!((scores(&answer)[0] - 4.0).abs() < 1e-4, "{answer}");
    fixture.build_split("captions", &["--kind", "captions", "--precision", "f32"]);
    let answer = fixture.search("captions", &["Picture 2 of test, sentence 1."]);
    assert_eq!(answer["hits"][0]["caption"], "Picture 2 of test, sentence 1.");
    assert!((scores(&answer)[0] - 2.0).abs() < 1e-4, "{answer}");
}

#[test]
fn hits_are_shown_to_people() {
    let fixture = Fixture::trained();
    fixture.build_split("gallery", &[]);
    let page = fixture.arg("hits.html");
    let said = fixture.ask("gallery", &["a <b>cup</b>", "-k", "3", "--html", &page]).succeeds();
    let lines: Vec<&str> = said.stdout.lines().collect();
    assert_eq!(lines.len(), 5, "{}", said.stdout);
    assert!(lines[0].starts_with("rank") && lines[1].trim_start().starts_with("1 "));
    assert!(lines[1].contains(".png") && lines[4].starts_with("of 6 in "), "{}", said.stdout);
    let options = roxmltree::ParsingOptions { allow_dtd: true, ..Default::default() };
    let text = fixture.text("hits.html");
    let document = roxmltree::Document::parse_with_options(&text, options).unwrap();
    let pictures = document.descendants().filter(|node| node.has_tag_name("img"));
    let sources: Vec<_> = pictures.map(|node| node.attribute("src").unwrap()).collect();
    assert_eq!(sources.len(), 3);
    assert!(sources.iter().all(|source| source.starts_with("data:image/jpeg;base64,/9j/")));
    assert!(text.contains("a &lt;b&gt;cup&lt;/b&gt;"));

    let info = avse(["index", "info", &fixture.arg("gallery")]).succeeds().stdout;
    for part in ["6 images", "4 blocks of 16", "f16", "exact", "f30k (test)", "fingerprint"] {
        assert!(info.contains(part), "{part:?} is not in: {info}");
    }
    // Defaults: a folder called gallery where one stands, and the bundle it was built by.
    let mut here = command(["search", "a cup", "--json"]);
    let found = outcome(here.current_dir(fixture.path(""))).succeeds().json();
    assert_eq!(found["hits"].as_array().unwrap().len(), 6);
    fixture.ask("gallery", &[" "]).fails_with(&["empty"]);
    fixture.ask("gallery", &["--image", &fixture.arg("tiny.toml")]).fails_with(&["tiny.toml"]);
}
