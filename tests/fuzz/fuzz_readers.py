"""Reads very many inputs that are nearly valid, with kernels that check their indices.

    python tests/fuzz/fuzz_readers.py --format all --inputs 1000000 --seed 1 --jobs 2

Each input is a pure function of the seed and its number (``trials.draw``); ``--only NUMBER`` runs
one again. A finding is anything but sound rows or a `UserError`: another exception, a warning, a
crash, more than some seconds, memory beyond a bound in the input's size. It is printed with the
input in base64, and the exit code is 1 in the end.
"""

import base64
import gc
import mmap
import multiprocessing
import os
import resource
import signal
import struct
import sys
import tempfile
import time
import traceback
import warnings
from dataclasses import dataclass
from multiprocessing.process import BaseProcess

import click

#: An out-of-bounds index is silent without; numba reads it when it is imported.
_ENVIRONMENT = {"NUMBA_BOUNDSCHECK": "1", "OMP_NUM_THREADS": "1"}
_SECONDS_EACH = 10.0
_ADDRESS_SPACE = 1 << 30
_MEMORY_CHECKED_EVERY = 1000
_MOST_CRASHES = 20
_MOST_PRINTED = 10
_STATE = struct.Struct("qqqq")  # the present input, those done, those read, findings


@dataclass(frozen=True)
class Share:
    """One process's part of the inputs of one subject: every ``jobs``-th one."""

    subject: str
    seed: int
    start: int
    stop: int
    jobs: int


def _work(share: Share, state: mmap.mmap) -> None:
    """Run a share's trials from its start on; the state tells the parent how far it came."""
    import trials

    _, done, read, findings = _STATE.unpack_from(state)
    warnings.simplefilter("error")
    _warm_up(share)
    for number in range(share.start, share.stop, share.jobs):
        _STATE.pack_into(state, 0, number, done, read, findings)
        trial = trials.draw(share.subject, share.seed, number)
        check = trials.check if number % _MEMORY_CHECKED_EVERY else trials.check_memory
        # The alarm's default is to end the process, within compiled code too.
        signal.setitimer(signal.ITIMER_REAL, _SECONDS_EACH)
        try:
            read += check(trial)
        except Exception:
            findings += 1
            if findings <= _MOST_PRINTED:
                _print_finding(share, number, traceback.format_exc())
        signal.setitimer(signal.ITIMER_REAL, 0)
        done += 1
        if done % 1000 == 0:
            gc.collect()
    _STATE.pack_into(state, 0, share.stop, done, read, findings)


def _warm_up(share: Share) -> None:
    """Compile, import and allocate what is needed once; then limit the address space."""
    import trials

    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    for number in range(50):
        try:
            trials.check(trials.draw(share.subject, -1, number))
        except Exception:
            continue
    with open("/proc/self/statm") as file:
        now = int(file.read().split()[0]) * mmap.PAGESIZE
    resource.setrlimit(resource.RLIMIT_AS, (now + _ADDRESS_SPACE, resource.RLIM_INFINITY))


def _print_finding(share: Share, number: int, what: str) -> None:
    import trials

    trial = trials.draw(share.subject, share.seed, number)
    print(
        f"FINDING {share.subject} seed={share.seed} number={number} {trial}\n"
        f"input={base64.b64encode(trial.data[:4096]).decode()} ({len(trial.data)} bytes)\n{what}",
        flush=True,
    )


def _run(subject: str, inputs: int, seed: int, jobs: int) -> bool:
    """Run all trials of a subject; return whether nothing was found."""
    start = time.perf_counter()
    states = [mmap.mmap(-1, _STATE.size) for _ in range(jobs)]
    shares = [Share(subject, seed, job, inputs, jobs) for job in range(jobs)]
    running = [_started(share, state) for share, state in zip(shares, states, strict=True)]
    crashes = 0
    for job, state in enumerate(states):
        while True:
            running[job].join()
            number, done, read, findings = _STATE.unpack_from(state)
            if running[job].exitcode == 0:
                break
            crashes += 1
            _print_finding(shares[job], number, f"exit code {running[job].exitcode}")
            if crashes > _MOST_CRASHES:
                break
            _STATE.pack_into(state, 0, number, done + 1, read, findings + 1)
            rest = Share(subject, seed, number + jobs, inputs, jobs)
            running[job] = _started(rest, state)
    _, done, read, findings = map(sum, zip(*map(_STATE.unpack_from, states), strict=True))
    seconds = time.perf_counter() - start
    print(
        f"{subject}: {done:,} inputs, {read:,} read, {done - read - findings:,} refused, "
        f"{findings:,} findings; {seconds:.0f} s, {done / seconds:,.0f} inputs/s",
        flush=True,
    )
    return findings == 0


def _started(share: Share, state: mmap.mmap) -> BaseProcess:
    process = multiprocessing.get_context("fork").Process(target=_work, args=(share, state))
    process.start()
    return process


@click.command()
@click.option("--format", "name", default="all", show_default=True)
@click.option("--inputs", default=1_000_000, show_default=True, help="Of each format.")
@click.option("--seed", default=1, show_default=True)
@click.option("--jobs", default=2, show_default=True, help="Processes.")
@click.option("--only", type=int, help="Run the input of this number alone, here.")
def main(name: str, inputs: int, seed: int, jobs: int, only: int | None) -> None:
    """Fuzz one format's reader, or all."""
    if any(os.environ.get(key) != value for key, value in _ENVIRONMENT.items()):
        environment = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
        os.execve(sys.executable, [sys.executable, *sys.argv], environment | _ENVIRONMENT)
    import trials
    from subjects import subject_names

    if only is not None:
        warnings.simplefilter("error")
        trial = trials.draw(name, seed, only)
        print(trial, trial.data[:4096], sep="\n")
        print("read" if trials.check(trial) else "refused")
        return
    chosen = subject_names() if name == "all" else [name]
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        tempfile.tempdir = folder  # of the processes too, which may crash and leave files
        sound = [_run(subject, inputs, seed, jobs) for subject in chosen]
    sys.exit(not all(sound))


if __name__ == "__main__":
    main()
