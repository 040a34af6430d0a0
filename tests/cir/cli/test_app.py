"""`python -m cir` from end to end: what people and programs read."""

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import typer

from cir.cli.app import app
from cir.images import content_hash
from cir.search import USUAL
from cir.settings import load_settings
from cir.store import image_id, index_store
from tests.cir.command_line import CommandLine
from tests.cir.store.samples import as_made_before
from tests.drawn import BAD_FILES, COLOURS, draw_album, spoil_album

ODD_NAME = 'index "quotes" ü 名 😀'


@pytest.fixture(scope="module")
def album(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures with a table, and bad files among them."""
    folder = draw_album(tmp_path_factory.mktemp("cli") / "my album", kinds=2)
    lines = [f"{colour},{colour},{number}" for number, colour in enumerate(COLOURS)]
    (folder / "metadata.csv").write_text("\n".join(["file,colour,number", *lines, "none,x,9"]))
    spoil_album(folder)
    return folder


@pytest.fixture(scope="module")
def cir(tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """Commands with one data folder for the module."""
    return CommandLine(tmp_path_factory.mktemp("cli") / "data")


@pytest.fixture(scope="module")
def first(cir: CommandLine, album: Path) -> dict[str, Any]:
    """The document of the first `index`."""
    return cir.document("index", album, "--name", ODD_NAME)


def test_index_says_what_it_did(first: dict[str, Any]) -> None:
    assert list(first) == [
        *("index", "encoder", "added", "updated", "unchanged", "removed", "failed"),
        *("looked_at", "strange", "metadata", "seconds"),
    ]
    assert (first["index"], first["encoder"]) == (ODD_NAME, "compact")
    assert [first[key] for key in ("added", "updated", "unchanged", "removed")] == [12, 0, 0, 0]
    assert sorted(each["path"] for each in first["failed"]) == sorted(BAD_FILES)
    assert all(set(each) == {"path", "reason"} and each["reason"] for each in first["failed"])
    assert first["metadata"] == {"matched": 6, "unmatched": 10, "unmatched_rows": 1}
    assert first["seconds"] >= 0


def test_index_again_for_people(cir: CommandLine, album: Path, first: dict[str, Any]) -> None:
    done = cir.run("index", album, "--name", ODD_NAME)
    assert done.returncode == 0
    assert "0 added, 0 updated, 12 unchanged, 0 removed, 4 failed" in done.stdout
    assert "Metadata: 6 images with a row, 10 without; 1 rows without an image." in done.stdout
    assert all(name in done.stdout for name in BAD_FILES)
    assert done.stderr == ""


def test_search_is_one_document(cir: CommandLine, album: Path, first: dict[str, Any]) -> None:
    red = album / "red.png"
    document = cir.document(
        *("search", ODD_NAME, "--image", red, "--text", "in blue", "--limit", 4),
        *("--where", "number>=1", "--where", "number<4"),
    )
    assert list(document) == ["index", "encoder", "query", "close", "hits"]
    assert (document["index"], document["encoder"]) == (ODD_NAME, "compact")
    told = {"limit": 4, "where": ["number>=1", "number<4"]}
    usual = json.loads(json.dumps(asdict(USUAL)))
    assert document["query"] == {"image": str(red), "more": [], "text": "in blue"} | usual | told
    hits = document["hits"]
    assert sorted(hit["path"] for hit in hits) == ["blue.png", "green.png", "yellow.png"]
    scores = [hit["score"] for hit in hits]
    assert scores == sorted(scores, reverse=True) and all(-1 <= score <= 1 for score in scores)
    for hit in hits:
        assert list(hit) == ["id", "path", "score", "metadata"]
        assert hit["id"] == image_id(hit["path"])
        assert hit["metadata"]["colour"] == hit["path"].removesuffix(".png")


def test_a_query_is_steered_and_the_document_says_how(
    cir: CommandLine, album: Path, first: dict[str, Any]
) -> None:
    red, blue, green = (image_id(f"{colour}.png") for colour in ("red", "blue", "green"))
    document = cir.document(
        *("search", ODD_NAME, "--image", f"{red}*0.5", "--image", f"{album / 'green.png'}*2"),
        *("--text", "striped", "--balance", 0.7, "--less", "a dress", "--less", "yellow*0.5"),
        *("--less-image", blue, "--crop", "0,0,1,0.5", "--turn", 180, "--limit", 100),
    )
    told = {
        "image": f"{red}*0.5",
        "more": [f"{album / 'green.png'}*2"],
        "balance": 0.7,
        "less": ["a dress", "yellow*0.5"],
        "less_image": [blue],
        "crop": "0,0,1,0.5",
        "turn": 180,
    }
    assert {key: document["query"][key] for key in told} == told
    found = {hit["id"] for hit in document["hits"]}
    assert len(found) == 9 and not {red, blue, green} & found


def test_words_of_the_metadata_count_where_asked_for(
    cir: CommandLine, album: Path, first: dict[str, Any], tmp_path: Path
) -> None:
    asked = ("--image", album / "green.png", "--text", "PURPLE", "--limit", 3)
    document = cir.document("search", ODD_NAME, *asked, "--words")
    assert document["query"]["words"] is True
    assert document["hits"][0]["path"] == "purple.png"
    (tmp_path / "red.png").write_bytes((album / "red.png").read_bytes())
    cir.document("index", tmp_path, "--name", "no texts")
    refused = cir.run("search", "no texts", "--text", "red", "--words")
    assert refused.returncode == 2 and "none of its metadata columns holds texts" in refused.stderr
    cir.document("drop", "no texts")


def test_search_groups_and_folds(cir: CommandLine, first: dict[str, Any]) -> None:
    asked = ("search", ODD_NAME, "--text", "red", "--limit", 100)
    grouped = cir.document(*asked, "--group-by", "colour")
    assert grouped["close"] is None  # too few images to know
    sizes = {hit["metadata"].get("colour"): hit["group_size"] for hit in grouped["hits"]}
    assert len(sizes) == len(grouped["hits"]) and sum(sizes.values()) == 12
    folded = cir.document(*asked, "--fold")["hits"]
    assert sum(1 + len(hit["folded"]) for hit in folded) == 12
    assert cir.run(*asked, "--group-by", "color").returncode == 2


def test_help_groups_what_a_query_is_made_of(cir: CommandLine) -> None:
    printed = cir.run("search", "--help").stdout
    places = [printed.index(f"─ {panel} ─") for panel in ("Query", "Results", "Encoder", "Milvus")]
    assert places == sorted(places)
    query = printed[places[0] : places[1]]
    assert all(f"--{name} " in query for name in ("image", "text", "balance", "less", "less-image"))


def test_search_leaves_out_a_copy_of_the_reference(
    cir: CommandLine, album: Path, first: dict[str, Any], tmp_path: Path
) -> None:
    copy = tmp_path / os.fsdecode(b"copy \xff.png")
    data = (album / "red.png").read_bytes()
    try:
        copy.write_bytes(data)
    except OSError:  # not on this file system
        copy = tmp_path / "copy.png"
        copy.write_bytes(data)
    document = cir.document("search", ODD_NAME, "--image", copy, "--limit", 100)
    paths = [hit["path"] for hit in document["hits"]]
    assert len(paths) == 11 and "red.png" not in paths
    assert content_hash(data) not in json.dumps(document)
    assert document["query"]["image"] == str(copy)


def test_search_for_people_is_a_line_a_hit(cir: CommandLine, first: dict[str, Any]) -> None:
    done = cir.run("search", ODD_NAME, "--text", "red dress", "--limit", 3)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert len(lines) == 3 and all(".png" in line for line in lines)
    nothing = cir.run("search", ODD_NAME, "--text", "red", "--where", "number>100")
    assert (nothing.returncode, nothing.stdout) == (0, "No image matches.\n")


def test_a_long_instruction_is_noted(cir: CommandLine, first: dict[str, Any]) -> None:
    done = cir.run("search", ODD_NAME, "--text", "red " * 200, "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["hits"]
    assert "too long" in done.stderr


def test_indexes_are_listed(cir: CommandLine, album: Path, first: dict[str, Any]) -> None:
    (index,) = cir.document("indexes")["indexes"]
    assert (index["name"], index["encoder"], index["count"]) == (ODD_NAME, "compact", 12)
    assert (index["state"], index["source"]) == ("ready", str(album))
    assert index["columns"] == {"file": "string", "colour": "string", "number": "integer"}
    shown = cir.run("indexes").stdout
    assert ODD_NAME in shown and "12" in shown and "compact" in shown


def test_an_index_that_misses_images_is_told_and_rebuilt(
    command_line: CommandLine, album: Path
) -> None:
    command_line.document("index", album, "--name", "my album")
    store = index_store(load_settings(data_dir=command_line.data_dir))
    as_made_before(store.open("my album"))
    store.close()
    # So small an index misses nothing; the bound is low for this.
    low = "from cir.store import exactness; exactness.LITE_AUTO_IMAGES = 5; "
    code = low + "from cir.__main__ import main; main()"
    found = command_line.run("search", "my album", "--text", "red", code=code)
    assert "rebuild 'my album'" in found.stderr and ".png" in found.stdout
    (listed,) = command_line.document("indexes", code=code)["indexes"]
    assert (listed["index_type"], listed["recall"]) == ("AUTOINDEX", None)
    rebuilt = command_line.document("rebuild", "my album", code=code)
    assert rebuilt == {"index": "my album", "index_type": "FLAT", "recall": None}
    assert command_line.run("search", "my album", "--text", "red", code=code).stderr == ""


def test_encoders_are_listed(cir: CommandLine) -> None:
    encoders = {each["name"]: each for each in cir.document("encoders")["encoders"]}
    assert encoders["compact"]["state"] == "ready"
    shown = cir.run("encoders").stdout
    assert all(name in shown for name in encoders) and len(encoders) > 1


def test_prune_and_drop_remove_rows_and_never_images(
    command_line: CommandLine, tmp_path: Path
) -> None:
    folder = draw_album(tmp_path / "album", kinds=1)
    command_line.document("index", folder, "--name", "x")
    (folder / "red.png").unlink()
    report = command_line.document("index", folder, "--name", "x", "--prune")
    assert (report["removed"], report["unchanged"]) == (1, 5)
    assert command_line.document("drop", "x") == {"dropped": "x"}
    assert "There is no index yet" in command_line.run("indexes").stdout
    assert not list(command_line.data_dir.rglob("*.jpg"))
    assert len(list(folder.iterdir())) == 5


def test_the_column_of_titles_can_be_chosen(command_line: CommandLine, tmp_path: Path) -> None:
    folder = draw_album(tmp_path / "album", kinds=1)
    lines = [f"{each.name},thing {n},{n}" for n, each in enumerate(sorted(folder.iterdir()))]
    (folder / "metadata.csv").write_text("\n".join(["file,name,text", *lines]))
    command_line.document("index", folder, "--name", "x")
    assert command_line.document("title", "x") == {"index": "x", "title_column": "name"}
    assert command_line.document("title", "x", "text")["title_column"] == "text"
    assert command_line.run("title", "x").stdout == "Titles are those of column text.\n"
    assert command_line.document("title", "x", "-")["title_column"] == "name"
    refused = command_line.document("title", "x", "nothing", exit_code=2)["error"]
    assert "The columns are: file, name, text." in refused


def test_export_and_import_are_one_document(
    cir: CommandLine, album: Path, first: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "backup.parquet"
    exported = cir.document("export", ODD_NAME, file)
    assert list(exported) == [
        *("index", "encoder", "file", "images", "bytes", "source", "state", "seconds")
    ]
    assert (exported["images"], exported["bytes"]) == (12, file.stat().st_size)
    assert (exported["source"], exported["state"]) == (str(album), "ready")
    again = cir.document("export", ODD_NAME, file, exit_code=2)
    assert "already a file" in again["error"] and "--replace" in again["error"]
    assert cir.document("export", ODD_NAME, file, "--replace")["images"] == 12
    assert "already an index" in cir.document("import", file, exit_code=2)["error"]
    imported = cir.document("import", file, "--name", "imported")
    assert (imported["index"], imported["images"]) == ("imported", 12)
    found, same = (
        cir.document("search", name, "--text", "red", "--limit", 12)["hits"]
        for name in (ODD_NAME, "imported")
    )
    assert found == same and len(found) == 12
    report = cir.document("index", album, "--name", "imported")
    assert (report["unchanged"], report["added"], report["updated"]) == (12, 0, 0)
    assert cir.document("export", "none", exit_code=2)["error"].startswith("There is no index")
    (tmp_path / "text").write_text("no export")
    assert "Parquet" in cir.document("import", tmp_path / "text", exit_code=2)["error"]
    cir.document("drop", "imported")


def test_export_and_import_for_people(
    cir: CommandLine, album: Path, first: dict[str, Any], tmp_path: Path
) -> None:
    file = tmp_path / "backup.parquet"
    assert "12 images" in cir.run("export", ODD_NAME, file).stdout
    done = cir.run("import", file, "--name", "it's")
    assert 'Imported 12 images into the index "it\'s"' in done.stdout
    assert f"the folder was {album}" in done.stdout and "cir index FOLDER" in done.stdout
    assert cir.run("drop", "it's").returncode == 0


def test_a_narrow_character_set_is_no_reason_to_fail(
    cir: CommandLine, album: Path, first: dict[str, Any]
) -> None:
    for arguments in (
        ("indexes",),
        ("search", ODD_NAME, "--text", "red"),
        ("index", album, "--name", ODD_NAME),
    ):
        done = cir.run(*arguments, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
        assert done.returncode == 0, done.stderr


def parameters() -> list[Any]:
    """Every option and argument, with its command's name."""
    group: Any = typer.main.get_command(app)
    return [
        pytest.param(parameter, id=f"{name} {parameter.name}")
        for name, command in group.commands.items()
        for parameter in command.params
        if parameter.name != "help"
    ]


@pytest.mark.parametrize("parameter", parameters())
def test_every_option_has_help(parameter: Any) -> None:
    assert parameter.help and parameter.help.strip()[0].isupper() and "." in parameter.help


@pytest.mark.parametrize(
    "command",
    ["index", "search", "indexes", "rebuild", "drop", "export", "import", "encoders"],
)
def test_every_command_has_help(command: str) -> None:
    group: Any = typer.main.get_command(app)
    assert group.commands[command].help.strip().endswith(".")


def test_an_index_moves_to_another_encoder_and_back(cir: CommandLine, tmp_path: Path) -> None:
    folder = draw_album(tmp_path / "album", kinds=1)
    cir.document("index", folder, "--name", "moved")
    before = cir.document("search", "moved", "--text", "red")
    (folder / "red.png").unlink()
    other = ("--encoder", "tests.own_encoder:MeanColour")
    done = cir.document("index", "moved", "--re-encode", *other)
    assert list(done) == [
        *("index", "encoder", "images", "encoded", "from_thumbnails", "failed", "seconds"),
    ]
    assert (done["index"], done["encoder"], done["images"]) == ("moved", "mean-colour", 6)
    assert done["from_thumbnails"] == ["red.png"]
    found = cir.document("search", "moved", "--text", "red", "--limit", "1", *other)
    assert [hit["path"] for hit in found["hits"]] == ["red.png"]
    told = cir.run("index", "moved", "--re-encode", "--encoder", "compact")
    assert told.returncode == 0 and "6 images, 6 encoded now, 0 failed" in told.stdout
    assert "from their thumbnails" in told.stdout and "'red.png'" in told.stdout
    again = cir.document("search", "moved", "--text", "red")
    assert {hit["path"] for hit in again["hits"]} == {hit["path"] for hit in before["hits"]}
