"""The catalogue as data, and the rule that keeps combinations aside."""

from collections import defaultdict

from cir.sample.designs import ATTRIBUTES, COLOURS, GARMENTS, PATTERNS, catalogue, kept_aside


def test_there_are_a_few_hundred_designs_and_no_two_are_alike() -> None:
    designs = catalogue()
    assert 300 <= len(designs) <= 450
    assert len({tuple(design.attributes.items()) for design in designs}) == len(designs)
    assert len({design.file for design in designs}) == len(designs)
    assert [design.id for design in designs] == list(range(1, len(designs) + 1))


def test_every_word_of_the_lists_is_used() -> None:
    designs = catalogue()
    assert {design.garment for design in designs} == set(GARMENTS)
    assert {design.colour for design in designs} == set(COLOURS)
    assert {design.pattern for design in designs} == set(PATTERNS)


def test_attributes_vary_over_one_another() -> None:
    colours, patterns = defaultdict(set), defaultdict(set)
    for design in catalogue():
        colours[design.garment].add(design.colour)
        patterns[design.colour].add(design.pattern)
    assert min(map(len, colours.values())) >= 6
    assert min(map(len, patterns.values())) >= 4


def test_file_names_are_plain() -> None:
    for design in catalogue():
        assert design.file.isascii()
        assert " " not in design.file
        assert design.file.endswith(f"{design.id:04d}.jpg")


def test_attributes_are_those_that_the_garment_shows() -> None:
    for design in catalogue():
        assert tuple(design.attributes) == tuple(
            name for name in ATTRIBUTES if getattr(design, name)
        )


def test_names_are_what_a_shop_would_say() -> None:
    names = {design.name for design in catalogue()}
    assert "Red polka dot shirt, long sleeves, collar" in names
    assert len(names) == len(catalogue())


def test_about_a_third_of_the_combinations_is_kept_aside() -> None:
    combinations = {(d.garment, d.colour, d.pattern): kept_aside(d) for d in catalogue()}
    share = sum(combinations.values()) / len(combinations)
    assert 0.28 < share < 0.40


def test_cuts_of_one_cloth_are_kept_aside_together() -> None:
    rules = defaultdict(set)
    for design in catalogue():
        rules[design.garment, design.colour, design.pattern].add(kept_aside(design))
    assert all(len(answers) == 1 for answers in rules.values())


def test_the_rule_is_stable() -> None:
    """Encoders that were trained by this rule are measured by it: it must not change."""
    kept = [design.id for design in catalogue() if kept_aside(design)]
    assert kept[:6] == [1, 2, 3, 7, 8, 9]
    assert len(kept) == 132
