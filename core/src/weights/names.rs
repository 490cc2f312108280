//! Our names of the weights and the official ones.
//!
//! One table of rules says how a path in our modules (`layers.3.norm_before.weight`)
//! is called in the official state dict (`encoder.layer.3.layernorm_before.weight`).
//! A rule is read both ways: `#` stands for any number and `*` for any last
//! part (`weight`, `bias`), and both are carried over.

mod wrapping;

pub(super) use wrapping::{respelled, unwrapped};

/// A part of the model: rules between two prefixes.
struct Section {
    ours: &'static str,
    official: &'static str,
    rules: &'static [(&'static str, &'static str)],
}

/// How the tensors of one kind of file are called.
///
/// [`OFFICIAL`](Naming::OFFICIAL) is the whole model as the official code
/// saves it, and as this project's bundles hold it; the others are one
/// Hugging Face backbone each.
#[derive(Clone, Copy)]
pub struct Naming {
    sections: &'static [Section],
    /// Tensors that such files hold and the model does not use.
    unused: &'static [&'static str],
}

const VIT: &[(&str, &str)] = &[
    ("class_token", "embeddings.cls_token"),
    ("position_embedding", "embeddings.position_embeddings"),
    ("patch_embedding.*", "embeddings.patch_embeddings.projection.*"),
    ("layers.#.norm_before.*", "encoder.layer.#.layernorm_before.*"),
    ("layers.#.attention.query.*", "encoder.layer.#.attention.attention.query.*"),
    ("layers.#.attention.key.*", "encoder.layer.#.attention.attention.key.*"),
    ("layers.#.attention.value.*", "encoder.layer.#.attention.attention.value.*"),
    ("layers.#.attention.output.*", "encoder.layer.#.attention.output.dense.*"),
    ("layers.#.norm_after.*", "encoder.layer.#.layernorm_after.*"),
    ("layers.#.feed_forward.expand.*", "encoder.layer.#.intermediate.dense.*"),
    ("layers.#.feed_forward.contract.*", "encoder.layer.#.output.dense.*"),
    ("norm.*", "layernorm.*"),
];

const SWIN: &[(&str, &str)] = &[
    ("patch_embedding.*", "embeddings.patch_embeddings.projection.*"),
    ("embedding_norm.*", "embeddings.norm.*"),
    ("stages.#.blocks.#.norm_before.*", "encoder.layers.#.blocks.#.layernorm_before.*"),
    ("stages.#.blocks.#.attention.query.*", "encoder.layers.#.blocks.#.attention.self.query.*"),
    ("stages.#.blocks.#.attention.key.*", "encoder.layers.#.blocks.#.attention.self.key.*"),
    ("stages.#.blocks.#.attention.value.*", "encoder.layers.#.blocks.#.attention.self.value.*"),
    (
        "stages.#.blocks.#.attention.relative_position_bias_table",
        "encoder.layers.#.blocks.#.attention.self.relative_position_bias_table",
    ),
    ("stages.#.blocks.#.attention.output.*", "encoder.layers.#.blocks.#.attention.output.dense.*"),
    ("stages.#.blocks.#.norm_after.*", "encoder.layers.#.blocks.#.layernorm_after.*"),
    ("stages.#.blocks.#.feed_forward.expand.*", "encoder.layers.#.blocks.#.intermediate.dense.*"),
    ("stages.#.blocks.#.feed_forward.contract.*", "encoder.layers.#.blocks.#.output.dense.*"),
    ("stages.#.merging.norm.*", "encoder.layers.#.downsample.norm.*"),
    ("stages.#.merging.reduction.*", "encoder.layers.#.downsample.reduction.*"),
    ("norm.*", "layernorm.*"),
];

const RESNET: &[(&str, &str)] = &[
    ("stem.convolution.*", "embedder.embedder.convolution.*"),
    ("stem.norm.*", "embedder.embedder.normalization.*"),
    ("stages.#.blocks.#.layers.#.convolution.*", "encoder.stages.#.layers.#.layer.#.convolution.*"),
    ("stages.#.blocks.#.layers.#.norm.*", "encoder.stages.#.layers.#.layer.#.normalization.*"),
    (
        "stages.#.blocks.#.shortcut.convolution.*",
        "encoder.stages.#.layers.#.shortcut.convolution.*",
    ),
    ("stages.#.blocks.#.shortcut.norm.*", "encoder.stages.#.layers.#.shortcut.normalization.*"),
];

const BERT: &[(&str, &str)] = &[
    ("word_embedding.*", "embeddings.word_embeddings.*"),
    ("position_embedding.*", "embeddings.position_embeddings.*"),
    ("token_type_embedding.*", "embeddings.token_type_embeddings.*"),
    ("embedding_norm.*", "embeddings.LayerNorm.*"),
    ("layers.#.attention.query.*", "encoder.layer.#.attention.self.query.*"),
    ("layers.#.attention.key.*", "encoder.layer.#.attention.self.key.*"),
    ("layers.#.attention.value.*", "encoder.layer.#.attention.self.value.*"),
    ("layers.#.attention.output.*", "encoder.layer.#.attention.output.dense.*"),
    ("layers.#.attention_norm.*", "encoder.layer.#.attention.output.LayerNorm.*"),
    ("layers.#.feed_forward.expand.*", "encoder.layer.#.intermediate.dense.*"),
    ("layers.#.feed_forward.contract.*", "encoder.layer.#.output.dense.*"),
    ("layers.#.output_norm.*", "encoder.layer.#.output.LayerNorm.*"),
];

const GPO: &[(&str, &str)] = &[
    ("weight_ih", "gru.weight_ih_l0"),
    ("weight_hh", "gru.weight_hh_l0"),
    ("bias_ih", "gru.bias_ih_l0"),
    ("bias_hh", "gru.bias_hh_l0"),
    ("weight_ih_reverse", "gru.weight_ih_l0_reverse"),
    ("weight_hh_reverse", "gru.weight_hh_l0_reverse"),
    ("bias_ih_reverse", "gru.bias_ih_l0_reverse"),
    ("bias_hh_reverse", "gru.bias_hh_l0_reverse"),
    ("score.*", "linear.*"),
];

const IMAGE_HEAD: &[(&str, &str)] = &[("projection.*", "fc.*")];

const TEXT_HEAD: &[(&str, &str)] = &[
    ("projection.*", "fc.*"),
    ("mlp_in.*", "mlp.layers.0.*"),
    ("mlp_norm.*", "mlp.bns.0.*"),
    ("mlp_out.*", "mlp.layers.1.*"),
    ("norm.*", "ln.*"),
];

/// How many steps an average of the weights is over, in files of PyTorch's `AveragedModel`.
pub const AVERAGED_STEPS: &str = "n_averaged";

impl Naming {
    /// The whole model, as the official code names it.
    pub const OFFICIAL: Self = Self {
        sections: &[
            Section { ours: "image.backbone.", official: "img_enc.visual_encoder.", rules: VIT },
            Section { ours: "image.backbone.", official: "img_enc.visual_encoder.", rules: SWIN },
            Section { ours: "image.backbone.", official: "img_enc.visual_encoder.", rules: RESNET },
            Section {
                ours: "image.head.pooling.",
                official: "img_enc.image_encoder.gpool.",
                rules: GPO,
            },
            Section { ours: "image.head.", official: "img_enc.image_encoder.", rules: IMAGE_HEAD },
            Section { ours: "text.bert.", official: "txt_enc.bert.", rules: BERT },
            Section { ours: "text.pooling.", official: "txt_enc.gpool.", rules: GPO },
            Section { ours: "text.", official: "txt_enc.", rules: TEXT_HEAD },
        ],
        unused: &[
            "img_enc.visual_encoder.pooler.dense.*",
            "img_enc.visual_encoder.embeddings.mask_token",
            "img_enc.visual_encoder.encoder.layers.#.blocks.#.attention.self.relative_position_index",
            "txt_enc.bert.embeddings.position_ids",
            "txt_enc.bert.embeddings.token_type_ids",
            "txt_enc.bert.pooler.dense.*",
            // The official MLP makes one batch norm a layer, and calls the first.
            "txt_enc.mlp.bns.1.*",
            "txt_enc.mlp.bns.0.num_batches_tracked",
            "sim_enc.bin_score",
        ],
    };

    /// The pooling operator alone, as the official code names it.
    pub const GPO: Self =
        Self { sections: &[Section { ours: "", official: "", rules: GPO }], unused: &[] };

    /// A Hugging Face ViT, bare or inside a classifier.
    pub const VIT: Self = Self {
        sections: &[Section { ours: "", official: "", rules: VIT }],
        unused: &[
            "pooler.dense.*",
            "embeddings.mask_token",
            "classifier.*",
            "cls_classifier.*",
            "distillation_classifier.*",
            "decoder.#.*",
        ],
    };

    /// A Hugging Face Swin, bare or inside a classifier.
    pub const SWIN: Self = Self {
        sections: &[Section { ours: "", official: "", rules: SWIN }],
        unused: &[
            "encoder.layers.#.blocks.#.attention.self.relative_position_index",
            "embeddings.mask_token",
            "classifier.*",
            "decoder.#.*",
        ],
    };

    /// A Hugging Face ResNet, bare or inside a classifier.
    pub const RESNET: Self = Self {
        sections: &[Section { ours: "", official: "", rules: RESNET }],
        unused: &[
            "embedder.embedder.normalization.num_batches_tracked",
            "encoder.stages.#.layers.#.layer.#.normalization.num_batches_tracked",
            "encoder.stages.#.layers.#.shortcut.normalization.num_batches_tracked",
            "classifier.#.*",
        ],
    };

    /// A Hugging Face BERT, bare or inside any of its heads.
    pub const BERT: Self = Self {
        sections: &[Section { ours: "", official: "", rules: BERT }],
        unused: &[
            "embeddings.position_ids",
            "embeddings.token_type_ids",
            "pooler.dense.*",
            "classifier.*",
            "qa_outputs.*",
            "cls.predictions.*",
            "cls.predictions.transform.dense.*",
            "cls.predictions.transform.LayerNorm.*",
            "cls.predictions.decoder.*",
            "cls.seq_relationship.*",
        ],
    };

    /// The official name of the tensor at `ours`, a path in our modules.
    pub fn to_official(&self, ours: &str) -> Option<String> {
        self.sections.iter().find_map(|section| {
            let rest = ours.strip_prefix(section.ours)?;
            let name = section.rules.iter().find_map(|(from, to)| translate(rest, from, to))?;
            Some(format!("{}{name}", section.official))
        })
    }

    /// Where the tensor with this official name stands in our modules.
    pub fn to_ours(&self, official: &str) -> Option<String> {
        self.sections.iter().find_map(|section| {
            let rest = official.strip_prefix(section.official)?;
            let path = section.rules.iter().find_map(|(to, from)| translate(rest, from, to))?;
            Some(format!("{}{path}", section.ours))
        })
    }

    /// Whether a tensor of this name is known to belong to such files without
    /// being used by the model.
    pub fn is_unused(&self, official: &str) -> bool {
        let known = |pattern: &&str| translate(official, pattern, pattern).is_some();
        official == AVERAGED_STEPS || self.unused.iter().any(known)
    }
}

/// `name` rewritten from the pattern `from` to the pattern `to`.
fn translate(name: &str, from: &str, to: &str) -> Option<String> {
    let mut numbers = Vec::new();
    let mut last = None;
    let mut parts = name.split('.');
    for pattern in from.split('.') {
        let part = parts.next()?;
        match pattern {
            "#" if !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()) => {
                numbers.push(part);
            }
            "#" => return None,
            "*" => last = Some(part),
            _ if pattern == part => {}
            _ => return None,
        }
    }
    if parts.next().is_some() {
        return None;
    }
    let mut numbers = numbers.into_iter();
    let filled = to.split('.').map(|pattern| match pattern {
        "#" => numbers.next(),
        "*" => last,
        literal => Some(literal),
    });
    Some(filled.collect::<Option<Vec<_>>>()?.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_carries_numbers_and_the_last_part() {
        let to = translate("stages.2.blocks.11.norm_after.bias", SWIN[8].0, SWIN[8].1);
        assert_eq!(to.as_deref(), Some("encoder.layers.2.blocks.11.layernorm_after.bias"));
    }

    #[test]
    fn a_rule_matches_whole_names_only() {
        for name in ["norm", "norm.weight.extra", "norm_before.weight", "layers.x.norm_after.bias"]
        {
            assert_eq!(Naming::VIT.to_official(name), None, "{name}");
        }
    }
}
