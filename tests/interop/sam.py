"""SAM (image encoder, prompts, mask decoder) in PyTorch, out of a state dict with its official names.

Sizes come from the shapes; the decoder has 8 heads. A second implementation, to hold medgraft's against.
"""
import math

import torch
import torch.nn.functional as F

SIZES = {  # side, width, blocks, heads, window, global blocks
    "small": (128, 64, 4, 4, 3, (1, 3)),
    "vit_b": (1024, 768, 12, 12, 14, (2, 5, 8, 11)),
}
HEADS = 8


def shapes(side, width, blocks, heads, window, global_blocks, E=256, m=16):
    grid, out = side // 16, {}

    def affine(name, *shape, bias=None):
        out[name + ".weight"] = shape
        out[name + ".bias"] = (bias or shape[0],)

    def attention(name, inner):
        for part in "qkv":
            affine(f"{name}.{part}_proj", inner, E)
        affine(name + ".out_proj", E, inner)

    e, p, d = "image_encoder.", "prompt_encoder.", "mask_decoder."
    out[e + "pos_embed"] = (1, grid, grid, width)
    affine(e + "patch_embed.proj", width, 3, 16, 16)
    for i in range(blocks):
        b, rows = f"{e}blocks.{i}.", 2 * (grid if i in global_blocks else window) - 1
        for axis in "hw":
            out[f"{b}attn.rel_pos_{axis}"] = (rows, width // heads)
        affine(b + "attn.qkv", 3 * width, width)
        affine(b + "attn.proj", width, width)
        affine(b + "mlp.lin1", 4 * width, width)
        affine(b + "mlp.lin2", width, 4 * width)
        affine(b + "norm1", width)
        affine(b + "norm2", width)
    out[e + "neck.0.weight"] = (E, width, 1, 1)
    out[e + "neck.2.weight"] = (E, E, 3, 3)
    affine(e + "neck.1", E)
    affine(e + "neck.3", E)
    out[p + "pe_layer.positional_encoding_gaussian_matrix"] = (2, E // 2)
    for name in [f"point_embeddings.{k}" for k in range(4)] + ["not_a_point_embed", "no_mask_embed"]:
        out[f"{p}{name}.weight"] = (1, E)
    for k, shape in ((0, (m // 4, 1, 2, 2)), (1, (m // 4,)), (3, (m, m // 4, 2, 2)), (4, (m,)),
                     (6, (E, m, 1, 1))):
        affine(f"{p}mask_downscaling.{k}", *shape)
    for i in range(2):
        b = f"{d}transformer.layers.{i}."
        attention(b + "self_attn", E)
        attention(b + "cross_attn_token_to_image", E // 2)
        attention(b + "cross_attn_image_to_token", E // 2)
        affine(b + "mlp.lin1", 2048, E)
        affine(b + "mlp.lin2", E, 2048)
        for k in range(1, 5):
            affine(f"{b}norm{k}", E)
    attention(d + "transformer.final_attn_token_to_image", E // 2)
    affine(d + "transformer.norm_final_attn", E)
    out[d + "iou_token.weight"] = (1, E)
    out[d + "mask_tokens.weight"] = (4, E)
    affine(d + "output_upscaling.0", E, E // 4, 2, 2, bias=E // 4)
    affine(d + "output_upscaling.1", E // 4)
    affine(d + "output_upscaling.3", E // 4, E // 8, 2, 2, bias=E // 8)
    for k in range(4):
        for j, rows in enumerate((E, E, E // 8)):
            affine(f"{d}output_hypernetworks_mlps.{k}.layers.{j}", rows, E)
    for j, rows in enumerate((E, E, 4)):
        affine(f"{d}iou_prediction_head.layers.{j}", rows, E)
    return out


def random_state(size):
    """Values with which no part of the network is idle."""
    torch.manual_seed(1)
    state = {}
    for name, shape in shapes(*SIZES[size]).items():
        fan = math.prod(shape[1:]) if len(shape) > 1 else 16
        state[name] = torch.randn(shape) / math.sqrt(fan)
        if len(shape) == 1 and name.endswith("weight"):
            state[name] = 1 + 0.2 * state[name]
        if "_embed" in name and "proj" not in name or name.endswith(("token.weight", "tokens.weight")):
            state[name] = torch.randn(shape) * (0.1 if "pos_embed" in name else 1)
    return state


def linear(P, n, x):
    return F.linear(x, P[n + ".weight"], P[n + ".bias"])


def norm(P, n, x, eps):
    return F.layer_norm(x, x.shape[-1:], P[n + ".weight"], P[n + ".bias"], eps)


def norm_map(P, n, x):
    return norm(P, n, x.permute(0, 2, 3, 1), 1e-6).permute(0, 3, 1, 2)


def self_attention(P, n, x):
    """x [B, H, W, D] with relative positions of the queries as they are, not scaled."""
    B, H, W, D = x.shape
    width = P[n + ".rel_pos_h"].shape[1]
    qkv = linear(P, n + ".qkv", x).reshape(B, H * W, 3, D // width, width).permute(2, 0, 3, 1, 4)
    q, k, v = qkv.reshape(3, B * (D // width), H * W, width)
    table = [P[f"{n}.rel_pos_{a}"][torch.arange(s)[:, None] - torch.arange(s) + s - 1]
             for a, s in (("h", H), ("w", W))]
    grid = q.reshape(-1, H, W, width)
    logits = ((q / math.sqrt(width)) @ k.transpose(1, 2)).reshape(-1, H, W, H, W)
    logits = (logits + torch.einsum("bhwc,hkc->bhwk", grid, table[0])[..., None]
              + torch.einsum("bhwc,wkc->bhwk", grid, table[1])[..., None, :])
    out = logits.reshape(-1, H * W, H * W).softmax(-1) @ v
    out = out.reshape(B, D // width, H, W, width).permute(0, 2, 3, 1, 4).reshape(B, H, W, D)
    return linear(P, n + ".proj", out)


def windowed(P, n, x, w):
    B, H, W, D = x.shape
    x = F.pad(x, (0, 0, 0, -W % w, 0, -H % w))
    rows, cols = x.shape[1] // w, x.shape[2] // w
    x = x.reshape(B, rows, w, cols, w, D).transpose(2, 3).reshape(-1, w, w, D)
    x = self_attention(P, n, x).reshape(B, rows, cols, w, w, D).transpose(2, 3)
    return x.reshape(B, rows * w, cols * w, D)[:, :H, :W]


def encode(P, image):
    """[1, 3, S, S], normalised and padded -> [1, E, S/16, S/16]."""
    e = "image_encoder."
    x = F.conv2d(image, P[e + "patch_embed.proj.weight"], P[e + "patch_embed.proj.bias"], stride=16)
    x = x.permute(0, 2, 3, 1) + P[e + "pos_embed"]
    i = 0
    while f"{e}blocks.{i}.norm1.weight" in P:
        b = f"{e}blocks.{i}."
        side = (P[b + "attn.rel_pos_h"].shape[0] + 1) // 2
        y = norm(P, b + "norm1", x, 1e-6)
        x = x + (self_attention(P, b + "attn", y) if side == x.shape[1]
                 else windowed(P, b + "attn", y, side))
        y = F.gelu(linear(P, b + "mlp.lin1", norm(P, b + "norm2", x, 1e-6)))
        x = x + linear(P, b + "mlp.lin2", y)
        i += 1
    y = norm_map(P, e + "neck.1", F.conv2d(x.permute(0, 3, 1, 2), P[e + "neck.0.weight"]))
    return norm_map(P, e + "neck.3", F.conv2d(y, P[e + "neck.2.weight"], padding=1))


def code(P, xy):
    """Fourier code of places in 0..1, [..., 2] as (x, y)."""
    g = P["prompt_encoder.pe_layer.positional_encoding_gaussian_matrix"]
    a = 2 * math.pi * ((2 * xy - 1) @ g)
    return torch.cat([a.sin(), a.cos()], -1)


def prompt_tokens(P, side, clicks, box):
    """Clicks [(x, y, inside)] with the token for 'no box', or a box (x0, y0, x1, y1)."""
    p, rows = "prompt_encoder.", []
    for x, y, inside in clicks or ():
        rows.append(code(P, (torch.tensor([x, y]) + 0.5) / side)
                    + P[f"{p}point_embeddings.{inside}.weight"][0])
    if box is None:
        rows.append(P[p + "not_a_point_embed.weight"][0])
    else:
        for k in range(2):
            corner = (torch.tensor(box[2 * k:2 * k + 2]) + 0.5) / side
            rows.append(code(P, corner) + P[f"{p}point_embeddings.{2 + k}.weight"][0])
    return torch.stack(rows)[None]


def attention(P, n, q, k, v):
    q, k, v = (linear(P, f"{n}.{c}_proj", x) for c, x in zip("qkv", (q, k, v)))
    q, k, v = (x.reshape(1, x.shape[1], HEADS, -1).transpose(1, 2) for x in (q, k, v))
    out = ((q @ k.transpose(2, 3)) / math.sqrt(q.shape[-1])).softmax(-1) @ v
    return linear(P, n + ".out_proj", out.transpose(1, 2).flatten(2))


def two_way(P, tokens, keys, places):
    q, t = tokens, "mask_decoder.transformer."
    for i in range(2):
        b = f"{t}layers.{i}."
        if i == 0:  # the first layer replaces the queries
            q = attention(P, b + "self_attn", q, q, q)
        else:
            q = q + attention(P, b + "self_attn", q + tokens, q + tokens, q)
        q = norm(P, b + "norm1", q, 1e-5)
        q = q + attention(P, b + "cross_attn_token_to_image", q + tokens, keys + places, keys)
        q = norm(P, b + "norm2", q, 1e-5)
        q = q + linear(P, b + "mlp.lin2", linear(P, b + "mlp.lin1", q).relu())
        q = norm(P, b + "norm3", q, 1e-5)
        keys = keys + attention(P, b + "cross_attn_image_to_token", keys + places, q + tokens, q)
        keys = norm(P, b + "norm4", keys, 1e-5)
    q = q + attention(P, t + "final_attn_token_to_image", q + tokens, keys + places, keys)
    return norm(P, t + "norm_final_attn", q, 1e-5), keys


def head(P, n, x):
    for j in range(2):
        x = linear(P, f"{n}.layers.{j}", x).relu()
    return linear(P, f"{n}.layers.2", x)


def decode(P, embedding, sparse):
    """Logits [4, 4 g, 4 g] and predicted IoU [4]."""
    d, g = "mask_decoder.", embedding.shape[2]
    step = (torch.arange(g) + 0.5) / g
    places = code(P, torch.stack(torch.meshgrid(step, step, indexing="xy"), -1)).reshape(1, g * g, -1)
    tokens = torch.cat([P[d + "iou_token.weight"], P[d + "mask_tokens.weight"], sparse[0]])[None]
    src = embedding + P["prompt_encoder.no_mask_embed.weight"].reshape(1, -1, 1, 1)
    hs, keys = two_way(P, tokens, src.flatten(2).transpose(1, 2), places)
    u, up = d + "output_upscaling.", keys.transpose(1, 2).reshape(embedding.shape)
    up = F.conv_transpose2d(up, P[u + "0.weight"], P[u + "0.bias"], stride=2)
    up = F.conv_transpose2d(F.gelu(norm_map(P, u + "1", up)), P[u + "3.weight"], P[u + "3.bias"],
                            stride=2)
    up = F.gelu(up)[0].flatten(1)
    masks = [head(P, f"{d}output_hypernetworks_mlps.{k}", hs[0, 1 + k]) @ up for k in range(4)]
    iou = head(P, d + "iou_prediction_head", hs[0, 0])
    return torch.stack(masks).reshape(4, 4 * g, 4 * g), iou


def predict(P, picture, clicks=None, box=None):
    """Logits of the mask that SAM would choose, on the picture [H, W, 3] (its longer side is SAM's)."""
    H, W, _ = picture.shape
    side = 16 * P["image_encoder.pos_embed"].shape[1]
    mean, std = torch.tensor([123.675, 116.28, 103.53]), torch.tensor([58.395, 57.12, 57.375])
    image = ((torch.from_numpy(picture).float() - mean) / std).permute(2, 0, 1)[None]
    image = F.pad(image, (0, side - W, 0, side - H))
    masks, iou = decode(P, encode(P, image), prompt_tokens(P, side, clicks, box))
    ambiguous = box is None and len(clicks) == 1  # then the best of masks 1 to 3
    best = 1 + int(iou[1:].argmax()) if ambiguous else 0
    full = F.interpolate(masks[None, best:best + 1], (side, side), mode="bilinear", align_corners=False)
    return full[0, 0, :H, :W]
