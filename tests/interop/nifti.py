"""NIfTI masks of `medgraft predict`, read by nibabel: the geometry of the volume they belong to."""
from lib import check, done, medgraft, need, path

np, nib, torch = need("numpy", "nibabel", "torch")
import sam

torch.save(sam.random_state("small"), path("sam.pth"))
rotation = np.array([[0, -0.9, 0], [0.8, 0, 0], [0, 0, 2.5]])  # axes swapped, one turned round
affine = np.eye(4)
affine[:3, :3], affine[:3, 3] = rotation, (10, -20, 30.5)
volume = np.random.RandomState(0).randint(-500, 500, (40, 32, 6)).astype(np.int16)
for form in ("nii", "nii.gz"):
    nib.save(nib.Nifti1Image(volume, affine), path("ct." + form))
    medgraft("predict", path("ct." + form), "--model", path("sam.pth"), "--clicks", "20,16,3",
             "--out", path("mask." + form), "--probability", path("probability." + form))
    mask, probability = nib.load(path("mask." + form)), nib.load(path("probability." + form))
    for image in (mask, probability):
        check(image.shape == volume.shape, f"shape {image.shape}, expected {volume.shape}")
        check(np.allclose(image.affine, affine, atol=1e-5), f"affine\n{image.affine}\nexpected\n{affine}")
        check(np.allclose(image.header.get_zooms(), (0.8, 0.9, 2.5), atol=1e-5), "voxel sizes")
    labels, p = np.asarray(mask.dataobj), np.asarray(probability.dataobj)
    check(set(np.unique(labels)) <= {0, 1} and 0 <= p.min() and p.max() <= 1, "values out of bounds")
    check(((p > 0.5) == (labels == 1))[np.abs(p - 0.5) > 1e-6].all(), "mask and probability disagree")
done("masks and probabilities of nii and nii.gz volumes")
