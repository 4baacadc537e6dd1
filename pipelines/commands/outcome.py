"""What a command tells of the run that it made."""

from pathlib import Path

from pipelines.run import Outcome


def tell_outcome(out: Path, outcome: Outcome, *, made: str) -> None:
    """What was read, what was made of it, how fast, and where the bad records are."""
    totals, run = outcome.manifest["totals"], outcome.run
    if outcome.repeated:
        print(f"{out}: up to date, nothing to do")
    dead = f", {totals['dead_letters']:,} bad records in {out / 'dead_letters.jsonl'}" if totals["dead_letters"] else ""
    print(f"{totals['documents']:,} documents, {totals['tokens']:,} tokens, {made}{dead}")
    if not outcome.repeated:
        speed = run["bytes_per_second"] / 1e6
        rate = f"{run['documents_per_second']:,.0f} documents/s, {speed:,.1f} MB/s"
        print(f"{run['seconds']:.2f} s, {rate}, {run['workers']} workers")
