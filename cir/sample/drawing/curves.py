"""Smooth outlines: curves through points, mirrored, offset and joined.

Design units: x is measured from the axis of the picture, to the right, y from the top downwards. At
a scale of 1 a unit is a pixel.
"""

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""(n, 2): x and y of each point."""

_STEPS = 10
_SHORT = 1e-6


def straight(*points: tuple[float, float]) -> Points:
    """The points themselves, with corners between them."""
    return np.array(points, dtype=np.float64)


def smooth(*points: tuple[float, float]) -> Points:
    """A centripetal Catmull-Rom curve through the points, without loops or overshoot."""
    through = np.array(points, dtype=np.float64)
    if len(through) < 3:
        return through
    first, last = 2 * through[0] - through[1], 2 * through[-1] - through[-2]
    spans = _spans(np.vstack([first, through, last]))
    return np.vstack([spans, through[-1:]])


def _spans(knots: Points) -> Points:
    """From the second of the knots up to, not including, the last but one (Barry and Goldman)."""
    p0, p1, p2, p3 = (knots[at : len(knots) - 3 + at, None] for at in range(4))
    steps = (np.sqrt(np.hypot(*np.diff(knots, axis=0).T)) + _SHORT)[:, None, None]
    t1 = steps[:-2]
    t2 = t1 + steps[1:-1]
    t3 = t2 + steps[2:]
    t = np.arange(_STEPS)[None, :, None] * ((t2 - t1) / _STEPS) + t1
    a1 = ((t1 - t) * p0 + t * p1) / t1
    a2 = ((t2 - t) * p1 + (t - t1) * p2) / (t2 - t1)
    a3 = ((t3 - t) * p2 + (t - t2) * p3) / (t3 - t2)
    b1 = ((t2 - t) * a1 + t * a2) / t2
    b2 = ((t3 - t) * a2 + (t - t1) * a3) / (t3 - t1)
    curve: Points = ((t2 - t) * b1 + (t - t1) * b2) / (t2 - t1)
    return curve.reshape(-1, 2)


def join(*curves: Points) -> Points:
    """One outline of curves that follow one another, with corners where they meet."""
    return np.vstack(curves)


def mirror(curve: Points) -> Points:
    """The curve on the other side of the axis, run through backwards so that outlines close."""
    return flip(curve)[::-1]


def flip(curve: Points, side: int = -1) -> Points:
    """The curve on the other side of the axis, in the same order; `side` 1 leaves it."""
    flipped: Points = curve * np.array([float(side), 1.0])
    return flipped


def offset(curve: Points, distance: float) -> Points:
    """The curve moved sideways: to the right of its direction where y points down and distance > 0.

    Corners are moved along the mean of both directions, which keeps bands of even width in a V.
    """
    ahead = np.gradient(curve, axis=0)
    ahead /= np.hypot(ahead[:, 0], ahead[:, 1])[:, None] + _SHORT
    moved: Points = curve + distance * np.column_stack([-ahead[:, 1], ahead[:, 0]])
    return moved


def band(curve: Points, distance: float) -> Points:
    """The outline between a curve and itself moved sideways."""
    return join(curve, offset(curve, distance)[::-1])


def stroke(curve: Points, width: float) -> Points:
    """A brush stroke along the curve that tapers off to both ends."""
    half = width / 2 * np.sin(np.linspace(0.06, 0.94, len(curve)) * np.pi)
    ahead = np.gradient(curve, axis=0)
    ahead /= np.hypot(ahead[:, 0], ahead[:, 1])[:, None] + _SHORT
    side = np.column_stack([-ahead[:, 1], ahead[:, 0]]) * half[:, None]
    return np.vstack([curve + side, (curve - side)[::-1]])


def part_of(curve: Points, start: float, end: float) -> Points:
    """The piece of a curve between two shares of its length, 0 to 1."""
    steps = np.hypot(*np.diff(curve, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    at = np.linspace(start * along[-1], end * along[-1], 24)
    return np.column_stack([np.interp(at, along, curve[:, 0]), np.interp(at, along, curve[:, 1])])


def dashes(curve: Points, dash: float, gap: float) -> list[Points]:
    """The curve cut into stitches."""
    steps = np.hypot(*np.diff(curve, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(steps)])
    starts = np.arange(0.0, along[-1] - dash, dash + gap)
    ends = np.column_stack([starts, starts + dash])
    x, y = np.interp(ends, along, curve[:, 0]), np.interp(ends, along, curve[:, 1])
    return list(np.stack([x, y], axis=2))
