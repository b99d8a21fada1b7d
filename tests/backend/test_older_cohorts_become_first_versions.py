"""The step that gives cohorts of before there were versions a lineage of their own."""

from proctor_backend.migrations import STEPS


def test_a_cohort_of_before_versions_is_the_first_of_its_lineage(empty_servers):
    records = empty_servers.admin_records()
    step = next(one for one in STEPS if one.name == "cohorts have lineages")
    records.db["cohorts"].insert_many(
        [{"_id": "coh_old", "version": 1}, {"_id": "coh_new", "version": 2, "lineage": "coh_x"}]
    )
    records.db["evaluations"].insert_one({"_id": "eva_old", "cohort": "coh_old"})
    for _ in range(2):  # safe to repeat
        step.apply(records)
    old = records.get("cohorts", "coh_old")
    assert (old["lineage"], old["previous"], old["overrides"]) == ("coh_old", None, [])
    assert records.get("cohorts", "coh_new")["lineage"] == "coh_x"
    assert records.get("evaluations", "eva_old")["cohort_lineage"] == "coh_old"
    records.db.client.close()
