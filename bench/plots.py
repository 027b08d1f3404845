"""`make bench-plots`: draws docs/plots from docs/measured, where the figures of docs/performance.md are kept as they were written."""

import json
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt

MEASURED, PLOTS = Path("docs/measured"), Path("docs/plots")
TARGETS = {
    "match_vs_echo": 0.40,
    "match_vs_echo_100": 0.20,
    "create_vs_bare_sql_sqlite": 0.40,
    "create_vs_bare_sql_postgres": 0.50,
    "create_hot_vs_spread_sqlite": 0.90,
    "create_hot_vs_spread_postgres": 0.90,
}
LIST_TARGET_MS = 150


def read(pattern: str) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(MEASURED.glob(pattern))]


def ratios() -> None:
    runs = read("bench-*.json")
    figure, axes = plt.subplots(figsize=(8, 3.2), layout="constrained")
    for place, (name, target) in enumerate(TARGETS.items()):
        for number, run in enumerate(runs):
            axes.barh(place + 0.25 * (number - (len(runs) - 1) / 2), run[name], height=0.22, color=f"C{number}")
        axes.plot([target, target], [place - 0.4, place + 0.4], color="black", linewidth=2)
    axes.set_yticks(range(len(TARGETS)), TARGETS)
    axes.invert_yaxis()
    axes.set_xlabel(f"ratio to the floor of the same run; black: the target; {len(runs)} runs")
    figure.savefig(PLOTS / "ratios.svg")


def lists() -> None:
    (run,) = read("size-postgresql.json")
    names = [name.removesuffix(" p99_ms") for name in run if name.endswith(" p99_ms")]
    figure, axes = plt.subplots(figsize=(8, 7), layout="constrained")
    axes.barh(range(len(names)), [run[f"{name} p99_ms"] for name in names], color="C1", label="p99")
    axes.barh(range(len(names)), [run[f"{name} p50_ms"] for name in names], color="C0", label="p50")
    axes.axvline(LIST_TARGET_MS, color="black", linewidth=2)
    axes.set_yticks(range(len(names)), names)
    axes.set_xscale("log")
    axes.set_xlabel("ms at 10 million trades, PostgreSQL; black: the target of lists")
    axes.invert_yaxis()
    axes.legend()
    figure.savefig(PLOTS / "lists.svg")


def mixed() -> None:
    (run,) = read("mixed.json")
    minutes = [sample["at_s"] / 60 for sample in run["samples"]]
    figure, (latency, memory, backlog) = plt.subplots(3, 1, figsize=(8, 7), sharex=True, layout="constrained")
    for name in ("match_p50_ms", "match_p99_ms", "floor_p99_ms", "create_p99_ms", "lookup_p99_ms", "list_p99_ms"):
        latency.plot(minutes, [sample.get(name) for sample in run["samples"]], label=name)
    latency.set_yscale("log")
    latency.axhline(run["quiet"]["match_p99_ms"], color="black", linewidth=1, label="match p99, quiet")
    for name in ("api_mb", "desk_mb", "work_mb", "steam_mb"):
        if name in run["samples"][0]:
            memory.plot(minutes, [sample[name] for sample in run["samples"]], label=name)
    for name in ("processing", "accepted", "completed"):
        backlog.plot(minutes, [sample[name] for sample in run["samples"]], label=name)
    memory.set_ylim(bottom=0)
    backlog.set_xlabel("minutes")
    for axes in (latency, memory, backlog):
        axes.legend(fontsize="small", ncols=3)
    figure.savefig(PLOTS / "mixed.svg")


def main() -> None:
    PLOTS.mkdir(exist_ok=True)
    for draw in (ratios, lists, mixed):
        draw()


if __name__ == "__main__":
    main()
