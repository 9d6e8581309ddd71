"""Weight files that medgraft writes, read by PyTorch and by the rules of safetensors."""
import json
import struct

from lib import check, done, have, medgraft, need, path

np, torch = need("numpy", "torch")
SAM = "tests/golden/sam_tiny.pth"
TYPES = {"F32": np.float32, "F16": np.float16, "I64": np.int64}


def read_safetensors(name):
    """Strictly, as the reference reader does: no holes, nothing behind the last tensor."""
    data = open(name, "rb").read()
    (size,) = struct.unpack("<Q", data[:8])
    check(size % 8 == 0 and data[8:9] == b"{", f"{name}: header of {size} bytes")
    header = json.loads(data[8:8 + size])
    check(header.pop("__metadata__")["format"] == "pt", f"{name}: format is not pt")
    at, out = 0, {}
    for key, t in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        begin, end = t["data_offsets"]
        check(begin == at, f"{name}: {key} begins at {begin}, expected {at}")
        raw = data[8 + size + begin:8 + size + end]
        out[key] = torch.from_numpy(np.frombuffer(raw, TYPES[t["dtype"]]).reshape(t["shape"]).copy())
        at = end
    check(8 + size + at == len(data), f"{name}: bytes behind the last tensor")
    return out


def same(found, wanted, name):
    check(set(found) == set(wanted), f"{name}: other names")
    for key, value in wanted.items():
        check(found[key].dtype == value.dtype and torch.equal(found[key], value), f"{name}: {key}")


wanted = torch.load(SAM, weights_only=True)
for kind in ("pth", "safetensors"):
    medgraft("convert", SAM, path("a." + kind))
found = torch.load(path("a.pth"), weights_only=True)
same(found, wanted, "a.pth")
check(list(found) == list(wanted), "a.pth: another order")
same(read_safetensors(path("a.safetensors")), wanted, "a.safetensors")
if have("safetensors"):
    same(have("safetensors.torch").load_file(path("a.safetensors")), wanted, "load_file")

medgraft("convert", SAM, path("half.pth"), "--type", "f16")
medgraft("convert", path("half.pth"), path("half.safetensors"))
half = {k: v.half() for k, v in wanted.items()}
same(torch.load(path("half.pth"), weights_only=True), half, "half.pth")
same(read_safetensors(path("half.safetensors")), half, "half.safetensors")

for form in (True, False):  # what PyTorch writes: as a zip archive, as a stream
    torch.save(wanted, path("torch.pth"), _use_new_zipfile_serialization=form)
    medgraft("convert", path("torch.pth"), path("b.safetensors"))
    same(read_safetensors(path("b.safetensors")), wanted, "b.safetensors")
done(f"{len(wanted)} tensors, torch {torch.__version__}"
     + ("" if have("safetensors") else ", safetensors by its rules (no such Python package)"))
