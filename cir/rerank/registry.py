"""Second stages by name, and those that are loaded."""

import importlib
import pkgutil
import re
import threading
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

import cir.rerank
from cir.errors import RerankError, UsageError
from cir.rerank.protocol import Reranker, RerankFamily
from cir.settings import Settings, load_settings

MAX_LOADED = 2
_HUB_NAME = re.compile(r"[\w-][\w.-]*/[\w.-]+")
_lock = threading.Lock()


@cache
def rerank_families() -> Mapping[str, RerankFamily]:
    """The kinds of second stages by their prefix: of every module here that exports `FAMILY`."""
    found = [
        getattr(importlib.import_module(f"{cir.rerank.__name__}.{module.name}"), "FAMILY", None)
        for module in pkgutil.iter_modules(cir.rerank.__path__)
    ]
    return {each.prefix: each for each in found if isinstance(each, RerankFamily)}


def family_of(name: str) -> RerankFamily:
    """The kind of the second stage of this name; nothing is loaded.

    Raises:
        UsageError: there is none; names those there are.
    """
    prefix, colon, model = name.partition(":")
    families = rerank_families()
    family = families.get(prefix)
    if family is not None and family.takes_model == bool(colon and model.strip()):
        return family
    examples = [each.example for each in families.values()]
    close = get_close_matches(name, [*examples, *families], n=1, cutoff=0.5)
    likely = family or families.get(close[0] if close else "")
    hint = likely.example if likely else close[0] if close else ""
    raise UsageError(
        f"There is no second stage {name!r}. There are: {', '.join(examples)}."
        + (f" Did you mean {hint}?" if hint else "")
    )


def names_folder(name: str) -> bool:
    """Whether a second stage's name makes this machine open files of a folder of its own.

    Such a name is taken from the process's own flags, settings and code alone.

    Raises:
        UsageError: there is no such second stage.
    """
    family = family_of(name)
    model = name.partition(":")[2]
    return family.opens_files and not (_HUB_NAME.fullmatch(model) and not Path(model).exists())


def load_reranker(name: str, settings: Settings | None = None) -> Reranker:
    """The second stage of a name; the last `MAX_LOADED` are kept and given again.

    Args:
        name: as `family_of` knows it. It may open files of this machine (`names_folder`).
        settings: of the process when None.

    Raises:
        UsageError: there is none of this name, or its folder is not there.
        RerankError: packages are missing, or it cannot be loaded.
    """
    family = family_of(name)
    missing = [package for package in family.packages if find_spec(package) is None]
    if missing:
        raise RerankError(
            f"The second stage {name} needs packages that are not installed: "
            f"{', '.join(missing)}. Install requirements.txt (of the package: recompose[full]), or "
            "take words."
        )
    with _lock:  # two threads that want the same one must not load it twice
        return _loaded(name, settings or load_settings())


@lru_cache(maxsize=MAX_LOADED)
def _loaded(name: str, settings: Settings) -> Reranker:
    return family_of(name).load(name.partition(":")[2], settings)
