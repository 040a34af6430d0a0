"""Lets torchvision be imported beside a torch build whose operators it lacks.

torchvision's wheels on PyPI are CUDA builds. Beside a CPU-only torch their compiled operators do
not load, and `import torchvision` (with it timm) fails with "operator torchvision::nms does not
exist". Nothing here calls those operators; declaring their schemas is enough for the import.
"""

from typing import Any

_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}
_declared: list[object] = []  # a torch Library undoes its definitions when it is collected


def prepare_torchvision() -> None:
    """Make `import torchvision` work; call it before the first import of torchvision or timm.

    Leaves a torchvision that works alone. Safe to call again.
    """
    import torch

    try:
        import torchvision  # noqa: F401
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
    except ModuleNotFoundError:  # then nobody else imports it either
        return
    else:
        return
    make_library: Any = torch.library.Library  # untyped in torch
    library = make_library("torchvision", "FRAGMENT")
    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            library.define(schema)
    _declared.append(library)
