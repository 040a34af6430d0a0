"""A small table of drawn products: colour fields, striped or plain."""

import itertools
from pathlib import Path

from PIL import Image, ImageDraw

COLOURS = {"Red": (200, 30, 30), "Blue": (30, 60, 200), "Green": (30, 150, 60), "Black": (20,) * 3}
TYPES = ("Shirts", "Handbags")
GENDERS = ("Men", "Women")


def draw_products(folder: Path) -> tuple[Path, Path]:
    """48 products; returns the folder of photos and the table."""
    photos = folder / "photos"
    photos.mkdir()
    lines = ["id,name,articleType,gender,baseColour,season,usage"]
    kinds = itertools.product(TYPES, GENDERS, COLOURS, ("Solid", "Striped", "Printed"))
    for number, (garment, gender, colour, pattern) in enumerate(kinds):
        picture = Image.new("RGB", (96, 120), "white")
        draw = ImageDraw.Draw(picture)
        box = (20, 10, 76, 110) if garment == "Shirts" else (10, 50, 86, 110)
        draw.rectangle(box, fill=COLOURS[colour])
        if pattern == "Striped":
            for x in range(box[0], box[2], 8):
                draw.line((x, box[1], x, box[3]), fill="white", width=2)
        picture.save(photos / f"{number}.png")
        name = f"Maker {number} {gender} {pattern} {colour} {garment}"
        lines.append(f"{number},{name},{garment},{gender},{colour},Fall,Casual")
    table = folder / "products.csv"
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return photos, table
