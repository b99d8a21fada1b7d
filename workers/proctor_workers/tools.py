"""What a step works with: the record, the objects and the settings of its component."""

from functools import cached_property

from proctor_backend.objects import ObjectStore
from proctor_backend.records import Records
from proctor_backend.settings import Settings


class Tools:
    """Opens what the component's credentials open, when it is first used."""

    def __init__(self, settings: Settings) -> None:
        """Work with these settings."""
        self.settings = settings

    @cached_property
    def records(self) -> Records:
        """The system of record."""
        return Records.connect(self.settings.mongo_url, self.settings.mongo_db)

    @cached_property
    def store(self) -> ObjectStore:
        """The buckets this component may open."""
        return ObjectStore.connect(self.settings)
