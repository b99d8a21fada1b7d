"""A client's report plugin: looked at as a hostile archive, kept by digest, pinned by the lock."""

import hashlib
import io
import json
import zipfile
from typing import Any

from proctor_backend.domain.audit import Event
from proctor_backend.domain.errors import InvalidInputError
from proctor_backend.domain.people import Actor, Role
from proctor_backend.domain.study import require_draft
from proctor_backend.records import Doc, Records, Update
from proctor_backend.services.study_view import visible

LARGEST_BUNDLE = 20 * 2**20
LARGEST_UNPACKED = 200 * 2**20
MOST_FILES = 500
API_VERSION = 1
_NEEDED = ("name", "version", "api", "entry")


def attach_plugin(records: Records, actor: Actor, study_id: str, *, content: bytes) -> Doc:
    """Pin a bundle to a draft and return {plugin, name, version}.

    Raises:
        InvalidInputError: the bundle is none, or too large.
        StateConflictError: the study is locked.
    """
    study = visible(records, actor, study_id)
    actor.require_any(Role.STATISTICIAN, Role.STUDY_OFFICE, study=study_id)
    require_draft(study["state"])
    description = read_description(content)
    plugin = f"sha256:{hashlib.sha256(content).hexdigest()}"
    records.put_file(f"bundle:{plugin}", content)
    fields = {"plugin_digest": plugin, "signatures": []}
    records.commit(
        Update("studies", study_id, fields, expect={"rev": study["rev"]}),
        event=Event(
            kind="study.plugin_pinned",
            chain=study_id,
            actor=actor.person,
            public={"plugin_digest": plugin},
        ),
    )
    return {
        "plugin": plugin,
        "name": str(description["name"]),
        "version": str(description["version"]),
    }


def read_description(content: bytes) -> dict[str, Any]:
    """Return a bundle's `bundle.json`, after looking at the archive without unpacking it.

    Raises:
        InvalidInputError: too large, no zip, a path that leads outside, or no description.
    """
    if len(content) > LARGEST_BUNDLE:
        raise _refused("The bundle is larger than 20 MB.")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_members(archive.infolist())
            description = json.loads(archive.read("bundle.json"))
    except (zipfile.BadZipFile, KeyError, ValueError, NotImplementedError, RuntimeError) as error:
        raise _refused("This is no zip with a readable bundle.json.") from error
    if not isinstance(description, dict) or any(name not in description for name in _NEEDED):
        raise _refused("bundle.json lacks one of: " + ", ".join(_NEEDED) + ".")
    if description["api"] != API_VERSION:
        raise _refused(f"The bundle is made for another plugin API than {API_VERSION}.")
    return description


def _check_members(members: list[zipfile.ZipInfo]) -> None:
    if len(members) > MOST_FILES or sum(one.file_size for one in members) > LARGEST_UNPACKED:
        raise _refused("The bundle unpacks to too many or too large files.")
    for member in members:
        parts = member.filename.replace("\\", "/").split("/")
        if ".." in parts or parts[0] == "" or ":" in parts[0]:
            raise _refused("A path in the bundle leads outside of it.")


def _refused(what: str) -> InvalidInputError:
    return InvalidInputError(what, cure="Build the bundle again as the plugin guide says.")
