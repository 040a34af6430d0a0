"""Settings of one process: flags, the environment, `.streamlit/secrets.toml`, defaults."""

import errno
import os
import re
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from platformdirs import user_data_path

from cir.errors import UsageError

_PACKAGE = Path(__file__).resolve().parent
INSTALLED = (_PACKAGE / "dashboard").is_dir()
"""Whether this is an installed package, and not a checkout of the repository."""
APP_FOLDER = _PACKAGE / "dashboard" if INSTALLED else _PACKAGE.parent
"""Where the dashboard is: `streamlit_app.py`, `pages` and `.streamlit/config.toml`."""
DEFAULT_ENCODER = "compact"
_EMAIL = re.compile(r"[^@\s'\"\[\]]+@[^@\s'\"\[\]]+")
_INDEX_FILE = "recompose.db"
DATA_MARKER = ".recompose-data"
"""A file that marks the data folder, so that a walk over images passes it over."""


@dataclass(frozen=True)
class Settings:
    """Where things are and how Milvus is reached.

    Attributes:
        milvus_uri: a Milvus server or Zilliz Cloud (`http://`, `https://`, `tcp://`, `unix:`),
            or a path to a Milvus Lite file; None means the Lite files under `data_dir`.
        milvus_token: `user:password` or an API key; kept out of `repr`.
        data_dir: folder of indexes, galleries, thumbnails and runs; exists and is writable.
        encoder: name of the encoder of new indexes.
        weights_dir: folder of weights that were put there by hand, a folder an encoder; None means
            `weights` under `data_dir`.
        device: where large encoders compute, "auto", "cpu", "cuda" or "mps".
        read_only: refuse every change of indexes, galleries and runs.
        admin_password: unlocks management in the browser; kept out of `repr`.
        admin_emails: people who may manage in the browser once they are signed in; lower case.
        sign_in: whether the secrets file asks for a sign-in to the dashboard (a table `[auth]`).
        image_roots: the only folders, with all below them, whose images may be indexed or shown in
            full; empty for no such limit.
        rerankers: second stages that the search page offers beside "words", by their names.
        chat_url: address of an OpenAI-compatible API, such as `http://localhost:8000/v1`, which the
            second stage "openai" asks; None for none.
        chat_key: its key; kept out of `repr`.
        fetch_urls: whether the dashboard fetches pictures from web addresses; None means only where
            its server listens on loopback alone.
    """

    milvus_uri: str | None
    milvus_token: str | None
    data_dir: Path
    encoder: str
    weights_dir: Path | None = None
    device: str = "auto"
    read_only: bool = False
    admin_password: str | None = None
    admin_emails: tuple[str, ...] = ()
    sign_in: bool = False
    image_roots: tuple[Path, ...] = ()
    fetch_urls: bool | None = None
    rerankers: tuple[str, ...] = ()
    chat_url: str | None = None
    chat_key: str | None = None

    def __repr__(self) -> str:
        shown = {each.name: getattr(self, each.name) for each in fields(self)}
        for secret in ("milvus_token", "admin_password", "chat_key"):
            shown[secret] = "set" if shown[secret] else None
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    @property
    def index_uri(self) -> str:
        """URI of the Milvus that holds people's indexes."""
        return self.milvus_uri or str(self.data_dir / _INDEX_FILE)

    @property
    def uri_to_tell(self) -> str | None:
        """`index_uri` for who begins with other settings; None for the usual file, which needs no
        word, and for an address that may hold a password."""
        usual = str(_usual_folder() / _INDEX_FILE)
        uri = self.index_uri
        return None if uri == usual or "@" in uri or "?" in uri else uri

    @property
    def gallery_uri(self) -> str:
        """URI of the Milvus that holds evaluation galleries."""
        return self.milvus_uri or str(self.data_dir / "galleries.db")

    @property
    def weights_folder(self) -> Path:
        """Folder of weights that were put there by hand."""
        return self.weights_dir or self.data_dir / "weights"

    @property
    def runs_dir(self) -> Path:
        """Folder of evaluation runs."""
        return self.data_dir / "runs"


def load_settings(
    *,
    uri: str | None = None,
    token: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    encoder: str | None = None,
    device: str | None = None,
    secrets_file: Path | None = None,
) -> Settings:
    """Settings from flags (the arguments), the environment and the secrets file, in this order.

    Without a `secrets_file` it is `.streamlit/secrets.toml` of the checkout; an installed package
    has no such folder and takes that of the working folder, as Streamlit does.

    A token goes with the address that the same source names, or one that comes before: never to a
    server that was named, say, by a flag while the token is the environment's.

    Raises:
        UsageError: the secrets file is not valid TOML, or the named data folder cannot be written.
    """
    table = _read_secrets(secrets_file or _usual_secrets_file())
    secrets = {key: str(entry) for key, entry in table.items() if not isinstance(entry, dict)}

    def value(flag: str | None, name: str) -> str | None:
        return flag or os.environ.get(name) or secrets.get(name) or None

    folder = value(os.fspath(data_dir) if data_dir else None, "CIR_DATA_DIR")
    home = _named_folder(Path(folder).expanduser()) if folder else _default_folder()
    weights_dir = value(None, "CIR_WEIGHTS_DIR")
    fetch = value(None, "CIR_FETCH_URLS")
    flags = {"CIR_MILVUS_URI": uri, "CIR_MILVUS_TOKEN": token}
    address, key = _address_and_key(
        [flags, os.environ, secrets], "CIR_MILVUS_URI", "CIR_MILVUS_TOKEN"
    )
    chat_url, chat_key = _address_and_key([os.environ, secrets], "CIR_CHAT_URL", "CIR_CHAT_KEY")
    return Settings(
        milvus_uri=address,
        milvus_token=key,
        data_dir=home,
        encoder=value(encoder, "CIR_ENCODER") or DEFAULT_ENCODER,
        weights_dir=Path(weights_dir).expanduser() if weights_dir else None,
        device=value(device, "CIR_DEVICE") or "auto",
        read_only=_flag("CIR_READ_ONLY", value(None, "CIR_READ_ONLY")),
        admin_password=value(None, "CIR_ADMIN_PASSWORD"),
        admin_emails=_emails(value(None, "CIR_ADMIN_EMAILS")),
        sign_in="auth" in table,
        image_roots=_roots(value(None, "CIR_IMAGE_ROOTS")),
        fetch_urls=_flag("CIR_FETCH_URLS", fetch) if fetch else None,
        rerankers=_listed(value(None, "CIR_RERANKERS")),
        chat_url=chat_url,
        chat_key=chat_key,
    )


def _usual_secrets_file() -> Path:
    return (Path.cwd() if INSTALLED else APP_FOLDER) / ".streamlit" / "secrets.toml"


def _address_and_key(
    sources: Sequence[Mapping[str, str | None]], address: str, key: str
) -> tuple[str | None, str | None]:
    """The first address by its name, and the first key that does not come after it."""
    found = None
    for source in sources:
        found = found or source.get(key) or None
        if source.get(address):
            return source[address], found
    return None, found


def _flag(name: str, text: str | None) -> bool:
    word = (text or "no").strip().lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off"}:
        return False
    raise UsageError(f"{name} is {text!r}: write true or false.")


def _emails(text: str | None) -> tuple[str, ...]:
    """Addresses, separated by commas."""
    found = tuple(map(str.lower, _listed(text)))
    if not all(_EMAIL.fullmatch(each) for each in found):
        raise UsageError(f"CIR_ADMIN_EMAILS is {text!r}: write addresses, separated by commas.")
    return found


def _listed(text: str | None) -> tuple[str, ...]:
    """What commas separate."""
    return tuple(part.strip() for part in (text or "").split(",") if part.strip())


def _roots(text: str | None) -> tuple[Path, ...]:
    """Folders, separated as in PATH."""
    parts = [part for part in (text or "").split(os.pathsep) if part.strip()]
    return tuple(Path(part.strip()).expanduser().resolve() for part in parts)


def _read_secrets(path: Path) -> dict[str, Any]:
    try:
        content = path.read_bytes()
    except OSError:
        return {}
    try:
        return tomllib.loads(content.decode("utf-8"))
    except ValueError as error:  # TOMLDecodeError is one
        raise UsageError(f"{path} is not valid TOML ({error}). Mend it or remove it.") from error


def _named_folder(path: Path) -> Path:
    if not _writable(path):
        raise UsageError(
            f"The data folder {path} cannot be written. "
            "Set CIR_DATA_DIR to a folder that this user may write."
        )
    return _marked(path.resolve())


def _marked(path: Path) -> Path:
    """The data folder, marked so that a walk over images passes it over."""
    with suppress(OSError):  # a full disk must not keep anybody from searching
        (path / DATA_MARKER).touch()
    return path


def _usual_folder() -> Path:
    return user_data_path("recompose", appauthor=False)


def _default_folder() -> Path:
    preferred = _usual_folder()
    if _writable(preferred):
        return _marked(preferred)
    owner = os.getuid() if hasattr(os, "getuid") else "user"
    return _named_folder(Path(tempfile.gettempdir()) / f"recompose-{owner}")


def _writable(path: Path) -> bool:
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path):
            return True
    except OSError as error:
        # On a full disk there is still much to read, and a sentence for what is to be written.
        return error.errno in {errno.ENOSPC, errno.EDQUOT} and path.is_dir()
