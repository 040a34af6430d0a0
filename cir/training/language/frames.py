"""Frames of sentences: what people say around a wish.

{p} is a wish behind a noun ("in red", "with stripes", "for women"), {a} one before it ("striped",
"women's"), {an} the same with its article. {t}, {ts} and {at} are the garment: shirt, shirts, a
shirt; {ot}, {ots} and {aot} the reference's own. {c} and {ac} are the colour, {o} the reference's
own; {w} and {g} whose and for whom, {v} and {h} the reference's own; {u} a usage, {s} a season;
{it} this, it, that one.
"""

BEHIND = (
    "{p}", "{p}", "{p}", "the same {p}", "the same but {p}", "same {p}", "same but {p}", "this {p}",
    "this one {p}", "like this {p}", "like this but {p}", "this but {p}", "do you have {it} {p}?",
    "is {it} available {p}?", "can i get {it} {p}?", "i'd like it {p}", "show me this {p}",
    "one just like it {p}", "the same {t} {p}", "this {t} {p}", "this {t}, but {p}",
    "the exact same thing {p}", "any chance of this {p}?", "have you got {it} {p}?",
    "looking for {it} {p}", "i love this but want it {p}", "could i see it {p}?", "find me {it} {p}",
    "{p} instead", "{ts} {p}", "similar {ts} {p}", "something like this {p}", "what about {p}?",
    "does it come {p}?", "is there one {p}?", "i want the same thing {p}", "one {p}", "a {t} {p}",
    "a similar {t} {p}", "similar, but {p}", "got this {p}?", "do they make it {p}?", "but {p}",
    "would look better {p}", "a version {p}", "is there a version {p}?", "make it one {p}",
    "an identical {t} {p}", "i need {it} {p}", "search for this {t} {p}", "the one {p}",
    "i was hoping to find it {p}", "it's nice, only i want it {p}", "do you sell this {t} {p}?",
    "show {ts} like this {p}", "other {ts} {p}", "where can i buy {it} {p}?", "same style {p}",
    "same design, {p}", "same model {p}", "everything the same, just {p}", "give me one {p}",
    "i'm after the same {t} {p}", "anything like it {p}?", "{ts} of this kind {p}",
)  # fmt: skip
BEFORE = (
    "{a}", "{a}", "{a}", "make it {a}", "make it {a}", "{an} one", "{a} one", "the {a} one",
    "is there {an} version?", "{an} version", "the {a} version of this", "{a} instead",
    "like this but {a}", "the same but {a}", "same but {a}", "this {t} but {a}", "{an} {t}",
    "{a} {ts}", "{a} {t}", "{a} {ts} like this", "{a} {ts} of this style", "turn it {a}",
    "{it} should be {a}", "but {a}", "i prefer {a}", "do you have {an} one?", "want it {a}",
    "got anything like this that is {a}?", "swap this for {an} one", "change it to {a}",
    "the {t} should be {a}", "i would prefer it {a}", "it needs to be {a}", "can it be {a}?",
    "something {a} like this", "i'd rather have {an} one", "rather {a}", "has to be {a}",
    "show me {an} one", "show me {a} ones", "show me {a} {ts}", "{a} ones", "only {a} ones",
    "similar but {a}", "similar {ts}, {a}", "i'm looking for {an} {t} like this",
    "can you find {an} {t} similar to this?", "the {a} equivalent", "one that is {a}",
    "that is {a}", "is {a}", "are {a}", "the same thing, {a}", "same style, {a}", "{a} version",
    "replace it with {an} one", "i need {an} {t} in this style", "do these come in {a}?",
    "let's try {a}", "how about {a}?", "what about {an} one?", "find {a} {ts}", "{a}, otherwise the same",
    "keep everything but make it {a}", "exactly this but {a}", "give me {an} alternative",
)  # fmt: skip
COLOUR = (
    "change the colour to {c}", "change color to {c}", "colour: {c}", "other colour, {c}",
    "in a {c} shade", "{c} colour", "{c} color please", "recolour it to {c}",
    "different colour: {c}", "the same {t}, other colour: {c}", "in the colour {c}",
    "has a {c} color", "{it} in {c} colour", "switch to {c}", "paint it {c}", "dye it {c}",
    "swap the colour for {c}", "i'd like another colour, {c}", "a different shade: {c}",
    "with {c} as the colour", "do you stock {c}?", "i want the colour to be {c}",
    "{c} is my favourite colour, do you have it in that?", "same thing, different color, {c}",
    "{t} in {c}", "{ts} in {c}", "{c} coloured {ts}", "something in {c}", "mostly {c}",
    "the color should be {c}",
)  # fmt: skip
CONTRAST = (
    "{c} instead of {o}", "{c} rather than {o}", "not {o} but {c}", "{c}, not {o}",
    "i don't want {o}, i want {c}", "from {o} to {c}", "replace the {o} with {c}",
    "no {o}, {c} please", "swap {o} for {c}", "change {o} to {c}", "less {o}, more {c}",
    "turn the {o} into {c}", "i already have {o}, show me {c}",
)  # fmt: skip
NOT_COLOUR = (
    "not {o}", "not in {o}", "anything but {o}", "in any colour but {o}", "no {o}",
    "in a different colour", "another colour", "other colours", "in another colour",
    "the same but not {o}", "not {o} please", "a colour other than {o}", "without the {o}",
    "i don't like {o}", "don't want {o}", "something that isn't {o}", "any other colour",
    "what other colours do you have?", "same {t}, not {o}", "everything except {o}",
    "is there one that is not {o}?", "i hate {o}",
)  # fmt: skip
TYPE = (
    "{ts} in the same colour", "{ts} of this colour", "{ts} in this color", "{ts} of the same color",
    "as {at}", "{ts}", "{at}", "{ts} to match this", "matching {ts}", "{at} to match",
    "show me {ts} in this shade", "{ts} that go with this", "the same colour but {ts}",
    "same colour but {at}", "{at} instead", "{at} instead of {aot}", "{ts} instead of {ots}",
    "i need {at} like this", "i need {at} in that colour", "change to {ts}", "turn it into {at}",
    "do you have {ts} in this colour?", "{ts} with this colour", "swap the {ot} for {at}",
    "not {aot} but {at}", "{at}, same colour", "{at} in the same colour", "{at} in this colour",
    "make it {at}", "is there {at} in this colour?", "which {ts} have this colour?",
    "{at} to go with it", "i want {at} that matches", "something like this but {at}",
    "same but as {at}", "in the same colour, {at}", "any {ts} like that?", "find {ts} this colour",
    "a matching {t}", "i love this colour, do you have {at}?", "same color family, {ts}",
    "i have this {ot} and want {at} to match", "{ts} of this shade", "{ts} in that colour please",
    "the {t} version of this", "exchange the {ot} for {at}", "show {ts}", "is {at} instead",
    "same look, but {at}", "{at} with the same colour", "looking for {ts} in exactly this tone",
    "{at} that looks like this", "{ts} coloured like this",
)  # fmt: skip
TYPE_OF_CLOTH = (
    "{at} in the same colour and pattern", "the same fabric as {at}", "same pattern, but {at}",
    "the same design as {at}", "{ts} with this pattern", "{at} made of this cloth",
    "{ts} in this colour and pattern", "the same design but {at}", "a {t} that matches the pattern",
)  # fmt: skip
GENDER = (
    "{w} version of this", "{w} version", "the {w} version", "a {w} one", "{w} {ts}", "{w} {t}",
    "{w}", "{w} style", "a {w} {t} like this", "is there a {w} version?", "in {w} sizes",
    "the {w} equivalent", "the {w} model", "{w} one", "something {w} like this", "{w} ones",
    "the {w} cut", "from the {w} section", "do you have the {w} one?", "same in {w}",
    "change it to {w}", "make it {w}", "the same {t}, {w}", "{w} instead of {v}", "not {v} but {w}",
)  # fmt: skip
PERSON = (
    "for {g}", "the same for {g}", "this but for {g}", "is there one for {g}?", "for {g} instead",
    "same thing for {g}", "made for {g}", "something similar for {g}", "{ts} for {g}",
    "a {t} for {g}", "that {g} would wear", "designed for {g}", "the one for {g}",
    "i want to buy this for {g}", "a present for {g}, like this", "one for {g}", "can {g} wear it?",
    "do you have this for {g}?", "like this but for {g}", "suitable for {g}", "this style for {g}",
    "not for {h} but for {g}", "for {g}, not {h}", "it's for {g}", "a gift for {g}",
)  # fmt: skip
SEASON = (
    "for {s}", "a {s} one", "{s} collection", "{ts} for {s}", "something for {s}",
    "from the {s} season", "suitable for {s}", "to wear in {s}",
)  # fmt: skip
SIMILAR = (
    "more like this", "similar", "of this style", "in this style", "same style", "more of these",
    "something similar", "{ts} of this style", "the same", "show me similar {ts}", "like this",
    "anything like this", "find similar items", "what else looks like this?", "same kind of {t}",
    "a {t} like this one", "more {ts} like this", "others of this kind", "lookalikes",
    "i want this", "same thing please",
)  # fmt: skip
# {x} and {y} are a colour and a feature.
TWO = (
    "{x} and {y}", "{x}, {y}", "{x} but {y}", "{x} & {y}", "{x} and also {y}", "{x}, and {y}",
    "{x} plus {y}",
)  # fmt: skip
COLOUR_AND_TYPE = (
    "{c} {ts}", "{ts} in {c}", "{ac} {t}", "change to {c} {ts}", "i want {c} {ts} instead",
    "make it {ac} {t}", "{ts}, {c}", "{at} in {c}", "not this, {c} {ts}", "{c} {t} please",
    "show me {c} {ts}", "swap it for {ac} {t}", "turn it into {ac} {t}", "do you have {c} {ts}?",
    "looking for {ac} {t}", "{at}, but {c}", "{c} {ts} instead of the {ot}", "{at} and in {c}",
)  # fmt: skip
CAPTION = (
    "{c} {t}", "{w} {c} {t}", "{c} {t} for {g}", "{a} {c} {t}", "{w} {a} {t} in {c}", "{ts}",
    "{ts} for {g}", "a photo of {ac} {t}", "{w} {t}", "{a} {t}", "{t} in {c}", "{w} {u} {t}",
    "{ac} {t}", "{c} {ts}", "{c} {ts} {p}", "{ac} {t} {p}", "{ts} {p}", "{at} in {c} for {g}",
    "show me {c} {ts}", "i'm looking for {c} {ts}", "do you have {c} {ts} for {g}?", "{u} {ts}",
    "{c} {a} {ts}", "{w} {ts}, {c}, {a}", "i need {ac} {t}", "find {w} {ts} in {c}", "{a} {ts} for {g}",
    "{w} {c} {ts} {p}", "something {c}", "{c}", "{a}", "picture of {at} in {c} {p}", "any {c} {ts}?",
)  # fmt: skip
