"""Beside any build of torch, torchvision and timm can be imported."""

import subprocess
import sys

from tests.needs import needs

needs("torchvision", "torchvision comes with requirements.txt")


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_timm_can_be_imported_after_preparing() -> None:
    code = (
        "from cir.encoders.on_torch.torchvision_compat import prepare_torchvision as prepare\n"
        "prepare(); prepare()\n"
        "import timm, torchvision\n"
        "print(timm.__name__, torchvision.__name__)"
    )
    assert run(code) == "timm torchvision"


def test_a_working_torchvision_is_left_alone() -> None:
    code = (
        "import sys, types, torch\n"
        "sys.modules['torchvision'] = types.ModuleType('torchvision')\n"
        "import cir.encoders.on_torch.torchvision_compat as compat\n"
        "compat.prepare_torchvision()\n"
        "print(compat._declared)"
    )
    assert run(code) == "[]"
