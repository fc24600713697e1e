"""A real Chromium, driven by Playwright: each person in a profile of their own.

Owns how the browser is started, quiet and without its own network habits, and how it is told to trust a throw-away
certificate authority. Asserts nothing.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect, sync_playwright

from tests.real_parts import find_certutil, find_chromium

_QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Milliseconds. What a person waits for in a browser is no promise of ours; a page that hangs is found all the same.
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)


@contextmanager
def chromium(home: Path) -> Iterator[Browser]:
    """The machine's Chromium with `home` as its user's home, where its certificate store lies."""
    with sync_playwright() as playwright:
        browser = _launch(playwright, home)
        try:
            yield browser
        finally:
            browser.close()


def _launch(playwright: Playwright, home: Path) -> Browser:
    path = find_chromium()
    assert path is not None
    environment = {**os.environ, "HOME": str(home)}
    return playwright.chromium.launch(executable_path=path, args=_QUIET, env=environment)


@contextmanager
def person(browser: Browser, *, scripts: bool = True, width: int = 1280) -> Iterator[Page]:
    """A page in a fresh profile: no cookie of anybody else."""
    context: BrowserContext = browser.new_context(
        java_script_enabled=scripts, viewport={"width": width, "height": 900}, locale="en-GB"
    )
    context.set_default_timeout(PATIENCE)
    try:
        yield context.new_page()
    finally:
        context.close()


def trust(home: Path, authority: Path) -> None:
    """Let the Chromium of this home trust a certificate authority."""
    certutil = find_certutil()
    assert certutil is not None
    store = home / ".pki" / "nssdb"
    store.mkdir(parents=True)
    database = f"sql:{store}"
    subprocess.run([certutil, "-N", "-d", database, "--empty-password"], check=True, capture_output=True)
    subprocess.run(
        [certutil, "-A", "-d", database, "-n", "throw-away", "-t", "C,,", "-i", str(authority)],
        check=True,
        capture_output=True,
    )
