"""Makes docs/pictures/page.png, the run page in the middle of `primes`: python docs/pictures/page.py [FILE].

Needs Chromium, and Playwright for Python (in the extra [test]).
"""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from vm.cli import main

PROGRAM, STEP = "primes", 1184  # 202 - (-23), from one multiple of 23 to the next
SIZE = {"width": 1280, "height": 885}


def take(picture: str) -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = Path(folder, "page.html")
        if main(["page", PROGRAM, "-q", "-o", str(page_file)]) != 0:
            sys.exit(f"there is no page of {PROGRAM}")
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport=SIZE, color_scheme="light", reduced_motion="reduce")
        page.goto(f"{page_file.as_uri()}#step={STEP}&view=step")
        page.get_by_text(f"Step {STEP:,}", exact=True).wait_for()
        page.locator(".decision[aria-label]").first.wait_for()
        page.wait_for_timeout(500)  # until the margins are drawn
        page.screenshot(path=picture)
        browser.close()


if __name__ == "__main__":
    take(sys.argv[1] if len(sys.argv) > 1 else str(Path(__file__).with_suffix(".png")))
