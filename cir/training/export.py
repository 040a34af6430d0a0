"""The trained encoder as two ONNX graphs with half-precision weights."""

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from torch import nn

from cir.training.model import Compact, FusionGraph, ImageGraph
from cir.training.tower import ROWS, SIDE, Tower

OPSET = 18
SMALLEST_HALVED = 1024  # values; small tensors (biases, norms) keep full precision


def export(tower: Tower, model: Compact, tokenizer: Tokenizer, out: Path) -> None:
    """Write `image.onnx`, `fusion.onnx` and `tokenizer.json`."""
    image = torch.zeros(2, SIDE, SIDE, 3, dtype=torch.uint8)
    tokens = torch.zeros(2, ROWS, model.shape.width)
    readings = torch.zeros(2, model.space.used)
    ids = torch.ones(2, 5, dtype=torch.int64)
    n, t = torch.export.Dim("n"), torch.export.Dim("t")
    length = torch.export.Dim("length", max=model.shape.text_length)
    _export(
        ImageGraph(tower, model),
        (image,),
        out / "image.onnx",
        ["images"],
        ["tokens", "readings"],
        ({0: n},),
    )
    _export(
        FusionGraph(model),
        (tokens, readings, ids),
        out / "fusion.onnx",
        ["image", "readings", "ids"],
        ["rows"],
        ({0: n, 1: t}, {0: n}, {0: n, 1: length}),
    )
    tokenizer.save(str(out / "tokenizer.json"))


def _export(
    module: nn.Module,
    example: tuple[torch.Tensor, ...],
    path: Path,
    inputs: list[str],
    outputs: list[str],
    dynamic: tuple[dict[int, object], ...],
) -> None:
    program = torch.onnx.export(
        module.eval(),
        example,
        input_names=inputs,
        output_names=outputs,
        dynamic_shapes=dynamic,
        opset_version=OPSET,
        dynamo=True,
        verbose=False,
    )
    assert program is not None
    graph = halve_weights(program.model_proto)
    _forget_origin(graph)
    onnx.checker.check_model(graph)
    onnx.save(graph, str(path))


def halve_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store large float32 weights as float16 behind a Cast that the runtime folds on loading.

    Halves the file; arithmetic stays float32.
    """
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < SMALLEST_HALVED:
            continue
        name = tensor.name
        halved = numpy_helper.from_array(values.astype(np.float16), f"{name}.half")
        tensor.CopyFrom(halved)
        casts.append(helper.make_node("Cast", [halved.name], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def _forget_origin(model: onnx.ModelProto) -> None:
    """Drop what the exporter notes of the machine: source paths and stack traces."""
    for node in model.graph.node:
        del node.metadata_props[:]
        node.doc_string = ""
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output]:
        del value.metadata_props[:]
    for tensor in model.graph.initializer:
        del tensor.metadata_props[:]
    del model.metadata_props[:]
    del model.graph.metadata_props[:]
