"""Kinds of change: how often each is drawn, what it keeps and what it changes."""

# Kind of change -> its share: of photos; of drawn designs.
PHOTO_KINDS = {
    "baseColour": 0.27, "articleType": 0.17, "gender": 0.12, "feature": 0.18, "usage": 0.02,
    "season": 0.01, "baseColour and articleType": 0.06, "baseColour and feature": 0.07,
    "not colour": 0.04, "no feature": 0.03, "similar": 0.03,
}  # fmt: skip
DRAWN_KINDS = {
    "baseColour": 0.2, "articleType": 0.14, "feature": 0.4, "baseColour and articleType": 0.03,
    "baseColour and feature": 0.15, "not colour": 0.02, "no feature": 0.05, "similar": 0.01,
}  # fmt: skip
KEPT = {  # what a target shares with the reference, for each kind of change
    "baseColour": ("articleType", "gender"),
    "articleType": ("gender", "baseColour"),
    "gender": ("articleType", "baseColour"),
    "feature": ("articleType", "gender"),
    "usage": ("articleType", "gender"),
    "season": ("articleType", "gender"),
    "baseColour and articleType": ("gender",),
    "baseColour and feature": ("articleType", "gender"),
    "not colour": ("articleType", "gender"),
    "no feature": ("articleType", "gender", "baseColour"),
    "similar": ("articleType", "gender", "baseColour"),
}
CHANGED = {
    "baseColour": ("baseColour",),
    "articleType": ("articleType",),
    "gender": ("gender",),
    "usage": ("usage",),
    "season": ("season",),
    "baseColour and articleType": ("baseColour", "articleType"),
    "baseColour and feature": ("baseColour",),
    "not colour": ("baseColour",),
}
# Kinds for wishes that no product need satisfy.
IMAGINED = (
    "baseColour", "articleType", "gender", "feature", "baseColour and articleType",
    "baseColour and feature",
)  # fmt: skip
LETTERS = {"articleType": "t", "gender": "g", "baseColour": "c", "season": "s", "usage": "u"}
