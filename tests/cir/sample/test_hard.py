"""The hard labelled set: valid, exact, by its rule, and true of what the pictures show."""

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cir.sample.designs import Design, catalogue, kept_aside
from cir.sample.drawing import draw
from cir.sample.hard import MARGIN, SPARSE, cloth_shade, hard_queries
from cir.sample.labelled import SampleQuery, write_labelled
from cir.sample.palette import cielab
from cir.training.language import frames
from eval.sets.formats.native import load_native

QUERIES = hard_queries()
SHADES = {each: cloth_shade(each) for each in catalogue()}


LESS = {"less", "muted", "quieter", "loud", "gaudy", "neutral"}
DARKER = {"darker", "deeper"}


def holds(query: SampleQuery, design: Design) -> bool:
    """Whether the whole wish holds of a design, by the group's name and what is said."""
    before = query.reference
    open_names = [name for name, value in query.changes.items() if value is None]
    if any(value and getattr(design, name) != value for name, value in query.changes.items()):
        return False
    if query.group == "anything but":
        (name,) = open_names
        return getattr(design, name) not in {getattr(before, name), "solid"}
    if query.group == "without":
        return not open_names or design.neckline in {"crew", "v-neck", "boat neck"}
    words = {*query.text.replace(",", "").split()}
    lighter, more = (after - now for after, now in zip(SHADES[design], SHADES[before], strict=True))
    if query.group == "colourfulness":
        return (-more if words & LESS else more) >= MARGIN
    if query.group == "lightness and another":
        return (-lighter if words & DARKER else lighter) >= MARGIN
    return not open_names or max(abs(lighter), abs(more)) >= MARGIN


def agreement(query: SampleQuery, design: Design) -> tuple[bool, int]:
    """How well a design keeps what the wish leaves alone; the greater, the better."""
    before = query.reference.attributes
    kept = [name for name in before if name not in query.changes]
    same = sum(getattr(design, name) == before[name] for name in kept)
    return "garment" in kept and design.garment == query.reference.garment, same


def is_full(query: SampleQuery, design: Design) -> bool:
    shown, before = design.attributes, query.reference.attributes
    return all(
        shown[name] == before[name]
        for name in before
        if name in shown and name not in query.changes
    )


def test_it_has_a_few_hundred_queries_in_groups() -> None:
    groups = Counter(query.group for query in QUERIES)
    assert 240 <= len(QUERIES) <= 320
    assert groups.keys() == {
        "two changes", "lighter", "darker", "lightness and another", "colourfulness", "without",
        "anything but", "not in full",
    }  # fmt: skip
    assert min(groups.values()) >= 20


def test_the_wish_holds_of_every_target() -> None:
    for query in QUERIES:
        assert query.targets
        for target in query.targets:
            assert holds(query, target), (query.id, target.name)


def test_targets_are_all_that_agree_best() -> None:
    for query in QUERIES:
        best = {agreement(query, target) for target in query.targets}
        assert len(best) == 1, query.id
        named = {name: value for name, value in query.changes.items() if value is not None}
        if len(named) < len(query.changes):
            continue  # of the others below
        right = [
            each
            for each in catalogue()
            if each is not query.reference and named.items() <= each.attributes.items()
        ]
        most = max(agreement(query, each) for each in right)
        assert {*query.targets} == {e for e in right if agreement(query, e) == most}, query.id


@pytest.mark.parametrize(("group", "sign"), [("lighter", 1), ("darker", -1)])
def test_all_that_are_lighter_or_darker_and_else_alike_are_targets(group: str, sign: int) -> None:
    for query in QUERIES:
        if query.group == group:
            start = SHADES[query.reference][0]
            right = {
                each
                for each in catalogue()
                if each.garment == query.reference.garment
                and is_full(query, each)
                and sign * (SHADES[each][0] - start) >= MARGIN
            }
            assert {*query.targets} == right, query.id


def test_only_what_is_not_there_in_full_is_told_to_be() -> None:
    for query in QUERIES:
        full = [is_full(query, target) for target in query.targets]
        assert any(full) is (query.group != "not in full"), query.id
        assert len({*full}) == 1


def test_every_target_is_kept_aside_and_few_are_the_target() -> None:
    garments = Counter(each.garment for each in catalogue())
    for query in QUERIES:
        assert all(map(kept_aside, query.targets)), query.id
        assert query.reference not in query.targets
        least = min(garments[target.garment] for target in query.targets)
        assert len(query.targets) * SPARSE <= least


def _seen_lightness(design: Design) -> float:
    """Mean L* of the garment in its picture, which stands in its middle."""
    width, height = (picture := draw(design)).size
    middle = picture.crop((width * 3 // 8, height * 3 // 8, width * 5 // 8, height * 5 // 8))
    small = np.asarray(middle.resize((48, 60), Image.Resampling.BOX), np.float32) / np.float32(255)
    return float(cielab(small.transpose(2, 0, 1))[0].mean())


@pytest.mark.parametrize(("group", "sign"), [("lighter", 1), ("darker", -1)])
def test_pictures_show_what_is_lighter(group: str, sign: int) -> None:
    for query in [each for each in QUERIES if each.group == group][::4]:
        before, *after = map(_seen_lightness, (query.reference, *query.targets))
        assert min(sign * (each - before) for each in after) > MARGIN / 2, query.id


def test_lightness_is_that_of_cielab() -> None:
    colours = np.array([[1, 0, 1], [1, 0, 0], [1, 0, 0]], np.float32)  # white, black, red
    lightness, a, b = cielab(colours)
    assert lightness == pytest.approx([100, 0, 53.24], abs=0.05)
    assert [*a, *b] == pytest.approx([0, 0, 80.09, 0, 0, 67.2], abs=0.05)


def test_no_wish_is_there_twice() -> None:
    wishes = {
        (query.reference.id, query.text, tuple(query.changes.items()), query.group)
        for query in QUERIES
    }
    assert len(wishes) == len(QUERIES)


@pytest.mark.parametrize("letter", "{}_")
def test_instructions_are_plain_words(letter: str) -> None:
    assert not [query.text for query in QUERIES if letter in query.text]


def test_instructions_vary_and_are_no_sentence_of_the_trainings() -> None:
    assert len({query.text for query in QUERIES}) > len(QUERIES) / 2
    fixed = {
        sentence
        for each in vars(frames).values()
        if isinstance(each, tuple)
        for sentence in each
        if "{" not in sentence
    }
    assert not fixed & {query.text.lower() for query in QUERIES}


def test_the_written_set_is_read_back(tmp_path: Path) -> None:
    write_labelled(tmp_path, QUERIES)
    read = load_native(tmp_path)
    assert read.split == "test"
    for one, query in zip(read.queries, QUERIES, strict=True):
        assert one.reference == query.reference.file
        assert one.instruction == query.text
        assert one.group == query.group
        assert set(one.targets) == {target.file for target in query.targets}


def test_it_is_the_same_everywhere_so_that_figures_can_be_compared(tmp_path: Path) -> None:
    write_labelled(tmp_path, QUERIES)
    digest = hashlib.sha256()
    for file in ("queries.jsonl", "qrels/test.tsv"):
        digest.update((tmp_path / file).read_bytes())
    assert digest.hexdigest().startswith("d2495bcbf2acab9c")
