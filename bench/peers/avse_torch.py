"""AVSE in PyTorch, as the official code computes it, on the ViT and BERT of transformers.

Written for bench/peers/training_steps.py and bench/gpu/peer.py from the paper and the numbers of the official code, with its
parameter names, so that an official state dict loads (with transformers 4; 5 names ViT's otherwise). Two views of each image go
through the encoder one after the other. It runs on the device of its weights; lengths stay on the host.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F
from transformers import BertConfig, BertModel, ViTConfig, ViTModel

MASKED = -10_000.0
EPSILON = 1e-8


def encode(vit, tokens):
    """The encoder blocks of transformers' ViT, which transformers 5 keeps elsewhere."""
    for block in vit.encoder.layer if hasattr(vit, "encoder") else vit.layers:
        out = block(tokens)
        tokens = out[0] if isinstance(out, tuple) else out
    return tokens


def l2_normalise(x, dim=-1):
    return x / (x.norm(dim=dim, keepdim=True) + EPSILON)


class Pooling(nn.Module):
    """Generalised pooling operator: a learnt mean of the sorted values of each dimension."""

    def __init__(self, width, hidden, temperature):
        super().__init__()
        self.width, self.temperature = width, temperature
        self.gru = nn.GRU(width, hidden, 1, batch_first=True, bidirectional=True)
        self.linear = nn.Linear(hidden, 1, bias=False)

    def codes(self, length):
        """Of the positions, on the host."""
        place = torch.arange(length, dtype=torch.float32).unsqueeze(1)
        rate = torch.exp(torch.arange(0, self.width, 2, dtype=torch.float32) * -(math.log(10_000.0) / self.width))
        codes = torch.zeros(length, self.width)
        codes[:, 0::2], codes[:, 1::2] = torch.sin(place * rate), torch.cos(place * rate)
        return codes

    def weights(self, lengths):
        device = self.linear.weight.device
        longest = int(lengths.max())
        codes = self.codes(longest).to(device).expand(len(lengths), -1, -1)
        packed = nn.utils.rnn.pack_padded_sequence(codes, lengths, batch_first=True, enforce_sorted=False)
        out, _ = nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0], batch_first=True)
        half = out.shape[2] // 2
        scores = self.linear((out[..., :half] + out[..., half:]) / 2)
        real = (torch.arange(longest)[None, :, None] < lengths[:, None, None]).to(device)
        return torch.softmax(scores.masked_fill(~real, MASKED) / self.temperature, dim=1), real

    def forward(self, features, lengths):
        weights, real = self.weights(lengths)
        features = features[:, : real.shape[1]].masked_fill(~real, MASKED)
        ordered = features.sort(dim=1, descending=True).values.masked_fill(~real, 0)
        return (ordered * weights).sum(1)


class ImageHead(nn.Module):
    def __init__(self, width, embed, pooling):
        super().__init__()
        self.fc = nn.Linear(width, embed)
        self.gpool = Pooling(*pooling)

    def forward(self, tokens):
        features = self.fc(tokens)
        count = features.shape[1]
        lengths = torch.full((len(features),), count)
        if self.training:
            # Size augmentation: most samples lose some of their tokens. Those that stay come first, in their order.
            rate = torch.rand(len(features), 1)
            keep = (torch.rand(len(features), count) > 0.2 * rate) | (rate <= 0.2)
            lengths = keep.sum(1)
            order = (~keep).long().argsort(dim=1, stable=True)[:, : int(lengths.max())]
            features = features.gather(1, order.to(features.device)[..., None].expand(-1, -1, features.shape[2]))
        return l2_normalise(self.gpool(features, lengths))


class ImageTower(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.visual_encoder = ViTModel(ViTConfig(**config["vit"]))
        self.image_encoder = ImageHead(config["vit"]["hidden_size"], config["embed_size"], config["pooling"])
        self.views = config["views"]

    def forward(self, pixels, kept=None):
        """[batch, 2 E]. `kept`, [batch, views, patches]: the patches of each view; without it, those nearest to random
        centres, where chance decides between equally distant ones as in the official code."""
        tokens = self.visual_encoder.embeddings(pixels, interpolate_pos_encoding=True)
        batch, count, width = tokens.shape
        patches = count - 1
        side = math.isqrt(patches)
        keep = int((patches + 1) * (0.8 if self.training else 0.9))
        grid = torch.stack(torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij"), -1).view(-1, 2).float()
        # The nearest patches are those of the largest weights exp(-alpha distance).
        distance = torch.cdist(grid, grid)
        views = []
        for view in range(self.views):
            if kept is None:
                centre = torch.randint(patches, (batch,))
                nearest = distance[centre].topk(keep, dim=1, largest=False).indices
            else:
                nearest = kept[:, view]
            chosen = tokens[:, 1:].gather(1, nearest.to(tokens.device)[..., None].expand(-1, -1, width))
            sequence = torch.cat([tokens[:, :1], chosen], dim=1)
            views.append(self.image_encoder(encode(self.visual_encoder, sequence)))
        return torch.cat(views, dim=1)


class Mlp(nn.Module):
    def __init__(self, width, hidden, out):
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(width, hidden), nn.Linear(hidden, out)])
        self.bns = nn.ModuleList([nn.BatchNorm1d(hidden), nn.BatchNorm1d(out)])

    def forward(self, x):
        batch, tokens, width = x.shape
        hidden = F.relu(self.bns[0](self.layers[0](x.reshape(-1, width))))
        return self.layers[1](hidden).view(batch, tokens, -1)


class TextTower(nn.Module):
    def __init__(self, config):
        super().__init__()
        width, embed = config["bert"]["hidden_size"], config["embed_size"]
        self.bert = BertModel(BertConfig(**config["bert"]))
        self.dropout = nn.Dropout(config["text_dropout"])
        self.fc = nn.Linear(width, embed)
        self.mlp = Mlp(width, embed // 2, embed)
        self.gpool = Pooling(*config["pooling"])
        self.ln = nn.LayerNorm(embed)

    def forward(self, ids, lengths):
        mask = (torch.arange(ids.shape[1])[None] < lengths[:, None]).long().to(ids.device)
        hidden = self.dropout(self.bert(ids, mask).last_hidden_state)
        return self.ln(self.gpool(self.fc(hidden) + self.mlp(hidden), lengths))


class Avse(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.width = config["block_size"]
        self.img_enc, self.txt_enc = ImageTower(config), TextTower(config)

    def scores(self, images, captions):
        """Best image block of each caption block, summed: [images, captions]."""

        def blocks(embeddings):
            return l2_normalise(l2_normalise(embeddings).view(len(embeddings), -1, self.width))

        products = torch.einsum("ikd,cjd->ickj", blocks(images), blocks(captions))
        return products.max(dim=2).values.sum(-1)


def groups(model):
    """Parameters for the optimiser: heads at 2e-4, backbones at a tenth."""
    backbones = {*map(id, model.img_enc.visual_encoder.parameters()), *map(id, model.txt_enc.bert.parameters())}
    return [
        {"params": [p for p in model.parameters() if id(p) not in backbones], "lr": 2e-4},
        {"params": [p for p in model.parameters() if id(p) in backbones], "lr": 2e-5},
    ]


def triplet_loss(scores, margin=0.2):
    """Hardest negatives of both directions, summed."""
    right = scores.diagonal()
    own = torch.eye(len(scores), dtype=torch.bool, device=scores.device)
    captions = (margin + scores - right[:, None]).clamp(min=0).masked_fill(own, 0)
    images = (margin + scores - right[None]).clamp(min=0).masked_fill(own, 0)
    return captions.max(1).values.sum() + images.max(0).values.sum()


def regulariser(images):
    """Correlation between the dimensions of both views, divided by the batch once more as the official code does."""
    first, second = images.chunk(2, dim=1)
    correlation = F.normalize(first, dim=0).T @ F.normalize(second, dim=0) / len(images)
    diagonal = correlation.diagonal()
    off = correlation - torch.diag(diagonal)
    return (diagonal - 1).square().sum() + 0.0051 * off.square().sum()
