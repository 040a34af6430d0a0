"""Checkpoint files to tensors, checked against what a network expects."""

import hashlib
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from torch import Tensor, nn

from cir.errors import EncoderError

LISTED = 8  # names of an error message, of each kind
Shapes = Mapping[str, tuple[int, ...]]
Network = TypeVar("Network", bound=nn.Module)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Name -> tensor of a `.safetensors` file, or of one that `torch.save` wrote.

    Nothing of the file is executed.

    Raises:
        EncoderError: the file is missing, damaged, or holds something other than tensors.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            held = load_file(path)
        else:
            held = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise EncoderError(f"There is no checkpoint {path}.") from error
    except MemoryError:
        raise
    except pickle.UnpicklingError as error:
        raise _unreadable(path, "it holds more than tensors, or is no checkpoint at all") from error
    except Exception as error:  # what damaged files raise has no end
        raise _unreadable(path, str(error)) from error
    if not isinstance(held, dict) or not all(map(_is_named_tensor, held.items())):
        raise _unreadable(path, "it is not a table of named tensors")
    return dict(held)


def _is_named_tensor(entry: tuple[object, object]) -> bool:
    return isinstance(entry[0], str) and isinstance(entry[1], Tensor)


def _unreadable(path: Path, why: str) -> EncoderError:
    reason = why.strip().splitlines()[0].rstrip(".") if why.strip() else "no reason given"
    return EncoderError(
        f"The checkpoint {path} cannot be read: {reason}. Fetch it again, or name another file."
    )


def require_tensors(
    found: Mapping[str, Tensor], expected: Shapes, path: Path, unused: Callable[[str], bool]
) -> None:
    """Check that a checkpoint holds the tensors that are expected and no others.

    Args:
        unused: whether a tensor of this name may be there although nothing reads it.

    Raises:
        EncoderError: a tensor is missing, surplus or of another shape; lists them.
    """
    missing = [name for name in expected if name not in found]
    surplus = [name for name in found if name not in expected and not unused(name)]
    misshapen = [
        f"{name} is {tuple(found[name].shape)}, not {shape}"
        for name, shape in expected.items()
        if name in found and tuple(found[name].shape) != shape
    ]
    parts = [
        f"{len(names)} {kind} ({_some(names)})"
        for kind, names in (("missing", missing), ("surplus", surplus), ("misshapen", misshapen))
        if names
    ]
    if parts:
        raise EncoderError(
            f"The checkpoint {path} is not that of this encoder. Tensors: {'; '.join(parts)}."
        )


def shape_of(tensors: Mapping[str, Tensor], name: str, dims: int, path: Path) -> tuple[int, ...]:
    """Shape of a tensor that tells a size of the network.

    Raises:
        KeyError: there is no such tensor. EncoderError: it has not `dims` dimensions, or no values.
    """
    found = tuple(tensors[name].shape)
    if len(found) != dims or 0 in found:
        raise EncoderError(f"The checkpoint {path} has a misshapen {name}: {found}.")
    return found


def count_layers(tensors: Mapping[str, Tensor], prefix: str) -> int:
    """Number of layers whose tensors are named by the prefix and the layer's number.

    Raises:
        KeyError: there is none.
    """
    numbers = {
        int(number)
        for name in tensors
        if name.startswith(prefix) and (number := name.removeprefix(prefix).split(".")[0]).isdigit()
    }
    if not numbers:
        raise KeyError(f"{prefix}0")
    return max(numbers) + 1


def _some(names: list[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def build(
    make: Callable[[], Network],
    tensors: dict[str, Tensor],
    path: Path,
    unused: Callable[[str], bool],
    named: Callable[[str], str] = lambda name: name,
) -> Network:
    """The network that `make` builds, in float32 and eval mode, with a checkpoint's tensors.

    The network's own first values are never computed and take no memory; buffers that are no part
    of a checkpoint stay without values, too. Each of the tensors is taken out of the table as it
    is converted, so that the memory is that of the float32 weights and of what is left.

    Args:
        unused: as in `require_tensors`.
        named: the checkpoint's name of a tensor of the network.

    Raises:
        EncoderError: the network cannot be built, or tensors are missing, surplus or misshapen.
    """
    try:
        with torch.device("meta"):
            network = make()
    except ImportError:  # a package is broken, not the checkpoint
        raise
    except Exception as error:  # libraries raise whatever their parts raise
        raise EncoderError(
            f"The sizes that the checkpoint {path} tells, or a config.json beside it, do not fit "
            f"together: {error}."
        ) from error
    wanted = {name: (named(name), each.shape) for name, each in network.state_dict().items()}
    require_tensors(tensors, {name: tuple(shape) for name, shape in wanted.values()}, path, unused)
    state = {ours: tensors.pop(name).to(torch.float32) for ours, (name, _) in wanted.items()}
    network.load_state_dict(state, assign=True)
    return network.requires_grad_(False).eval()


def fingerprint(checkpoint: Path, *more: bytes) -> str:
    """32 hex digits of a checkpoint file and of what else decides embeddings."""
    with checkpoint.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256")
    for part in more:
        digest.update(part)
    return digest.hexdigest()[:32]
