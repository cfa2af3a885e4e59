"""Runs the notebooks and exports them: `make notebooks`, or `make.py FOLDER [NAME...]`.

A notebook is a Python file here, in jupytext's percent format. The result is `NAME.ipynb` and
`NAME.html` in FOLDER, without traces of the machine that made them.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient
from nbconvert import HTMLExporter

HERE = Path(__file__).resolve().parent
SIZE_LIMIT = 2_000_000


def main(arguments: list[str]) -> int:
    """Returns the exit code."""
    folder = Path(arguments[0]).resolve()
    sources = sorted(HERE.glob("[0-9]-*.py"))
    if wanted := arguments[1:]:
        sources = [source for source in sources if any(name in source.stem for name in wanted)]
    os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE), os.environ.get("PYTHONPATH", "")])
    for source in sources:
        started = time.monotonic()
        notebook = jupytext.read(source)
        NotebookClient(
            notebook,
            timeout=3600,
            startup_timeout=900,
            kernel_name="python3",
            resources={"metadata": {"path": HERE}},
        ).execute()
        sizes = export(notebook, folder, source.stem)
        print(f"{source.stem}: {time.monotonic() - started:.0f} s, {sizes}", flush=True)
    return 0


def export(notebook: nbformat.NotebookNode, folder: Path, name: str) -> str:
    """Writes a notebook and its page, and checks them; returns their sizes as text."""
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "title": name,
    }
    for number, cell in enumerate(notebook.cells):
        # Ids and times would differ in every run.
        cell["id"] = f"cell-{number}"
        cell.metadata = {}
        # Warnings of libraries name files of this machine.
        if "outputs" in cell:
            cell.outputs = [item for item in cell.outputs if item.get("name") != "stderr"]
    exporter = HTMLExporter(exclude_input_prompt=True, exclude_output_prompt=True)
    exporter.embed_images = True
    page, _ = exporter.from_notebook_node(notebook)
    text = nbformat.writes(notebook) + "\n"
    sizes = []
    for ending, content in (("ipynb", text), ("html", page)):
        for forbidden in (
            str(HERE.parents[1]),
            os.path.expanduser("~") + "/",
            tempfile.gettempdir() + "/pathwise-",
        ):
            if forbidden in content:
                raise SystemExit(f"{name}.{ending} has the path '{forbidden}' of this machine")
        data = content.encode()
        if len(data) >= SIZE_LIMIT:
            raise SystemExit(f"{name}.{ending} has {len(data)} bytes, of at most {SIZE_LIMIT}")
        part = folder / f".{name}.{ending}.part"
        part.write_bytes(data)
        part.replace(folder / f"{name}.{ending}")
        sizes.append(f"{len(data) // 1000} kB {ending}")
    return ", ".join(sizes)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
