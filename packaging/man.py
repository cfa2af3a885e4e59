#!/usr/bin/env python3
"""Writes manual pages: pathwise --experimental-dump-help | man.py FOLDER [TOPICS].

A page for each command, from what the program says of itself; exit codes are read from its source. TOPICS
is what 'pathwise topic --json' prints: a page pathwise-topic-NAME for each.
"""

import json
import re
import sys
from pathlib import Path

SOURCE = Path(__file__).resolve().parent.parent / "Sources/PathwiseCommand/Support/ExitStatus.swift"


def exit_codes(source: str) -> list[tuple[int, str]]:
    """The codes with their meanings, from the comments above the cases."""
    codes, comment = [], ""
    for line in source.splitlines():
        line = line.strip()
        if line.startswith("///"):
            comment = line[3:].strip()
        elif match := re.match(r"case (\w+) = (\d+)$", line):
            codes.append((int(match[2]), comment or match[1].capitalize() + "."))
            # Two cases may share a comment: SIGINT and SIGTERM.
            comment = comment if match[1] == "interrupted" else ""
    return codes


def escaped(text: str) -> str:
    """Text in which roff finds no request and no escape."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("^", "\\(ha").replace("~", "\\(ti")
    return "\\&" + text if text.startswith((".", "'")) else text


def prose(text: str) -> list[str]:
    """A discussion: paragraphs are filled, blocks with indented lines stay as they are."""
    lines: list[str] = []
    for block in re.split(r"\n\s*\n", text.strip("\n")):
        rows = block.split("\n")
        lines.append(".PP")
        if any(row.startswith(" ") for row in rows):
            lines += [".nf", *(escaped(row) for row in rows), ".fi"]
        else:
            lines += [escaped(row.strip()) for row in rows]
    return lines


def names(argument: dict) -> str:
    value = argument.get("valueName", "value")
    if argument["kind"] == "positional":
        return f"\\fI{escaped(value)}\\fR"
    texts = []
    for name in argument.get("names", []):
        dashes = "\\-" if name["kind"] == "short" else "\\-\\-"
        texts.append(f"\\fB{dashes}{escaped(name['name'])}\\fR")
    suffix = f" \\fI{escaped(value)}\\fR" if argument["kind"] == "option" else ""
    return ", ".join(texts) + suffix


def synopsis(argument: dict) -> str:
    value = argument.get("valueName", "value")
    if argument["kind"] == "positional":
        text = f"\\fI{escaped(value)}\\fR"
    else:
        name = argument["preferredName"]
        dashes = "\\-" if name["kind"] == "short" else "\\-\\-"
        text = f"\\fB{dashes}{escaped(name['name'])}\\fR"
        if argument["kind"] == "option":
            text += f" \\fI{escaped(value)}\\fR"
    if argument.get("isRepeating"):
        text += " ..."
    return f"[{text}]" if argument.get("isOptional") else text


def page(command: dict, path: list[str]) -> list[str]:
    title = "-".join(path)
    shown = [a for a in command.get("arguments", []) if a.get("shouldDisplay", True)]
    children = [c for c in command.get("subcommands", []) if c["commandName"] != "help"]
    lines = [f'.TH "{title.upper()}" 1 "" "pathwise" "User commands"', ".ad l", ".SH NAME"]
    lines.append(f"{escaped(title)} \\- {escaped(command.get('abstract', '').rstrip('.'))}")
    lines += [".SH SYNOPSIS", f".B {' '.join(path)}"]
    lines += [synopsis(argument) for argument in shown]
    if children:
        lines.append("\\fIsubcommand\\fR")
    if discussion := command.get("discussion"):
        lines.append(".SH DESCRIPTION")
        lines += prose(discussion)
    for heading, kinds in [("ARGUMENTS", ["positional"]), ("OPTIONS", ["option", "flag"])]:
        listed = [a for a in shown if a["kind"] in kinds]
        if listed:
            lines.append(f".SH {heading}")
        for argument in listed:
            text = argument.get("abstract", "")
            if (default := argument.get("defaultValue")) and "default:" not in text:
                text += f" (default: {default})"
            lines += [".TP", names(argument), escaped(text)]
    if children:
        lines.append(".SH COMMANDS")
        for child in children:
            lines += [".TP", f"\\fB{escaped(child['commandName'])}\\fR"]
            lines.append(escaped(child.get("abstract", "")))
    lines.append(".SH EXIT STATUS")
    for code, meaning in exit_codes(SOURCE.read_text()):
        lines += [".TP", str(code), escaped(meaning)]
    lines += [".SH FILES", ".TP", "/etc/pathwise, ~/.config/pathwise"]
    lines += [escaped("Configuration files and, for users, keys and lists.")]
    lines += [".SH ENVIRONMENT", ".TP", "XDG_CONFIG_HOME, XDG_RUNTIME_DIR, NO_COLOR"]
    lines += [escaped("Where files and status sockets are; whether tables have colours.")]
    related = ["pathwise"] if len(path) > 1 else []
    related += ["-".join(path + [child["commandName"]]) for child in children]
    if related:
        lines.append(".SH SEE ALSO")
        lines.append(", ".join(f"\\fB{escaped(name)}\\fR(1)" for name in related))
    return lines


def write(command: dict, parents: list[str], folder: Path) -> int:
    path = parents + [command["commandName"]]
    (folder / f"{'-'.join(path)}.1").write_text("\n".join(page(command, path)) + "\n")
    return 1 + sum(
        write(child, path, folder)
        for child in command.get("subcommands", [])
        if child["commandName"] != "help"
    )


def topic_page(topic: dict) -> list[str]:
    title = f"pathwise-topic-{topic['name']}"
    lines = [f'.TH "{title.upper()}" 1 "" "pathwise" "User commands"', ".ad l", ".SH NAME"]
    lines.append(f"{escaped(title)} \\- {escaped(topic['title'])}")
    lines += [".SH DESCRIPTION", *prose(topic["text"])]
    lines += [".SH SEE ALSO", "\\fBpathwise\\fR(1), \\fBpathwise\\-topic\\fR(1)"]
    return lines


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    write(json.load(sys.stdin)["command"], [], folder)
    for topic in json.loads(Path(sys.argv[2]).read_text()) if len(sys.argv) > 2 else []:
        (folder / f"pathwise-topic-{topic['name']}.1").write_text("\n".join(topic_page(topic)) + "\n")
