"""Two ONNX graphs of generated weights in the layout that fastembed reads."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models, pre_tokenizers, processors

Values = NDArray[Any]
DIM, SIDE, LENGTH = 512, 32, 16
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "in", "red", "blue", "green", "stripes", "a")


def write_images(folder: Path, graph: str, *, output: str, dim: int = DIM) -> None:
    """A linear graph over pixels, with how pictures are cut for it."""
    rng = np.random.default_rng(1)
    weights = rng.normal(size=(3 * SIDE * SIDE, dim)).astype(np.float32) / SIDE
    nodes = [
        helper.make_node("Flatten", ["pixel_values"], ["flat"]),
        helper.make_node("MatMul", ["flat", "weights"], [output]),
    ]
    taken = helper.make_tensor_value_info("pixel_values", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])
    _write(folder / graph, nodes, [taken], output, {"weights": weights}, dim)
    config = {
        "image_processor_type": "CLIPImageProcessor",
        "do_resize": True,
        "size": {"shortest_edge": SIDE},
        "do_center_crop": True,
        "crop_size": {"height": SIDE, "width": SIDE},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.5, 0.5, 0.5],
        "image_std": [0.5, 0.5, 0.5],
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(config))
    (folder / "config.json").write_text('{"pad_token_id": 0}')


def write_texts(folder: Path, graph: str, *, output: str, mask: bool, dim: int = DIM) -> None:
    """A graph that sums the rows of a text's words, with a tokenizer of a few words."""
    rng = np.random.default_rng(2)
    table = rng.normal(size=(len(WORDS), dim)).astype(np.float32)
    table[0] = 0  # padding adds nothing
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["rows"]),
        helper.make_node("ReduceSum", ["rows", "axis"], [output], keepdims=0),
    ]
    names = ["input_ids", "attention_mask"] if mask else ["input_ids"]
    taken = [helper.make_tensor_value_info(each, TensorProto.INT64, ["n", "m"]) for each in names]
    held: dict[str, Values] = {"table": table, "axis": np.array([1], np.int64)}
    _write(folder / graph, nodes, taken, output, held, dim)
    tokenizer = Tokenizer(
        models.WordLevel({word: at for at, word in enumerate(WORDS)}, unk_token="[UNK]")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    told = {"model_max_length": LENGTH, "pad_token": "[PAD]"}
    (folder / "tokenizer_config.json").write_text(json.dumps(told))
    (folder / "special_tokens_map.json").write_text('{"pad_token": "[PAD]"}')
    (folder / "config.json").write_text('{"pad_token_id": 0}')


def _write(
    path: Path,
    nodes: list[onnx.NodeProto],
    taken: list[onnx.ValueInfoProto],
    output: str,
    held: dict[str, Values],
    dim: int,
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    given = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["n", dim])
    graph = helper.make_graph(
        nodes,
        "generated",
        taken,
        [given],
        [numpy_helper.from_array(values, name) for name, values in held.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, path)
