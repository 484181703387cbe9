"""What scripts that compile the sources in another form need."""

import os
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent


def edit(file, change):
    file.write_text(change(file.read_text()))


def replace(file, old, new):
    """Replaces what a file has once."""
    text = file.read_text()
    if text.count(old) != 1:
        raise ValueError(f"{file} has {old!r} not once")
    file.write_text(text.replace(old, new))


def copy(folder):
    """Copies the sources, but not `wall`: it compiles its neighbours' sources by their paths, as part of itself."""
    shutil.rmtree(folder, ignore_errors=True)
    list_files = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]
    files = subprocess.run(list_files, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout
    for file in map(os.fsdecode, files.split(b"\0")):
        if file and (ROOT / file).exists() and not file.startswith("wall/"):
            (folder / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / file, folder / file, follow_symlinks=False)
    replace(folder / "Cargo.toml", '"wall", ', "")
    replace(folder / "tests" / "Cargo.toml", 'wall = { path = "../wall" }\n', "")
