"""Quantities of detection and of instance segmentation: lesions found, false marks, instances."""

from dataclasses import replace

from proctor_backend.domain.quantities.base import BOOTSTRAP, SHARE, Parameter, Quantity, tasks

_BOTH = tasks("detection instance_segmentation")
_INSTANCES = tasks("instance_segmentation")
_AREA_METHODS = BOOTSTRAP | {"jackknife"}
_CAP = Parameter(
    meaning="How many false marks an image without an output counts as having.",
    type=int,
    default=8,
    low=0,
    high=1000,
)
_HITS = {
    "hit_rule": Parameter(
        meaning="When a mark hits a lesion: overlap (intersection over union), center (the mark's "
        "center lies in the lesion) or distance (of the centers).",
        type=str,
        default="overlap",
        choices=("overlap", "center", "distance"),
    ),
    "least_overlap": Parameter(
        meaning="The intersection over union that a hit needs at least, under the rule overlap.",
        default=0.5,
        low=0.01,
        high=1.0,
    ),
    "radius": Parameter(
        meaning="The largest distance of the centers in mm, under the rule distance.",
        default=10.0,
        low=0.0,
    ),
    "extra_hits": Parameter(
        meaning="Whether a further mark on a lesion that is hit already is false or neutral.",
        type=str,
        default="false",
        choices=("false", "neutral"),
    ),
    "false_marks_if_failed": _CAP,
}
_RATE = Parameter(
    meaning="The number of false marks an image at which the sensitivity is read.",
    default=1.0,
    low=0.001,
    high=1000.0,
)
_RATES = Parameter(
    meaning="The numbers of false marks an image at which sensitivities are read, rising.",
    default=[0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0],
    low=0.001,
    high=1000.0,
    several=True,
)
_EVERY = Parameter(
    meaning="Whether false marks on images with lesions count too (the variants AFROC1, wAFROC1), "
    "for cohorts with hardly any image without lesions.",
    type=bool,
    default=False,
)
_SIZE = Parameter(
    meaning="Which objects count by their area in pixels: all, small (up to 32 x 32), medium (up "
    "to 96 x 96) or large.",
    type=str,
    default="all",
    choices=("all", "small", "medium", "large"),
)
_CURVE = Quantity(
    name="",
    label="",
    definition="",
    tasks=_BOTH,
    target="may",
    parameters=_HITS,
)
_INSTANCE = Quantity(
    name="",
    label="",
    definition="",
    tasks=_INSTANCES,
    target="may",
    parameters={
        "beyond": Parameter(
            meaning="The intersection over union beyond which two instances are partners; the "
            "assignment with the highest sum is taken.",
            default=0.5,
            low=0.0,
            high=0.99,
        ),
        "false_marks_if_failed": _CAP,
    },
)

QUANTITIES = (
    replace(
        _CURVE,
        name="lesion_sensitivity",
        label="Lesion sensitivity",
        definition="Share of lesions hit by a mark called at the operating point.",
        at_operating_point=True,
        written="share",
        methods=SHARE - {"wilson"},
    ),
    replace(
        _CURVE,
        name="false_marks_per_image",
        label="False marks per image",
        definition="Mean number of false marks an image at the operating point.",
        at_operating_point=True,
        better="lower",
        bounds=(0, None),
        prevalence_bound=True,
    ),
    replace(
        _CURVE,
        name="llf",
        label="Lesion localization fraction, all marks",
        definition="Share of lesions hit by a mark of any score: the end of the FROC curve.",
        written="share",
        methods=SHARE - {"wilson"},
    ),
    replace(
        _CURVE,
        name="nlf",
        label="Non-lesion localization fraction, all marks",
        definition="Mean number of false marks of any score an image: the end of the FROC curve.",
        better="lower",
        bounds=(0, None),
        prevalence_bound=True,
    ),
    replace(
        _CURVE,
        name="froc_sensitivity",
        label="Lesion sensitivity at {rate} false marks per image",
        definition="Lesion sensitivity where the FROC curve, straight between its operating "
        "points, has the given number of false marks an image.",
        parameters=_HITS | {"rate": _RATE},
        prevalence_bound=True,
    ),
    replace(
        _CURVE,
        name="froc_score",
        label="Mean lesion sensitivity of the FROC curve",
        definition="Mean of the lesion sensitivities at the given numbers of false marks an image.",
        parameters=_HITS | {"rates": _RATES},
        prevalence_bound=True,
    ),
    replace(
        _CURVE,
        name="afroc_auc",
        methods=_AREA_METHODS,
        label="Area under the AFROC curve",
        definition="Chance that a lesion is rated above the highest false mark of an image "
        "without lesions; ties half, no mark below every mark.",
        parameters=_HITS | {"every_image": _EVERY},
    ),
    replace(
        _CURVE,
        name="wafroc_auc",
        methods=_AREA_METHODS,
        label="Area under the weighted AFROC curve",
        definition="As the area under the AFROC curve, the lesions of an image weighted to add "
        "up to 1: alike, or by the weights (scores) of the reference standard.",
        parameters=_HITS | {"every_image": _EVERY},
    ),
    replace(
        _CURVE,
        name="patient_auroc",
        methods=_AREA_METHODS,
        label="Area under the patients' ROC curve",
        definition="Chance that the highest mark of a patient with a lesion is rated above that of "
        "a patient without; ties half.",
    ),
    replace(
        _CURVE,
        name="average_precision",
        label="Average precision (COCO), overlap {overlap}",
        definition="Mean over classes and overlaps of the interpolated precision at 101 recalls, "
        "up to 100 marks an image and class, as COCO has it.",
        parameters={
            "overlap": Parameter(
                meaning="Overlaps that hits need: the mean over 50 to 95 %, or 50 % or 75 %.",
                type=str,
                default="50:95",
                choices=("50:95", "50", "75"),
            ),
            "size": _SIZE,
            "false_marks_if_failed": _CAP,
        },
        prevalence_bound=True,
    ),
    replace(
        _CURVE,
        name="average_recall",
        label="Average recall (COCO), up to {marks} marks",
        definition="Mean over classes and the overlaps 50 to 95 % of the recall with a limited "
        "number of marks an image and class, as COCO has it.",
        parameters={
            "marks": Parameter(
                meaning="How many marks an image and class count: 1, 10 or 100.",
                type=int,
                default=100,
                choices=(1, 10, 100),
            ),
            "size": _SIZE,
        },
    ),
    replace(
        _INSTANCE,
        name="panoptic_quality",
        label="Panoptic quality",
        definition="Sum of the overlaps of partners divided by partners + half the false + half "
        "the missed instances, over the whole cohort; mean over classes.",
    ),
    replace(
        _INSTANCE,
        name="segmentation_quality",
        label="Segmentation quality",
        definition="Mean overlap of partners over the whole cohort; mean over classes.",
    ),
    replace(
        _INSTANCE,
        name="recognition_quality",
        label="Recognition quality",
        definition="Partners divided by partners + half the false + half the missed instances, "
        "over the whole cohort; mean over classes.",
    ),
    replace(
        _INSTANCE,
        name="instance_dice",
        label="Dice by instance",
        definition="Mean Dice coefficient over all instances, missed and false ones counting 0; "
        "mean over classes.",
    ),
)
