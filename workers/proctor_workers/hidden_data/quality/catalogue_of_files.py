"""The findings that formats, de-identification and leak audit make."""

from collections.abc import Mapping

from proctor_workers.hidden_data.quality.catalogue_entry import (
    ERROR,
    NOTE,
    WARNING,
    Entry,
    entry,
)

OF_FILES: Mapping[str, Entry] = {
    "file.unreadable": entry(
        ERROR, "A file cannot be taken",
        "It is damaged, of a kind that is not read, or too large. The case is left out.",
        "Export it again, or take the row out of the table.",
    ),
    "file.reader_failed": entry(
        ERROR, "A file makes its reader fail",
        "Reading it crashed or did not end. The case is left out, the others are not touched.",
        "Export it again, or take the row out of the table.",
    ),
    "case.quarantined": entry(
        ERROR, "A case waits for a person",
        "It could be read, and somebody must look before a model may see it: text burned into the "
        "picture, a face that could not be removed for certain. The case is left out.",
        "Look at it; let the plan blank text, or take the row out.",
    ),
    "pixels.not_searched": entry(
        WARNING, "Nobody looked for text in the pictures",
        "The plan leaves burned-in text alone, so a name in a picture stays there.",
        "Set `burned_in` to `quarantine` or `blank`, unless the source is known to burn in none.",
    ),
    "case.several_patients": entry(
        ERROR, "A case has files of several patients",
        "The headers of its files name different patients.",
        "Give each patient a case of their own.",
    ),
    "leak.artefact": entry(
        ERROR, "A trace beside the picture gives the truth away",
        "A property of the files that has nothing to do with the patient tells the reference "
        "standard in patients not fitted on: AUC of at least 0.60 and p below 0.01.",
        "Export all cases in the same way, or override the field with a reason.",
    ),
    "leak.acquisition": entry(
        WARNING, "How cases were acquired goes with the truth",
        "Geometry, view, maker or the number of slices tell the reference standard: confounding. "
        "Results are shown by its levels too.",
        "Add cases in which it does not go with the truth.",
    ),
    "leak.original": entry(
        NOTE, "A trace of the original files goes with the truth",
        "Only the originals had it; no model sees it. It may point to how cases were chosen.",
    ),
    "leak.not_tested": entry(
        NOTE, "Traces were not tested",
        "Too few patients have a reference standard, or all have the same.",
    ),
    "text.identifier": entry(
        ERROR, "A column that identifies patients",
        "Its values or its name look like names, numbers, dates of birth or addresses.",
        "Remove or recode it, or have it cleaned by naming it in text_columns.",
    ),
    "text.file_name": entry(
        NOTE, "File names that identify patients",
        "Nothing need be done: no name of a file is kept.",
    ),
    "pixels.burned_in_declared": entry(
        ERROR, "A picture that says it shows text",
        "Its header declares burned-in annotation, and the plan has nobody look.",
        "Set burned_in to blank or quarantine.",
    ),
    "pixels.blanked": entry(
        NOTE, "Text was blanked", "Text was found in the picture and painted over.",
        "Look at some of them.",
    ),
    "pixels.frame_without_end": entry(
        ERROR, "A compressed frame without an end", "A part of the picture may be missing.",
        "Look at the picture, or export it again.",
    ),
    "pixels.high_bits_cleared": entry(
        WARNING, "Bits above the pixels were cleared",
        "Old overlays or marks stood in bits that the pixels do not use.",
        "Look whether Bits Stored is right: if not, values were cut.",
    ),
    "geometry.implausible_spacing": entry(
        (ERROR, WARNING), "A spacing that cannot be",
        "An error if it is not above zero, a warning if it is above 20 mm.",
        "Correct it at the origin.",
    ),
    "geometry.missing_slice": entry(
        ERROR, "Slices are missing", "A series lacks slices between others, or in some phases.",
        "Export the series again.",
    ),
    "geometry.duplicate_slice": entry(
        ERROR, "A slice is there twice",
        "An instance or a place along the stack occurs more than once.", "Leave one out.",
    ),
    "geometry.gap": entry(
        (WARNING, NOTE), "A gap between slices",
        "A jump that is no whole number of distances; a note where slices are merely thinner than "
        "their distance.", "Look whether all slices arrive.",
    ),
    "geometry.uneven_spacing": entry(
        WARNING, "Uneven distances between slices",
        "No straight volume can be made of the series.", "Export the series again.",
    ),
    "geometry.tilted_gantry": entry(
        WARNING, "A tilted gantry", "The stack leans against its slices; positions say so.",
    ),
    "geometry.mixed_orientation": entry(
        WARNING, "Slices of several directions",
        "One series, such as a localizer, in several planes.",
        "Give them as cases of their own.",
    ),
    "geometry.mixed_size": entry(
        WARNING, "Slices of several sizes", "They make no volume.",
        "Give them as cases of their own.",
    ),
    "geometry.mixed_spacing": entry(
        WARNING, "Slices of several pixel spacings", "They make no volume.",
        "Give them as cases of their own.",
    ),
    "geometry.mixed_frame_of_reference": entry(
        WARNING, "Slices of several frames of reference", "Their positions cannot be compared.",
        "Give them as cases of their own.",
    ),
    "geometry.position_missing": entry(
        WARNING, "A slice without a position", "Others of its series have one.",
        "Export the series again.",
    ),
    "geometry.repeated_positions": entry(
        NOTE, "Several slices at each place", "Times, echoes or b-values of one stack.",
    ),
    "geometry.several_series": entry(
        NOTE, "A case of several series", "They are kept one after the other.",
        "Give them as cases of their own if a model reads one.",
    ),
    "volume.grids_differ": entry(
        WARNING, "Volumes on different grids", "The volumes of one case do not lie on one grid.",
        "Resample them if the model reads them together.",
    ),
    "volume.orientation_unknown": entry(
        WARNING, "Left and right are not told", "The file does not say how the patient lies.",
        "Export it with its orientation.",
    ),
    "volume.spacing_differs": entry(
        WARNING, "Two spacings in one header",
        "The spacing in pixdim is another than that of the sform; readers take one or the other.",
        "Write the header anew.",
    ),
    "volume.forms_differ": entry(
        WARNING, "Two places in one header",
        "qform and sform put the volume in different places; readers take one or the other.",
        "Keep the one that the model is meant to see.",
    ),
    "image.colour_profile": entry(
        WARNING, "Another colour space", "Colours are kept as stored, without the profile.",
        "Convert it to sRGB if the model is to see what a screen shows.",
    ),
    "slide.missing_resolution": entry(
        WARNING, "A slide without resolution", "It does not say how large a pixel is.",
        "Export it with its resolution.",
    ),
    "slide.missing_magnification": entry(
        NOTE, "A slide without magnification", "It does not say by which objective.",
    ),
    "signal.unknown_name": entry(
        NOTE, "A channel of an unknown name", "Models will not see the name.",
    ),
    "signal.unknown_unit": entry(
        WARNING, "A channel of an unknown unit", "It is no unit of UCUM.", "Export it with one.",
    ),
    "signal.offset_rounded": entry(
        NOTE, "A zero between two values", "The channel's offset was rounded.",
    ),
    "signal.missing_samples": entry(
        (WARNING, NOTE), "Missing samples", "A channel lacks some of its samples.",
    ),
    "signal.flat_lead": entry(
        WARNING, "A flat channel", "All its samples are equal.", "Look whether the lead was off.",
    ),
    "signal.clipped": entry(
        WARNING, "A clipped channel", "It stays at the end of its range.",
        "Look at the amplifier's range.",
    ),
    "table.empty_column": entry(NOTE, "An empty column", "It holds nothing."),
    "table.constant_number": entry(
        ERROR, "One long number in every row", "An identifier looks so.", "Remove the column.",
    ),
    "table.free_text": entry(
        ERROR, "Free text in a case file",
        "Names of strangers cannot be found in it for certain.",
        "Remove the column, or code what it says.",
    ),
    "dicomdir.files_missing": entry(
        WARNING, "A DICOMDIR lists more images than the case has",
        "The row names only some of them.",
        "Name them in the row, or its whole folder.",
    ),
}  # fmt: skip
