"""Moves DICOM dates and times so that intervals stay and the calendar does not.

Dates go back by the patient's number of days. Times of day are told on a clock that stands at noon
when the study starts: an hour after injection stays an hour, and nobody learns that the scan was
made at night, nor finds it in an appointment book. Noon, so that neither an injection before the
study nor a long acquisition passes midnight.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from pydicom.dataset import Dataset

from proctor_workers.hidden_data.deidentify.readable import text_of

# Which time of day belongs to which date (PS3.3 C.7.2.1, C.7.3.1, C.7.6.1).
TIME_OF = {
    "StudyDate": "StudyTime",
    "SeriesDate": "SeriesTime",
    "AcquisitionDate": "AcquisitionTime",
    "ContentDate": "ContentTime",
}
_ANCHORS = ("StudyTime", "SeriesTime")  # the same in all files of a series
_NOON = timedelta(hours=12)
_DAY = timedelta(days=1)
_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")  # with points before PS3.5 1996
_TIME = re.compile(r"(\d{2})(?::?(\d{2})(?::?(\d{2})(?:\.(\d{1,6}))?)?)?")
_DATETIME = re.compile(
    r"(\d{4})(\d{2})?(\d{2})?(\d{2}(?:\d{2}(?:\d{2}(?:\.\d{1,6})?)?)?)?(?:[+-]\d{4})?"
)


@dataclass(frozen=True, slots=True)
class Clock:
    """What is added to a study's dates and times; `turn` is None where no start is known."""

    days: int
    turn: timedelta | None

    @classmethod
    def of(cls, source: Dataset, days_back: int) -> "Clock":
        """Return the clock of a file's study."""
        starts = (_time_of_day(text_of(source, keyword)) for keyword in _ANCHORS)
        start = next((found for found in starts if found is not None), None)
        return cls(-days_back, None if start is None else _NOON - start)

    def date(self, text: str, time_of_day: str = "") -> str | None:
        """Return a shifted DA; with its time of day, the day on which the shifted time falls."""
        day = full_date(text)
        if day is None:
            return None
        moment = datetime.combine(day, time()) + (self._turned(time_of_day) or timedelta())
        return _written(moment, timedelta(days=self.days), "%Y%m%d")

    def time(self, text: str) -> str | None:
        """Return a shifted TM; None where it is none, or the study's start is unknown."""
        turned = self._turned(text)
        return None if turned is None else _clock_text(turned % _DAY)

    def datetime(self, text: str) -> str | None:
        """Return a shifted DT without its offset from UTC, which tells a place.

        A DT that stops at the year, month or day is moved as its first day, and stops there again.
        """
        found = _DATETIME.fullmatch(text.strip())
        if not found:
            return None
        year, month, day, clock = found.groups()
        first = full_date(f"{year}{month or '01'}{day or '01'}")
        if first is None:
            return None
        whole = datetime.combine(first, time())
        back = timedelta(days=self.days)
        if clock and self.turn is not None:
            turned = self._turned(clock)
            if turned is None:
                return None
            shifted = _written(whole + turned, back, "%Y%m%d%H%M%S.%f")
            return shifted.removesuffix(".000000") if shifted else None
        form = "%Y%m%d" if day else "%Y%m" if month else "%Y"
        return _written(whole, back, form)

    def _turned(self, text: str) -> timedelta | None:
        start = _time_of_day(text)
        return None if start is None or self.turn is None else start + self.turn


def full_date(text: str) -> date | None:
    """Return the day of a DA; None where it is none."""
    found = _DATE.fullmatch(text.strip())
    try:
        return date(*(int(part) for part in found.groups())) if found else None
    except ValueError:  # the 30th of February
        return None


def _time_of_day(text: str) -> timedelta | None:
    found = _TIME.fullmatch(text.strip())
    if not found:
        return None
    hours, minutes, seconds, fraction = found.groups()
    if int(hours) > 23 or int(minutes or 0) > 59 or int(seconds or 0) > 60:  # 60: a leap second
        return None
    return timedelta(
        hours=int(hours),
        minutes=int(minutes or 0),
        seconds=int(seconds or 0),
        microseconds=int((fraction or "0").ljust(6, "0")),
    )


def _written(moment: datetime, shift: timedelta, form: str) -> str | None:
    try:
        shifted = moment + shift
    except OverflowError:  # before the year 1
        return None
    text = shifted.strftime(form)
    return text.zfill(len(text) + 4 - len(str(shifted.year))) if shifted.year < 1000 else text


def _clock_text(since_midnight: timedelta) -> str:
    moment = datetime.combine(date.min, time()) + since_midnight
    return moment.strftime("%H%M%S.%f").removesuffix(".000000")
