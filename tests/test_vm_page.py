"""The run page in a real browser. Without Chromium or Playwright these tests are skipped, and say so."""

import html
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from marks import slow

import programs
from assembler import assemble
from vm.page.data import page_data
from vm.page.document import Page, make_page

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed: pip install -e '.[test]'")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: apt-get install chromium")

WIDTHS = (360, 1280, 1920)
SCHEMES = ("light", "dark")
PICTURES = Path(__file__).parent.parent / "docs/pictures"
VIEWS = ("step", "memory", "certainty", "break", "proof")
PATIENCE = 60_000  # ms
HOSTILE = r"""; </script><script>document.title = "owned"</script> <img src=x onerror="document.title='x'"> &lt; $data
        .isa sbn
print:  sbn  zero, at:text, go          ; <img src=x onerror=document.title='owned'>
go:     sbn  text, -1
        sbn  text+1, -1
        sbn  text+2, -1
        sbn  text+3, -1
        sbn  text+4, -1
        sbn  text+5, -1
        sbn  zero, minus1, -1
zero:   .word 0
minus1: .word -1
text:   .word '<', 'b', '>', 0, 255, '"'
"""

MACRO = """        .macro TWICE a
        sbn one, a
        sbn one, a
        .endm
        TWICE n
        sbn n, n
        sbn one, n, -1
one:    .word 1
n:      .word 5
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]
        )
        yield started
        started.close()


@pytest.fixture(scope="module")
def written(tmp_path_factory, unit_of) -> Callable[..., Path]:
    """written(name): the file of a bundled program's page; input None lets the reader type it."""
    folder = tmp_path_factory.mktemp("pages")
    made: dict[tuple, Path] = {}

    def write(name: str, input: bytes | None = b"", source: str | None = None, unit: str = "ntk") -> Path:
        key = (name, input, unit)
        if key not in made:
            text = programs.source(name) if source is None else source
            image = assemble(text, f"{name}.sbn")
            chosen = unit_of(unit, image.word_bits, image.isa)
            data = page_data(
                image,
                chosen,
                name=name,
                input=input or b"",
                input_ended=input is not None,
                sources={f"{name}.sbn": text},
            )
            made[key] = folder / f"{len(made)}.html"
            made[key].write_text(make_page(data, text.partition("\n")[0].lstrip("; ")), encoding="utf-8")
        return made[key]

    return write


class Shown:
    """A page in the browser, and what went on around it."""

    def __init__(self, context: Any, path: Path, link: str = "") -> None:
        self.requests: list[str] = []
        self.said: list[str] = []
        self.page = context.new_page()
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.set_default_timeout(PATIENCE)
        self.address = path.as_uri()
        self.page.goto(self.address + link)
        self.page.wait_for_function("() => document.querySelector('#instruction').textContent !== ''")

    def ask(self, kind: str, **fields: Any) -> Any:
        """What the machine in the page answers, typed arrays as lists."""
        script = """([kind, fields]) => machine.request(kind, fields).then((answer) => JSON.stringify(answer,
            (_, part) => ArrayBuffer.isView(part) ? Array.from(part) : typeof part === "bigint" ? `${part}` : part))"""
        return json.loads(self.page.evaluate(script, [kind, fields]))

    def text(self, id: str) -> str:
        return self.page.locator(f"#{id}").inner_text()

    def until(self, id: str, pattern: str) -> str:
        """Wait until an element's text matches."""
        self.page.wait_for_function(
            "([id, pattern]) => new RegExp(pattern).test(document.getElementById(id).textContent)", arg=[id, pattern]
        )
        return self.text(id)

    def run_to_the_end(self) -> None:
        self.page.keyboard.press("End")
        self.until("machine-state", "halted")


@pytest.fixture
def shown(browser, written) -> Iterator[Callable[..., Shown]]:
    contexts: list[Any] = []

    def show(name: str, width: int = 1280, scheme: str = "light", link: str = "", **fields: Any) -> Shown:
        contexts.append(
            browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce")
        )
        return Shown(contexts[-1], written(name, **fields), link)

    yield show
    for context in contexts:
        context.close()


def test_a_program_runs_to_its_output_and_nothing_leaves_the_page(shown):
    primes = shown("primes")
    primes.run_to_the_end()
    assert primes.text("output").encode() == programs.sample_output("primes")
    state = primes.ask("snapshot")
    assert state["compared"] == state["step"] == state["end"] > 1000 and state["divergence"] is None
    assert primes.text("lockstep") == f"{state['step']:,} steps compared, all agree"
    assert [url for url in primes.requests if not url.startswith("blob:")] == [primes.address]
    assert primes.said == []


def test_the_same_step_is_the_same_state_from_either_side(shown):
    hello = shown("hello")
    hello.run_to_the_end()
    scrubber = hello.page.locator("#scrubber")
    met: dict[int, Any] = {}
    for step in (40, 7, 90, 40, 0, 90, 7):
        scrubber.fill(str(step))
        hello.until("step-count", f"^Step {step} ")
        state = hello.ask("snapshot")
        found = {key: state[key] for key in ("step", "pc", "memory", "heat", "output", "next", "last")}
        assert met.setdefault(step, found) == found
    assert met[90]["memory"] != met[7]["memory"] and met[90]["output"] != met[7]["output"]


def test_a_network_of_noise_is_caught_and_mended_with_one_click(shown):
    hello = shown("hello", link="#view=break")
    hello.page.select_option("#scrambled", "first")
    hello.page.click("#break")
    hello.until("report", "Caught at step")
    hello.page.keyboard.press("Escape")
    divergence = hello.ask("snapshot")["divergence"]
    assert f"Caught at step {divergence['step']:,}." in hello.text("report")
    assert divergence["machine"] != divergence["reference"]
    assert "differs since" in hello.text("lockstep")
    hello.until("first-wrong", r"^The first prediction that is wrong: pass 0, first, output [xGP] at bit \d+")
    hello.page.click("text=Mend it and go on from there")
    hello.until("machine-state", "halted")
    assert hello.text("output") == "Hello, world!\n" and hello.ask("snapshot")["divergence"] is None
    assert "all agree" in hello.text("lockstep")


def test_damage_is_survived_and_caught_where_the_chapter_says(shown):
    primes = shown("primes")

    def caught(**damage: Any) -> int | None:
        primes.ask("seek", step=0)
        primes.ask("break", **damage)
        primes.ask("seek", step=200)
        primes.page.wait_for_function(
            "() => machine.request('snapshot').then((state) => state.step === 200 || state.status !== 'ready')"
        )
        divergence = primes.ask("snapshot")["divergence"]
        return None if divergence is None else divergence["step"]

    assert (caught(noise=0.02), caught(bits=6)) == (None, None)
    assert (caught(noise=0.05), caught(bits=5)) == (111, 1)


def test_a_hidden_unit_is_removed_and_put_back(shown):
    page = (hello := shown("hello", link="#step=12&bit=0.x.5")).page
    page.wait_for_selector("#hidden:visible")
    before = hello.text("hidden-words")
    page.locator("#activations").focus()
    page.keyboard.press("ArrowRight")
    words = hello.text("unit-words")
    assert words.startswith("Unit 0: sum ")
    page.click("text=Remove unit 0")
    hello.until("unit-words", "Unit 0 is removed")
    assert "1 of them removed" in hello.text("activations-title") and "damaged" in hello.text("unit-name")
    page.click("text=Put unit 0 back")
    hello.until("unit-words", "^Unit 0: sum ")
    assert (hello.text("hidden-words"), hello.text("unit-words")) == (before, words)


def test_a_run_on_given_input_starts_again_on_another_one(shown):
    adder = shown("adder", input=b"1 2")
    adder.run_to_the_end()
    assert adder.text("output") == "3\n"
    adder.page.fill("#typed", "17 25")
    adder.page.fill("#speed", "11")
    adder.page.click("text=Run again with it")
    adder.until("output", "^42\n")
    adder.until("machine-state", "halted")


def test_typed_input_is_read(shown):
    adder = shown("adder", input=None)
    adder.page.keyboard.press("End")
    adder.until("machine-state", "waits for input")
    adder.page.fill("#typed", "17 25")
    adder.page.click("text=Send")
    adder.until("machine-state", "halted")
    assert adder.text("output") == "42\n"


def test_the_keyboard_alone_is_enough(shown):
    page = (adder := shown("adder", input=None)).page
    page.keyboard.press("ArrowRight")
    adder.until("step-count", "^Step 1")
    page.keyboard.press("ArrowRight")
    adder.until("step-count", "^Step 2")
    page.keyboard.press("ArrowLeft")
    adder.until("step-count", "^Step 1 of 2")
    page.keyboard.press("i")
    page.keyboard.press("End")  # belongs to the text, not to the page
    page.keyboard.type("17 25\n")
    page.keyboard.press("Tab")
    for view, number in (("memory", "2"), ("proof", "5"), ("step", "1")):
        page.keyboard.press(number)
        assert page.locator(f"#view-{view}").is_visible()
    page.keyboard.press("Home")
    adder.until("step-count", "^Step 0 of")
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert {"play", "step", "speed", "scrubber", "listing", "output", "typed", "tab-step"} - reached <= {"listing"}
    assert any("stop" in each for each in reached) and any("decision" in each for each in reached)
    page.locator(".row .stop[tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator(".row .stop[aria-pressed='true']").count() == 1
    page.locator(".decision").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_selector("#hidden:visible")
    assert "bit 14" in adder.text("hidden-title")
    page.keyboard.press("Escape")
    page.wait_for_selector("#hidden", state="hidden")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("Bit 14: ")


def test_a_break_point_in_a_macro_is_seen_whether_the_macro_is_open_or_closed(shown):
    page = (macro := shown("macro", source=MACRO)).page
    stops = page.locator(".row .stop[aria-pressed='true']")
    page.keyboard.press("ArrowRight")
    macro.until("step-count", "^Step 1")
    page.keyboard.press("b")  # at the second instruction of the macro, which is closed
    page.wait_for_selector(".row .stop.within[title='A break point is within the macro']")
    assert stops.count() == 0
    for _ in range(2):
        page.locator(".row .open").click()
        assert stops.count() == 1 and page.locator(".row .stop.within").count() == 0
        page.locator(".row .open").click()
        assert stops.count() == 0 and page.locator(".row .stop.within").count() == 1
    page.locator(".row .open").click()
    stops.click()
    assert page.locator(".row .stop.within, .row .stop[aria-pressed='true']").count() == 0


def test_a_link_names_a_step_a_view_and_a_bit(shown):
    hello = shown("hello", link="#step=12&view=step&word=3&bit=0.x.5")
    hello.until("step-count", "^Step 12")
    hello.page.wait_for_selector("#hidden:visible")
    assert "output x, bit 5" in hello.text("hidden-title")
    hello.page.keyboard.press("3")
    hello.page.wait_for_function("() => location.hash.includes('view=certainty') && location.hash.includes('step=12')")


def test_a_link_to_a_word_outside_memory_chooses_none(shown):
    page = (hello := shown("hello", link="#step=1&view=memory&word=65536")).page
    hello.until("step-count", "^Step 1")
    page.wait_for_selector("#last-write:disabled")
    page.locator("#memory").hover(position={"x": 5, "y": 5})
    hello.until("word-words", "^Word 0")
    assert page.locator("#watch").is_disabled()


def test_what_a_hostile_program_says_is_text(shown):
    hostile = shown("<img src=x onerror=document.title='owned'>", source=HOSTILE)
    hostile.run_to_the_end()
    assert hostile.text("output") == '<b>\u2400\ufffd"'
    assert 'document.title = "owned"</script>' in hostile.text("listing")
    assert hostile.page.title().startswith("<img src=x") and hostile.page.locator("img").count() == 0
    assert [url for url in hostile.requests if not url.startswith("blob:")] == [hostile.address]
    assert hostile.said == []


def test_the_page_runs_in_a_notebook_s_frame(browser, written, tmp_path):
    outer = tmp_path / "notebook.html"
    frame = Page(written("hello").read_text(encoding="utf-8"))._repr_html_()
    assert 'sandbox="allow-scripts"' in frame and html.escape("<script>") in frame
    outer.write_text(f"<!doctype html><title>a notebook</title>{frame}", encoding="utf-8")
    page = browser.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(outer.as_uri())
    inner = page.frame_locator("iframe")
    inner.locator("#step").click()
    inner.locator("#step-count", has_text="Step 1").wait_for(timeout=PATIENCE)
    assert said == []
    page.close()


def test_where_no_worker_can_be_made_the_engine_runs_in_the_page(browser, written):
    context = browser.new_context()
    context.add_init_script("window.Worker = class { constructor() { throw new Error('there are none'); } }")
    hello = Shown(context, written("hello"))
    hello.run_to_the_end()
    assert hello.text("output") == "Hello, world!\n" and not hello.ask("snapshot")["inWorker"]
    assert hello.said == []
    context.close()


def test_a_unit_without_an_engine_is_shown_as_a_recording(shown):
    hello = shown("hello", unit="native")
    hello.page.keyboard.press("ArrowRight")
    hello.until("step-count", "^Step 1")
    assert "This is a recording" in hello.text("footer") and "recorded steps compared, all agree" in hello.text(
        "lockstep"
    )


def test_a_recording_is_no_wider_than_a_telephone(shown):
    page = shown("hello", width=360, unit="native").page
    page.wait_for_function("() => document.querySelector('#lockstep').textContent.includes('recorded')")
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_what_is_proved_fits_a_telephone_and_breaks_no_word_of_its_tables(shown):
    page = shown("hello", width=360, link="#view=proof").page
    page.wait_for_selector("#proof th:visible")
    assert page.evaluate("(view => view.scrollWidth - view.clientWidth)(document.getElementById('view-proof'))") == 0
    lines = page.evaluate("""() => [...document.querySelectorAll('#proof td, #proof th')]
        .filter((cell) => !cell.textContent.includes(' '))
        .map((cell) => {
            const text = new Range();
            text.selectNodeContents(cell);
            return text.getClientRects().length;
        })""")
    assert len(lines) > 10 and set(lines) == {1}


TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")


def violations(page: Any, tags: tuple[str, ...] = TAGS) -> list[str]:
    """What axe-core objects to: rule, and the first element."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
    found = axe.Axe().run(page, options={"runOnly": {"type": "tag", "values": list(tags)}}).response["violations"]
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:160]} {each['nodes'][0]['failureSummary'][:300]}" for each in found
    ]


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), *slow((1280, "dark"), (1920, "light"))])
def test_axe_finds_nothing_in_a_step_and_its_network(shown, width, scheme):
    hello = shown("hello", width=width, scheme=scheme, link="#step=50&bit=0.x.3")
    hello.page.wait_for_selector("#hidden:visible")
    assert violations(hello.page) == []
    assert hello.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


def test_axe_finds_a_control_without_a_name(shown):
    hello = shown("hello")
    hello.page.evaluate("document.getElementById('step').replaceChildren()")
    hello.page.evaluate("document.getElementById('step').removeAttribute('title')")
    assert [each for each in violations(hello.page, ("wcag2a",)) if each.startswith("button-name")] != []


@pytest.mark.slow
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("width", (*WIDTHS, 2560))
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_in_any_view(shown, view, width, scheme):
    primes = shown("primes", width=width, scheme=scheme, link=f"#step=500&view={view}")
    primes.until("step-count", "^Step 500")
    assert violations(primes.page) == []
    assert primes.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")


@pytest.mark.slow
@pytest.mark.parametrize("name", programs.names())
def test_every_bundled_program_runs_in_the_page_as_in_python(shown, name):
    program = shown(name, input=programs.sample_input(name))
    program.page.keyboard.press("End")
    program.page.wait_for_function(
        "() => /halted/.test(document.getElementById('machine-state').textContent)", timeout=300_000
    )
    assert bytes(program.ask("snapshot")["output"]) == programs.sample_output(name)
    assert program.said == []


@pytest.mark.slow
def test_the_picture_of_the_page_is_made_by_its_command(tmp_path, unit_of):
    unit_of("ntk")
    picture = tmp_path / "page.png"
    subprocess.run([sys.executable, str(PICTURES / "page.py"), str(picture)], check=True, timeout=120)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_the_picture_in_the_readme_is_small():
    assert (PICTURES / "page.png").stat().st_size < 200_000
