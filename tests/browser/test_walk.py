"""The pages in a real Chromium: a person's whole way, by mouse and by keyboard, on a wide and a narrow screen."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from browser_theatre import SILENT_FEED, Theatre
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect
from web_stage import FEED, OURS, WELLS

from service.workflows.plans import find_plans

SHALLOW_CONTRAST = 4.5
"""The least contrast of text to its ground (WCAG 2.2, 1.4.3)."""

MEASURE_CONTRAST = """
() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const paint = (color, under) => {
    canvas.fillStyle = under; canvas.fillRect(0, 0, 1, 1);
    canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    return canvas.getImageData(0, 0, 1, 1).data;
  };
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
    .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = element => {
    const layers = [];
    for (let e = element; e; e = e.parentElement) layers.push(getComputedStyle(e).backgroundColor);
    let under = 'rgb(255, 255, 255)';
    for (const layer of layers.reverse()) { const [r, g, b] = paint(layer, under); under = `rgb(${r}, ${g}, ${b})`; }
    return under;
  };
  const poor = [];
  for (const element of document.querySelectorAll('body *')) {
    const own = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    const box = element.getBoundingClientRect();
    if (!own || !box.width || !element.checkVisibility()) continue;
    if (getComputedStyle(element).clipPath !== 'none') continue;
    const under = ground(element);
    const [a, b] = [light(paint(getComputedStyle(element).color, under)), light(paint(under, under))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const name = `${element.tagName}.${element.className} ${element.textContent.trim().slice(0, 30)}`;
    if (ratio < LEAST) poor.push(`${ratio.toFixed(2)} ${name}`);
  }
  return [...new Set(poor)];
}
""".replace("LEAST", str(SHALLOW_CONTRAST))

FIND_FAULTS = """
() => {
  const faults = [];
  for (const field of document.querySelectorAll('input:not([type=hidden]), textarea, select'))
    if (!field.labels.length) faults.push(`no label: ${field.outerHTML.slice(0, 80)}`);
  for (const th of document.querySelectorAll('th')) if (!th.scope) faults.push(`no scope: ${th.textContent}`);
  for (const image of document.querySelectorAll('img')) if (!image.hasAttribute('alt')) faults.push('no alt');
  const ids = [...document.querySelectorAll('[id]')].map(e => e.id);
  for (const id of ids) if (ids.filter(other => other === id).length > 1) faults.push(`id twice: ${id}`);
  for (const attribute of ['aria-labelledby', 'aria-describedby', 'for'])
    for (const element of document.querySelectorAll(`[${attribute}]`))
      if (!document.getElementById(element.getAttribute(attribute))) faults.push(`${attribute} leads nowhere`);
  if (document.querySelectorAll('h1').length !== 1) faults.push('not one h1');
  for (const element of document.querySelectorAll('a, button'))
    if (!element.textContent.trim() && !element.ariaLabel) faults.push(`no name: ${element.outerHTML.slice(0, 80)}`);
  if (!document.documentElement.lang) faults.push('no language');
  return faults;
}
"""


LEFT = "net::ERR_ABORTED"
"""What becomes of a request, like that for the icon, when its page is left before the answer is there."""


class Witness:
    """Listens to everything a page does and remembers what it should not have done."""

    def __init__(self, page: Page, origin: str) -> None:
        self.faults: list[str] = []
        self.hosts: set[str] = set()
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("requestfailed", self._miss)
        page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.host = urlsplit(origin).netloc

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.faults.append(message.text)

    def _miss(self, request: Request) -> None:
        if request.failure != LEFT:
            self.faults.append(f"failed: {urlsplit(request.url).path} ({request.failure})")

    def check(self) -> None:
        assert self.faults == []
        assert self.hosts == {self.host}


@pytest.fixture
def context(theatre: Theatre, chromium: Browser) -> Iterator[BrowserContext]:
    opened = chromium.new_context(base_url=theatre.origin, viewport={"width": 1280, "height": 900})
    opened.set_default_timeout(15_000)
    yield opened
    opened.close()


def log_in(page: Page, theatre: Theatre) -> None:
    page.goto("/login")
    page.get_by_label("E-mail address").fill(theatre.login[0])
    page.get_by_label("Password").fill(theatre.login[1])
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Lakeside Clinic")


def name_pages(theatre: Theatre) -> list[str]:
    return [
        "/",
        f"/practitioners/{WELLS}",
        theatre.patient_page,
        "/plans",
        f"/plans/{theatre.open_plan}",
        f"/plans/{theatre.applied_plan}",
        "/deliveries",
        f"/deliveries/{theatre.held_delivery}",
        f"/deliveries/{theatre.delivery_with_findings}",
        "/feeds",
        f"/feeds/{FEED}",
        f"/feeds/{SILENT_FEED}",
        "/holds",
        "/ledger",
        "/reports",
        "/reports/expiring",
        "/api/docs",
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_clean_readable_and_asks_no_other_host(theatre: Theatre, chromium: Browser, scheme: str) -> None:
    context = chromium.new_context(
        base_url=theatre.origin,
        viewport={"width": 1280, "height": 900},
        color_scheme="dark" if scheme == "dark" else "light",
    )
    page = context.new_page()
    witness = Witness(page, theatre.origin)
    log_in(page, theatre)
    for address in name_pages(theatre):
        page.goto(address)
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.evaluate(FIND_FAULTS) == [], address
        assert page.evaluate(MEASURE_CONTRAST) == [], address
    witness.check()
    context.close()


def test_nothing_but_tables_is_wider_than_a_narrow_screen(theatre: Theatre, chromium: Browser) -> None:
    context = chromium.new_context(base_url=theatre.origin, viewport={"width": 400, "height": 800})
    page = context.new_page()
    log_in(page, theatre)
    for address in name_pages(theatre):
        page.goto(address)
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 400, (address, width)
    context.close()


def test_the_pages_work_without_scripts(theatre: Theatre, chromium: Browser) -> None:
    context = chromium.new_context(base_url=theatre.origin, java_script_enabled=False)
    page = context.new_page()
    log_in(page, theatre)
    page.get_by_role("link", name="Plans", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Plans")
    context.close()


def test_the_keyboard_reaches_everything_and_shows_where_it_is(theatre: Theatre, context: BrowserContext) -> None:
    page = context.new_page()
    log_in(page, theatre)
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().left") >= 0
    reached = set()
    for _ in range(40):
        page.keyboard.press("Tab")
        style = page.evaluate(
            "() => { const s = getComputedStyle(document.activeElement); return [s.outlineStyle, s.outlineWidth]; }"
        )
        name = page.evaluate("document.activeElement.textContent.trim()")
        if page.evaluate("document.activeElement === document.body"):
            break
        assert style[0] != "none" and float(style[1].removesuffix("px")) >= 2, name
        reached.add(name)
    assert {"Plans", "Log out", "Read and sign", "Decide", "Dolores Wells"} <= reached


def test_a_person_walks_from_the_overview_to_a_signed_and_applied_plan(
    theatre: Theatre, context: BrowserContext
) -> None:
    page = context.new_page()
    witness = Witness(page, theatre.origin)
    log_in(page, theatre)
    page.get_by_role("link", name="Read and sign").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("drafted")
    page.get_by_role("button", name="Sign plan").click()
    assert page.evaluate("document.activeElement.id") == "confirm"  # the browser itself asks for the box to be ticked
    page.get_by_label("I have read the plan and make this statement.").check()
    page.locator("#reason").fill("read line by line")
    page.get_by_role("button", name="Sign plan").click()
    expect(page.get_by_role("status")).to_contain_text("The plan is signed.")
    page.get_by_role("button", name="Apply plan").click()
    theatre.stage.settle()
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_contain_text("applied")
    assert find_plans(theatre.stage.runtime, OURS)[0].state == "applied"
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Log in")
    witness.check()
