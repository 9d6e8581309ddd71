# Weights from form to form, what inspect says of them, and what is refused.
golden=$SOURCE/tests/golden
cp "$golden/sam_tiny.pth" sam.pth
"$MEDGRAFT" convert sam.pth sam.safetensors
"$MEDGRAFT" convert sam.safetensors half.pth --type f16 --image 64
"$MEDGRAFT" convert sam.pth sam.h5 --from medsam
"$MEDGRAFT" inspect half.pth
for f in sam.pth sam.safetensors sam.h5; do "$MEDGRAFT" inspect $f --hash; done | sort -u | wc -l
cp "$golden/pth_cases/bad_os_system.pth" bad.pth
"$MEDGRAFT" convert bad.pth out.safetensors || echo "exit $?"
"$MEDGRAFT" convert sam.pth out.zip || echo "exit $?"
"$MEDGRAFT" convert sam.pth out.pth --to hf-clip || echo "exit $?"
"$MEDGRAFT" convert sam.pth || echo "exit $?"
ls
