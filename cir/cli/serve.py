"""Starting the dashboard: a process of Streamlit on its main script."""

import os
import subprocess
import sys
from collections.abc import Sequence
from typing import NoReturn

from cir.settings import APP_FOLDER


def serve(
    *,
    address: str,
    port: int | None = None,
    uri: str | None = None,
    token: str | None = None,
    options: Sequence[str] = (),
) -> NoReturn:
    """Become the server of the dashboard; does not return.

    Args:
        address: where the server listens; on 127.0.0.1 it is for this machine alone.
        port: the server's port; None leaves it to Streamlit's settings, whose default is 8501.
        uri: Milvus, as in `load_settings`.
        token: token of that Milvus.
        options: further options of `streamlit run`; they stand last, so they win.
    """
    # -P: a file of the working folder must not stand in for a module of Streamlit.
    command = [sys.executable, "-P", "-m", "streamlit", "run", str(APP_FOLDER / "streamlit_app.py")]
    command += ["--server.address", address]
    if port is not None:
        command += ["--server.port", str(port)]
    command += options
    environment = dict(os.environ)
    if uri:
        environment["CIR_MILVUS_URI"] = uri
        environment.pop("CIR_MILVUS_TOKEN", None)  # it is for the address that stood beside it
    if token:
        environment["CIR_MILVUS_TOKEN"] = token
    if os.name == "nt":  # exec would give the console back while the server runs
        sys.exit(subprocess.call(command, env=environment))
    os.execve(command[0], command, environment)
