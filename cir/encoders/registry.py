"""Encoders by name, and the one cache of loaded encoders in a process."""

import importlib
import os
import pkgutil
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path

import cir.encoders
from cir.encoders import weights as files
from cir.encoders.protocol import (
    Encoder,
    EncoderChoice,
    EncoderFamily,
    EncoderSpec,
    MadeByEncoder,
)
from cir.encoders.weights import Readiness
from cir.errors import EncoderError, UsageError, WayOut
from cir.progress import OnProgress
from cir.settings import Settings, load_settings

MAX_LOADED = 2
_lock = threading.Lock()


@cache
def _all_families() -> tuple[EncoderFamily, ...]:
    """What each module here that describes encoders exports as `FAMILY`."""
    found = []
    for module in pkgutil.iter_modules(cir.encoders.__path__):
        imported = importlib.import_module(f"{cir.encoders.__name__}.{module.name}")
        family = getattr(imported, "FAMILY", None)
        if isinstance(family, EncoderFamily):
            found.append(family)
    return tuple(found)


@cache
def encoder_specs() -> Mapping[str, EncoderSpec]:
    """Facts about the encoders that are known by name, those with the smallest download first.

    More load by a name with a prefix, see `open_names`.
    """
    found = [spec for family in _all_families() for spec in family.specs]
    found.sort(key=lambda each: (each.download_bytes, each.name))
    return {spec.name: spec for spec in found}


def open_names() -> list[tuple[str, str]]:
    """Forms of names that no list holds, for people, each with what it is good for."""
    return [family.form for family in _all_families() if family.named is not None]


def _family(name: str) -> EncoderFamily | None:
    """The family of this encoder; None where there is none."""
    for family in _all_families():
        listed = any(spec.name == name for spec in family.specs)
        if listed or (family.prefix and name.startswith(family.prefix)):
            return family
    return None


def _family_of(spec: EncoderSpec) -> EncoderFamily:
    family = _family(spec.name)
    assert family is not None  # whoever has a spec has it of its family
    return family


def is_own(name: str) -> bool:
    """Whether this names an encoder of somebody's own, `module:attribute`."""
    return ":" in name and _family(name) is None


def is_known(name: str) -> bool:
    """Whether an encoder of this name loads wherever it is named: it is there, and runs no code."""
    family = _family(name)
    if family is None or family.runs_code(name):
        return False
    try:
        encoder_spec(name)
    except UsageError:
        return False
    return True


def encoder_spec(name: str) -> EncoderSpec:
    """Facts about the encoder of this name.

    Raises:
        UsageError: there is none; names those there are.
    """
    specs, family = encoder_specs(), _family(name)
    if name in specs:
        return specs[name]
    if family is not None and family.named is not None:
        return family.named(name)
    close = get_close_matches(name, specs, n=1)
    hint = f" Did you mean {close[0]}?" if close else ""
    names = ", ".join([*specs, *(form for form, _ in open_names())])
    raise UsageError(f"There is no encoder {name!r}. Encoders: {names}.{hint}")


def choose(
    settings: Settings,
    name: str | None = None,
    *,
    weights: str | None = None,
    tokenizer: str | None = None,
    precision: str = "auto",
) -> EncoderChoice:
    """The choice of an encoder under these settings, which say its device and where weights are.

    `name` None takes the settings' encoder for new indexes.
    """
    return EncoderChoice(
        _kept_name(name or settings.encoder),
        weights,
        tokenizer,
        settings.device,
        precision,
        weights_dir=settings.weights_folder,
    )


def _kept_name(name: str) -> str:
    """The name in the form in which an index keeps it; one that is wrong as it is."""
    with suppress(UsageError):
        return encoder_spec(name).name
    return name


def require_harmless(name: str, settings: Settings) -> None:
    """Check that a name that came from a page runs no code, unless the settings name it.

    Raises:
        UsageError: it does, or there is no such encoder.
    """
    if is_known(name) or name == settings.encoder:
        return
    encoder_spec(name)
    raise UsageError(
        f"The encoder {name} may run code of its own: it is named in a command, a program or the "
        "setting CIR_ENCODER, not here."
    )


def choice_of_index(index: MadeByEncoder, choice: EncoderChoice) -> EncoderChoice:
    """The choice of the encoder that made an index, loaded as another choice says.

    Args:
        index: says where its encoder's files were, and the precision it was made in.
        choice: where they are now, where they have moved; the device; a precision, of which "auto"
            is that of the index where the device has it. Its name matters only where the index's
            encoder runs code: it must be the same, since others may write what an index says.

    Raises:
        UsageError: this Recompose does not have the index's encoder.
    """
    family = _family(index.encoder)
    if family is not None and family.runs_code(index.encoder) and choice.name != index.encoder:
        raise UsageError(
            f"The index {index.name!r} was made by the encoder {index.encoder}, which may run code "
            "of its own: it loads where you name it yourself, in the command, the program or the "
            "setting CIR_ENCODER."
        )
    if family is None or not (is_known(index.encoder) or choice.name == index.encoder):
        raise UsageError(
            f"The index {index.name!r} was made by the encoder {index.encoder}, which is not among "
            "those that load by name. Load that encoder yourself and hand it over, choose another "
            "index, or build one of its images with an encoder that is here."
        )
    precision = index.precision if choice.precision == "auto" else choice.precision
    if precision == "fp16" == index.precision:  # torch is only imported where it has to be
        from cir.encoders.on_torch.devices import supported_precision

        precision = supported_precision(precision, choice.device)
    return replace(
        choice,
        name=index.encoder,
        weights=choice.weights or index.weights,
        tokenizer=choice.tokenizer or index.tokenizer,
        precision=precision,
    )


def readiness(choice: EncoderChoice) -> Readiness:
    """Whether the encoder can be loaded now, after a download, or only with more packages.

    Raises:
        UsageError: there is no such encoder.
    """
    if is_own(choice.name):
        return "ready"
    spec = encoder_spec(choice.name)
    if _missing(_family_of(spec)):
        return "not installed"
    return files.readiness(spec, choice)


def fetch(choice: EncoderChoice, on_progress: OnProgress | None = None) -> None:
    """Download what the encoder lacks and nobody names; nothing where it is ready.

    Raises:
        UsageError: no such encoder. EncoderError: the download failed, or packages are missing.
    """
    if is_own(choice.name):
        return
    spec = encoder_spec(choice.name)
    _require_packages(spec)
    files.find(spec, choice, on_progress=on_progress)


def described(choice: EncoderChoice) -> EncoderSpec:
    """Facts about an encoder before its download: licence and size are asked of the hub if need be.

    Raises:
        UsageError: no such encoder. EncoderError: the hub cannot be reached or has no such model.
    """
    return files.looked_up(encoder_spec(choice.name), choice)


def load_encoder(
    encoder: str | EncoderChoice,
    weights: str | Path | None = None,
    tokenizer: str | Path | None = None,
    device: str | None = None,
    precision: str = "auto",
    *,
    download: bool = True,
    settings: Settings | None = None,
    on_progress: OnProgress | None = None,
) -> Encoder:
    """The encoder of a name, ready to use; the last `MAX_LOADED` are kept and given again.

    Args:
        encoder: a name, see `encoder_specs` and `open_names`; `module:attribute` of one's own: an
            object with the `Encoder` protocol, or what gives one when it is called; or a whole
            choice, which says all of `weights` to `precision`. It may run code: never take it from
            a file or a request.
        weights, tokenizer, device, precision: see `EncoderChoice`; `device` None is the settings'.
        download: whether missing files may be fetched.
        settings: of the process when None.
        on_progress: told how far a download is, in megabytes.

    Raises:
        UsageError: no such encoder. EncoderError: its files are missing or damaged, or there is no
            such device or precision here.
    """
    if not isinstance(encoder, EncoderChoice):
        settings = settings or load_settings()
        encoder = choose(
            replace(settings, device=device or settings.device),
            encoder,
            weights=_named(weights),
            tokenizer=_named(tokenizer),
            precision=precision,
        )
    if is_own(encoder.name):
        return _of_code(encoder.name)
    spec = encoder_spec(encoder.name)
    _require_packages(spec)
    if download:
        fetch(encoder, on_progress)
    with _lock:  # two threads that want the same one must not load it twice
        # A new index asks for "auto", whoever searches it for what that came to: the same encoder.
        if encoder.precision in {"auto", "fast"}:
            encoder = replace(encoder, precision=_family_of(spec).settle(encoder))
        return _loaded(encoder)


def load_ahead(choice: EncoderChoice) -> None:
    """Begin to load the encoder that an index was probably made by, while the index is looked up.

    Only one whose family is worth it. It loads in a thread, which the process waits for at its
    end; what goes wrong there goes wrong again for whoever asks for the encoder.
    """
    family = _family(choice.name)
    if family is None or family.imports is None:
        return
    try:
        # Here, not in the thread: Ctrl-C amid an import keeps the lock of imports for ever, and a
        # thread that imports would wait for it.
        family.imports()
    except ImportError:
        return

    def load() -> None:
        with suppress(Exception):
            load_encoder(choice, download=False)

    threading.Thread(target=load, name=f"load {choice.name}").start()


@lru_cache(maxsize=MAX_LOADED)
def _loaded(choice: EncoderChoice) -> Encoder:
    spec = encoder_spec(choice.name)
    return _family_of(spec).load(spec, choice, files.find(spec, choice, download=False))


def installation(name: str) -> WayOut:
    """What brings the packages that an encoder needs.

    Raises:
        UsageError: there is no such encoder.
    """
    return _family_of(encoder_spec(name)).way_out


def general_encoder(settings: Settings) -> EncoderSpec | None:
    """The encoder of pictures of anything that costs least here.

    That is one that is ready, else the smallest download whose packages are installed, else the
    smallest. None where one would have to be fetched and this process may not ask the hub.
    """
    states = {
        name: readiness(choose(settings, name))
        for name, spec in encoder_specs().items()  # the smallest first
        if not spec.knows
    }
    for state in ("ready", "download", "not installed"):
        if state != "ready" and os.environ.get("HF_HUB_OFFLINE", "") not in {"", "0"}:
            return None
        found = next((name for name, each in states.items() if each == state), None)
        if found is not None:
            return encoder_specs()[found]
    return None


def _missing(family: EncoderFamily) -> list[str]:
    """Packages that the family needs and that are not installed."""
    return [package for package in family.packages if find_spec(package) is None]


def _require_packages(spec: EncoderSpec) -> None:
    family = _family_of(spec)
    missing = _missing(family)
    if missing:
        raise EncoderError(
            f"The encoder {spec.name} needs packages that are not installed: {', '.join(missing)}.",
            family.way_out,
        )


def _of_code(name: str) -> Encoder:
    """The encoder that `module:attribute` names, made where the attribute is a class or function.

    Raises:
        UsageError: there is no such module or attribute, or it is no encoder.
    """
    module, _, attribute = name.partition(":")
    try:
        found = getattr(importlib.import_module(module), attribute)
        makes_one = isinstance(found, type) or not hasattr(found, "encode_images")
        encoder = found() if makes_one else found
    except (ImportError, AttributeError, ValueError, TypeError) as error:
        raise UsageError(
            f"There is no encoder {name!r} ({error}). Name a module that Python finds and an "
            "attribute of it, such as my_encoders:Mine."
        ) from error
    lacks = [each for each in _PROTOCOL if not hasattr(encoder, each)]
    if lacks:
        raise UsageError(f"{name} is no encoder: it lacks {', '.join(lacks)}.")
    made: Encoder = encoder
    return made


_PROTOCOL = (
    *("spec", "fingerprint", "precision"),
    *("encode_images", "encode_texts", "encode_composed", "truncates"),
)


def _named(path: str | Path | None) -> str | None:
    """A path that a person named, so that it is found again from any folder."""
    return None if path is None else str(Path(path).expanduser().resolve())
