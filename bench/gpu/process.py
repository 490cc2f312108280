"""Programs that are given a time limit, watched while they run and ended with everything that they started."""

import ctypes
import os
import signal
import subprocess
import sys
import threading
import time

# Lines of a program's output that the record keeps.
KEPT_LINES = 40
KEPT_CHARACTERS = 4000


class Outcome:
    def __init__(self, command, code, seconds, timed_out, out, tail):
        self.command, self.code, self.seconds = command, code, seconds
        self.timed_out, self.out, self.tail = timed_out, out, tail

    @property
    def ok(self):
        return self.code == 0 and not self.timed_out

    def why(self):
        """In words, for the record; None when all is well."""
        if self.timed_out and self.code is None:
            return "no time was left"
        if self.timed_out:
            return f"ended after its {self.seconds:.0f} s"
        if self.code == 0:
            return None
        if self.code < 0:
            try:
                return f"ended by {signal.Signals(-self.code).name}"
            except ValueError:
                return f"ended by signal {-self.code}"
        return f"exit code {self.code}"

    def row(self):
        """What every call leaves in the record; the last lines only where they say why."""
        row = {"command": self.command, "seconds": round(self.seconds, 2), "ok": self.ok}
        if not self.ok:
            row.update(why=self.why(), tail=self.tail)
        return row


running = set()

try:
    prctl = ctypes.CDLL(None).prctl
except (OSError, AttributeError):
    prctl = None


def die_with_parent():
    """In a new process: on Linux it is killed when this script is, so that nothing holds the GPU's memory afterwards."""
    if prctl is not None:
        prctl(1, signal.SIGKILL)


def end_all():
    """Ends whatever still runs."""
    for process in list(running):
        kill(process)


def kill(process, number=signal.SIGKILL):
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass


def call(command, limit, *, env=None, cwd=None, log=None, quiet=False, interrupt_after=None, kill_when=None):
    """Runs a command for at most `limit` seconds; its lines are shown as they come, and kept in the file `log`.

    interrupt_after: seconds after which it gets a Ctrl-C, as a user would end it. kill_when: a function that is asked
    ten times a second; once it says yes, the program is killed."""
    shown = [os.path.basename(str(command[0])), *map(str, command[1:])]
    began = time.monotonic()
    if limit <= 0:
        return Outcome(shown, None, 0.0, True, "", ["no time was left before it began"])
    try:
        process = subprocess.Popen(
            [str(word) for word in command],
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=die_with_parent,
        )
    except OSError as error:
        return Outcome(shown, 127, 0.0, False, "", [str(error)])
    running.add(process)
    out, tail = [], []
    file = open(log, "ab") if log else None
    lock = threading.Lock()

    def read(stream, keep):
        for line in iter(stream.readline, b""):
            text = line.decode("utf-8", "replace").rstrip("\n")
            with lock:
                if keep:
                    out.append(text)
                if text:
                    tail.append(text[:500])
                    del tail[:-KEPT_LINES]
                if file:
                    file.write(line)
                    file.flush()
            if text and not quiet:
                print("    " + text[:300], flush=True)

    threads = [
        threading.Thread(target=read, args=(process.stdout, True), daemon=True),
        threading.Thread(target=read, args=(process.stderr, False), daemon=True),
    ]
    for thread in threads:
        thread.start()
    timed_out = False
    try:
        while process.poll() is None:
            passed = time.monotonic() - began
            if passed > limit:
                timed_out = True
                kill(process)
                break
            if interrupt_after is not None and passed > interrupt_after:
                kill(process, signal.SIGINT)
                interrupt_after = None
            if kill_when is not None and kill_when():
                kill(process)
                break
            time.sleep(0.02 if passed < 2 else 0.1)
        process.wait()
    finally:
        # What it started and left behind holds the pipes open and the device's memory taken.
        kill(process)
        for thread in threads:
            thread.join(timeout=5)
        running.discard(process)
        if file:
            file.close()
    with lock:
        text, last = "\n".join(out), list(tail)
    while sum(map(len, last)) > KEPT_CHARACTERS:
        last.pop(0)
    return Outcome(shown, process.returncode, time.monotonic() - began, timed_out, text, last)


def say(text):
    print(text, flush=True)
    sys.stdout.flush()
