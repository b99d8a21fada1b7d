"""The findings that the assessment of a cohort and its reference standard make."""

from collections.abc import Mapping

from proctor_workers.hidden_data.quality.catalogue_entry import (
    ERROR,
    NOTE,
    WARNING,
    Entry,
    entry,
)

OF_COHORTS: Mapping[str, Entry] = {
    "reference.label": entry(
        ERROR, "A label outside the set",
        "A mask, box, category or value bears a name that is not among the plan's "
        "reference_labels.", "Correct it, or name it in the plan.",
    ),
    "reference.not_named": entry(
        ERROR, "No structure of the plan in a reference object",
        "A DICOM object has structures, but none under a name of the plan, so that the truth would "
        "be that nothing is there.", "Correct reference_labels; override it if that is the truth.",
    ),
    "reference.geometry": entry(
        ERROR, "A mask of another geometry",
        "A mask, segmentation or structure set does not lie on the grid of the case's pictures: "
        "another size, spacing, position or frame of reference. Axes that are merely swapped or "
        "flipped are put in order and not told.", "Export it on the grid of the pictures.",
    ),
    "reference.outside": entry(
        (ERROR, WARNING), "A box, point or contour outside the picture",
        "An error if a box or point has no part in the picture; a warning if it reaches beyond, "
        "or if slices of a DICOM object are not in the case.",
        "Give places in pixels of the stored picture; look whether the case has all slices.",
    ),
    "reference.empty": entry(
        WARNING, "An empty mask", "No pixel of any structure is set.",
        "Look whether nothing is there; if the truth is not known, set its status to missing.",
    ),
    "reference.full": entry(
        WARNING, "A mask that covers everything", "A structure has every pixel of the picture.",
        "Look whether background and structure are swapped.",
    ),
    "reference.label_unused": entry(
        WARNING, "A label that never occurs",
        "Labels of the plan are used, and this one in no case.",
        "Add cases that show it, or leave it out of the plan.",
    ),
    "reference.missing": entry(
        (WARNING, NOTE), "Cases without a reference standard",
        "A warning if they are more than 10 % of the cases. They are counted in the report and "
        "not analysed.",
    ),
    "reference.equivocal": entry(
        (WARNING, NOTE), "Cases with an equivocal reference standard",
        "A warning if they are more than 10 % of the cases. The protocol says what becomes of "
        "them.",
    ),
    "reference.spelling": entry(
        WARNING, "A value in several spellings",
        "Two reference values differ by capitals or spaces only.", "Write it in one way.",
    ),
    "reference.mixed": entry(
        NOTE, "The truth is given in several ways",
        "Some cases have a mask, others boxes or a value. A task compares one way only.",
    ),
    "reference.method_missing": entry(
        NOTE, "How the truth was found is not told",
        "Verified cases have no reference_method; reports must describe the reference standard.",
        "Fill in reference_method.",
    ),
    "reference.not_taken": entry(
        NOTE, "Structures that the plan does not name",
        "A DICOM object holds more structures than the plan asks for; they are left out.",
        "Name those that are meant under reference_labels.",
    ),
    "reference.ambiguous": entry(
        WARNING, "A report that says two things",
        "A structured report evaluates the case in ways that contradict each other, or measures a "
        "quantity more than once. None of them is taken.",
        "Give the one that counts in the table of cases.",
    ),
    "reference.contour_left_out": entry(
        WARNING, "Contours that enclose nothing",
        "A structure set has points or open lines, which are left out.",
        "Draw them as closed contours, or give points as JSON.",
    ),
    "reference.slices_skipped": entry(
        WARNING, "A structure drawn in every second slice",
        "Its contours lie in every second or a rarer slice; the slices between are empty.",
        "Interpolate the contours where they were drawn.",
    ),
    "readers.low_agreement": entry(
        WARNING, "Readers who agree little",
        "All readers together, two readers, or a reader and the reference standard have a kappa "
        "below 0.41 (less than moderate agreement; Landis and Koch 1977) on 20 cases or more.",
        "Say in the cohort's description how disagreement was adjudicated.",
    ),
    "duplicate.patients": entry(
        ERROR, "The same picture under two patients",
        "Two cases of different patients have a file with the same bytes or the same decoded "
        "pixels.", "Find out whose it is; remove one case, or give both one patient.",
    ),
    "duplicate.instance": entry(
        ERROR, "Two versions of one DICOM instance",
        "Two cases hold an instance with one SOP Instance UID and different content.",
        "Keep the case with the right version.",
    ),
    "duplicate.cases": entry(
        WARNING, "The same picture in two cases of a patient",
        "Two cases of one patient have a file with the same bytes or the same decoded pixels.",
        "Remove one, unless the study is to measure repeatability.",
    ),
    "duplicate.near_patients": entry(
        WARNING, "Pictures of two patients that look alike",
        "Their perceptual hashes differ in at most 6 of 64 bits: copies in another compression, "
        "size or window. Of 100,000 unrelated pictures chance makes 0.02 such pairs.",
        "Look at both; if they show one person, give both cases one patient.",
    ),
    "duplicate.near_cases": entry(
        NOTE, "Pictures of one patient that look alike",
        "As above, within one patient; examinations that follow each other may look alike.",
        "Remove one if it is a copy.",
    ),
    "duplicate.search_incomplete": entry(
        WARNING, "The search for pictures that look alike was cut short",
        "More pictures look nearly alike than can be compared. Exact copies were found.",
        "Look for duplicates at the source.",
    ),
    "patient.study_shared": entry(
        WARNING, "An imaging study of two patients",
        "One name of an imaging study stands under two patients.",
        "Name each examination once in the cohort, or correct the patient.",
    ),
    "patient.listed_twice": entry(
        NOTE, "Two patients with the same attributes",
        "All their attributes are the same, where chance would make fewer than 0.01 such pairs in "
        "the whole cohort if attributes were independent.",
        "Look whether they are one person under two numbers.",
    ),
    "attribute.empty": entry(
        WARNING, "An attribute without a value", "No case has one.",
        "Give values, or leave the column out.",
    ),
    "attribute.missing": entry(
        (WARNING, NOTE), "Missing values",
        "A warning if more than 20 % of the cases have none. They are in no subgroup.",
        "Give the value where it is known.",
    ),
    "attribute.missing_by_class": entry(
        WARNING, "Values missing in one class more than in others",
        "By 10 percentage points or more, beyond the 1 % limit of chi-squared: a subgroup result "
        "would describe a selection.", "Find out why.",
    ),
    "attribute.spelling": entry(
        WARNING, "A level in several spellings",
        "Levels that differ by capitals, spaces, hyphens or underscores only.",
        "Write it in one way: each spelling is a subgroup.",
    ),
    "attribute.placeholder": entry(
        WARNING, "A word for a missing value",
        "Such as ?, n/a or 999; a number only where it lies beyond all others.",
        "Leave the cell empty: the word would be a subgroup.",
    ),
    "attribute.code": entry(
        WARNING, "A sex outside the code set",
        "Neither F, M, O, U nor female, male, other, unknown, intersex.", "Use one of them.",
    ),
    "attribute.not_a_number": entry(
        WARNING, "A word among numbers",
        "Nine of ten values are numbers, this one is not.", "Correct it, or leave it empty.",
    ),
    "attribute.outlier": entry(
        NOTE, "A value far from all others",
        "More than 10 scaled median absolute deviations from the median.",
        "Look whether the unit or the point is right.",
    ),
    "attribute.nearly_unique": entry(
        WARNING, "A column of ever different words",
        "More than half of the cases have a word of their own: a name, a number, free text.",
        "Leave it out, or use fewer levels.",
    ),
    "attribute.future": entry(
        WARNING, "A date in the future", "A date or year lies after today.", "Correct it.",
    ),
    "attribute.inconsistent": entry(
        WARNING, "A patient with two values",
        "Sex, race, ethnicity or year of birth differ between cases of one patient.",
        "Correct the value, or the patient: two people may share a number.",
    ),
    "balance.one_class": entry(
        WARNING, "Cases of one class only",
        "In the cohort or in a level of an attribute all reference values are the same: "
        "sensitivity or specificity cannot be measured there.",
        "Add cases of another class, or leave the level out of the protocol's subgroups.",
    ),
    "balance.few_patients": entry(
        NOTE, "Levels with fewer than 30 patients",
        "Their results will be flagged as not reliable.",
    ),
    "acquisition.implausible": entry(
        WARNING, "A number that cannot be",
        "Size, spacing, rate or count lies outside what devices make.",
        "Look at the header of the original file.",
    ),
    "acquisition.unlike_others": entry(
        NOTE, "A case unlike the others",
        "Its spacing or sampling rate is more than four times that of its modality, or less than "
        "a fourth.", "Look whether it belongs into the cohort.",
    ),
    "acquisition.rare": entry(
        NOTE, "A modality, format or orientation that nearly nobody has",
        "In at most 1 % of the cases.", "Look whether the case belongs into the cohort.",
    ),
}  # fmt: skip
