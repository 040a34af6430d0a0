"""Tables of metadata are read once for each state of an index, and do not pile up."""

import threading
from concurrent.futures import ThreadPoolExecutor

from cir.store.columns import ColumnTable, TableCache, read_columns


def table(count: int) -> ColumnTable:
    """A table of some kilobytes for each 100 rows."""
    fields = [{"id": f"{n:032x}", "path": "a", "meta": {"a": f"text {n}"}} for n in range(count)]
    return read_columns(fields, {"a": "string"})


def test_a_table_is_read_once_for_a_state() -> None:
    cache = TableCache()
    reads: list[int] = []
    gate = threading.Event()

    def read() -> ColumnTable:
        gate.wait(5)
        reads.append(1)
        return table(3)

    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(cache.get, "one", 1, read) for _ in range(4)]
        gate.set()
        assert len({id(each.result()) for each in asked}) == 1
    assert len(reads) == 1
    cache.get("one", 2, read)
    assert len(reads) == 2


def test_tables_together_have_a_bound() -> None:
    size = table(100).size
    cache = TableCache(most_bytes=2 * size + size // 2)
    kept = [cache.get(key, 0, lambda: table(100)) for key in "abc"]
    again = [cache.get(key, 0, lambda: table(100)) for key in "cb"]
    assert again == [kept[2], kept[1]]
    assert cache.get("a", 0, lambda: table(100)) is not kept[0]


def test_a_table_beyond_the_bound_is_kept_alone() -> None:
    cache = TableCache(most_bytes=10)
    first = cache.get("a", 0, lambda: table(100))
    assert cache.get("a", 0, lambda: table(100)) is first
