"""The names and units that channels of signals may bear; any other name is replaced by a number.

A channel's name is free text at its origin, and people have written patients into it. The words are
those of electrocardiography (AHA and IEC leads, MIT-BIH's), the 10-10 system of
electroencephalography, and of bedside monitors and polysomnography.
"""

import re

_ECG = (
    "I II III AVR AVL AVF V1 V2 V3 V4 V5 V6 V7 V8 V9 V1R V2R V3R V4R V5R V6R V7R X Y Z VX VY VZ "
    "MLI MLII MLIII MV1 MV2 MV3 MV4 MV5 MV6 MCL MCL1 MCL2 MCL3 MCL4 MCL5 MCL6 CM2 CM4 CM5 CC5 "
    "D1 D2 D3 D4 D5 ES AS AI EASI ML2 ML5 CLIP ECG ECG1 ECG2 ECG3 EKG EGM HBE CS HRA RVA NEHB"
)
_OTHER = (
    "EEG EOG EMG REF LE RE AVG CHIN LEG LEGS TIB ANT RAT LAT RESP ABD ABDO ABDOMEN THOR THORAX THO "
    "CHEST NASAL ORAL FLOW AIRFLOW AIR AIRWAY CANNULA EFFORT SUM SAO2 SPO2 O2 SAT OXSTAT OXI PLETH "
    "PPG ABP ART ARTERIAL AO AOBP NIBP NBP BP IBP P1 P2 P3 P4 CVP PAP ICP RAP LAP UAP PA LV RV CO2 "
    "ETCO2 HR PULSE PR TEMP RATE SNORE POS POSITION BODY SOUND MIC PHONO PCG ACC GYR GYRO MAG LEFT "
    "RIGHT UPPER LOWER L R LOC ROC LUE RUE IMP IMPEDANCE ICG FHR UC TOCO UTERUS INSP EXP PRESSURE "
    "PRESS VOLUME VOL SYS DIA MEAN LEAD CH CHANNEL SIGNAL EDA GSR BVP IBI STROKE CARDIAC OUTPUT "
    "LIGHT EVENT TRIGGER STATUS CAPNO THERM THERMISTOR DIF DIFF BATTERY FILT RAW NA OFF HEMO Q "
    "EMG1 EMG2 EMG3 EOG1 EOG2 EOGL EOGR E1 E2 EARLOBE MASTOID SP NP T"
)
_WORDS = frozenset((_ECG + " " + _OTHER).split())
_SITE = re.compile(
    r"(?:FP|AF|F|FT|FC|T|C|TP|CP|P|PO|O|A|M|CB|SP|PG)\d{1,2}|(?:FP|AF|F|FC|C|CP|P|PO|O|I|N)Z"
)
_SMALL_NUMBER = re.compile(r"\d{1,2}")
_SEPARATORS = re.compile(r"[\s_\-:+/,.()#]+")
LONGEST_NAME, MOST_PARTS = 24, 4

_UNITS = (
    "V mV uV nV mmHg kPa cmH2O bpm % degC degF C Ohm kOhm mA uA A L l mL ml L/min l/min L/s l/s "
    "mL/min ml/min s ms Hz g G m/s2 deg deg/s rad/s dB lux uS nu NU NA pm mM mmol/L 1/min W"
)
UNITS = frozenset(_UNITS.split())
NO_UNIT = "NU"  # WFDB's word for a number without one
_SPELLINGS = {
    "µV": "uV", "μV": "uV", "microV": "uV", "uv": "uV", "mv": "mV", "MV": "mV", "UV": "uV",
    "mmhg": "mmHg", "BPM": "bpm", "percent": "%", "mm[Hg]": "mmHg", "°C": "degC", "Cel": "degC",
}  # fmt: skip


def known_name(text: str) -> str | None:
    """Return a channel's name as it may be kept; None where a word of it is not known."""
    name = " ".join(text.split())
    parts = [part for part in _SEPARATORS.split(name.upper()) if part]
    numbers = sum(bool(_SMALL_NUMBER.fullmatch(part)) for part in parts)
    words = sum(part in _WORDS or bool(_SITE.fullmatch(part)) for part in parts)
    # A number beside words is a channel's; several would do for a date or an identifier.
    known = words and numbers <= 1 and words + numbers == len(parts) <= MOST_PARTS
    return name if known and len(name) <= LONGEST_NAME and name.isascii() else None


def known_unit(text: str) -> str | None:
    """Return a unit as it may be kept; None where it is not known."""
    unit = _SPELLINGS.get(text.strip(), text.strip())
    return unit if unit in UNITS else None


def modality(names: list[str]) -> str:
    """Return what kind of signal channels are of, by their names: ECG, EEG or other."""
    ecg = frozenset(_ECG.split()) - {"X", "Y", "Z", "I", "CS"}
    if any(part in ecg for name in names for part in _SEPARATORS.split(name.upper())):
        return "ECG"
    eeg = any("EEG" in name.upper() or _SITE.search(name.upper()) for name in names)
    return "EEG" if eeg else "signal"
