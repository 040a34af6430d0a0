"""The language of instructions: many ways to say the same change.

People type fragments, questions and sentences, with their own words for colours and garments, so
each value has synonyms and each kind of change has many templates.
"""

from collections.abc import Mapping, Sequence

from numpy.random import Generator

# Table value -> what people say. The value itself, in lower case, is always one of the ways.
SYNONYMS: Mapping[str, Sequence[str]] = {
    "Red": ("crimson", "scarlet", "bright red", "cherry"),
    "Navy Blue": ("navy", "dark blue", "midnight blue"),
    "Blue": ("royal blue", "sky blue", "cobalt", "azure"),
    "Black": ("jet black", "all black"),
    "White": ("snow white", "plain white"),
    "Grey": ("gray", "ash", "slate"),
    "Charcoal": ("dark grey", "dark gray"),
    "Grey Melange": ("heather grey", "melange"),
    "Green": ("emerald", "dark green", "bright green"),
    "Olive": ("army green", "olive green"),
    "Brown": ("chocolate", "dark brown"),
    "Coffee Brown": ("coffee", "mocha"),
    "Purple": ("violet", "plum"),
    "Lavender": ("lilac", "light purple"),
    "Pink": ("rose", "hot pink", "light pink"),
    "Magenta": ("fuchsia",),
    "Maroon": ("wine red", "dark red"),
    "Burgundy": ("bordeaux",),
    "Beige": ("sand", "camel"),
    "Cream": ("ivory", "creamy white"),
    "Off White": ("eggshell", "off-white"),
    "Tan": ("light brown", "cognac"),
    "Khaki": ("khaki green",),
    "Yellow": ("lemon", "bright yellow"),
    "Mustard": ("mustard yellow", "ochre"),
    "Orange": ("tangerine", "bright orange"),
    "Rust": ("rusty orange",),
    "Peach": ("apricot",),
    "Silver": ("silvery",),
    "Gold": ("golden",),
    "Turquoise Blue": ("turquoise",),
    "Teal": ("petrol",),
    "Multi": ("multicoloured", "multicolor", "many colours", "colourful"),
    "Tshirts": ("t-shirt", "tee", "t shirt", "tees"),
    "Shirts": ("shirt", "button-down shirt"),
    "Casual Shoes": ("casual shoe", "sneakers", "everyday shoes"),
    "Sports Shoes": ("trainers", "running shoes", "athletic shoes", "sport shoes"),
    "Formal Shoes": ("dress shoes", "business shoes", "office shoes"),
    "Heels": ("high heels", "pumps", "heel"),
    "Flats": ("flat shoes", "ballerinas"),
    "Flip Flops": ("slippers", "thongs", "flip-flops"),
    "Sandals": ("sandal",),
    "Handbags": ("handbag", "purse", "bag"),
    "Clutches": ("clutch", "evening bag"),
    "Backpacks": ("backpack", "rucksack"),
    "Wallets": ("wallet", "billfold"),
    "Belts": ("belt",),
    "Watches": ("watch", "wristwatch"),
    "Sunglasses": ("shades", "sun glasses"),
    "Tops": ("top", "blouse"),
    "Kurtas": ("kurta",),
    "Kurtis": ("kurti",),
    "Sweaters": ("sweater", "jumper", "pullover"),
    "Sweatshirts": ("sweatshirt", "hoodie"),
    "Jackets": ("jacket",),
    "Trousers": ("pants", "slacks", "trouser"),
    "Track Pants": ("joggers", "track bottoms"),
    "Jeans": ("denims", "pair of jeans"),
    "Shorts": ("short pants",),
    "Skirts": ("skirt",),
    "Dresses": ("dress", "gown"),
    "Caps": ("cap", "baseball cap"),
    "Ties": ("tie", "necktie"),
    "Scarves": ("scarf",),
    "Mufflers": ("muffler", "winter scarf"),
    "Socks": ("pair of socks",),
    "Men": ("man", "guys", "gents", "him"),
    "Women": ("woman", "ladies", "her"),
    "Boys": ("boy", "little boys"),
    "Girls": ("girl", "little girls"),
    "Unisex": ("everyone",),
    "striped": ("with stripes", "stripy", "stripes"),
    "checked": ("plaid", "with checks", "chequered", "checkered"),
    "printed": ("with a print", "graphic", "patterned", "with a graphic"),
    "solid": ("plain", "without pattern", "single coloured", "unpatterned"),
    "polo": ("with a polo collar", "collared"),
    "leather": ("made of leather", "in leather"),
    "denim": ("made of denim", "in denim"),
    "hooded": ("with a hood",),
    "floral": ("with flowers", "flowery"),
    "embroidered": ("with embroidery",),
    "knitted": ("knit",),
    "Sports": ("sporty", "for sports", "athletic"),
    "Formal": ("for the office", "elegant", "dressy"),
    "Casual": ("everyday", "relaxed"),
    "Ethnic": ("traditional",),
}

TEMPLATES: Mapping[str, Sequence[str]] = {
    "baseColour": (
        "in {c}", "make it {c}", "the same but in {c}", "{c}", "{c} {t} of this style", "same in {c}",
        "change the colour to {c}", "I want it in {c}", "do you have this in {c}?", "{c} instead",
        "this {t} in {c}", "the same {t} but {c}", "is there a {c} version", "{c} one please",
        "like this but {c}", "show me this in {c}", "a {c} one", "has a {c} color", "is {c}",
        "similar {t}, {c}", "rather {c}", "turn it {c}", "it should be {c}",
    ),
    "articleType": (
        "{t} in the same colour", "{t} of this colour", "{t} in this color", "as {t}", "{t}",
        "{t} to match this", "matching {t}", "show me {t} in this shade", "{t} that go with this",
        "the same colour but {t}", "I need {t} like this", "is a {t} instead", "change to {t}",
        "do you have {t} in this colour?", "{t} with this colour",
    ),
    "gender": (
        "the same for {g}", "{g}'s version of this", "for {g}", "{g}", "this but for {g}",
        "{g}'s {t}", "is there one for {g}?", "a {g}'s one", "same thing for {g}", "{g}'s style",
        "made for {g}",
    ),
    "feature": (
        "a {f} one", "like this but {f}", "{f}", "the same but {f}", "{f} {t}", "make it {f}",
        "is {f}", "I'd like it {f}", "this {t} but {f}", "do you have a {f} one?", "one that is {f}",
        "more {f}", "{f} please",
    ),
    "usage": (
        "a {u} one", "more {u}", "{u}", "for {u} wear", "something {u}", "a {u} version of this",
        "less fancy, {u}", "{u} {t}", "like this but {u}",
    ),
    "season": ("for {s}", "a {s} one", "{s} collection", "{t} for {s}", "something for {s}"),
    "colour and type": (
        "{c} {t}", "{t} in {c}", "change to {c} {t}", "I want {c} {t} instead", "make it {t} in {c}",
        "{t}, {c}",
    ),
    "colour and feature": (
        "{f} and {c}", "{c} and {f}", "a {f} one in {c}", "{c}, {f}", "make it {c} and {f}",
        "{c} {t}, {f}", "like this but {f} in {c}",
    ),
    "caption": (
        "{c} {t}", "{g}'s {c} {t}", "{c} {t} for {g}", "{f} {c} {t}", "{g}'s {f} {t} in {c}", "{t}",
        "{t} for {g}", "a photo of {c} {t}", "{g} {t}", "{f} {t}", "{t} in {c}", "{g}'s {u} {t}",
    ),
}  # fmt: skip


def say(value: str, random: Generator) -> str:
    """One of the ways to say a table value or feature, in lower case."""
    ways = (value.lower(), value.lower(), *SYNONYMS.get(value, ()))
    return ways[int(random.integers(len(ways)))]


def instruction(kind: str, values: Mapping[str, str], random: Generator) -> str:
    """A phrase of this kind; `values` maps a template's letter to the table value it speaks of.

    Only templates whose letters are all known are used.
    """
    fitting = [t for t in TEMPLATES[kind] if _letters(t) <= values.keys()]
    template = fitting[int(random.integers(len(fitting)))]
    # Sorted: the order of a set changes from process to process, and with it what is drawn.
    said = {letter: say(values[letter], random) for letter in sorted(_letters(template))}
    text = template.format(**said)
    return _disturb(text, random)


def _letters(template: str) -> set[str]:
    return {template[i + 1] for i, character in enumerate(template) if character == "{"}


def _disturb(text: str, random: Generator) -> str:
    """Now and then capitals, an ending mark, or one slip of the keyboard."""
    dice = random.random()
    if dice < 0.05:
        return text.upper()
    if dice < 0.12:
        return text.capitalize() + "."
    if dice < 0.16 and len(text) > 8:
        at = int(random.integers(1, len(text) - 2))
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    return text
