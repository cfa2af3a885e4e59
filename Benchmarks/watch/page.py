#!/usr/bin/env python3
"""Opens the status page of real programs in headless Chromium: page.py [--pictures DIR].

It asserts what docs/watch.md promises of the page: below 300 kB and nothing from elsewhere, no
problem in the console, a failed path shown within a second, foreign names as text, no layout shift,
no sideways scrolling from 400 px on, keys, the token, and no growth over as many states as eight hours bring.
PATHWISE names the binary (default: .build/release/pathwise).
"""

import argparse
import contextlib
import json
import socket
import struct
import sys
import time
from pathlib import Path

from browser import Browser, program
from programs import Pair, get

LIVE = "document.getElementById('liveText').textContent === 'Live'"
SHIFTS = """
window.shifts = 0;
new PerformanceObserver(list => { for (const e of list.getEntries()) window.shifts += e.value; })
  .observe({type: 'layout-shift', buffered: true});
"""
EVIL = "<img/src=x/onerror=window.pwned=1>"
problems = []


def check(what, holds, figure=""):
    print(f"{'ok  ' if holds else 'FAIL'} {what}{': ' + str(figure) if figure != '' else ''}", flush=True)
    if not holds:
        problems.append(what)


def chip(path):
    return ("[...document.querySelectorAll('.path')].find(e => e.querySelector('h3 span')"
            f".textContent === '{path}').querySelector('.chip').textContent")


def size(browser, port):
    """Bytes that the page took, and requests that went elsewhere."""
    browser.run("1")
    total, strange = 0, []
    for event in browser.events:
        if event.get("method") == "Network.loadingFinished":
            total += event["params"]["encodedDataLength"]
        if event.get("method") == "Network.requestWillBeSent":
            address = event["params"]["request"]["url"]
            if not address.startswith((f"http://127.0.0.1:{port}/", "data:", "about:")):
                strange.append(address)
    return total, strange


def ask_for_evil(port):
    """Asks the SOCKS proxy for a host whose name is markup."""
    with socket.create_connection(("127.0.0.1", port)) as one:
        one.sendall(b"\5\1\0")
        one.recv(2)
        name = EVIL.encode()
        one.sendall(b"\5\1\0\3" + bytes([len(name)]) + name + struct.pack(">H", 80))
        with contextlib.suppress(OSError):
            one.settimeout(5)
            one.recv(64)


def test_shadow(browser, pair):
    """A policy in the shadow has a row; it goes with the shadow, and another one comes."""
    shadow = "document.getElementById('shadow')"
    check("no shadow is shown without one", browser.run(f"{shadow}.hidden"))
    pair.control("shadow", "weighted")
    seen = browser.wait(f"!{shadow}.hidden && /weighted.*better|worse|not certain/.test({shadow}.textContent)", 30)
    check("a policy in the shadow is shown with its estimate", seen is not None,
          browser.run("document.getElementById('shadows').tBodies[0].textContent"))
    pair.control("shadow", "steady")
    seen = browser.wait(f"{shadow}.textContent.includes('steady') && !{shadow}.textContent.includes('weighted')", 10)
    check("another one takes its place", seen is not None)


def test_page(pair, pictures):
    port = pair.forward.watched()
    browser = Browser()
    try:
        browser.view(1280, 900)
        browser.call("Page.addScriptToEvaluateOnNewDocument", source=SHIFTS)
        browser.open(f"http://127.0.0.1:{port}/")
        shown = browser.wait(f"{LIVE} && document.querySelectorAll('.path').length === 2")
        check("the page is live and shows both paths", shown is not None, f"{shown or 0:.2f} s")
        total, strange = size(browser, port)
        check("the page is below 300 kB", 0 < total < 300_000, f"{total} B")
        check("nothing comes from elsewhere", not strange, strange or "")
        time.sleep(12)
        check("it says what works", browser.run("document.getElementById('title').textContent") ==
              "Both paths work", browser.run("document.getElementById('title').textContent"))
        check("it shows a rate", browser.run("parseFloat(document.getElementById('kSent').textContent)") > 0)

        times = []
        for _ in range(5):
            pair.relays["lte"].is_cut = True
            took = browser.wait(f"['suspect', 'failed'].includes({chip('lte')})", 10, 0.01)
            times.append(took if took is not None else 99)
            browser.wait("document.getElementById('title').textContent.includes('lte does not work')", 5)
            pair.relays["lte"].is_cut = False
            browser.wait(f"{chip('lte')} === 'active'", 20)
            time.sleep(2)
        check("a path that is cut is shown within a second, five times", max(times) < 1,
              ", ".join(f"{t * 1000:.0f} ms" for t in times))
        events = browser.run("document.getElementById('events').textContent")
        check("the events tell it", "lte: active to suspect" in events)

        ask_for_evil(pair.socks)
        seen = browser.wait("document.body.textContent.includes('onerror=window.pwned')", 10)
        check("a name that is markup is shown as text", seen is not None)
        check("and does nothing", browser.run(
            "window.pwned === undefined && document.querySelectorAll('img').length === 0"))

        test_shadow(browser, pair)
        shifts = browser.run("window.shifts")
        check("nothing moves", shifts < 0.02, f"layout shift {shifts:.4f}")
        if pictures:
            pair.relays["lte"].is_cut = True
            time.sleep(4)
            browser.picture(pictures / "failover.png")
            pair.relays["lte"].is_cut = False
            time.sleep(4)
        browser.press("3", "Digit3", "3")
        check("the key 3 shows six hours", browser.run(
            "document.querySelector('#ranges input:checked').value") == "360")
        browser.press("t", "KeyT", "t")
        check("the key t changes the colours", browser.run("document.documentElement.dataset.theme") == "light")
        for _ in range(2):
            browser.press("t", "KeyT", "t")
        browser.press("1", "Digit1", "1")
        browser.run("document.body.focus()")
        names = []
        for _ in range(9):
            browser.call("Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9)
            browser.call("Input.dispatchKeyEvent", type="keyUp", key="Tab", code="Tab", windowsVirtualKeyCode=9)
            names.append(browser.run("document.activeElement.id || document.activeElement.className || "
                                     "document.activeElement.getAttribute('aria-label') || document.activeElement.name"))
        check("Tab reaches colours, times, chart and tables", {"theme", "chart", "r"} <= set(names), names)

        for dark in (False, True):
            for width in (400, 768, 1280, 1900):
                browser.view(width, 900, dark)
                time.sleep(1.2)
                wide = browser.run("document.documentElement.scrollWidth - innerWidth")
                check(f"no sideways scrolling at {width} px, {'dark' if dark else 'light'}", wide <= 0, wide)
                if pictures:
                    browser.picture(pictures / f"{'dark' if dark else 'light'}-{width}.png")
        check("no problem in the console", not browser.problems(), browser.problems() or "")
    finally:
        browser.close()


def test_server(pair, pictures):
    port = pair.server.watched()
    browser = Browser()
    try:
        browser.view(1280, 900)
        browser.open(f"http://127.0.0.1:{port}/")
        shown = browser.wait(f"{LIVE} && document.querySelectorAll('#clients tbody').length === 1")
        check("the server's page shows its client", shown is not None)
        check("by name", browser.run("document.querySelector('#clients tbody td').textContent") == "van")
        if pictures:
            time.sleep(4)
            browser.picture(pictures / "server.png")
        check("no problem in the console", not browser.problems(), browser.problems() or "")
    finally:
        browser.close()


def test_growth(pair, states=28_800):
    """As many states as eight hours bring, as fast as the page takes them."""
    state = dict(pair.status(), time=int(time.time()), session_count=1, flow_count=2)
    events = [{"number": n, "time": "2026-11-30T08:00:00Z", "kind": "path", "text": f"lte: active to suspect {n}",
               "client": None, "path": "lte"} for n in range(10)]
    fake = """
    const real = window.fetch;
    window.given = 0;
    window.fetch = (to, options) => to !== 'events' ? real(to, options) : Promise.resolve(new Response(new ReadableStream({
      async pull(c) {
        if (window.given >= LIMIT) { await new Promise(r => setTimeout(r, 1e9)); return; }
        const s = STATE; s.running_seconds += window.given; s.sessions[0].paths[0].sent_bits_per_second = window.given * 1000;
        let text = '';
        for (let i = 0; i < 50; i++, window.given++) {
          s.sessions[0].paths[1].bytes_sent += 1000;
          text += 'event: state\\ndata: ' + JSON.stringify(s) + '\\n\\n';
          if (i % 10 === 0) text += 'event: event\\ndata: ' + JSON.stringify(EVENTS[window.given % 10]) + '\\n\\n';
        }
        c.enqueue(new TextEncoder().encode(text)); await new Promise(r => setTimeout(r));
      }}, {highWaterMark: 1}), {status: 200}));
    """.replace("STATE", json.dumps(state)).replace("EVENTS", json.dumps(events)).replace("LIMIT", str(states))
    browser = Browser()
    try:
        browser.view(1280, 900)
        browser.call("Page.addScriptToEvaluateOnNewDocument", source=fake)
        browser.open(f"http://127.0.0.1:{pair.forward.watched()}/")

        def used():
            for _ in range(2):
                browser.call("HeapProfiler.collectGarbage")
            values = {m["name"]: m["value"] for m in browser.call("Performance.getMetrics")["metrics"]}
            return values["JSHeapUsedSize"], values["Nodes"]

        browser.wait(f"window.given >= {states // 8}", 300, 0.2)
        first, first_nodes = used()
        took = browser.wait(f"window.given >= {states}", 900, 0.2)
        time.sleep(1)
        last, last_nodes = used()
        check(f"{states} states, as eight hours bring, leave nothing behind",
              took is not None and last - first < 1_000_000 and last_nodes - first_nodes < 100,
              f"{first / 1e6:.2f} MB and {first_nodes} nodes after an eighth, "
              f"{last / 1e6:.2f} MB and {last_nodes} at the end")
    finally:
        browser.close()


def test_token(folder, pictures):
    secret = Path(folder) / "token"
    pair = Pair((), ("--http-token", secret))
    browser = Browser()
    try:
        browser.view(1280, 900)
        port = pair.forward.watched()
        browser.open(f"http://127.0.0.1:{port}/")
        check("the page asks for the token", browser.wait("document.getElementById('ask').open") is not None)
        check("and shows nothing before", browser.run("document.querySelectorAll('.path').length") == 0)
        enter = ("document.getElementById('token').value = '{}';"
                 "document.getElementById('askForm').requestSubmit()")
        browser.run(enter.format("wrong"))
        check("it says that a token is wrong", browser.wait(
            "document.getElementById('askError').textContent.includes('not the token')") is not None)
        if pictures:
            browser.picture(pictures / "token.png", whole=False)
        browser.run(enter.format(secret.read_text().strip()))
        check("the right one opens it", browser.wait(
            f"{LIVE} && document.querySelectorAll('.path').length === 2") is not None)
        browser.open(f"http://127.0.0.1:{port}/")
        time.sleep(0.3)
        check("the tab remembers it", browser.wait(
            f"{LIVE} && document.querySelectorAll('.path').length === 2") is not None)
        check("nothing is kept beyond the tab", browser.run(
            "Object.keys(localStorage).join()") in ("", "pathwise-theme"))
        with contextlib.suppress(RuntimeError):
            get(port, "/status")
            check("a request without the token is refused", False)
    finally:
        browser.close()
        pair.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=Path, help="write screenshots into this folder")
    parser.add_argument("--states", type=int, default=28_800, help="states of the test of growth")
    options = parser.parse_args()
    if program() is None:
        print("chromium is not installed; apt-get install chromium")
        return 0
    if options.pictures:
        options.pictures.mkdir(parents=True, exist_ok=True)
    pair = Pair()
    try:
        test_page(pair, options.pictures)
        test_server(pair, options.pictures)
        test_growth(pair, options.states)
        test_token(pair.folder.name, options.pictures)
    finally:
        pair.close()
    print(f"{len(problems)} problems" if problems else "all hold")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
