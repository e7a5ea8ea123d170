"""Signals during calls into the library.

Python runs a signal's handler only when Python code runs, so Ctrl-C would wait for the end of a training. And when a
callback is the first Python code to run, the handler's exception would strike in the callback's frame before any `try`,
where ctypes can only print it. So during a call from the main thread

- every handler written in Python is put off to a safe point: inside a callback's `try`, while the host's function runs, or
  after the call. Whatever it raises comes out of the call unchanged;
- a SIGINT that would raise KeyboardInterrupt asks the library to stop at once: the byte that the signal writes to the
  wakeup descriptor is read by a thread, which needs no turn of the main thread.
"""
import os
import signal
import threading


class Interrupts:
    """What becomes of signals during one call. Of use on the main thread only; elsewhere nothing is done."""

    def __init__(self, stop):
        self.stop = stop          # asks the library to stop; any thread may call it
        self.stopped = False      # this object did so
        self.inside = False       # the host's own code runs, handlers may too
        self.late = []            # (handler, signal number, frame), put off
        self.saved = {}
        self.raises = False       # SIGINT would raise KeyboardInterrupt
        self.thread = None

    def enter(self):
        if threading.current_thread() is not threading.main_thread():
            return self
        try:
            for number in signal.valid_signals():
                handler = signal.getsignal(number)
                if callable(handler):
                    self.saved[number] = handler
                    signal.signal(number, self.on_signal)
        except ValueError:        # the main thread of an interpreter beside the main one: no signals there
            self.saved.clear()
            return self
        if _raises(self.saved.get(signal.SIGINT)):
            self.raises = True
            self._listen()
        return self

    def _listen(self):
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.writing, False)
        self.before = signal.set_wakeup_fd(self.writing, warn_on_full_buffer=False)
        self.thread = threading.Thread(target=self._read, name="spectune-signals", daemon=True)
        self.thread.start()

    def _read(self):
        while True:
            numbers = os.read(self.reading, 512)
            if not numbers:
                return
            if signal.SIGINT in numbers:
                self.stopped = True
                self.stop()
            if self.before != -1:
                try:
                    os.write(self.before, numbers)
                except OSError:   # whoever listened before is gone, or slow
                    pass

    def on_signal(self, number, frame):
        """In place of every handler."""
        handler = self.saved[number]
        if self.inside:
            handler(number, frame)
        else:
            self.late.append((handler, number, frame))

    def host(self):
        """The host's code runs now. Handlers that were put off run first, and may raise."""
        self.inside = True
        self._deliver()

    def library(self):
        """The host's code has returned."""
        self.inside = False

    def _deliver(self):
        while self.late:
            handler, number, frame = self.late.pop(0)
            handler(number, frame)

    def exit(self):
        """The call is over: everything as it was, and handlers that were put off run."""
        if self.thread is not None:
            signal.set_wakeup_fd(self.before, warn_on_full_buffer=False)
            os.close(self.writing)
            self.thread.join()
            os.close(self.reading)
        try:
            for number, handler in self.saved.items():
                if signal.getsignal(number) == self.on_signal:
                    signal.signal(number, handler)
        finally:
            self._deliver()


def _raises(handler):
    """Whether a handler of SIGINT is Python's own, perhaps put off by an outer call."""
    outer = getattr(handler, "__self__", None)
    return handler is signal.default_int_handler or (isinstance(outer, Interrupts) and outer.raises)
