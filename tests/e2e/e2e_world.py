"""A study whose draft awaits its reviewer: people, protocol, images, measurement and body are real.

Only the workers between them are not started: their records are written here.
"""

import hashlib
import io
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import DigitalXRayImageStorageForPresentation, ExplicitVRLittleEndian, generate_uid

from proctor_backend.domain.audit import Event
from proctor_backend.domain.ids import new_id, utc_now
from proctor_backend.domain.keys import cases_key, file_key
from proctor_backend.domain.people import Actor
from proctor_backend.domain.review import EDITIONS
from proctor_backend.objects import ObjectStore
from proctor_backend.records import Insert, Records
from proctor_backend.reporting.body import assemble_body, new_salts
from proctor_backend.reporting.editions import cut_edition
from proctor_backend.reporting.material import DraftMaterial
from proctor_backend.services import cohorts, people, studies
from proctor_sdk.canonical import canonical_bytes, digest
from proctor_workers.measurement import measure
from proctor_workers.observations import observations_from_predictions

PASSWORD = "a long enough password"
VENDOR, MODEL = "Nordlicht Imaging GmbH", "LungSight"
PATIENT_NAME = "Hidden^Patient"
EXAMPLES = Path(__file__).parents[2] / "docs/examples/protocols"
ROLES = {
    "developer": ("vendor", "vendor_developer", "Dana Developer"),
    "regulatory": ("vendor", "vendor_regulatory", "Rita Regulatory"),
    "partner": ("partner", "data_partner", "Paul Partner"),
    "statistician": ("platform", "statistician", "Stan Statistician"),
    "reviewer": ("platform", "reviewer", "Rosa Reviewer"),
    "releaser": ("platform", "releaser", "Rene Releaser"),
    "operator": ("platform", "operator", "Olga Operator"),
}
SITES, GROUPS, SCANNERS = ("north", "south", "west"), ("A", "B", "C"), ("S1", "S2")
PATIENTS = 400


@dataclass
class World:
    records: Records
    store: ObjectStore
    orgs: dict[str, str] = field(default_factory=dict)
    persons: dict[str, str] = field(default_factory=dict)
    study: str = ""
    cohort: str = ""
    entry: str = ""
    report: str = ""

    def actor(self, part: str) -> Actor:
        return people.actor_from_session(
            self.records, people.login(self.records, email(part), PASSWORD)
        )


def email(part: str) -> str:
    return f"{part}@clinic.test"


def build(records: Records, store: ObjectStore, kind: str = "dicom") -> World:
    world = World(records, store)
    _people(world)
    _study(world, kind)
    reference, observations, manifest = _exam(world, kind)
    _draft(world, reference, observations, manifest)
    return world


def _people(world: World) -> None:
    people.first_admin(world.records, email=email("office"), password=PASSWORD, name="Olaf Office")
    office = world.actor("office")
    world.orgs["platform"] = office.org
    for part, name, kind in (
        ("vendor", VENDOR, "vendor"),
        ("partner", "City Hospital", "partner"),
    ):
        world.orgs[part] = people.create_organisation(world.records, office, name=name, kind=kind)
    for part, (org, role, name) in ROLES.items():
        person = people.create_person(
            world.records,
            office,
            org=world.orgs[org],
            email=email(part),
            name=name,
            password=PASSWORD,
        )
        world.records.touch("persons", person, {"password_by": person}, expect={})
        people.bind(world.records, office, person=person, role=role)
        world.persons[part] = person


def _study(world: World, kind: str) -> None:
    about = {"provenance": "Emergency departments of three sites, 2024", "country": "Germany"}
    world.cohort = cohorts.create(
        world.records,
        world.actor("partner"),
        name="Chest radiographs, emergency",
        visibility="hidden",
        description=about,
    )
    public = cohorts.create(
        world.records,
        world.actor("office"),
        name="Open radiographs",
        visibility="public",
        description={},
    )
    for cohort in (world.cohort, public):
        ready = {
            "state": "READY",
            "root": "ab" * 32,
            "reference_sha256": "cd" * 32,
            "cases": PATIENTS,
            "patients": PATIENTS,
        }
        ready["sites"] = len(SITES)
        world.records.db["cohorts"].update_one({"_id": cohort}, {"$set": ready})
    world.study = studies.draft(
        world.records,
        world.actor("office"),
        protocol_text=(EXAMPLES / f"binary-{kind}.yaml").read_text("utf-8"),
        cohort=world.cohort,
        conformance_cohort=public,
        vendor_org=world.orgs["vendor"],
    )
    for part, role in (
        ("statistician", "statistician"),
        ("regulatory", "vendor_regulatory"),
        ("partner", "data_partner"),
    ):
        studies.sign(
            world.records,
            world.actor(part),
            world.study,
            role=role,
            password=PASSWORD,
            meaning="We agree to this protocol.",
        )


def _exam(world: World, kind: str) -> tuple[pa.Table, pa.Table, dict]:
    draw = np.random.default_rng(7)
    positive = np.arange(PATIENTS) % 2 == 0
    sex = np.where(draw.random(PATIENTS) < 0.5, "F", "M")
    # women with the finding are missed more often: the difference the page must show
    shift = np.where(positive, np.where(sex == "F", 0.7, 2.0), -1.9)
    score = 1 / (1 + np.exp(-(shift + draw.normal(0, 1.2, PATIENTS))))
    case = [new_id("cas") for _ in range(PATIENTS)]
    label = "pneumothorax" if kind == "dicom" else "1"
    columns = {
        "case": case,
        "patient": [new_id("pat") for _ in range(PATIENTS)],
        "site": [SITES[i % 3] for i in range(PATIENTS)],
        "imaging_study": [f"i{i}" for i in range(PATIENTS)],
        "reference_value": [label if one else "none" for one in positive],
        "reference_status": ["verified"] * PATIENTS,
        "reference_method": ["consensus"] * PATIENTS,
        "sampling_stratum": ["all"] * PATIENTS,
        "sampling_weight": [1.0] * PATIENTS,
        "partition": ["confirmatory"] * PATIENTS,
        "attr.sex": sex.tolist(),
        "attr.ethnic_group": [GROUPS[i % 3] for i in draw.integers(0, 3, PATIENTS)],
        "attr.race": [GROUPS[i % 3] for i in draw.integers(0, 3, PATIENTS)],
        "attr.scanner": [SCANNERS[i] for i in draw.integers(0, 2, PATIENTS)],
        "attr.age": [str(age) for age in draw.integers(19, 89, PATIENTS)],
    }
    reference = pa.table(columns)
    point = {"id": "triage" if kind == "dicom" else "main", "threshold": 0.5, "comparator": ">="}
    manifest = {
        "contract": "proctor/v1",
        "task": {"kind": "binary_classification", "positive": "finding", "negative": "none"},
        "operating_points": [point | {"chosen": "on tuning data"}],
        "inputs": {"kind": kind, "attributes": [], "headers": []},
        "resources": {},
        "indeterminate": {"reasons": []},
        "model": {},
    }
    answers = [
        {"case": name, "status": "ok", "reason": None, "outputs": {"scores": {"finding": float(s)}}}
        for name, s in zip(case, score, strict=True)
    ]
    names = dict(zip(case, case, strict=True))
    _store_cases(world, case, positive.tolist(), kind)
    return reference, observations_from_predictions(answers, names, reference), manifest


def _store_cases(world: World, case: list[str], positive: list[bool], kind: str) -> None:
    images = {one: radiograph(finding=one) for one in (True, False)} if kind == "dicom" else {}
    lines = []
    for content in images.values():
        key = file_key(world.cohort, "b0", hashlib.sha256(content).hexdigest())
        world.store.put("hidden", key, content)
    for name, finding in zip(case, positive, strict=True):
        files, inputs = [], {"age": "67", "meanbp": "84", "hrt": None}
        if kind == "dicom":
            content, inputs = images[finding], {}
            sha256 = hashlib.sha256(content).hexdigest()
            files = [{"name": "0.dcm", "role": "image", "sha256": sha256, "size": len(content)}]
        lines.append(canonical_bytes({"case": name, "files": files, "inputs": inputs}))
    world.store.put("hidden", cases_key(world.cohort, "b0"), b"\n".join(lines) + b"\n")


def radiograph(*, finding: bool, inverted: bool = True, name: str = PATIENT_NAME) -> bytes:
    """Return a drawn chest: two lungs, ribs, noise; the finding is a bright pleural rim."""
    rows, columns = np.mgrid[0:512, 0:448]
    image = np.full((512, 448), 2600.0)
    for centre in (140, 308):
        lung = ((columns - centre) / 78) ** 2 + ((rows - 250) / 170) ** 2
        image -= 1500 * np.clip(1.25 - lung, 0, 1)
    image += 160 * np.sin(rows / 13.0) * (np.abs(columns - 224) > 40)
    image += 500 * np.exp(-(((columns - 224) / 26) ** 2))
    if finding:
        rim = np.abs(((columns - 308) / 70) ** 2 + ((rows - 160) / 80) ** 2 - 1)
        image += 700 * np.exp(-((rim / 0.06) ** 2)) * (rows < 200)
    image += np.random.default_rng(3).normal(0, 40, image.shape)
    pixels = np.clip(image, 0, 4095).astype(np.uint16)
    return as_dicom(4095 - pixels if inverted else pixels, inverted=inverted, name=name)


def as_dicom(pixels: np.ndarray, *, inverted: bool, name: str = PATIENT_NAME) -> bytes:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = DigitalXRayImageStorageForPresentation
    meta.MediaStorageSOPInstanceUID = generate_uid()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    dataset.SOPClassUID = meta.MediaStorageSOPClassUID
    dataset.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
    dataset.PatientName = name
    dataset.Modality = "DX"
    dataset.PhotometricInterpretation = "MONOCHROME1" if inverted else "MONOCHROME2"
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.Rows, dataset.Columns = pixels.shape[-2:]
    if pixels.ndim == 3:
        dataset.NumberOfFrames = pixels.shape[0]
    dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 12, 11
    dataset.PixelData = pixels.tobytes()
    sink = io.BytesIO()
    dataset.save_as(sink, enforce_file_format=True)
    return sink.getvalue()


def _draft(world: World, reference: pa.Table, observations: pa.Table, manifest: dict) -> None:
    records = world.records
    study = records.get("studies", world.study)
    protocol = records.find("protocols", {"study": world.study})[0]["protocol"]
    protocol = protocol | {"resamples": 200}
    measured = measure(protocol, manifest, observations, reference).as_dict()
    world.entry, evaluation = new_id("ent"), new_id("eva")
    world.report = new_id("rep")
    cohort = records.get("cohorts", world.cohort)
    material = DraftMaterial(
        report=world.report,
        created_at=utc_now(),
        study={"id": world.study, "title": study["title"], "code_name": study["code_name"]},
        protocol=protocol,
        protocol_digest=study["protocol_digest"],
        cohort={
            "id": world.cohort, "name": cohort["name"], "version": 1, "root": cohort["root"],
            "cases": PATIENTS, "patients": PATIENTS, "sites": len(SITES), "visibility": "hidden",
            "description": cohort["description"], "terms": {},
        },
        entry={
            "id": world.entry, "code_name": "amber-heron",
            "digests": {"image": "sha256:" + "1" * 64},
        },
        manifest=manifest,
        evaluation={
            "attempts": 1, "window": 1, "isolation": "run", "runtime": "runc", "device": "cpu",
            "limits": {}, "started": utc_now(), "finished": utc_now(), "restarts": 0,
        },
        measurement=measured,
        evidence={"digest": "sha256:" + "2" * 64},
        demonstration=True,
    )  # fmt: skip
    salts = new_salts(material)
    body = assemble_body(material, salts=salts)
    body_bytes, results_bytes = canonical_bytes(body), canonical_bytes(measured)
    records.put_file(f"body:{digest(body_bytes)}", body_bytes)
    records.put_file(f"results:{digest(results_bytes)}", results_bytes)
    for edition in EDITIONS:
        preview = canonical_bytes(cut_edition(body, None, salts, edition))
        records.put_file(f"preview:{digest(body_bytes)}:{edition}", preview)
    _insert(world, evaluation, digest(body_bytes), digest(results_bytes))


def _insert(world: World, evaluation: str, body_digest: str, results_digest: str) -> None:
    vendor, now = world.orgs["vendor"], utc_now()
    entry = {
        "_id": world.entry, "org": vendor, "study": world.study, "state": "DECIDED",
        "code_name": "amber-heron", "model_name": MODEL, "version": "3.1", "report": world.report,
        "history": [{"state": "OPEN", "at": now}, {"state": "DECIDED", "at": now}],
        "conformance": {"state": "passed", "log": "loaded model in 1.2 s"}, "status_slot_s": 0.0,
    }  # fmt: skip
    report = {
        "_id": world.report, "org": vendor, "study": world.study, "entry": world.entry,
        "evaluation": evaluation, "cohort": world.cohort, "state": "DRAFT",
        "code_name": "amber-heron", "vendor_name": VENDOR, "model_name": MODEL, "version": "3.1",
        "body_digest": body_digest, "results_digest": results_digest,
    }  # fmt: skip
    exam = {
        "_id": evaluation, "org": vendor, "entry": world.entry, "study": world.study,
        "kind": "hidden", "cohort": world.cohort, "cohort_lineage": world.cohort,
        "bucket": "hidden", "state": "MEASURED",
    }  # fmt: skip
    world.records.commit(
        Insert("entries", entry),
        Insert("evaluations", exam),
        Insert("reports", report),
        event=Event(kind="report.drafted", chain=world.entry, actor="worker:draft"),
    )


def wrong_cases(world: World) -> list[dict]:
    report = world.records.get("reports", world.report)
    errors = json.loads(world.records.get_file(f"results:{report['results_digest']}"))["errors"]
    return list(errors)
