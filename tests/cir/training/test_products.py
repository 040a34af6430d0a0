from pathlib import Path

import pytest
from PIL import Image

from cir.errors import UsageError
from cir.training.products import FEATURES, name_features, read_products

HEADER = "id,name,articleType,gender,baseColour,season,usage\n"


def photos(folder: Path, *ids: str) -> Path:
    folder.mkdir()
    for each in ids:
        Image.new("RGB", (8, 8), "red").save(folder / f"{each}.jpg")
    return folder


def test_rows_without_a_photo_are_left_out(tmp_path: Path) -> None:
    folder = photos(tmp_path / "photos", "2", "1")
    table = tmp_path / "products.csv"
    table.write_text(
        HEADER
        + "1,Plain Men Red Shirt,Shirts,Men,Red,Fall,Casual\n"
        + "2,Women Top,Tops,Women,NA,,Casual\n"
        + "3,Gone,Tops,Women,Red,Fall,Casual\n"
    )
    products = read_products(folder, table)
    assert list(products.ids) == ["1", "2"]
    assert [products.values["articleType"][code] for code in products.codes["articleType"]] == [
        "Shirts",
        "Tops",
    ]
    assert products.codes["baseColour"].tolist() == [0, -1]
    assert products.codes["season"].tolist() == [0, -1]


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    table = tmp_path / "products.csv"
    table.write_text("id,name\n1,Shirt\n")
    with pytest.raises(UsageError, match="articleType"):
        read_products(photos(tmp_path / "photos", "1"), table)


def test_a_table_without_photos_is_an_error(tmp_path: Path) -> None:
    table = tmp_path / "products.csv"
    table.write_text(HEADER + "9,Shirt,Shirts,Men,Red,Fall,Casual\n")
    with pytest.raises(UsageError, match="No row"):
        read_products(photos(tmp_path / "photos", "1"), table)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Arrow Men Stripes Blue Slim Fit Shirt", {"striped", "slim fit"}),
        ("U.S. Polo Assn. Men Check Grey Shirt", {"checked"}),
        ("Nike Men Polo Red Tshirt", {"polo"}),
        ("Baggit Women Blue Handbag", set()),
    ],
)
def test_features_are_read_from_names_but_not_from_brands(name: str, expected: set[str]) -> None:
    row = name_features([name])[0]
    assert {feature for feature, has in zip(FEATURES, row, strict=True) if has} == expected
