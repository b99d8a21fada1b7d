"""Identifiers in free text are found, whatever their kind; ordinary words are not."""

import time

import pytest

from proctor_workers.hidden_data.deidentify.text import (
    Known,
    cleaned,
    cleaned_description,
    scan,
)

# One text of each kind; between the bars stands what must go.
TELLING = (
    "seen |2020-03-01| again", "seen |01.03.2020| again", "on |3/14/2020| at ten",
    "on |14 March 2020| here", "on |Mar 14, 2020| here", "am |14. März 2020| hier",
    "le |1er avril 2019| ici", "scan |20200314| done", "in |March 2020| here",
    "call |+41 44 123 45 67| now", "call |(212) 555-0147| now", "|Tel. 044 123 45 67|",
    "write |jane.doe@example.org| now", "see |https://example.org/p/1| now",
    "from |192.168.10.4| sent", "mac |00:1B:44:11:3A:B7| sent",
    "uid |1.2.840.113619.2.55.3.4| here", "lives |12 Main Street| there",
    "wohnt |Bahnhofstrasse 12| dort", "habite |12 rue de la Paix|", "at |SW1A 1AA| there",
    "|MRN: 4711-22| done", "|Accession # A1234567| done", "|Patient ID 0815| done",
    "number |12345678| here", "|DOB 1957| here",
    "by |Dr. Osler| today", "by |Prof. Dr. med. Anna Ärmel| heute", "for |Mrs Smith| today",
    "|Frau Müller| heute", "|Name: Smith, John| here", "|referred by William Osler| today",
    "as |SMITH^JOHN| here", "a |93-year-old| man", "a man |aged 94| here", "|095Y| old",
    "|943 476 5919| here", "|756.9217.0769.85| hier", "|A123456780| hier",
    "|2 55 08 14 168 025 38| ici", "|12345678Z| aqui", "|44051401359| tu", "|811228-9874| dar",
    "|529.982.247-25| la", "|2234 1234 5670| there", "|123-45-6789| here",
)  # fmt: skip
PLAIN = (
    "CT chest with contrast, 2.5 mm slices, kernel B30f", "T2 FLAIR axial TE 90 ms TR 9000",
    "nodule 8 x 12 mm in the right upper lobe, stable", "b = 1000 s/mm2, 3T, 64 directions",
    "BI-RADS 4a; PI-RADS 3/5; Gleason 3+4", "aged 67, former smoker, 30 pack years",
    "a 45-year-old woman", "WBC 11.2, CRP 134, eGFR 60", "1.5/0.5 ratio, version 2.10.3",
    "biopsy-proven; no recurrence after 24 months", "L4/5 disc, C5-C6, Th12", "Stage IIIB (T3N1M0)",
    "may show artefacts; march fracture", "150 patients", "window 400/40", "TR=9000 TE=90",
)  # fmt: skip


@pytest.mark.parametrize("marked", TELLING)
def test_an_identifier_is_taken_out(marked: str) -> None:
    before, _, after = marked.split("|")
    assert cleaned(marked.replace("|", "")) == f"{before}***{after}"


@pytest.mark.parametrize("text", PLAIN)
def test_what_medicine_writes_stays(text: str) -> None:
    assert cleaned(text) == text


@pytest.mark.parametrize(
    "text",
    ["DOE was here", "jane  doe", "t2_tse_DOE_p2", "Müller", "MUELLERSTADT", "muller",
     "P-0815-7", "P08157", "P 0815 7"],
)  # fmt: skip
def test_a_patients_own_name_or_number_is_found_however_written(text: str) -> None:
    known = Known(["Doe^Jane^^Dr", "Müller", "Mueller", "P0815-7"])
    assert known.names(text)
    assert "***" in cleaned(text, known)


@pytest.mark.parametrize("text", ["does", "red oedema", "the doer", "janette's", "815", "van"])
def test_a_short_name_is_not_found_inside_other_words(text: str) -> None:
    assert not Known(["Doe^Jane^van", "3"]).names(text)


def test_a_match_says_kind_and_place_and_never_the_text() -> None:
    (match,) = scan("call jane@x.org")
    assert (match.kind, match.start, match.end) == ("email", 5, 15)
    assert "jane" not in repr(match)


@pytest.mark.parametrize("number", ["943 476 5918", "756.9217.0769.84", "2234 1234 5671"])
def test_a_national_number_with_a_wrong_check_digit_is_none(number: str) -> None:
    kinds = {match.kind for match in scan(f"x {number} y")}
    assert not any("number" in kind and kind != "record number" for kind in kinds - {"phone"})
    assert "Indian Aadhaar" not in kinds


def test_a_description_keeps_only_words_that_are_published_or_technical() -> None:
    text = "AX T1 fatsat post brain Xanthippe 2mm"
    assert cleaned_description(text) == "AX T1 fatsat post brain *** 2mm"


def test_a_known_number_is_recognised_as_a_number() -> None:
    assert Known(["00471108"]).is_number("471108.0")
    assert not Known(["4711"]).is_number("4711")


@pytest.mark.parametrize(
    "unit", ["a", "1 ", "A b ", "Abc ", "1", "1.2.", "a@", "A^", "Dr ", "12 Main ", "1 rue ", "(",
             "1-", "a:", "mrn", "mrn ", " ", "name ", "ü", "1:", "/home"],
)  # fmt: skip
def test_a_long_text_takes_time_in_proportion_to_its_length(unit: str) -> None:
    def taken(signs: int) -> float:
        text = (unit * signs)[:signs]
        start = time.process_time()
        scan(text, ("Doe^Jane", "P-0815-77"))
        return time.process_time() - start

    taken(100)
    assert taken(8_000) < 0.5  # a quadratic pattern takes seconds
