"""A report as a page of HTML; its pictures lie beside it."""

from __future__ import annotations

from html import escape

from ftnoise.report.page import sections
from ftnoise.report.results import Results
from ftnoise.report.table import Section, Table

STYLE = (
    "body{font:15px/1.45 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "div{overflow-x:auto}table{border-collapse:collapse;margin:1rem 0;white-space:nowrap}"
    "th,td{padding:.15rem .6rem;text-align:right}thead th{vertical-align:bottom;"
    "white-space:normal;text-align:center}tbody th{font-weight:normal;text-align:left}"
    "thead tr:last-child{border-bottom:1px solid}td{font-variant-numeric:tabular-nums}"
    ".first{border-left:1px solid #ccc}img{max-width:100%}"
)


def html(results: Results) -> str:
    """All parts of the report, which need no other file but the images."""
    found = sections(results)
    parts = [_part(one, "h2" if n else "h1") for n, one in enumerate(found)]
    title = f"{results.experiment.name}: {found[0].title}"
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(parts)
        + "\n</body>\n</html>\n"
    )


def _part(section: Section, heading: str) -> str:
    lines = [f"<{heading}>{escape(section.title)}</{heading}>"] if section.title else []
    lines += [f"<p>{escape(section.lead)}</p>"] if section.lead else []
    lines += map(_table, section.tables)
    if section.draw:
        lines.append(f'<img alt="{escape(section.title)}" src="{escape(section.name)}.png">')
    lines += [f"<p>{escape(section.text)}</p>"] if section.text else []
    if section.items:
        items = "".join(f"<li>{escape(item)}</li>" for item in section.items)
        lines.append(f"<ul>{items}</ul>")
    return "\n".join(lines)


def _table(table: Table) -> str:
    top, heads = [f"<th>{escape(table.corner)}</th>"], ["<th></th>"]
    for block in table.blocks:
        top.append(f'<th colspan="{len(block.heads)}">{escape(block.title)}</th>')
        heads += [f"<th>{escape(head)}</th>" for head in block.heads]
    rows = [top, heads] if any(any(block.heads) for block in table.blocks) else [top]
    lines = [f"<tr>{''.join(row)}</tr>" for row in rows]
    body = []
    for k, (group, label) in enumerate(table.labels):
        cells = [f"<th>{escape(f'{group} {label}'.strip())}</th>"]
        for block in table.blocks:
            for n, cell in enumerate(block.cells[k]):
                mark = "" if n else ' class="first"'
                cells.append(f"<td{mark}>{escape(cell)}</td>")
        body.append(f"<tr>{''.join(cells)}</tr>")
    head, rest = "".join(lines), "\n".join(body)
    return f"<div><table><thead>{head}</thead>\n<tbody>{rest}</tbody></table></div>"
