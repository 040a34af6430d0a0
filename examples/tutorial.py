"""The tutorial "Composed Image Retrieval with Milvus", section by section, with Recompose.

    python -m examples.tutorial FOLDER IMAGE "black tops of this style"

FOLDER is searched, for a picture like IMAGE but as the sentence says. The tutorial's own are
`images_folder/amazon_fashion` and `images_folder/clothes.jpg` of its archive (20 MB):
https://github.com/milvus-io/bootcamp/releases/download/data/amazon_reviews_2023_subset.tar.gz

The first call downloads the encoder, Visualized BGE base, 393 MB. `--encoder compact` needs no
download; it knows garments and accessories.
"""

import argparse
import textwrap
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageOps

import cir

SIDE = 150  # pixels of a picture in the grid
COLUMNS = 3


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the tutorial."""
    # --- Prepare the data ---
    # Any folder of images will do, subfolders included. Nothing is copied.
    given = _parsed(arguments)

    # --- Load the encoder ---
    # The published checkpoint, in eval mode. FlagEmbedding itself is not needed. Where the files
    # are here already, --weights and --tokenizer say so; else they are downloaded once.
    encoder = cir.load_encoder(given.encoder, given.weights, given.tokenizer)
    print(f"{encoder.spec.title}: embeddings of {encoder.spec.dim} numbers")

    # --- Generate embeddings ---
    # An encoder turns pictures into rows of length 1, so that their inner product is the cosine
    # similarity. It takes pictures, not files, and as many at once as one likes.
    with Image.open(given.image) as picture:
        query = ImageOps.exif_transpose(picture).convert("RGB")
    image_alone = encoder.encode_images([query])
    # A composed query is one row, too: the encoder reads the picture and the sentence together.
    composed = encoder.encode_composed([query], [given.text])
    similarity = float((image_alone @ composed.T)[0, 0])
    print(f"The sentence moves the query to a cosine of {similarity:.3f} from the picture's own.")

    # --- Insert into Milvus ---
    # A file is a Milvus Lite; the address of a server or of Zilliz Cloud works as well. `index`
    # embeds the folder in batches and writes rows as it goes. Called again, it embeds what is new
    # and continues what was cut short.
    store = cir.Store(given.uri)
    index = store.index("tutorial", given.folder, encoder=encoder, on_progress=_show_progress)
    assert index.report is not None  # the call above did something
    for failed in index.report.failed:
        print(f"Left out: {failed.path}: {failed.reason}")
    print(f"Images in the index: {index.count()}")

    # --- Search with picture and text ---
    # The query is encoded as above, and Milvus gives the nearest images. A picture that is in the
    # index itself is not among its own results.
    hits = index.search(image=given.image, text=given.text, limit=COLUMNS**2)
    for hit in hits:
        print(f"{hit.score:.3f}  {hit.path}")

    # --- Display the results ---
    # The reference image on the left, the nearest nine beside it, row by row.
    results = [Image.open(given.folder / hit.path) for hit in hits]
    _grid(query, given.text, results).save(given.out)
    print(f"Shown in {given.out}")
    store.close()


def _parsed(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Composed image retrieval with Milvus.")
    parser.add_argument("folder", type=Path, help="images to search")
    parser.add_argument("image", type=Path, help="the reference image")
    parser.add_argument("text", help="the instruction: what should be different")
    parser.add_argument("--encoder", default="visualized-bge-base", help="see `cir encoders`")
    parser.add_argument("--weights", help="its checkpoint, where that is here already")
    parser.add_argument("--tokenizer", help="folder of its tokenizer, likewise")
    parser.add_argument("--uri", default="milvus_demo.db", help="Milvus: a file or an address")
    parser.add_argument(
        "--out", type=Path, default=Path("results.jpg"), help="the picture to write"
    )
    return parser.parse_args(arguments)


def _show_progress(progress: cir.Progress) -> None:
    print(progress)  # such as "Indexing: 96 of 145"


def _grid(query: Image.Image, text: str, results: Sequence[Image.Image]) -> Image.Image:
    """The query, framed, with its instruction below; the results in rows beside it."""
    sheet = Image.new("RGB", (SIDE * (COLUMNS + 1), SIDE * COLUMNS), "white")
    sheet.paste(ImageOps.expand(_square(query, SIDE - 8), 4, "blue"), (0, 0))
    ImageDraw.Draw(sheet).text((6, SIDE + 6), textwrap.fill(text, 20), fill="black", font_size=13)
    for place, result in enumerate(results):
        row, column = divmod(place, COLUMNS)
        sheet.paste(_square(result, SIDE - 4), (SIDE * (column + 1) + 2, SIDE * row + 2))
    return sheet


def _square(picture: Image.Image, side: int) -> Image.Image:
    upright = ImageOps.exif_transpose(picture).convert("RGB")
    return ImageOps.pad(upright, (side, side), color="white")


if __name__ == "__main__":
    main()
