"""The published product table as training reads it, in the layout in which it is published."""

import csv
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cir.errors import UsageError
from cir.training import table
from cir.training.__main__ import app
from cir.training.products import read_products
from cir.training.table import WRITTEN, write_product_table
from tests.cir.training.test_products import photos

STYLES = """\
id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage,productDisplayName
15970,Men,Apparel,Topwear,Shirts,Navy Blue,Fall,2011,Casual,Turtle Check Men Navy Blue Shirt
6695,Women,Apparel,Topwear,Tops,Pink,Summer,2012,Casual,Maker Women Top, Pink, with Dots
39386,Men,Apparel,Bottomwear,Jeans,NA,Summer,2012,,"Maker Men ""Party"" Jeans, Blue"
1855,Men,Apparel,Topwear,Tshirts,Grey,Summer,2011,Casual,Inkfruit Mens Chain Reaction T-shirt
"""
IDS = Path(table.__file__).parent / "ids"


@pytest.fixture
def styles(tmp_path: Path) -> Path:
    path = tmp_path / "styles.csv"
    path.write_text(STYLES)
    return path


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_names_with_commas_are_mended_and_rows_without_a_photo_left_out(
    tmp_path: Path, styles: Path
) -> None:
    folder, out = photos(tmp_path / "photos", "15970", "6695", "39386"), tmp_path / "products.csv"
    counts = write_product_table(styles, [folder], out)
    assert (counts.rows, counts.written, counts.mended, counts.without_photo) == (4, 3, 1, 1)
    written = rows(out)
    assert list(written[0]) == list(WRITTEN)
    assert {row["id"]: row["name"] for row in written} == {
        "15970": "Turtle Check Men Navy Blue Shirt",
        "39386": 'Maker Men "Party" Jeans, Blue',
        "6695": "Maker Women Top, Pink, with Dots",
    }
    assert {row["split"] for row in written} == {""}


def test_lists_of_ids_choose_rows_and_name_their_split(tmp_path: Path, styles: Path) -> None:
    folder = photos(tmp_path / "photos", "15970", "6695", "39386")
    for name, ids in {"train": "15970\n1855\n7\n", "dev": "6695\n"}.items():
        (tmp_path / f"{name}.txt").write_text(ids)
    lists = [tmp_path / "train.txt", tmp_path / "dev.txt"]
    counts = write_product_table(styles, [folder], tmp_path / "products.csv", lists)
    assert (counts.unlisted, counts.without_photo, counts.absent) == (1, 1, 1)
    written = rows(tmp_path / "products.csv")
    assert [(row["id"], row["split"]) for row in written] == [("15970", "train"), ("6695", "dev")]


def test_training_reads_what_the_command_writes(tmp_path: Path, styles: Path) -> None:
    folder, out = photos(tmp_path / "photos", "15970", "6695", "39386"), tmp_path / "products.csv"
    given = ["table", styles, "--photos", folder, "--out", out]
    result = CliRunner().invoke(app, [str(each) for each in given])
    assert result.exit_code == 0, result.output
    assert "Wrote 3 of 4 products" in result.output
    assert "1 without a photo" in result.output and "1 names with commas" in result.output
    products = read_products(folder, out)
    assert list(products.ids) == ["15970", "39386", "6695"]
    assert products.codes["baseColour"].tolist() == [0, -1, 1]
    assert products.codes["usage"].tolist() == [0, -1, 0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("id,name\n1,Shirt\n", "not the published table"),
        (STYLES + "5,Men,Apparel\n", "line 6: fields are missing"),
        (STYLES.replace("15970", "1"), "No row"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    tmp_path: Path, styles: Path, content: str, words: str
) -> None:
    styles.write_text(content)
    out = tmp_path / "products.csv"
    with pytest.raises(UsageError, match=words):
        write_product_table(styles, [photos(tmp_path / "photos", "15970")], out)
    assert not out.exists()


def test_a_missing_file_or_folder_is_named(tmp_path: Path, styles: Path) -> None:
    folder, out = photos(tmp_path / "photos", "15970"), tmp_path / "products.csv"
    with pytest.raises(UsageError, match=r"nothing\.csv cannot be read"):
        write_product_table(tmp_path / "nothing.csv", [folder], out)
    with pytest.raises(UsageError, match=r"train\.txt cannot be read"):
        write_product_table(styles, [folder], out, [tmp_path / "train.txt"])
    with pytest.raises(UsageError, match="not a folder of photos"):
        write_product_table(styles, [tmp_path / "nowhere"], out)


def test_the_ids_of_the_photos_are_kept_and_no_photo_stands_in_two_splits() -> None:
    train, dev = ((IDS / f"{name}.txt").read_text().split() for name in ("train", "dev"))
    assert (len({*train}), len({*dev})) == (len(train), len(dev)) == (6477, 983)
    assert not {*train} & {*dev}
