"""Signals that end the acceptance: the first is an exception in the main thread, and what comes later is not listened to."""

import signal

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(BaseException):
    """Not an Exception, which stages may handle."""

    def __init__(self, number: int):
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.status = 128 + number


def by_none() -> None:
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)


def _stop(number: int, frame) -> None:
    by_none()
    raise Stopped(number)


def by_signals() -> None:
    """From here on; a signal that was ignored before (nohup) stays so."""
    for each in SIGNALS:
        if signal.getsignal(each) != signal.SIG_IGN:
            signal.signal(each, _stop)
