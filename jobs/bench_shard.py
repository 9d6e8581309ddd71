"""What jobs/bench_shard.sh measures `medgraft shard` against: the same work in Python, one process per core.

    bench_shard.py ROOT OUT PROCESSES KIND PACKER [full|draft]

Every picture below ROOT (.png, .jpeg) is read, decoded by Pillow (KIND grey: to one channel, rgb: to three), hashed (SHA-1: the
fastest of the standard library), shrunk to a long side of 512 by Pillow's triangle filter if larger, and stored
as one chunk with h5py. PACKER zstd: level 3 by the module zstandard, written as it is; gzip: h5py's own filter at
its default level. `draft` lets Pillow decode a JPEG at 1/2, 1/4 or 1/8, as `medgraft shard` does. KIND eye also
cuts the circle of a fundus photograph out, as the reader of EyePACS does. Each process
writes one HDF5 file and syncs it. Nothing is read back, no list, no table of contents: less than what medgraft does.
"""
import hashlib
import math
import multiprocessing
import os
import sys

import h5py
import numpy
from PIL import Image

SIDE = 512


def pictures(root):
    found = []
    for folder, _, files in os.walk(root):
        found += [os.path.join(folder, f) for f in files if f.endswith((".png", ".jpeg"))]
    return sorted(found)


def circle(pixels):
    """Square around what is brighter than a tenth of the middle row's mean."""
    light = pixels.sum(axis=2, dtype=numpy.int32)
    bright = light > light[light.shape[0] // 2].mean() / 10
    rows = numpy.flatnonzero(bright.sum(axis=1) > bright.shape[1] // 50)
    columns = numpy.flatnonzero(bright.sum(axis=0) > bright.shape[0] // 50)
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    side = max(bottom - top, right - left)
    square = numpy.zeros((side, side, 3), numpy.uint8)
    y, x = (side - (bottom - top)) // 2, (side - (right - left)) // 2
    square[y : y + bottom - top, x : x + right - left] = pixels[top:bottom, left:right]
    return square


def load(path, kind, draft):
    image = Image.open(path)
    if draft:
        least = SIDE * (2 if kind == "eye" else 1)
        scale = max(s for s in (1, 2, 4, 8) if max(image.size) / s >= least or s == 1)
        image.draft(None, (image.width // scale, image.height // scale))
    image = image.convert("L" if kind == "grey" else "RGB")
    pixels = numpy.asarray(image)
    digest = hashlib.sha1(pixels.tobytes()).digest()
    if kind == "eye":
        pixels = circle(pixels)
        image = Image.fromarray(pixels)
    longest = max(image.size)
    if longest > SIDE:
        size = [max(1, math.floor(n * SIDE / longest + 0.5)) for n in image.size]
        pixels = numpy.asarray(image.resize(size, Image.BILINEAR))
    return pixels.reshape(pixels.shape[0], pixels.shape[1], -1), digest


def store(file, name, array, pixels, packer):
    if array is None:
        how = dict(allow_unknown_filter=True, compression=32015) if packer else dict(compression="gzip")
        array = file.create_dataset(name, (0,) + pixels.shape, "u1", maxshape=(None,) + pixels.shape,
                                    chunks=(1,) + pixels.shape, **how)
    row = array.shape[0]
    array.resize(row + 1, axis=0)
    if packer:
        array.id.write_direct_chunk((row, 0, 0, 0), packer.compress(pixels.tobytes()))
    else:
        array[row] = pixels
    return array


def work(task):
    paths, out, kind, packer, draft = task
    if packer == "zstd":
        import zstandard
    packer = zstandard.ZstdCompressor(level=3) if packer == "zstd" else None
    arrays, seen, names = {}, set(), []
    with h5py.File(out, "w") as file:
        for path in paths:
            pixels, digest = load(path, kind, draft)
            if pixels.min() == pixels.max() or digest in seen:
                continue
            seen.add(digest)
            names.append(path)
            name = "images/u8_%dx%dx%d" % pixels.shape
            arrays[name] = store(file, name, arrays.get(name), pixels, packer)
        file["names"] = names
    handle = os.open(out, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
    return len(names)


def main():
    root, out, processes, kind, packer = sys.argv[1:6]
    processes, draft = int(processes), sys.argv[6:] == ["draft"]
    paths = pictures(root)
    os.makedirs(out, exist_ok=True)
    cuts = [len(paths) * i // processes for i in range(processes + 1)]
    tasks = [(paths[cuts[i] : cuts[i + 1]], os.path.join(out, "%d.h5" % i), kind, packer, draft) for i in range(processes)]
    with multiprocessing.Pool(processes) as pool:
        print("pictures", sum(pool.map(work, tasks)))


if __name__ == "__main__":
    main()
