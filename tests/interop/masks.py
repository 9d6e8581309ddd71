"""Masks of `medgraft predict` beside those of SAM in PyTorch, with weights that medgraft wrote.

INTEROP_SAM=vit_b takes SAM's own size at 1024 px (minutes) instead of a small one.
"""
import os

from lib import check, done, medgraft, need, path

np, torch, Image = need("numpy", "torch", "PIL.Image")
import sam

size = os.environ.get("INTEROP_SAM", "small")
side = sam.SIZES[size][0]
torch.save(sam.random_state(size), path("random.pth"))
medgraft("convert", path("random.pth"), path("sam.pth"))
state = torch.load(path("sam.pth"), weights_only=True)

# A picture whose longer side is that of the model: it is padded, but not resized.
height, width = side * 3 // 4 - 5, side
picture = np.random.RandomState(0).randint(0, 256, (height, width, 3)).astype(np.uint8)
Image.fromarray(picture).save(path("picture.png"))

x, y = width // 3, height // 2
box = (width // 4, height // 5, width // 2, height - 9)
prompts = {
    "one click": (["--clicks", f"{x},{y}"], {"clicks": [(x, y, 1)]}),
    "box": (["--box", ",".join(map(str, box))], {"box": box}),
}
worst = 0
for name, (options, given) in prompts.items():
    medgraft("predict", path("picture.png"), "--model", path("sam.pth"), *options, "--out",
             path("mask.png"), "--probability", path("probability.png"))
    found = np.asarray(Image.open(path("probability.png"))).astype(np.float64) / 65535
    mask = np.asarray(Image.open(path("mask.png")))
    with torch.no_grad():
        logits = sam.predict(state, picture, **given).double().numpy()
    wanted = 1 / (1 + np.exp(-logits))
    gap = np.abs(found - wanted).max()
    worst = max(worst, gap)
    check(wanted.min() < 0.4 and wanted.max() > 0.6, f"{name}: the mask is trivial")
    # 1e-4 in a logit is at most a quarter of that in a probability, which is written in steps of 1/65535.
    check(gap <= 0.25e-4 + 0.51 / 65535, f"{name}: probabilities differ by {gap:.2e}")
    clear = np.abs(logits) > 1e-4
    check(((mask > 0) == (logits > 0))[clear].all(), f"{name}: another mask")
done(f"SAM {size} at {side} px, probabilities within {worst:.1e}")
