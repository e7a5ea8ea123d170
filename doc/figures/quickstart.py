#!/usr/bin/env python3
"""Draw quickstart.svg from what `sh examples/quickstart.sh` leaves: the best cross-validated error
against the trials, and predicted against measured fat of the test samples.

usage: quickstart.py [RESULTS-FOLDER [OUTPUT.svg]]     in the top folder of the tree
Nothing but Python's standard library; the tool is expected on the PATH or in build-quickstart/."""
import csv
import json
import os
import pathlib
import shutil
import subprocess
import sys

BLUE, ORANGE, GREY, INK = "#1f6feb", "#d1642a", "#9aa4b2", "#24292f"
W, H, PAD = 420, 300, 52


def tool():
    return shutil.which("spectune") or "build-quickstart/examples/spectune/spectune"


def trials(study):
    text = subprocess.run([tool(), "trials", study, "--json"], check=True, capture_output=True, text=True).stdout
    return [(t["number"], t["value"]) for t in json.loads(text)["trials"]
            if t["state"] == "complete" and "repeats" not in t["attributes"]]


def test_pairs(results):
    with open("examples/data/tecator.csv", newline="", encoding="utf-8") as f:
        measured = {r["id"]: float(r["fat"]) for r in csv.DictReader(f) if r["split"] == "T"}
    with open(results / "predictions.csv", newline="", encoding="utf-8") as f:
        predicted = {r["id"]: float(r["fat"]) for r in csv.DictReader(f)}
    return [(measured[i], predicted[i]) for i in measured]


class Panel:
    """One set of axes at x = `left`, with its scales."""

    def __init__(self, left, title, x, y, labels):
        self.left, self.x, self.y = left, x, y
        self.out = [f'<text x="{left + W / 2}" y="22" class="t">{title}</text>',
                    f'<rect x="{left + PAD}" y="36" width="{W - PAD - 16}" height="{H - 36 - PAD}" class="f"/>',
                    f'<text x="{left + PAD + (W - PAD - 16) / 2}" y="{H - 10}" class="m">{labels[0]}</text>',
                    f'<text transform="translate({left + 14} {36 + (H - 36 - PAD) / 2}) rotate(-90)" class="m">{labels[1]}</text>']

    def at(self, x, y):
        (x0, x1), (y0, y1) = self.x, self.y
        return (self.left + PAD + (x - x0) / (x1 - x0) * (W - PAD - 16),
                H - PAD - (y - y0) / (y1 - y0) * (H - 36 - PAD))

    def ticks(self, xs, ys, form="{:g}"):
        for v in xs:
            x, y = self.at(v, self.y[0])
            self.out.append(f'<path d="M{x:.1f} {y:.1f}v4" class="a"/><text x="{x:.1f}" y="{y + 18:.1f}" class="m">{v:g}</text>')
        for v in ys:
            x, y = self.at(self.x[0], v)
            self.out.append(f'<path d="M{x:.1f} {y:.1f}h-4" class="a"/><text x="{x - 8:.1f}" y="{y + 4:.1f}" class="e">{form.format(v)}</text>')

    def dots(self, points, colour, radius=3, opacity=0.8):
        for x, y in points:
            px, py = self.at(x, y)
            self.out.append(f'<circle cx="{px:.1f}" cy="{py:.1f}" r="{radius}" fill="{colour}" fill-opacity="{opacity}"/>')

    def line(self, points, colour, width=2):
        d = " ".join(f"{'M' if i == 0 else 'L'}{px:.1f} {py:.1f}" for i, (px, py) in enumerate(self.at(x, y) for x, y in points))
        self.out.append(f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="{width}"/>')

    def note(self, x, y, text):
        self.out.append(f'<text x="{x}" y="{y}" class="n">{text}</text>')


def search(points):
    worst = sorted(v for _, v in points)[int(0.9 * len(points))]
    top = max(1.0, round(worst + 0.5))
    panel = Panel(0, "Search: every trial and the best so far", (0, max(n for n, _ in points)), (0, top),
                  ("trial", "cross-validated RMSE, % fat"))
    panel.ticks(range(0, max(n for n, _ in points) + 1, 10), [top * k / 4 for k in range(5)])
    panel.dots([(n, min(v, top)) for n, v in points], GREY)
    steps, best = [], None
    for n, v in points:
        if best is None or v < best:
            if best is not None:
                steps.append((n, best))
            best = v
            steps.append((n, v))
    steps.append((points[-1][0], best))
    panel.line(steps, BLUE)
    panel.note(W - 110, H - PAD - 12, f"best {best:.3f}")
    return panel


def agreement(pairs):
    rmsep = (sum((p - m) ** 2 for m, p in pairs) / len(pairs)) ** 0.5
    panel = Panel(W, "Test samples, never seen by tuning", (0, 60), (0, 60), ("measured fat, %", "predicted fat, %"))
    panel.ticks(range(0, 61, 10), range(0, 61, 10))
    panel.line([(0, 0), (60, 60)], GREY, 1)
    panel.dots(pairs, ORANGE, 3.5)
    panel.note(W + PAD + 12, 56, f"{len(pairs)} samples, RMSEP {rmsep:.3f} %")
    return panel


def main():
    results = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else "quickstart-results")
    target = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else "doc/figures/quickstart.svg")
    panels = [search(trials(results / "tecator.db")), agreement(test_pairs(results))]
    style = (f"text{{font:12px sans-serif;fill:{INK}}} .t{{font-weight:bold;font-size:13px;text-anchor:middle}} .m{{text-anchor:middle}} "
             f".e{{text-anchor:end}} .n{{font-weight:bold}} .f{{fill:#fff;stroke:{GREY}}} .a{{stroke:{GREY}}}")
    svg = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {2 * W} {H}" width="{2 * W}" height="{H}">',
           f"<style>{style}</style>", f'<rect width="{2 * W}" height="{H}" fill="#fff"/>']
    for panel in panels:
        svg += panel.out
    part = target.with_suffix(".part")
    part.write_text("\n".join(svg) + "\n</svg>\n", encoding="utf-8")
    os.replace(part, target)


main()
