"""Signals come out as WFDB records: the same values and scale, nothing of whose they are."""

import shutil
import warnings
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from tests.data.signal_files import NAME, wave, write_edf, write_raw_wfdb, write_wfdb
from tests.data.slide_files import request

from proctor_sdk.fingerprints.pixels import pixel_digest
from proctor_workers.hidden_data.case_files import CaseContent, UnreadableFileError
from proctor_workers.hidden_data.formats import waveforms
from proctor_workers.hidden_data.formats.registry import read_case

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import wfdb


def read(tmp_path: Path, *paths: Path) -> CaseContent:
    return read_case(request(tmp_path, *paths))


def record(path: Path, *, physical: bool = False) -> wfdb.Record:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pandas, of wfdb's use of it
        return wfdb.rdrecord(str(path.with_suffix("")), physical=physical)


def codes(content: CaseContent) -> set[str]:
    return {finding.key for finding in content.findings}


def test_a_wfdb_record_keeps_values_scale_and_leads(tmp_path: Path) -> None:
    paths = write_wfdb(tmp_path, wave())
    content = read(tmp_path, *paths)

    before, after = record(paths[0]), record(content.files[0].path)

    assert np.array_equal(before.d_signal, after.d_signal)
    assert (after.adc_gain, after.baseline) == (before.adc_gain, before.baseline)
    assert after.sig_name == ["I", "II", "V1"]
    assert (after.fs, after.units) == (250, ["mV"] * 3)
    assert [file.role for file in content.files] == ["signal", "signal"]


@pytest.mark.parametrize(
    ("kind", "bits"),
    [
        (8, 8), (16, 16), (24, 24), (32, 32), (61, 16), (80, 8), (160, 16), (212, 12),
        (310, 32 / 3), (311, 32 / 3),
    ],
)  # fmt: skip
def test_every_format_is_read_as_wfdb_reads_it(kind: int, bits: float, tmp_path: Path) -> None:
    samples = 600
    noise = np.random.default_rng(kind).bytes(int(2 * samples * bits / 8))
    if kind == 311:  # two bits of each word are not used, and wfdb takes them for a sample's
        noise = (np.frombuffer(noise, "<u4") & 0x3FFFFFFF).astype("<u4").tobytes()
    paths = write_raw_wfdb(tmp_path, kind, samples, noise)
    content = read(tmp_path, *paths)

    before, after = (record(path, physical=True) for path in (paths[0], content.files[0].path))

    assert np.array_equal(before.p_signal, after.p_signal, equal_nan=True)


@pytest.mark.parametrize(
    ("lines", "ending", "before"),
    [
        # as PhysioNet's Challenge 2020 has them: a MATLAB file, told by its offset
        (["r 2 500 400 05-Feb-2020 11:39:16", "{} 16+24 1000/mV 16 0 28 -1716 0 I",
          "{} 16+24 1000/mV 16 0 7 2029 0 II", "#Age: 74", "#Dx: 426783006"], "mat", bytes(24)),
        # as the MIT-BIH Arrhythmia Database has them: the zero stands for the baseline
        (["r 2 360 400", "{} 212 200 11 1024 995 -22131 0 MLII",
          "{} 212 200 11 1024 1011 20052 0 V5", "# 69 M 1085 1629 x1"], "dat", b""),
        # as little as the format allows: 250 Hz, gain 200, until the file's end
        (["r 2", "{} 16", "{} 16"], "dat", b""),
    ],
)  # fmt: skip
def test_headers_of_public_collections_are_read_as_wfdb_reads_them(
    lines: list[str], ending: str, before: bytes, tmp_path: Path
) -> None:
    header, data = tmp_path / "r.hea", tmp_path / f"r.{ending}"
    header.write_text("\n".join(lines).replace("{}", data.name) + "\n")
    data.write_bytes(before + np.random.default_rng(4).bytes(1600))

    content = read(tmp_path, header, data)

    one, other = (record(path, physical=True) for path in (header, content.files[0].path))
    assert np.array_equal(one.p_signal, other.p_signal, equal_nan=True)
    assert (one.fs, one.units) == (other.fs, other.units)


def test_signals_of_two_rates_become_two_records(tmp_path: Path) -> None:
    header, data = tmp_path / "r.hea", tmp_path / "r.dat"
    values = wave(300, 1)[:, 0].astype("<i2")
    header.write_text("r 2 100 100\nr.dat 16x2 200 16 0 0 0 0 ABP\nr.dat 16 200 16 0 0 0 0 II\n")
    data.write_bytes(values.tobytes())

    content = read(tmp_path, header, data)

    first, second = (record(content.files[at].path) for at in (0, 2))
    frames = values.reshape(100, 3)
    assert (first.fs, second.fs) == (200, 100)
    assert np.array_equal(first.d_signal[:, 0], frames[:, :2].reshape(-1))
    assert np.array_equal(second.d_signal[:, 0], frames[:, 2])


@pytest.mark.parametrize("wide", [False, True])
def test_edf_and_bdf_keep_every_value(*, wide: bool, tmp_path: Path) -> None:
    values = wave(1000, 3, amplitude=2_000_000 if wide else 9000)
    content = read(tmp_path, write_edf(tmp_path / "r.edf", values, wide=wide))

    eeg, slow = (record(content.files[at].path) for at in (0, 2))

    assert np.array_equal(eeg.d_signal, values[:, :2])
    assert np.array_equal(slow.d_signal[:, 0], values[::2, 2])
    assert (eeg.fs, slow.fs) == (100, 50)
    assert eeg.sig_name == ["EEG Fp1-Ref", "EEG Fp2-Ref"]
    top, least = (8_388_607, -8_388_608) if wide else (32_767, -32_768)
    physical = (values[:, 0] - least) * (6553.5 / (top - least)) - 3276.8
    kept = record(content.files[0].path, physical=True).p_signal[:, 0]
    assert np.abs(kept - physical).max() <= 6553.5 / (top - least) / 2 + 1e-9


def test_a_dicom_ecg_keeps_every_value_and_lead(tmp_path: Path) -> None:
    path = Path(get_testdata_file("waveform_ecg.dcm"))
    header = pydicom.dcmread(path)
    content = waveforms.read(request(tmp_path, path))

    for index in range(2):
        kept = record(content.files[2 * index].path, physical=True)
        assert np.array_equal(kept.p_signal, header.waveform_array(index))
        assert kept.sig_name[:8] == ["I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2"]
    assert content.facts["modality"] == "ECG"
    assert content.facts["sampling_rate"] == 1000
    assert content.actions == {"annotations_dropped": 77}


def test_the_registry_hands_a_dicom_ecg_over(tmp_path: Path) -> None:
    content = read(tmp_path, Path(get_testdata_file("waveform_ecg.dcm")))

    assert content.facts["format"] == "DICOM waveform"


def test_no_planted_name_date_or_diagnosis_is_left(tmp_path: Path) -> None:
    leads = ("I", f"II {NAME}", "MRN 12 34 56")
    wfdb_content = read(tmp_path, *write_wfdb(tmp_path, wave(), names=leads))
    kept = b"".join(file.path.read_bytes() for file in wfdb_content.files)
    shutil.rmtree(tmp_path / "canonical")
    edf_content = read(tmp_path, write_edf(tmp_path / "r.edf", wave()))
    kept += b"".join(file.path.read_bytes() for file in edf_content.files)

    for planted in (NAME, "426783006", "Age", "13:05", "2021", "04.03", "12 34"):
        assert planted.encode() not in kept
    assert {"signal.unknown_name:signal 2", "signal.unknown_name:signal 3"} <= codes(wfdb_content)


def test_planted_names_in_a_dicom_ecg_are_gone(tmp_path: Path) -> None:
    header = pydicom.dcmread(get_testdata_file("waveform_ecg.dcm"))
    header.PatientName = header.InstitutionName = NAME
    group = header.WaveformSequence[0]
    group.MultiplexGroupLabel = NAME
    definition = group.ChannelDefinitionSequence[0]
    definition.ChannelLabel = NAME
    definition.ChannelSourceSequence[0].CodeValue = "99"
    definition.ChannelSourceSequence[0].CodeMeaning = NAME
    note = Dataset()
    note.UnformattedTextValue = NAME
    header.WaveformAnnotationSequence = [note]
    path = tmp_path / "ecg.dcm"
    header.save_as(path)

    content = waveforms.read(request(tmp_path, path))

    assert NAME.encode() in path.read_bytes()
    assert all(NAME.encode() not in file.path.read_bytes() for file in content.files)


def test_the_digest_is_of_the_values_alone(tmp_path: Path) -> None:
    values = wave()
    paths = write_wfdb(tmp_path, values)

    content = read(tmp_path, *paths)

    assert content.files[1].decoded_pixel_sha256 == pixel_digest(values)


def test_missing_samples_stay_missing(tmp_path: Path) -> None:
    values = wave()
    values[10:200, 1] = -32768
    paths = write_wfdb(tmp_path, values)

    content = read(tmp_path, *paths)

    assert np.isnan(record(content.files[0].path, physical=True).p_signal[10:200, 1]).all()
    assert "signal.missing_samples:II" in codes(content)


def test_flat_and_clipped_leads_are_told(tmp_path: Path) -> None:
    values = wave(5000)
    values[:, 0] = 7
    values[:, 1] = np.clip(values[:, 1], -500, 500)

    found = codes(read(tmp_path, *write_wfdb(tmp_path, values)))

    assert {"signal.flat_lead:I", "signal.clipped:II"} <= found
    assert not {key for key in found if key.endswith(":V1")}


def test_reading_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    paths = write_wfdb(tmp_path, wave())
    first = [file.sha256 for file in read(tmp_path, *paths).files]

    assert [file.sha256 for file in read(tmp_path, *paths).files] == first


def test_annotations_are_refused_as_the_answer(tmp_path: Path) -> None:
    paths = write_wfdb(tmp_path, wave())
    notes = tmp_path / "r.atr"
    notes.write_bytes(b"\0\0")

    with pytest.raises(UnreadableFileError, match="annotations") as raised:
        read(tmp_path, *paths, notes)
    assert raised.value.file == "r.atr"


@pytest.mark.parametrize("named", ["../../etc/passwd", "/etc/passwd", "other.dat", "s3://b/r.dat"])
def test_a_header_reaches_no_file_but_the_cases_own(named: str, tmp_path: Path) -> None:
    header, data = write_wfdb(tmp_path, wave())
    header.write_text(header.read_text().replace("r.dat", named))

    with pytest.raises(UnreadableFileError):
        read(tmp_path, header, data)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda text: text.replace(" 1000 ", " 1001 ", 1), "fewer"),
        (lambda text: text.replace(" 1000 ", " 9000000000 ", 1), "too long|fewer"),
        (lambda text: text.replace(" 16 1000", " 516 1000"), "format that is not read"),
        (lambda text: text.replace(" 16 1000", " 16:5 1000"), "skewed"),
        (lambda text: text.replace("r 3", "r/4 3"), "several segments"),
        (lambda text: text.replace("r 3", "r 999"), "damaged"),
        (lambda text: text.replace(" 250 ", " nan "), "damaged"),
        (lambda text: text.replace("1000.5(0)", "1e-999(0)"), "."),
        (lambda _: "", "damaged"),
    ],
)
def test_headers_that_lie_are_refused(change: object, said: str, tmp_path: Path) -> None:
    header, data = write_wfdb(tmp_path, wave())
    header.write_text(change(header.read_text()))
    if said == ".":
        assert read(tmp_path, header, data)
        return

    with pytest.raises(UnreadableFileError, match=said):
        read(tmp_path, header, data)


def test_edf_with_gaps_is_refused(tmp_path: Path) -> None:
    path = write_edf(tmp_path / "r.edf", wave(), reserved="EDF+D")

    with pytest.raises(UnreadableFileError, match="gaps"):
        read(tmp_path, path)


def test_a_voice_is_refused(tmp_path: Path) -> None:
    header = pydicom.dcmread(get_testdata_file("waveform_ecg.dcm"))
    header.SOPClassUID = "1.2.840.10008.5.1.4.1.1.9.4.1"
    header.save_as(tmp_path / "voice.dcm")

    with pytest.raises(UnreadableFileError, match="voice"):
        read(tmp_path, tmp_path / "voice.dcm")


@pytest.mark.parametrize("kind", ["wfdb", "edf", "dicom"])
def test_flipped_bytes_give_a_signal_or_a_refusal(kind: str, tmp_path: Path) -> None:
    paths: tuple[Path, ...]
    if kind == "wfdb":
        paths = write_wfdb(tmp_path, wave(100))
    elif kind == "edf":
        paths = (write_edf(tmp_path / "r.edf", wave(200)),)
    else:
        paths = (Path(shutil.copy(get_testdata_file("waveform_ecg.dcm"), tmp_path / "r.dcm")),)
    good = paths[0].read_bytes()
    draw = np.random.default_rng(1)
    reach = {"wfdb": len(good), "edf": 1280, "dicom": 6000}[kind]
    outcomes = set()
    for _ in range({"wfdb": 300, "edf": 300, "dicom": 60}[kind]):
        changed = bytearray(good)
        for at in draw.integers(0 if kind == "wfdb" else 132, reach, 5):
            changed[at] = draw.integers(256)
        paths[0].write_bytes(changed)
        shutil.rmtree(tmp_path / "canonical", ignore_errors=True)
        try:
            content = (waveforms.read if kind == "dicom" else read_case)(request(tmp_path, *paths))
            outcomes.add(bool(content.files))
        except UnreadableFileError as exc:
            outcomes.add(bool(exc.file))

    assert outcomes == {True}
