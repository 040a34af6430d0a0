"""The forms of the Indexes page: a new index, and more for one that is there."""

from collections.abc import Sequence
from pathlib import Path

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from cir.encoders.registry import choose, encoder_specs, readiness
from cir.errors import UsageError
from cir.images import MAX_BYTES, SUFFIXES
from cir.indexing.archives import MAX_ENTRIES, MAX_UNPACKED_BYTES
from cir.indexing.metadata import FORMATS
from cir.indexing.uploads import MAX_BYTES as MAX_UPLOAD_BYTES
from cir.indexing.uploads import MAX_FILES, MAX_TABLE_BYTES, Upload
from cir.jobs.background import Job
from cir.jobs.indexes import IndexJobs
from cir.store import IndexInfo
from pages.parts.indexes.encoders import state_of_encoder
from pages.parts.shell.server import megabytes
from pages.parts.shell.session import people_errors, plain, settings

FOLDER, IMAGES, ZIP = "A folder", "Images to upload", "A zip to upload"
ROUND_KEY = "index forms round"
_ENDINGS = sorted(SUFFIXES)
_TABLE_HELP = (
    "A table with a row an image: one column holds the file names, the others can be searched. "
    f"One of {FORMATS}."
)
_LIMITS = f"Up to {MAX_FILES:,} files and {MAX_UPLOAD_BYTES // 2**20} MB at once; more can follow."
_ZIP_LIMITS = (
    f"Up to {MAX_UPLOAD_BYTES // 2**20} MB, unpacked up to {MAX_UNPACKED_BYTES // 2**30} GB and "
    f"{MAX_ENTRIES:,} files. A metadata.csv inside is used."
)


def show_new(jobs: IndexJobs, *, first: bool) -> None:
    """The form of a new index."""
    st.header("New index")
    kind = st.radio(
        "The images are in", (FOLDER, IMAGES, ZIP), horizontal=True, key="new index source"
    )
    with st.form(_key("new index"), border=True):
        name = st.text_input(
            "Name of the index", key=_key("name"), placeholder="shirts" if first else None
        )
        folder, uploads = _source(kind)
        table = _ask_table("Metadata file (optional)", "new table")
        encoder, download = _ask_encoder(jobs.settings.encoder)
        if st.form_submit_button("Build the index", type="primary", icon=":material/add:"):
            with people_errors():
                if kind == FOLDER:
                    job = jobs.build_from_folder(
                        name, _folder(folder), encoder, table, download=download
                    )
                else:
                    job = jobs.build_from_uploads(name, uploads, encoder, table, download=download)
                _began(job)


def show_update(info: IndexInfo, jobs: IndexJobs, *, disabled: bool) -> None:
    """The form that brings an index up to date with its folder."""
    with st.form(_key(f"update {info.collection}"), border=False):
        table = _ask_table("New metadata file (optional)", f"table {info.collection}")
        prune = st.checkbox(
            "Remove images whose file is gone", key=_key(f"prune {info.collection}")
        )
        word = "Update" if info.state == "ready" else "Continue"
        if st.form_submit_button(word, icon=":material/sync:", disabled=disabled):
            with people_errors():
                _began(jobs.update(info, table, prune=prune))


def show_add(info: IndexInfo, jobs: IndexJobs, *, disabled: bool) -> None:
    """The form that adds images to an index of uploaded images, or continues it."""
    with st.form(_key(f"add {info.collection}"), border=False):
        uploads = _ask_images("More images, or a zip", f"more {info.collection}", (".zip",))
        table = _ask_table(
            "New metadata file (optional)",
            f"table {info.collection}",
            " It takes the place of the earlier one: it needs a row for the earlier images too.",
        )
        unfinished = info.state != "ready"
        word = "Add or continue" if unfinished else "Add"
        if st.form_submit_button(word, icon=":material/add_photo_alternate:", disabled=disabled):
            with people_errors():
                if uploads or not (unfinished or table):
                    _began(jobs.add(info, uploads, table))
                else:
                    _began(jobs.update(info, table))


def _source(kind: str) -> tuple[str, list[Upload]]:
    """What was typed as the folder, or sent."""
    if kind == FOLDER:
        text = st.text_input(
            "Folder on the server",
            key=_key("folder"),
            placeholder="/home/me/pictures",
            help="Its subfolders are indexed, too. The images stay where they are.",
        )
        return text, []
    if kind == IMAGES:
        return "", _ask_images("Images", "images")
    sent = st.file_uploader(
        "Zip of images",
        type="zip",
        key=_key("zip"),
        max_upload_size=megabytes(MAX_UPLOAD_BYTES),
        help=_ZIP_LIMITS,
    )
    st.caption(_ZIP_LIMITS)
    return "", _uploads([sent] if sent is not None else [])


def _ask_images(label: str, key: str, more: tuple[str, ...] = ()) -> list[Upload]:
    sent = st.file_uploader(
        label,
        type=[*_ENDINGS, *more],
        accept_multiple_files=True,
        key=_key(key),
        max_upload_size=megabytes(MAX_UPLOAD_BYTES if more else MAX_BYTES),
        help=_LIMITS,
    )
    st.caption(_LIMITS)
    return _uploads(sent)


def _ask_table(label: str, key: str, more: str = "") -> Upload | None:
    sent = st.file_uploader(
        label,
        type=FORMATS.split(", "),
        key=_key(key),
        max_upload_size=megabytes(MAX_TABLE_BYTES),
        help=_TABLE_HELP + more,
    )
    return Upload(sent.name, sent.getvalue()) if sent is not None else None


def _ask_encoder(default: str) -> tuple[str, bool]:
    """The encoder's name, and whether it may be downloaded."""
    states = {name: readiness(choose(settings(), name)) for name in encoder_specs()}
    usable = [name for name, state in states.items() if state != "not installed"]
    chosen = st.selectbox(
        "Encoder",
        usable,
        index=usable.index(default) if default in usable else 0,
        format_func=_encoder_text,
        key=_key("encoder"),
        help="What turns images and sentences into embeddings. An index keeps its encoder.",
    )
    if all(states[name] == "ready" for name in usable):
        return chosen, False
    allowed = st.checkbox(
        "Download the encoder first, where it is not ready",
        key=_key("download"),
        help="From the Hugging Face hub, once. Compact needs no download.",
    )
    return chosen, allowed


def _encoder_text(name: str) -> str:
    return f"{name} ({state_of_encoder(name)}): {encoder_specs()[name].recommended_for}"


def _uploads(sent: Sequence[UploadedFile]) -> list[Upload]:
    return [Upload(each.name, each.getvalue()) for each in sent]


def _folder(text: str) -> Path:
    if not text.strip():
        raise UsageError("Name the folder of the images.")
    return Path(text.strip())


def _began(job: Job) -> None:
    """Empty the forms, and show the job."""
    st.session_state[ROUND_KEY] = st.session_state.get(ROUND_KEY, 0) + 1
    st.toast(plain(job.title), icon=":material/hourglass_top:")
    st.rerun()


def _key(name: str) -> str:
    """A key that changes when a job has begun, so that the next form is an empty one."""
    return f"{name} {st.session_state.get(ROUND_KEY, 0)}"
