"""Shards read by h5py: the pixels of the raw files come back."""
import json
import os

from lib import check, done, have, medgraft, need, path

np, h5py, Image = need("numpy", "h5py", "PIL.Image")
plugin, zstd = have("hdf5plugin"), have("zstandard")
if not plugin and not zstd:
    need("hdf5plugin")

raw, packed = path("raw"), path("packed")
medgraft("phantom", "--dataset", "isic", "--count", "4", "--seed", "1", "--out", raw)
medgraft("shard", "--dataset", "isic", "--root", raw, "--out", packed)


def chunk(array, row):
    """A picture of an array: through the plugin, or one zstd frame unpacked by hand."""
    if plugin:
        return array[row]
    mask, frame = array.id.read_direct_chunk((row,) + (0,) * (array.ndim - 1))
    check(mask == 0, f"{array.name}: filter mask {mask}")
    return np.frombuffer(zstd.decompress(frame), array.dtype).reshape(array.shape[1:])


pictures = 0
for name in sorted(os.listdir(packed)):
    if not name.endswith(".h5"):
        continue
    with h5py.File(os.path.join(packed, name), "r") as f:
        check(f.attrs["format"] in (b"medgraft shard", "medgraft shard"), f"{name}: no shard")
        names = bytes(f["items/name"][:]).split(b"\0")[:-1]
        arrays = [a.decode() if isinstance(a, bytes) else a for a in f["arrays/name"][:]] \
            if f["arrays/name"].dtype != np.uint8 else \
            [a.decode() for a in bytes(f["arrays/name"][:]).split(b"\0")[:-1]]
        for i, item in enumerate(names):
            found = chunk(f[arrays[f["items/image"][i]]], f["items/image_row"][i])
            with Image.open(os.path.join(raw, item.decode())) as file:
                wanted = np.asarray(file.convert("RGB"))
            check(found.shape == wanted.shape, f"{item}: {found.shape}, expected {wanted.shape}")
            check(np.abs(found.astype(int) - wanted).max() <= 1, f"{item}: other pixels")
            pictures += 1
with open(os.path.join(packed, "index.json")) as file:
    check(json.load(file)["format"] == "medgraft shard set", "index.json")
check(pictures == 4, f"{pictures} pictures, expected 4")
done(f"{pictures} pictures through {'hdf5plugin' if plugin else 'raw chunks and zstandard'}")
