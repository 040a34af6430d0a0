"""Flags before environment before secrets file before defaults."""

import tempfile
from pathlib import Path

import pytest

from cir.errors import UsageError
from cir.settings import load_settings
from tests.small_disk import fill, small_disk

FLAGS = {"uri": "http://flag:1", "token": "flag-token", "encoder": "flag-encoder"}
NAMES = {"uri": "CIR_MILVUS_URI", "token": "CIR_MILVUS_TOKEN", "encoder": "CIR_ENCODER"}
NONE = Path("no secrets file")


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    for name in [
        *NAMES.values(),
        "CIR_DATA_DIR",
        "CIR_READ_ONLY",
        "CIR_IMAGE_ROOTS",
        "CIR_ADMIN_EMAILS",
        "CIR_FETCH_URLS",
        "CIR_CHAT_URL",
        "CIR_CHAT_KEY",
        "CIR_RERANKERS",
    ]:
        monkeypatch.delenv(name, raising=False)


def secrets(folder: Path, **values: str) -> Path:
    path = folder / "secrets.toml"
    path.write_text("".join(f'{name} = "{value}"\n' for name, value in values.items()))
    return path


def shown(*, secrets_file: Path = NONE, **flags: str) -> tuple[str | None, str | None, str]:
    settings = load_settings(secrets_file=secrets_file, **flags)
    return settings.milvus_uri, settings.milvus_token, settings.encoder


def test_flags_come_before_environment_before_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = secrets(
        tmp_path, CIR_MILVUS_URI="http://s:1", CIR_MILVUS_TOKEN="s-token", CIR_ENCODER="s"
    )
    assert shown(secrets_file=file) == ("http://s:1", "s-token", "s")
    monkeypatch.setenv("CIR_MILVUS_URI", "http://e:1")
    monkeypatch.setenv("CIR_MILVUS_TOKEN", "e-token")
    assert shown(secrets_file=file) == ("http://e:1", "e-token", "s")
    assert shown(secrets_file=file, **FLAGS) == ("http://flag:1", "flag-token", "flag-encoder")


@pytest.mark.parametrize(
    ("flags", "variables", "in_file", "expected"),
    [
        ({"uri": "f"}, {"TOKEN": "e"}, {}, ("f", None)),
        ({"uri": "f"}, {"URI": "e", "TOKEN": "e"}, {"TOKEN": "s"}, ("f", None)),
        ({}, {"URI": "e"}, {"URI": "s", "TOKEN": "s"}, ("e", None)),
        ({"token": "f"}, {"URI": "e", "TOKEN": "e"}, {}, ("e", "f")),
        ({"token": "f"}, {}, {"URI": "s", "TOKEN": "s"}, ("s", "f")),
        ({}, {"TOKEN": "e"}, {"URI": "s", "TOKEN": "s"}, ("s", "e")),
        ({"uri": "f"}, {"URI": "", "TOKEN": ""}, {}, ("f", None)),
    ],
)
def test_a_token_for_one_server_does_not_go_to_another(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    flags: dict[str, str],
    variables: dict[str, str],
    in_file: dict[str, str],
    expected: tuple[str | None, str | None],
) -> None:
    for name, text in variables.items():
        monkeypatch.setenv(f"CIR_MILVUS_{name}", text)
    file = secrets(tmp_path, **{f"CIR_MILVUS_{name}": text for name, text in in_file.items()})
    assert shown(secrets_file=file, **flags)[:2] == expected


def test_an_empty_variable_is_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = secrets(tmp_path, CIR_MILVUS_URI="http://s:1")
    monkeypatch.setenv("CIR_MILVUS_URI", "")
    assert shown(secrets_file=file)[0] == "http://s:1"


def test_defaults_need_nothing(tmp_path: Path) -> None:
    settings = load_settings(secrets_file=NONE)
    assert (settings.milvus_uri, settings.milvus_token, settings.encoder) == (None, None, "compact")
    assert settings.data_dir.is_dir() and settings.data_dir.is_relative_to(tmp_path / "home")
    assert settings.index_uri == str(settings.data_dir / "recompose.db")
    assert settings.gallery_uri == str(settings.data_dir / "galleries.db")
    assert settings.uri_to_tell is None


@pytest.mark.parametrize("secret", ["http://me:word@s:1", "http://key@s:1", "http://s:1?token=x"])
def test_an_address_that_may_hold_a_password_is_not_told(tmp_path: Path, secret: str) -> None:
    assert load_settings(uri=secret, secrets_file=NONE).uri_to_tell is None
    assert load_settings(uri="http://s:1", secrets_file=NONE).uri_to_tell == "http://s:1"
    elsewhere = load_settings(data_dir=tmp_path / "data", secrets_file=NONE)
    assert elsewhere.uri_to_tell == str(tmp_path / "data" / "recompose.db")


def test_the_data_folder_follows_the_same_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = secrets(tmp_path, CIR_DATA_DIR=str(tmp_path / "secret"))
    assert load_settings(secrets_file=file).data_dir == tmp_path / "secret"
    monkeypatch.setenv("CIR_DATA_DIR", str(tmp_path / "variable"))
    assert load_settings(secrets_file=file).data_dir == tmp_path / "variable"
    flag = load_settings(secrets_file=file, data_dir=tmp_path / "flag")
    assert flag.data_dir == tmp_path / "flag" and flag.data_dir.is_dir()


def test_an_unwritable_home_gives_a_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("no folder can be below")
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    folder = load_settings(secrets_file=NONE).data_dir
    assert folder.is_dir() and folder.is_relative_to(tmp_path / "temporary")


def test_a_named_data_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="CIR_DATA_DIR"):
        load_settings(data_dir=tmp_path / "file" / "data", secrets_file=NONE)


def test_a_token_is_never_shown() -> None:
    settings = load_settings(token="user:hunter2", secrets_file=NONE)
    assert settings.milvus_token == "user:hunter2"
    assert "hunter2" not in f"{settings!r} {settings}" and "milvus_token='set'" in repr(settings)


def test_a_chat_key_goes_to_the_address_of_its_source_and_is_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = secrets(tmp_path, CIR_CHAT_URL="http://s:1/v1", CIR_CHAT_KEY="hunter2")
    settings = load_settings(secrets_file=file)
    assert (settings.chat_url, settings.chat_key) == ("http://s:1/v1", "hunter2")
    assert "hunter2" not in repr(settings)
    monkeypatch.setenv("CIR_CHAT_URL", "http://e:1/v1")
    elsewhere = load_settings(secrets_file=file)
    assert (elsewhere.chat_url, elsewhere.chat_key) == ("http://e:1/v1", None)


def test_second_stages_that_the_page_offers_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIR_RERANKERS", "flag:a/b, ,openai:x/y")
    assert load_settings(secrets_file=NONE).rerankers == ("flag:a/b", "openai:x/y")


@pytest.mark.parametrize("content", [b"CIR_MILVUS_TOKEN = hunter2", b'CIR_ENCODER = "\xff"'])
def test_bad_secrets_are_named_but_not_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "secrets.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        load_settings(secrets_file=path)
    assert str(path) in str(caught.value) and "hunter2" not in str(caught.value)


def test_tables_in_the_secrets_file_are_for_others(tmp_path: Path) -> None:
    path = tmp_path / "secrets.toml"
    path.write_text('CIR_ENCODER = "mine"\n[connections.db]\nCIR_MILVUS_URI = "http://no:1"\n')
    assert shown(secrets_file=path) == (None, None, "mine")


def test_a_public_host_is_set_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = load_settings(secrets_file=NONE)
    assert (quiet.read_only, quiet.admin_password, quiet.image_roots) == (False, None, ())
    monkeypatch.setenv("CIR_READ_ONLY", "yes")
    monkeypatch.setenv("CIR_ADMIN_PASSWORD", "hunter2")
    monkeypatch.setenv("CIR_IMAGE_ROOTS", f"{tmp_path}:{tmp_path / 'b'}")
    public = load_settings(secrets_file=NONE)
    assert public.read_only
    assert public.image_roots == (tmp_path.resolve(), (tmp_path / "b").resolve())
    assert public.admin_password == "hunter2" and "hunter2" not in repr(public)


def test_a_switch_that_is_neither_on_nor_off_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIR_READ_ONLY", "perhaps")
    with pytest.raises(UsageError, match="CIR_READ_ONLY"):
        load_settings(secrets_file=NONE)


def test_admins_are_addresses_and_a_sign_in_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "secrets.toml"
    file.write_text('CIR_ADMIN_EMAILS = "Ada@example.org, b@c"\n[auth]\nclient_id = "x"\n')
    asked = load_settings(secrets_file=file)
    assert asked.admin_emails == ("ada@example.org", "b@c")
    assert asked.sign_in
    assert not load_settings(secrets_file=NONE).sign_in
    for wrong in ("ada", "a@b c@d", "['a@b']", "@"):
        monkeypatch.setenv("CIR_ADMIN_EMAILS", wrong)
        with pytest.raises(UsageError, match="separated by commas"):
            load_settings(secrets_file=NONE)


@pytest.mark.parametrize("files", [2, 10])
def test_a_data_folder_on_a_full_disk_is_still_the_data_folder(
    monkeypatch: pytest.MonkeyPatch, files: int
) -> None:
    with small_disk(1, files=files) as disk:
        fill(disk)
        monkeypatch.setenv("CIR_DATA_DIR", str(disk))
        assert load_settings(secrets_file=NONE).data_dir == disk.resolve()


def test_whether_web_addresses_are_fetched_is_left_open_until_somebody_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert load_settings(secrets_file=NONE).fetch_urls is None
    for text, meant in {"true": True, "off": False}.items():
        monkeypatch.setenv("CIR_FETCH_URLS", text)
        assert load_settings(secrets_file=NONE).fetch_urls is meant
