"""Dates and times are moved so that intervals stay, whatever the calendar does."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset

from proctor_workers.hidden_data.deidentify.dates import Clock, full_date

NIGHT = Clock(-10, timedelta(hours=12) - timedelta(hours=3))  # a study that starts at 03:00


@pytest.mark.parametrize(
    ("days", "day", "shifted"),
    [
        (-1, "20200301", "20200229"),  # a leap year
        (-1, "21000301", "21000228"),  # 2100 is none
        (-365, "20200229", "20190301"),
        (-5, "20200101", "20191227"),
        (-1, "2020.03.01", "20200229"),
    ],
)
def test_dates_move_by_days_over_leap_years(days: int, day: str, shifted: str) -> None:
    assert Clock(days, None).date(day) == shifted


@pytest.mark.parametrize("text", ["20200230", "2020", "", "about 1950", "00000000", "0001010"])
def test_what_is_no_date_is_none(text: str) -> None:
    assert Clock(-1, None).date(text) is None


def test_a_date_before_the_calendar_is_dropped() -> None:
    assert Clock(-300, None).date("00010101") is None


@pytest.mark.parametrize(
    ("time", "shifted"),
    [("03", "120000"), ("0300", "120000"), ("033000.25", "123000.250000"), ("02:59:00", "115900")],
)
def test_times_are_told_from_noon(time: str, shifted: str) -> None:
    assert NIGHT.time(time) == shifted


@pytest.mark.parametrize("text", ["2500", "0361", "noon", "", "030061"])
def test_what_is_no_time_is_none(text: str) -> None:
    assert NIGHT.time(text) is None


def test_without_a_start_no_time_is_told() -> None:
    assert Clock(-10, None).time("031500") is None


@pytest.mark.parametrize(
    ("moment", "shifted"),
    [
        ("20200311031500", "20200301121500"),
        ("20200311031500.5+0100", "20200301121500.500000"),
        ("20200311", "20200301"),
        ("202003", "202002"),
        ("2020", "2019"),
    ],
)
def test_date_times_keep_their_precision_and_lose_their_zone(moment: str, shifted: str) -> None:
    assert NIGHT.datetime(moment) == shifted


def test_the_clock_starts_with_the_study_or_else_the_series() -> None:
    ds = Dataset()
    ds.SeriesTime = "081500"
    assert Clock.of(ds, 5).time("081600") == "120100"
    ds.StudyTime = "080000"
    assert Clock.of(ds, 5).time("081600") == "121600"


@given(st.dates(), st.dates(), st.integers(1, 365))
def test_intervals_between_dates_never_change(first: date, second: date, days: int) -> None:
    clock = Clock(-days, None)
    shifted = [clock.date(f"{one.year:04d}{one:%m%d}") for one in (first, second)]
    found = [full_date(text) for text in shifted if text]
    if len(found) == 2:
        assert found[0] is not None
        assert found[1] is not None
        assert found[1] - found[0] == second - first
