"""A headless Chromium (Debian's package), driven over its own protocol by two pipes: no other library."""

import base64
import json
import os
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

from launching import wait_until

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

# Quiet, alone, and without what a container or root cannot have.
FLAGS = """--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-extensions --disable-background-networking --disable-sync
--no-first-run --no-default-browser-check --mute-audio --hide-scrollbars --remote-debugging-pipe""".split()


class Browser:
    """One page. What goes wrong in it (its console, exceptions, what its Content-Security-Policy forbids) is in `complaints`; what it has
    asked for, in `requests`."""

    def __init__(self, language="en-US", size=(1120, 900)):
        self.folder = tempfile.TemporaryDirectory(prefix="mdl-browser-", ignore_cleanup_errors=True)
        self.complaints, self.requests = [], []
        self._answers, self._number, self._arrived = {}, 0, threading.Condition()
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        words = [CHROMIUM, *FLAGS, f"--user-data-dir={self.folder.name}", f"--accept-lang={language}", f"--lang={language}"]
        shell = f'exec "$0" "$@" 3<&{theirs_in} 4>&{theirs_out}'
        env = {**os.environ, "HOME": self.folder.name, "LANGUAGE": language.replace("-", "_")}
        self.process = subprocess.Popen(
            ["bash", "-c", shell, *words, f"--window-size={size[0]},{size[1]}"],
            pass_fds=(theirs_in, theirs_out),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=env,
        )
        os.close(theirs_in)
        os.close(theirs_out)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self._session = None
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self._reader.join()
        os.close(self._to)
        os.close(self._from)
        self.folder.cleanup()

    def call(self, method, **parameters):
        """Sends a command and waits for its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        with self._arrived:
            assert self._arrived.wait_for(lambda: self._number in self._answers, 60), f"the browser does not answer {method}"
            answer = self._answers.pop(self._number)
        assert "error" not in answer, f"{method}: {answer.get('error')}"
        return answer["result"]

    def open(self, url):
        self.call("Page.navigate", url=url)

    def value(self, script):
        """What an expression of JavaScript is in the page."""
        answer = self.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_for(self, script, limit=60):
        """Until the expression is true in the page; returns it."""
        return wait_until(lambda: self.value(script), limit)

    def press(self, key, text=None):
        """A key by its name in the DOM: "ArrowDown", "Enter", "/"."""
        codes = {
            "ArrowLeft": 37,
            "ArrowUp": 38,
            "ArrowRight": 39,
            "ArrowDown": 40,
            "Enter": 13,
            "Escape": 27,
            "Tab": 9,
            "End": 35,
            "Home": 36,
        }
        text = text or ("\r" if key == "Enter" else key if len(key) == 1 else None)
        kind = {"type": "keyDown", "text": text} if text else {"type": "rawKeyDown"}
        for event in (kind, {"type": "keyUp"}):
            self.call("Input.dispatchKeyEvent", key=key, code=key, windowsVirtualKeyCode=codes.get(key, 0), **event)

    def write(self, text):
        for character in text:
            self.press(character)

    def dark(self, wanted=True):
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": "dark" if wanted else "light"}])

    def screenshot(self, path, height=None):
        """Of what is seen; with `height` of the page's first so many pixels."""
        clip = {}
        if height:
            width = self.value("innerWidth")
            clip = {"clip": {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}, "captureBeyondViewport": True}
        Path(path).write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png", **clip)["data"]))

    def _read(self):
        pending = b""
        while part := os.read(self._from, 1 << 16):
            *messages, pending = (pending + part).split(b"\0")
            for message in messages:
                self._take(json.loads(message))

    def _take(self, message):
        if "id" in message:
            with self._arrived:
                self._answers[message["id"]] = message
                self._arrived.notify_all()
            return
        details = message.get("params", {})
        if message["method"] == "Network.requestWillBeSent":
            self.requests.append(details["request"]["url"])
        elif message["method"] == "Runtime.exceptionThrown":
            self.complaints.append(details["exceptionDetails"].get("exception", {}).get("description", str(details)))
        elif message["method"] == "Runtime.consoleAPICalled":
            self.complaints.append(" ".join(str(word.get("value")) for word in details["args"]))
        elif message["method"] == "Log.entryAdded":
            self.complaints.append(f"{details['entry']['text']} ({details['entry'].get('url', '')})")
