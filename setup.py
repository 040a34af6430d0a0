"""What pyproject.toml cannot say: requirements without their `-r` lines, and the dashboard's place.

In a wheel, `streamlit_app.py`, `pages` and `.streamlit` lie in the folder `cir/dashboard`, which is
no module: `recompose serve` starts Streamlit on a file in it. So `cir` and `eval` are the only
names that an installed Recompose takes.
"""

from pathlib import Path

from setuptools import find_namespace_packages, find_packages, setup


def requirements(name: str) -> list[str]:
    """The lines of a requirements file, but for those that name another file."""
    lines = Path(name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("-r ")]


parts = find_namespace_packages(include=["pages", "pages.*"], exclude=["*.__pycache__"])
setup(
    script_name="setup.py",  # so that the build knows this file and keeps it out of cir.dashboard
    packages=[
        *find_packages(include=["cir", "cir.*", "eval", "eval.*"]),
        "cir.dashboard",
        *(f"cir.dashboard.{part}" for part in parts),
    ],
    package_dir={"cir.dashboard": "."},
    install_requires=requirements("requirements-light.txt"),
    extras_require={
        "full": requirements("requirements.txt"),
        "general": requirements("requirements-general.txt"),
    },
)
