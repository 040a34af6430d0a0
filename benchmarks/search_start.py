"""How long does one search take from process start, beside what Streamlit's import alone takes?

    python -m benchmarks.search_start INDEX IMAGE

Prints the median of several runs of each, alternating, their ratios, and the peak memory of the
search with its children. The answer is there with the first line of results; after it the process
still has to end. Linux only (reads /proc).
"""

import statistics
import subprocess
import sys
import time
from pathlib import Path

ROUNDS = 7


def main() -> None:
    """Run the comparison."""
    index, image = sys.argv[1:3]
    search = [sys.executable, "-m", "cir", "search", index, "--image", image, "--text", "in red"]
    beside = [sys.executable, "-c", "import streamlit"]
    for command in (search, beside):  # warm the file cache
        subprocess.run(command, check=True, capture_output=True)
    times: dict[str, list[float]] = {"first answer": [], "its end": [], "import streamlit": []}
    for _ in range(ROUNDS):
        answer, end = _seconds(search)
        times["first answer"].append(answer)
        times["its end"].append(end)
        times["import streamlit"].append(_seconds(beside)[1])
    medians = {name: statistics.median(each) for name, each in times.items()}
    for name, seconds in medians.items():
        ratio = seconds / medians["import streamlit"]
        print(f"{name:18} {seconds:.2f} s, ratio {ratio:.2f}")
    print(f"{'peak memory':18} {_peak(search) / 2**20:.0f} MB, search and children together")


def _seconds(command: list[str]) -> tuple[float, float]:
    """Until the first line on standard output, and until the process has ended."""
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        process.stdout.readline()
        answer = time.perf_counter() - started
        process.stdout.read()
    end = time.perf_counter() - started
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return answer, end


def _peak(command: list[str]) -> int:
    """Highest sum of proportional set sizes of the process tree, sampled, in bytes."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    peak = 0
    while process.poll() is None:
        peak = max(peak, sum(_pss(pid) for pid in _tree(process.pid)))
        time.sleep(0.01)
    return peak


def _tree(root: int) -> list[int]:
    found = [root]
    for pid in found:
        children = Path(f"/proc/{pid}/task/{pid}/children")
        try:
            found += [int(child) for child in children.read_text().split()]
        except OSError:
            continue
    return found


def _pss(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


if __name__ == "__main__":
    main()
