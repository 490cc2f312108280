use std::io::Cursor;

use avse_core::metrics::Recall;
use roxmltree::{Document, Node, ParsingOptions};

use super::*;
use crate::report::Series;

/// A drawn face: another colour and mouth for every `seed`.
fn face(seed: u32) -> Vec<u8> {
    let colours = [[255, 200, 60], [110, 190, 250], [150, 215, 120], [245, 140, 150]];
    let [r, g, b] = colours[seed as usize % colours.len()];
    let smile = 0.35 - 0.2 * (seed % 4) as f32;
    let picture = image::RgbaImage::from_fn(96, 96, |x, y| {
        let (x, y) = ((x as f32 - 47.5) / 46.0, (y as f32 - 47.5) / 46.0);
        let eye = (x.abs() - 0.32).hypot((y + 0.25) * 0.7) < 0.12;
        let mouth = x.abs() < 0.45 && (y - 0.5 + smile * (x * x * 3.0 - 0.3)).abs() < 0.06;
        match x.hypot(y) {
            distance if distance > 1.0 => image::Rgba([0, 0, 0, 0]),
            _ if eye || mouth => image::Rgba([70, 45, 30, 255]),
            _ => image::Rgba([r, g, b, 255]),
        }
    });
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

fn text_query(seed: u32, sentence: &str, right: Option<usize>, target: Option<usize>) -> TextQuery {
    let captions =
        ["grinning face", "face with rolling eyes & a <smirk>", "cat", "sun", "moon face"];
    let hit = |(index, caption): (usize, &&str)| PictureHit {
        png: face(seed + index as u32),
        caption: (*caption).into(),
        score: 3.214 - 0.17 * index as f32,
        correct: Some(index) == right,
    };
    let target =
        target.map(|rank| Target { png: face(seed + 9), caption: "neutral face".into(), rank });
    TextQuery {
        sentence: sentence.into(),
        hits: captions.iter().enumerate().map(hit).collect(),
        target,
    }
}

fn image_query(seed: u32) -> ImageQuery {
    let hit = |(index, caption): (usize, &&str)| CaptionHit {
        caption: (*caption).into(),
        score: 2.9 - 0.21 * index as f32,
        correct: index % 2 == 0,
    };
    let captions = [
        "a smiley: grinning face",
        "an emoji of the group smileys and emotion that shows a grinning face with big eyes",
        "face, grin, happy, cheerful",
        "sun with face",
        "smile joy funny haha laugh",
    ];
    ImageQuery {
        png: face(seed),
        title: "grinning face with big eyes".into(),
        hits: captions.iter().enumerate().map(hit).collect(),
    }
}

fn example() -> DemoReport {
    let recall = |r1: f64| Recall {
        r1,
        r5: (r1 + 24.3).min(100.0),
        r10: (r1 + 33.9).min(100.0),
        median_rank: 1.0,
        mean_rank: 7.4,
    };
    let metrics = |a, b| RetrievalMetrics::new(recall(a), recall(b));
    let curve = |title: &str, value: fn(f64) -> f64| Chart {
        title: title.into(),
        x_label: "epoch".into(),
        y_label: title.into(),
        series: vec![Series {
            name: title.into(),
            points: (1..=30).map(f64::from).map(|epoch| (epoch, value(epoch))).collect(),
        }],
    };
    let strings = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect();
    let sentences = [
        "a yellow face that laughs with its mouth open",
        "something small & furry that purrs <quietly>",
        "the sun",
        "I would like a slice of pizza with extra cheese, and while we wait, a cup of hot tea",
    ];
    let query = |(index, sentence): (usize, &&str)| {
        text_query(index as u32, sentence, (index != 2).then_some(index % 3), None)
    };
    DemoReport {
        title: "AVSE on Emoji-1K".into(),
        generated_by: "avse 0.1.0, avse demo --size 64".into(),
        headline: vec![
            ("Emoji-1K".into(), metrics(58.1, 52.6)),
            ("Emoji-1K, unseen kinds".into(), metrics(31.0, 28.2)),
            ("Emoji-New".into(), metrics(22.5, 19.4)),
        ],
        facts: [
            ("Model", "ViT 6 x 192, BERT 4 x 192"),
            ("Parameters", "5.9 million"),
            ("Bundle", "11.8 MB"),
            ("Images", "1,000"),
            ("Captions", "5,000"),
            ("Device", "CPU, 2 threads"),
            ("Encoding and evaluation", "41 s"),
        ]
        .map(|(name, value)| (name.into(), value.into()))
        .to_vec(),
        text_queries: sentences.iter().enumerate().map(query).collect(),
        image_queries: (0..3).map(image_query).collect(),
        failures: vec![
            text_query(5, "objects: shinto shrine", None, Some(812)),
            text_query(6, "it sparkles", None, Some(640)),
        ],
        charts: vec![
            curve("Training loss", |epoch| 60.0 * (-0.15 * epoch).exp() + 4.0),
            curve("Validation rSum (of 600)", |epoch| 470.0 - 400.0 * (-0.2 * epoch).exp()),
        ],
        comparison: Some(Comparison {
            header: strings(&["Recipe", "rSum", "Minutes", "Note"]),
            rows: vec![
                strings(&["this bundle", "451.3", "118", "committed config"]),
                strings(&["official recipe", "377.0", "118", "same sizes & time"]),
            ],
        }),
        credits: strings(&["Fluent Emoji Flat, Microsoft, MIT", "OpenMoji <CC BY-SA 4.0>"]),
    }
}

/// The page through a strict parser.
fn parsed(page: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(page, options).unwrap()
}

fn named<'a>(document: &'a Document, name: &str) -> Vec<Node<'a, 'a>> {
    document.descendants().filter(|node| node.tag_name().name() == name).collect()
}

#[test]
fn shows_everything_it_is_given() {
    let report = example();
    let page = render(&report).unwrap();
    if let Some(path) = std::env::var_os("AVSE_REPORT_EXAMPLE") {
        std::fs::write(path, &page).unwrap(); // to look at
    }
    let document = parsed(&page);
    // 4 + 2 sentences with 5 hits, 2 wanted pictures, 3 pictures.
    assert_eq!(named(&document, "img").len(), 6 * 5 + 2 + 3);
    assert_eq!(page.matches("✓ right").count(), 3 + 3 * 3);
    assert_eq!(page.matches(">wanted<").count(), 2);
    assert_eq!(named(&document, "svg").len(), 4, "recalls in both directions, loss, rSum");
    let texts: Vec<&str> = document.descendants().filter_map(|node| node.text()).collect();
    for query in &report.text_queries {
        assert!(texts.contains(&query.sentence.as_str()), "{}", query.sentence);
    }
    for text in ["451.3", "OpenMoji <CC BY-SA 4.0>", "3.214", "5.9 million", "rank 812"] {
        assert!(texts.contains(&text), "{text}");
    }
}

#[test]
fn asks_for_nothing_outside() {
    let page = render(&example()).unwrap();
    let document = parsed(&page);
    for node in document.descendants() {
        assert!(!["script", "iframe", "object"].contains(&node.tag_name().name()));
        for name in ["src", "href", "srcset", "poster"] {
            assert!(node.attribute(name).is_none_or(|value| value.starts_with("data:")));
        }
    }
    assert!(!page.contains("url(") && !page.contains("@import"));
    let pictures = named(&document, "img");
    let source = pictures[0].attribute("src").unwrap();
    let data = source.strip_prefix("data:image/png;base64,").unwrap();
    use base64::prelude::{BASE64_STANDARD, Engine};
    assert_eq!(BASE64_STANDARD.decode(data).unwrap(), face(0));
}

#[test]
fn hostile_text_stays_text() {
    let evil = "\"'><script>alert(1)</script>&\u{0}";
    let mut report = example();
    report.title = evil.into();
    report.generated_by = evil.into();
    report.facts = vec![(evil.into(), evil.into())];
    report.headline[1].0 = evil.into();
    report.text_queries[0].sentence = evil.into();
    report.text_queries[0].hits[0].caption = evil.into();
    report.image_queries[0].title = evil.into();
    report.image_queries[0].hits[0].caption = evil.into();
    report.charts[0].title = evil.into();
    report.failures[0].target = Some(Target { caption: evil.into(), ..Target::default() });
    report.credits = vec![evil.into()];
    report.comparison =
        Some(Comparison { header: vec![evil.into()], rows: vec![vec![], vec![evil.into(); 3]] });
    let page = render(&report).unwrap();
    assert!(named(&parsed(&page), "script").is_empty());
    assert!(!page.contains("<script") && !page.contains('\0'));
}

#[test]
fn empty_parts_are_left_out() {
    let page = render(&DemoReport { title: "Nothing".into(), ..DemoReport::default() }).unwrap();
    let document = parsed(&page);
    assert!(named(&document, "section").is_empty());
    let bare = DemoReport {
        headline: vec![("set".into(), RetrievalMetrics { rsum: f64::NAN, ..Default::default() })],
        text_queries: vec![TextQuery::default()],
        image_queries: vec![ImageQuery::default()],
        comparison: Some(Comparison::default()),
        ..DemoReport::default()
    };
    let page = render(&bare).unwrap();
    assert!(!page.contains("NaN"));
    assert_eq!(named(&parsed(&page), "article").len(), 2);
}
