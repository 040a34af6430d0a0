"""The example of a reverse proxy, docs/nginx.conf, as it stands but for ports and certificate."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Browser, expect
from websockets.exceptions import InvalidStatus

from cir.access import FREE_TRIES
from pages.parts.shell.server import MEBIBYTE
from tests.browser.app import ask, running_app
from tests.browser.stranger import stranger
from tests.browser.test_strangers import put, unlock
from tests.places import REPOSITORY

NAME = "recompose.example.org"
EXAMPLE = REPOSITORY / "docs" / "nginx.conf"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
pytestmark = pytest.mark.skipif(
    not (NGINX and shutil.which("openssl")),
    reason="needs nginx and openssl (Debian: apt-get install nginx openssl)",
)


@dataclass(frozen=True)
class Site:
    """Its `https://` address, and the file of its certificate."""

    address: str
    certificate: str

    def get(self, path: str) -> requests.Response:
        return requests.get(f"{self.address}{path}", verify=self.certificate, timeout=30)

    @property
    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certificate)


@pytest.fixture(scope="module")
def site(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """The app behind nginx; it has an admin password."""
    folder = tmp_path_factory.mktemp("proxy")
    env = {"CIR_ADMIN_PASSWORD": "sesame"}
    with running_app(data_dir, folder / "app.log", env) as app:
        plain, secure = _free_port(), _free_port()
        _make_certificate(folder)
        process = subprocess.Popen(
            [str(NGINX), "-p", folder, "-c", _configured(folder, app, plain, secure)]
        )
        try:
            site = Site(f"https://localhost:{secure}", f"{folder}/cert")
            _wait(site)
            yield site
        finally:
            process.terminate()
            process.wait(timeout=20)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _make_certificate(folder: Path) -> None:
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost"
    command += (
        f" -addext subjectAltName=DNS:localhost,DNS:{NAME} -keyout {folder}/key -out {folder}/cert"
    )
    subprocess.run(command.split(), check=True, capture_output=True)


def _configured(folder: Path, app: str, plain: int, secure: int) -> Path:
    """A configuration of nginx that takes in the example, for this machine."""
    text = EXAMPLE.read_text()
    for pattern, value in {
        r"listen 80;": f"listen 127.0.0.1:{plain};",
        r"listen 443 ssl;": f"listen 127.0.0.1:{secure} ssl;",
        r"listen \[::\].*;": "",
        r"ssl_certificate .*;": f"ssl_certificate {folder}/cert;",
        r"ssl_certificate_key .*;": f"ssl_certificate_key {folder}/key;",
        r"http://127\.0\.0\.1:8501": app,
    }.items():
        text, count = re.subn(pattern, value, text)
        assert count, pattern
    (folder / "site.conf").write_text(text)
    main = folder / "nginx.conf"
    # The workers of root's nginx would be others, who may not write here.
    user = "user root; " if os.geteuid() == 0 else ""
    main.write_text(
        f"{user}daemon off; pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; client_body_temp_path {folder}/body; "
        f"proxy_temp_path {folder}/answers; include {folder}/site.conf; }}\n"
    )
    return main


def _wait(site: Site) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            if site.get("/_stcore/health").ok:
                return
        except requests.ConnectionError:
            time.sleep(0.1)
    pytest.fail("nginx did not start")


def test_a_person_searches_by_an_upload_through_the_proxy(
    browser: Browser, site: Site, pictures: Path
) -> None:
    context = browser.new_context(ignore_https_errors=True)
    page = context.new_page()
    expect.set_options(timeout=20_000)
    page.goto(f"{site.address}/?index=shirts")
    expect(page.get_by_role("button", name="Search with this").first).to_be_visible()
    ask(page, "in blue", pictures / "red *shirt* plain.png")
    expect(page.locator('img[alt^="Result "]').first).to_be_visible()
    expect(page.get_by_text("“in blue”")).to_be_visible()
    context.close()


def test_streamlit_sees_the_name_that_the_browser_sees(site: Site) -> None:
    port = urlsplit(site.address).port or 0
    for origin, accepted in {
        f"https://{NAME}": True,
        "https://elsewhere.example.org": False,
    }.items():
        reached = socket.create_connection(("127.0.0.1", port))
        try:
            with stranger(
                f"https://{NAME}", {"Origin": origin}, trusting=site.trusting, connection=reached
            ) as session:
                session.run()
            assert accepted
        except InvalidStatus:
            assert not accepted


def test_a_claimed_address_gives_no_new_tries(site: Site) -> None:
    said = []
    for number in range(FREE_TRIES + 1):
        claimed = {"X-Forwarded-For": f"203.0.113.{number}"}
        with stranger(site.address, claimed, trusting=site.trusting) as session:
            said.append(unlock(session, "wrong"))
    assert all(each.startswith("This is not the password") for each in said[:-1])
    assert "not looked at" in said[-1]


def test_large_bodies_end_at_the_proxy(site: Site) -> None:
    known = site.certificate
    with stranger(site.address, trusting=site.trusting) as session:
        session.run()
        assert put(site.address, session, bytes(3 * MEBIBYTE), certificate=known) == 204
        assert put(site.address, session, bytes(202 * MEBIBYTE), certificate=known) == 413
    answer = requests.post(site.address, data=bytes(2 * MEBIBYTE), verify=known, timeout=30)
    assert answer.status_code == 413


def test_a_flood_of_requests_is_turned_away(site: Site) -> None:
    assert site.get("/_stcore/metrics").status_code == 404
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda _: site.get("/_stcore/health").status_code, range(1200))
    assert set(answers) == {200, 429}
    time.sleep(2)
    assert site.get("/_stcore/health").status_code == 200
