"""What is kept of recent images and queries: to ask again about one of them is then cheap."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from cir.encoders.protocol import Embeddings, Encoder

Value = TypeVar("Value")
Pixels = NDArray[np.uint8]
REMEMBERED = 16
ROWS = 256
"""Rows that are kept of an encoder: half a megabyte of the compact one's."""


class Remembered(Generic[Value]):
    """The last values by their keys, for example those of images by the hash of their pixels.

    Safe between threads.
    """

    def __init__(self, size: int = REMEMBERED) -> None:
        self._size = size
        self._values: OrderedDict[Hashable, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, batch: Pixels, make: Callable[[Pixels], Iterable[Value]]) -> list[Value]:
        """The value of each image of the batch `(n, ...)`; `make` gives those that are not known.

        `make` gets the unknown images, each once, as one batch.
        """
        keys = [hashlib.sha256(row.tobytes()).digest() for row in batch]
        return self.by_key(keys, lambda places: make(batch[places]))

    def by_key(
        self, keys: Sequence[Hashable], make: Callable[[list[int]], Iterable[Value]]
    ) -> list[Value]:
        """The value of each key; `make` gives those of unknown ones, by their places in `keys`."""
        with self._lock:
            known = {key: self._values[key] for key in keys if key in self._values}
        fresh = {key: at for at, key in enumerate(keys) if key not in known}
        if fresh:
            known |= dict(zip(fresh, make(list(fresh.values())), strict=True))
        with self._lock:
            for key in keys:
                self._values[key] = known[key]
                self._values.move_to_end(key)
            while len(self._values) > self._size:
                self._values.popitem(last=False)
        return [known[key] for key in keys]


class RememberingEncoder:
    """An encoder that keeps the rows of what it encoded last, by pixels and text.

    They belong to the encoder that is given, and are kept as long as that is. Each row is made in a
    batch of one, so that it does not depend on what was asked before.
    """

    def __init__(self, encoder: Encoder) -> None:
        self.spec = encoder.spec
        self.fingerprint = encoder.fingerprint
        self.precision = encoder.precision
        self._encoder = encoder
        self._rows = _rows_of(encoder)

    def encode_images(self, images: Sequence[Image]) -> Embeddings:
        """As the encoder's."""
        keys = [("image", *_key(image)) for image in images]
        return self._remembered(keys, lambda at: self._encoder.encode_images([images[at]]))

    def encode_texts(self, texts: Sequence[str]) -> Embeddings:
        """As the encoder's."""
        keys = [("text", text) for text in texts]
        return self._remembered(keys, lambda at: self._encoder.encode_texts([texts[at]]))

    def encode_composed(self, images: Sequence[Image], texts: Sequence[str]) -> Embeddings:
        """As the encoder's."""
        keys = [("composed", text, *_key(image)) for image, text in zip(images, texts, strict=True)]
        return self._remembered(
            keys, lambda at: self._encoder.encode_composed([images[at]], [texts[at]])
        )

    def truncates(self, texts: Sequence[str]) -> list[bool]:
        """As the encoder's."""
        return self._encoder.truncates(texts)

    def _remembered(
        self, keys: Sequence[Hashable], encode: Callable[[int], Embeddings]
    ) -> Embeddings:
        found = self._rows.by_key(keys, lambda places: [encode(at)[0] for at in places])
        return np.array(found, np.float32).reshape(-1, self.spec.dim)


_kept: "WeakKeyDictionary[Any, Remembered[NDArray[np.float32]]]" = WeakKeyDictionary()
_lock = threading.Lock()


def _rows_of(encoder: Encoder) -> Remembered[NDArray[np.float32]]:
    """What is kept of an encoder: the object counts, since one's own may change under its name."""
    fresh: Remembered[NDArray[np.float32]] = Remembered(ROWS)
    try:
        with _lock:
            return _kept.setdefault(encoder, fresh)
    except TypeError:  # somebody's own may be unhashable, or refuse weak references
        return fresh


def _key(image: Image) -> tuple[Hashable, ...]:
    return image.size, hashlib.sha256(image.tobytes()).digest()
