"""What identifiers look like in free text: dates, numbers, addresses, names after a title.

Shapes only; whose name it is is `text`'s to know. HIPAA 45 CFR 164.514(b)(2) names the kinds.
"""

import re

_MONTH = (
    r"(?:jan(?:uary|uar|vier)?|feb(?:ruary|ruar)?|f[eé]vrier|mar(?:ch|s)?|m[aä]rz|apr(?:il)?|avril"
    r"|may|mai|jun[ei]?|juin|jul[yi]?|juillet|aug(?:ust)?|ao[uû]t|sep(?:t(?:ember|embre)?)?"
    r"|o[ck]t(?:ober|obre)?|nov(?:ember|embre)?|de[cz](?:ember)?|d[eé]cembre)\.?"
)
_YEAR = r"(?:1[89]|20)\d{2}"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_NUMBER_OF_MONTH = r"(?:0?[1-9]|1[0-2])"
_NAME = r"(?:[^\W\d_a-z][\w'’-]+|[^\W\d_a-z]\.)"
_NAMES = rf"{_NAME}(?:[ ,]+{_NAME}){{0,3}}"
_TITLE = (
    r"(?:(?i:Dr|Prof|Professor|Doctor|Mrs|Herrn?|Frau|Mme|Mlle|Madame|Monsieur|Sra|Se[nñ]ora?"
    r"|Signora?|Nurse)|Mr|MR\.|Ms|Miss|MISS|Sir|Fr|Hr|Sr|Sig|Dott|Sister)"  # not ms, nor MR
)
_DONE_BY = (
    r"(?i:(?:referred|read|reported|dictated|signed|verified|seen|requested|performed|scanned"
    r"|typed|approved|reviewed)\s+by)"
)
_ROLE = (
    r"(?i:(?:sur|last|first|birth|maiden|given|family|patient)? ?name|patient|pat|pt|radiologist"
    r"|physician|doctor|technologist|technician|tech|operator|surgeon|referrer|attn|vorname"
    r"|nachname|arzt|nom|pr[eé]nom)"
)
_ID_WORD = (
    r"(?:mrn|med(?:ical)?\.? ?rec(?:ord)?|pid|pat(?:ient)?[ _-]?(?:id|no|nr|number)|acc(?:ession)?"
    r"|case[ _-]?(?:id|no|number)|order[ _-]?(?:id|no|number)|visit[ _-]?(?:id|no)|ssn|nhs|dob"
    r"|hosp(?:ital)?[ _-]?(?:id|no|number)|study[ _-]?(?:id|no)|serial|s/n|license|policy|account"
    r"|fall(?:nummer|nr)|pat(?:ienten)?nr|geb)"
)
_STREET = (
    r"(?i:street|st|road|rd|avenue|ave|lane|ln|drive|blvd|boulevard|court|ct|place|pl|square"
    r"|terrace|close|way)"
)
_OLD = r"(?:9\d|1[0-4]\d)"
_BYTE = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_START, _END = r"(?<![^\W_])", r"(?![^\W_])"  # an underscore parts words in names of protocols
_NO_DIGIT = r"(?!\d)"

_SHAPES: dict[str, tuple[str, ...]] = {
    "email": (r"(?<![\w.+%-])[\w.+%-]{1,64}\s?@\s?[\w-]{1,64}(?:\.[\w-]{1,64}){1,8}",),
    "url": (r"(?i:https?|ftp|file)://\S+", r"(?i:www)\.[\w-]+\.\S+"),
    "path": (
        r"[A-Za-z]:\\\S+",
        r"\\\\[\w.-]+\\\S+",
        r"/(?i:home|users|mnt|media)/\S+",
    ),
    "network address": (
        rf"(?<![\d.])(?:{_BYTE}\.){{3}}{_BYTE}(?![\d.])",
        r"(?<![\w:])(?:[0-9A-Fa-f]{1,4}:){3,7}(?::|[0-9A-Fa-f]{1,4})(?![\w:])",
        r"(?<!\w)(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}(?!\w)",
    ),
    "uid": (r"(?<![\d.])[0-2](?:\.\d+){5,}(?![\d.])",),
    "date": (
        rf"{_START}{_YEAR}[-/.]{_NUMBER_OF_MONTH}[-/.]{_DAY}{_NO_DIGIT}",
        rf"(?<![\d.]){_DAY}[-/.]\s?{_NUMBER_OF_MONTH}[-/.]\s?(?:{_YEAR}|\d{{2}})(?![\d.])",
        rf"(?<!\d){_NUMBER_OF_MONTH}[-/]{_DAY}[-/](?:{_YEAR}|\d{{2}}){_NO_DIGIT}",
        rf"(?<!\d){_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:\d{{4,6}})?{_NO_DIGIT}",
        rf"(?<!\d){_DAY}(?:st|nd|rd|th|er)?\.?[ -]?(?i:{_MONTH})[ ,-]*(?:{_YEAR}|['’]?\d{{2}})"
        + _NO_DIGIT,
        rf"{_START}(?i:{_MONTH})[ -]{_DAY}(?:st|nd|rd|th)?,?[ -]+(?:{_YEAR}|['’]\d{{2}})"
        + _NO_DIGIT,
        rf"{_START}(?i:{_MONTH})[ ,-]+{_YEAR}{_NO_DIGIT}",
    ),
    "phone": (
        r"(?<![\w.])(?:\+|00)\d{1,3}[ ./-]?(?:\(0?\d{1,4}\)[ ./-]?)?\d(?:[ ./-]?\d){5,12}(?!\w)",
        r"(?<![\w.])(?:\(\d{3,5}\)\s?|\d{3}[-. ])\d{3}[-. ]\d{4}(?!\w)",
        r"(?<![\w.])0\d{2,4}[ /-]\d{3,4}[ -]?\d{2}[ -]?\d{2}(?!\w)",
        r"(?i:tel|phone|fax|mobile|mob|pager|bleep|handy)\.?:?\s*[+\d(][\d ()./-]{3,}\d",
    ),
    "record number": (
        (
            rf"{_START}(?i:{_ID_WORD})(?:{_END}|(?=\d))"
            r"[\s.:#=_-]{0,8}(?i:nr|no|id)?[\s.:#=_-]{0,8}[A-Za-z]{0,8}[-/]?\d[\w/.-]*"
        ),
        rf"{_START}[A-Za-z]{{1,4}}[-_]?\d{{6,}}{_END}",
        r"(?<![\d.])\d{7,}(?!\d|\.\d)",
    ),
    "address": (
        rf"(?<!\w)\d{{1,5}}[A-Za-z]?,?\s+(?:[^\W\d_a-z][\w'.-]*\s+){{1,3}}{_STREET}{_END}\.?",
        r"(?<![\w-])[^\W\d_][\w-]{0,40}?(?i:stra(?:ß|ss)e|str\.|gasse|platz|allee|weg)\s*\d+\w?(?!\w)",
        (
            r"(?<!\w)\d{1,4}(?:bis|ter)?,?\s+(?i:rue|avenue|boulevard|chemin|quai)"
            r"\s+(?:[\w'’-]+\s?){1,5}"
        ),
        r"(?i:P\.?\s?O\.?\s?Box|Postfach|Case postale)\s*\d+",
        rf"{_START}[A-Z]{{1,2}}\d[A-Z\d]? \d[A-Z]{{2}}{_END}",
        rf"{_START}[A-Z]{{2}},? \d{{5}}(?:-\d{{4}})?{_END}",
    ),
    "name": (
        rf"(?<!\w)[^\W\d_][\w'’-]{{0,64}}(?:\^[\w'’.=-]*)+(?: {_NAME})*",
        rf"{_START}{_TITLE}(?:\.\s*|\s+)(?:(?:med|phil|h\.c|Dr|Prof)\.\s*)*{_NAMES}",
        rf"{_START}{_ROLE}\s*[:=]\s*[^\W\d_][\w'’-]+(?:[ ,]+{_NAME}){{0,3}}",
        rf"{_START}{_DONE_BY}\s+{_NAMES}",
    ),
    "age above 89": (
        (
            rf"(?<![\d.]){_OLD}\s?-?\s?(?i:y(?:ears?|rs?|/o|\.o\.|o)?|jahre?|j[aä]hrig\w*|ans)"
            rf"(?i:[ -]?old)?{_END}"
        ),
        rf"{_START}(?i:age|aged|alter)[ :=]*{_OLD}(?![\d.])",
        r"(?<!\d)(?:09\d|1[0-4]\d)Y(?!\w)",
    ),
}
PATTERNS = tuple((kind, re.compile(shape)) for kind, shapes in _SHAPES.items() for shape in shapes)
