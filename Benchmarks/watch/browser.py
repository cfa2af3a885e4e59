"""Headless Chromium over its debugging pipe, with the standard library alone."""

import base64
import json
import os
import select
import shutil
import subprocess
import tempfile
import time


def program():
    """The path of Chromium; None if it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class Browser:
    """One browser with one page.

    Messages go over descriptors 3 and 4, each with a zero byte at its end
    (chromium --remote-debugging-pipe).
    """

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="pathwise-browser-")
        down_read, down_write = os.pipe()
        up_read, up_write = os.pipe()

        def connect():
            os.dup2(down_read, 103)
            os.dup2(up_write, 104)
            os.dup2(103, 3)
            os.dup2(104, 4)
            os.set_inheritable(3, True)
            os.set_inheritable(4, True)

        self.process = subprocess.Popen(
            [program(), "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
             "--disable-dev-shm-usage", "--disable-background-networking", "--hide-scrollbars",
             "--disable-background-timer-throttling", "--remote-debugging-pipe",
             f"--user-data-dir={self.folder}", "about:blank"],
            preexec_fn=connect, close_fds=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(down_read)
        os.close(up_write)
        self.out, self.incoming = down_write, up_read
        self.rest = b""
        self.number = 0
        self.session = None
        self.events = []
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.call(
            "Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Performance", "Log"):
            self.call(f"{domain}.enable")

    def close(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.out)
        os.close(self.incoming)
        shutil.rmtree(self.folder, ignore_errors=True)

    def receive(self, end):
        """The next message; None at the end of the time."""
        while b"\0" not in self.rest:
            ready, _, _ = select.select([self.incoming], [], [], max(0, end - time.monotonic()))
            if not ready:
                return None
            piece = os.read(self.incoming, 1 << 20)
            if not piece:
                raise RuntimeError("the browser has ended")
            self.rest += piece
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def call(self, method, seconds=30, **parameters):
        """Calls a method and returns its result."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.out, json.dumps(message).encode() + b"\0")
        end = time.monotonic() + seconds
        while True:
            answer = self.receive(end)
            if answer is None:
                raise TimeoutError(method)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']}")
                return answer["result"]
            self.events.append(answer)

    def view(self, width, height, dark=False, scale=1):
        """Sets the size of the window and the colours that the user prefers."""
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=scale, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}])

    def open(self, address):
        self.call("Page.navigate", url=address)

    def run(self, script, waits=False):
        """The value of a script in the page."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True,
                           awaitPromise=waits)
        if "exceptionDetails" in result:
            raise RuntimeError(result["exceptionDetails"])
        return result["result"].get("value")

    def wait(self, script, seconds=20, every=0.02):
        """Waits until a script is true; returns the seconds that it took, None if it never was."""
        begin = time.monotonic()
        while time.monotonic() - begin < seconds:
            # While a page is loaded, what the script looks for is not there.
            try:
                if self.run(script):
                    return time.monotonic() - begin
            except RuntimeError:
                pass
            time.sleep(every)
        return None

    def picture(self, file, whole=True):
        """Writes a screenshot."""
        size = self.call("Page.getLayoutMetrics")["cssContentSize"]
        parameters = {"format": "png", "captureBeyondViewport": whole}
        if whole:
            parameters["clip"] = {"x": 0, "y": 0, "width": size["width"],
                                  "height": min(size["height"], 6000), "scale": 1}
        data = self.call("Page.captureScreenshot", **parameters)["data"]
        with open(file, "wb") as picture:
            picture.write(base64.b64decode(data))

    def press(self, key, code=None, text=None):
        """Presses a key and lets it go."""
        extra = {"text": text} if text else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=code or key, **extra)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=code or key)

    def problems(self):
        """Errors of scripts, of the console, and of the security policy so far."""
        # Messages that have arrived meanwhile.
        self.run("1")
        found = []
        for event in self.events:
            if event.get("method") == "Runtime.exceptionThrown":
                found.append(event["params"]["exceptionDetails"].get("exception", {}).get("description"))
            if event.get("method") == "Log.entryAdded":
                entry = event["params"]["entry"]
                if entry["level"] == "error":
                    found.append(entry["text"])
        return found
