"""A headless Chromium, driven over the DevTools protocol, for tests of pages that open from disk."""

import json
import os
import shutil
import subprocess
import time
import urllib.request
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find():
    """Path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


class Browser:
    """One page of a headless Chromium; `problems` collects errors of the console and files that did not load."""

    def __init__(self, program, folder):
        from websocket import create_connection

        options = ["--headless", "--disable-gpu", "--remote-debugging-port=0", f"--user-data-dir={folder}"]
        options += ["--remote-allow-origins=*", "--no-first-run", "--disable-dev-shm-usage"]
        if os.geteuid() == 0:
            options.append("--no-sandbox")  # Chromium refuses to run as root with it
        self.process = subprocess.Popen(
            [program, *options, "about:blank"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.problems, self.loaded, self.count = [], False, 0
        pages = self._pages(Path(folder) / "DevToolsActivePort")
        self.socket = create_connection(pages[0]["webSocketDebuggerUrl"], timeout=120)
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def _pages(self, file):
        """The open pages, once the browser listens."""
        for _ in range(600):
            lines = file.read_text().split() if file.is_file() else []
            if lines:
                with urllib.request.urlopen(f"http://127.0.0.1:{lines[0]}/json") as answer:
                    pages = [page for page in json.load(answer) if page["type"] == "page"]
                if pages:
                    return pages
            time.sleep(0.1)
        raise TimeoutError("Chromium did not start within a minute")

    def call(self, method, **parameters):
        """Send a command and return its result; events that come before it are kept."""
        self.count += 1
        self.socket.send(json.dumps({"id": self.count, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv())
            if message.get("id") == self.count:
                assert "error" not in message, message
                return message["result"]
            self._event(message)

    def _event(self, message):
        method, about = message["method"], message["params"]
        self.loaded |= method == "Page.loadEventFired"
        if method == "Log.entryAdded" and about["entry"]["level"] in ("error", "warning"):
            self.problems.append(about["entry"]["text"])
        elif method == "Runtime.exceptionThrown":
            self.problems.append(about["exceptionDetails"]["text"])
        elif method == "Runtime.consoleAPICalled" and about["type"] in ("error", "warning", "assert"):
            self.problems.append(str(about["args"]))
        elif method == "Network.loadingFailed" and not about.get("canceled"):
            self.problems.append(about["errorText"])

    def open(self, file, width=1280, dark=False, fragment="", scripts=True):
        """Load a file at a width in CSS pixels and wait until it is complete."""
        self.loaded = False
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=800, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url="about:blank")
        while not self.loaded:
            self._event(json.loads(self.socket.recv()))
        self.loaded = False
        self.call("Page.navigate", url=Path(file).as_uri() + fragment)
        while not self.loaded:
            self._event(json.loads(self.socket.recv()))

    def run(self, script):
        """Value of a JavaScript expression in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def press(self, key, code=None, text=""):
        """Press and release a key."""
        about = {"key": key, "code": key, "windowsVirtualKeyCode": code or 0, "text": text}
        self.call("Input.dispatchKeyEvent", type="keyDown", **about)
        self.call("Input.dispatchKeyEvent", type="keyUp", **about)

    def close(self):
        """End the browser and wait for it."""
        try:
            self.call("Browser.close")
            self.socket.close()
        finally:
            self.process.terminate()
            self.process.wait(timeout=30)
