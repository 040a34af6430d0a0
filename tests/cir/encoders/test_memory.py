"""Loading holds no second copy of the weights."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.needs import needs
from tests.places import GOLDEN

needs("torch", "torch comes with requirements.txt")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
CHECKPOINT = GOLDEN / "tiny-base.pth"
# The tiny checkpoint with other layers in the text model: of the width of base, 60 million values.
WRITE = """
import sys, torch
held = torch.load(sys.argv[1], weights_only=True)
layers, width, hidden = 8, 768, 3072
sizes = {128: width, 256: hidden}
made = {}
for name, tensor in held.items():
    if name.startswith("bge_encoder.layer."):
        if name.startswith("bge_encoder.layer.0."):
            for number in range(layers):
                shape = [sizes[side] for side in tensor.shape]
                other = name.replace(".0.", f".{number}.", 1)
                made[other] = torch.randn(shape).half()
    elif name.startswith("bge_embeddings.") or name == "visual_proj.bias":
        made[name] = torch.randn([sizes.get(side, side) for side in tensor.shape]).half()
    elif name == "visual_proj.weight":
        made[name] = torch.randn(width, tensor.shape[1]).half()
    else:
        made[name] = tensor
torch.save(made, sys.argv[2])
"""
LOAD = """
import sys, torch
from pathlib import Path
from cir.encoders.visualized_bge.encoder import load_network
load_network(Path(sys.argv[1]))  # a small one first: what torch itself takes is no copy
def peak(word):
    line = next(line for line in open("/proc/self/status") if line.startswith(word))
    return int(line.split()[1]) * 1024
open("/proc/self/clear_refs", "w").write("5")  # the peak begins anew
before = peak("VmRSS:")
network = load_network(Path(sys.argv[2]))
size = sum(each.numel() * 4 for each in network.parameters())
print("figures", peak("VmHWM:") - before, size)
"""


def test_loading_peaks_below_a_quarter_more_than_the_weights(tmp_path: Path) -> None:
    path = tmp_path / "large.pth"
    subprocess.run([sys.executable, "-c", WRITE, CHECKPOINT, path], check=True)
    done = subprocess.run(
        [sys.executable, "-c", LOAD, CHECKPOINT, path], check=True, capture_output=True, text=True
    )
    found = re.search(r"figures (\d+) (\d+)", done.stdout)
    assert found is not None
    peak, size = int(found[1]), int(found[2])
    assert size > 200e6
    assert peak < 1.25 * size, f"{peak / size:.2f} times the weights"
    assert peak > 0.9 * size, "what was measured is not the loading"
