"""Models of generated weights in the layouts of published ones, written by their own libraries."""

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import torch

from cir.encoders.on_torch.torchvision_compat import prepare_torchvision
from tests.cir.encoders.tiny_clip import PATCH, POSITIONS, SIDE, make_clip, write_tokenizer

prepare_torchvision()
from tokenizers import Tokenizer, models  # noqa: E402

hf: Any = import_module("transformers")  # parts of it are untyped

CARD = "---\nlicense: apache-2.0\n---\nA model of generated weights.\n"
SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
    "[UNK]",
)
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,!?-' \n"
TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for content in message['content'] %}"
    "{% if content['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif content['type'] == 'text' %}{{ content['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
)


def write_towers(folder: Path) -> Any:
    """A CLIP of transformers with its processor: two towers, no joint input; the model."""
    folder.mkdir(parents=True, exist_ok=True)
    model = make_clip(write_tokenizer(folder))
    model.save_pretrained(folder)
    tokenizer = hf.CLIPTokenizer.from_pretrained(str(folder))
    sides = {"height": SIDE, "width": SIDE}
    image = hf.CLIPImageProcessor(size={"shortest_edge": SIDE}, crop_size=sides)
    hf.CLIPProcessor(image_processor=image, tokenizer=tokenizer).save_pretrained(folder)
    (folder / "README.md").write_text(CARD)
    return model


def write_siglip(folder: Path) -> tuple[Any, Any]:
    """A SigLIP of transformers, which reads the last position of a text; it and its processor."""
    torch.manual_seed(1)
    tokenizer = _letters()
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 2}
    layers = {"num_hidden_layers": 1}
    text = {"vocab_size": len(tokenizer), "max_position_embeddings": POSITIONS}
    ends = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0}
    model: Any = hf.SiglipModel(
        hf.SiglipConfig(
            text_config=sizes | layers | text | ends,
            vision_config=sizes | layers | {"image_size": SIDE, "patch_size": PATCH},
        )
    ).eval()
    model.save_pretrained(folder)
    sides = {"height": SIDE, "width": SIDE}
    processor = hf.SiglipProcessor(hf.SiglipImageProcessor(size=sides), tokenizer)
    processor.save_pretrained(folder)
    return model, processor


def _letters() -> Any:
    """A tokenizer of letters, with Qwen2-VL's marks."""
    vocabulary = {token: at for at, token in enumerate((*SPECIAL, *LETTERS))}
    return hf.PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="[UNK]")),
        unk_token="[UNK]",
        pad_token=SPECIAL[0],
        eos_token="<|im_end|>",
        additional_special_tokens=list(SPECIAL[1:-1]),
        model_max_length=128,
    )


def write_joint(folder: Path) -> None:
    """A Qwen2-VL: one transformer that reads picture and text together, as GME's does."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(1)
    tokenizer = _letters()
    vocabulary = tokenizer.get_vocab()
    rope = {"rope_type": "default", "mrope_section": [1, 1, 2], "rope_theta": 10000.0}
    config = hf.Qwen2VLConfig(
        text_config={
            "vocab_size": len(vocabulary),
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "rope_parameters": rope,
            "bos_token_id": 0,
            "eos_token_id": 0,
        },
        vision_config={
            "depth": 1,
            "embed_dim": 32,
            "num_heads": 4,
            "hidden_size": 32,
            "patch_size": 14,
            "mlp_ratio": 2,
        },
        image_token_id=vocabulary["<|image_pad|>"],
        video_token_id=vocabulary["<|video_pad|>"],
        vision_start_token_id=vocabulary["<|vision_start|>"],
        vision_end_token_id=vocabulary["<|vision_end|>"],
    )
    hf.Qwen2VLModel(config).save_pretrained(folder)
    hf.Qwen2VLProcessor(
        image_processor=hf.Qwen2VLImageProcessor(min_pixels=28 * 28, max_pixels=56 * 56),
        tokenizer=tokenizer,
        video_processor=hf.Qwen2VLVideoProcessor(),
        chat_template=TEMPLATE,
    ).save_pretrained(folder)
    (folder / "README.md").write_text(CARD)


def write_remote(folder: Path) -> None:
    """A model whose architecture is code of its own, which leaves a file where it runs."""
    folder.mkdir(parents=True, exist_ok=True)
    ran = folder / "ran"
    code = f"from pathlib import Path\nPath({str(ran)!r}).touch()\nclass Own: ...\n"
    (folder / "own.py").write_text(code)
    modules = [{"idx": 0, "name": "0", "path": "", "type": "own.Own"}]
    (folder / "modules.json").write_text(json.dumps(modules))
    (folder / "config.json").write_text("{}")
