"""What an index's metadata can be filtered on: conditions worth offering."""

from collections import Counter
from collections.abc import Iterable, Mapping

from cir.store import ColumnType, ImageRecord

MOST_VALUES = 40  # a column with more different texts is for reading, not for choosing


def suggested_conditions(
    records: Iterable[ImageRecord], columns: Mapping[str, ColumnType]
) -> list[str]:
    """Conditions such as `baseColour=Red` and `year>=2011`, column by column, common values first.

    Texts that are nearly as many as the records (names, ids) are left out, and so are columns of
    one value.
    """
    counts: dict[str, Counter[object]] = {column: Counter() for column in columns}
    total = 0
    for record in records:
        total += 1
        for column, value in record.metadata.items():
            if column in counts:
                counts[column][value] += 1
    offered: list[str] = []
    for column, kind in columns.items():
        values = counts[column]
        if 1 < len(values) <= min(MOST_VALUES, max(2, total // 2)):
            offered += _conditions(column, kind, values)
    return offered


def _conditions(column: str, kind: ColumnType, values: Counter[object]) -> list[str]:
    match kind:
        case "string":
            return [f"{column}={value}" for value, _ in values.most_common()]
        case "boolean":
            return [f"{column}={str(value).lower()}" for value, _ in values.most_common()]
        case _:
            numbers = sorted(value for value in values if isinstance(value, (int, float)))
            return [f"{column}={number}" for number in numbers] + [
                f"{column}>={number}" for number in numbers[1:]
            ]
