"""A new server, as far as the app's own memory goes."""

from cir.store import gallery_store, index_store
from pages.parts.search import welcome
from pages.parts.shell import session


def start_anew() -> None:
    """Let the app forget what it holds for all sessions, and let go of its Milvus."""
    if session.settings.cache_info().currsize:
        index_store(session.settings()).close()
        gallery_store(session.settings()).close()
    for held in (session.settings, session._store, session.galleries, welcome._server_jobs):
        held.cache_clear()
