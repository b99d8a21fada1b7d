"""The outline of a shard: lease → fetch → feed → collect → put, and one exit for every failure."""

import logging
import os
from collections.abc import Mapping
from typing import Any

from proctor_backend.domain.errors import DataError, LeaseLostError
from proctor_backend.settings import Settings
from proctor_sdk.cases import CaseLineError
from proctor_sdk.contracts.base import RunFailedError, RunLimits
from proctor_sdk.contracts.proctor_v1 import ProctorV1
from proctor_sdk.predictions import TaskSpec
from proctor_sdk.reasons import ReasonCode
from proctor_sdk.sandbox.launcher import Launcher, gpu_devices
from proctor_sdk.sandbox.podman import ImageError, StartError
from proctor_sdk.sandbox.policy import SandboxPolicy
from proctor_workers.runner.control import ControlClient
from proctor_workers.runner.fetch import SealedImage, answered_lines, case_of
from proctor_workers.runner.host import Host, cache_of, holdings
from proctor_workers.runner.images import HeldImage
from proctor_workers.runner.lease import CancelledError, Lease, StoppedError
from proctor_workers.runner.spool import Spool, read_spool
from proctor_workers.runner.supply import Supply

LOG = logging.getLogger(__name__)


def run_shard(settings: Settings, shard_id: str) -> None:
    """Run one shard to its end, or leave it as it was found for another to run."""
    control = ControlClient(settings.control_url, settings.runner_token)
    try:
        host, cache = Host(settings.work_dir), cache_of(settings)
        grant = control.claim(shard=shard_id, **holdings(host, cache))
        if grant is None:
            LOG.info("no shard is to be had for the wake-up of %s", shard_id)
            return
        host.sweep()
        with Lease(control, grant) as lease, Supply(cache, lease, grant) as supply:
            _run_leased(control, host, lease, grant, supply)
    finally:
        control.close()


def _run_leased(
    control: ControlClient, host: Host, lease: Lease, grant: Mapping[str, Any], supply: Supply
) -> None:
    """The one exit: whatever ends the run is recorded with whose move is next."""
    public = grant["kind"] == "conformance"
    try:
        summary, log = _run(control, host, lease, grant, supply)
        lease.done(summary, log if public else None)
    except (LeaseLostError, CancelledError):
        LOG.warning("shard %s stopped: lease lost or entry cancelled", grant["shard"])
        return
    except StoppedError:
        LOG.warning("shard %s is given back: this runner ends", grant["shard"])
        lease.give_back()
        return
    except RunFailedError as error:
        lease.failed("vendor", error.reason, error.detail, error.log if public else None)
    except (StartError, ImageError) as error:
        lease.failed("vendor", ReasonCode(error.code), f"{error.message} {error.cure}")
    except (DataError, CaseLineError) as error:
        LOG.exception("shard %s: the data is not as recorded", grant["shard"])
        lease.failed("data", ReasonCode.PLATFORM_ERROR, str(error))
        return
    except Exception as error:
        # The boundary of a job: what nobody foresaw is the platform's fault, and tried again.
        LOG.exception("shard %s failed on this runner", grant["shard"])
        lease.failed("platform", ReasonCode.PLATFORM_ERROR, f"{type(error).__name__}: {error}")
        return
    host.spool_path(grant["evaluation"], grant["attempt"], grant["shard"]).unlink(missing_ok=True)


def _run(
    control: ControlClient, host: Host, lease: Lease, grant: Mapping[str, Any], supply: Supply
) -> tuple[dict[str, Any], str]:
    """1 image 2 cases 3 what is answered already 4 feed and collect 5 put the rest."""
    policy = policy_of(grant)
    sealed = SealedImage(control, lease, grant["image"])
    with (
        host.images.held(grant["image"]["config_digest"], policy.runtime, sealed.chunks) as held,
        host.workspace(policy) as workspace,
    ):
        cases = supply.cases()
        stored = {case_of(line) for line in answered_lines(control, lease, grant)}
        path = host.spool_path(grant["evaluation"], grant["attempt"], grant["shard"])
        kept = {case_of(line): line for line in read_spool(path)}
        waiting = [case for case in cases if case.name not in stored and case.name not in kept]
        with Spool(path, lease) as spool:
            spool.resend(line for name, line in kept.items() if name not in stored)
            contract = ProctorV1(
                Launcher(held.engine, held.image, policy, workspace, lease=lease.id),
                grant["task"],
                TaskSpec.from_documents(
                    grant["task"], grant["manifest"].get("indeterminate", {}).get("reasons", ())
                ),
                limits_of(grant),
                spool.put,
                total=len(cases),
                answered_before=len(cases) - len(waiting),
                restarts_before=int(grant.get("restarts", 0)),
                proven=grant["kind"] == "hidden",  # the public cases were answered
                guard=lease.guard,
            )
            with supply.staged(waiting, workspace) as source:
                contract.run(source)
            spool.finish()
            counts = spool.counts
        summary = _summary(grant, policy, held, contract) | supply.moved()
        return summary | {"cases": len(cases), "counts": counts}, contract.log


def policy_of(grant: Mapping[str, Any]) -> SandboxPolicy:
    """The sandbox of a grant; a log is kept on public cases only."""
    limits, runtime = grant["limits"], grant.get("runtime", "any")
    return SandboxPolicy(
        memory_mb=int(limits["memory_mb"]),
        # An engine refuses more processors than the host has.
        cpus=min(float(limits["cpus"]), float(os.cpu_count() or 1)),
        pids=int(limits.get("pids", 256)),
        tmp_mb=int(limits.get("tmp_mb", 256)),
        output_mb=int(limits.get("output_mb", 64)),
        log_kb=int(limits.get("log_kb", 0)) if grant["kind"] == "conformance" else 0,
        runtime="runc" if runtime == "any" else runtime,
        devices=gpu_devices(wanted=bool(grant.get("gpu"))),
    )


def limits_of(grant: Mapping[str, Any]) -> RunLimits:
    """Time, window and isolation of a grant."""
    limits = grant["limits"]
    return RunLimits(
        window=int(grant.get("window", 1)),
        isolation=grant.get("isolation", "run"),
        seconds_per_case=float(limits["seconds_per_case"]),
        seconds_total=float(limits["seconds_total"]),
        start_seconds=float(limits["start_seconds"]),
        output_bytes=int(limits.get("output_mb", 64)) << 20,
    )


def _summary(
    grant: Mapping[str, Any], policy: SandboxPolicy, held: HeldImage, contract: ProctorV1
) -> dict[str, Any]:
    return contract.summary.as_dict() | {
        "device": "gpu" if policy.devices else "cpu",
        "gpu_asked": bool(grant.get("gpu")),
        "runtime": policy.runtime,
        "policy": policy.as_dict(),
        "image_load_seconds": round(held.load_seconds, 3),
        "image_bytes": held.image.size,
    }
