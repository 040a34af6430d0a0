"""The dashboard: `streamlit run streamlit_app.py`.

Streamlit imports this file for the server, and runs it for each session.
"""

import streamlit as st

if __name__ == "__main__":
    from pages.parts.shell.navigation import run_app

    run_app()
else:
    from starlette.middleware import Middleware

    from pages.parts.shell.server import UploadBound, ending_in_order

    app = st.App(__file__, lifespan=ending_in_order, middleware=[Middleware(UploadBound)])
