"""The listing as a page: rows, breadcrumbs, links that sort. Works without its script."""

from html import escape

from openssl_serve.handlers.entries import Entry, Order, shown, utc
from openssl_serve.pages import load

MAX_ENTRIES = 10_000
"""Shown of one folder: more would be megabytes of page. Text and JSON have all."""

_HEADS = {"name": "Name", "size": "Size", "date": 'Modified<span id="zone">, UTC</span>'}
_DESCENDING_FIRST = {"name": False, "size": True, "date": True}
"""The first click on Size asks for what is large, on Modified for what is new."""

_EXTENSIONS = {
    "i": "avif bmp gif heic heif ico jpeg jpg jxl png svg tif tiff webp",
    "v": "avi m4v mkv mov mp4 mpeg mpg ogv webm",
    "m": "aac aiff flac m4a mid mp3 oga ogg opus wav weba",
    "z": "7z bz2 deb dmg gz iso jar rar rpm tar tgz whl xz zip zst",
    "c": (
        "bat c cc cjs conf cpp cs css dart ex go h hpp hs htm html ini ipynb java js json jsonc "
        "jsx kt less lua map mjs php pl ps1 py pyi r rb rs scss sh sql svelte swift toml ts tsx "
        "vue wasm wat xhtml xml yaml yml zig zsh"
    ),
    "t": "adoc csv doc docx epub log markdown md odt pdf rst rtf tex text tsv txt",
}
_CLASSES = {word: kind for kind, words in _EXTENSIONS.items() for word in words.split()}
"""Extension to the class of the row, which has the picture in listing.css."""


def listing_page(
    entries: list[Entry], names: list[bytes], order: Order, host: str
) -> tuple[tuple[tuple[bytes, bytes], ...], bytes]:
    """Return fields and content of the page for *entries*, which are in the order of names.

    *names* lead from the top, which is called *host*, to the folder.
    """
    page = load("listing")
    query = "" if order == Order() else _query(order)
    folders = sum(entry.is_folder for entry in entries)
    size = sum(entry.size for entry in entries)
    # Sorted before it is cut: the newest of a long folder are the newest of all.
    listed = order.sort([*entries])[:MAX_ENTRIES]
    rank = {entry.name: number for number, entry in enumerate(entries)}
    host = host or "/"
    path = "".join(f"/{shown(name)}" for name in names)
    body = page.fill(
        title=escape(f"{path}/ · {host}" if names else host),
        crumbs=_crumbs(names, host, query),
        heads="\n".join(_head(key, order) for key in _HEADS),
        up=_up(query) if names else "",
        rows="\n".join(_row(entry, rank[entry.name], query) for entry in listed),
        whole=" data-whole" if len(listed) == len(entries) else "",
        cut=_cut(len(listed), len(entries)),
        empty="" if entries else "<p>This folder is empty.</p>\n",
        count=f"{_count(folders, len(entries) - folders)}"
        + (f", {human_size(size)}" if folders < len(entries) else ""),
    )
    return page.fields, body


def human_size(size: int) -> str:
    """Write a size in bytes as people read it, in powers of 1024.

    >>> human_size(999), human_size(1536), human_size(5 * 1024**3)
    ('999 B', '1.5 KiB', '5.0 GiB')
    """
    if size < 1024:
        return f"{size} B"
    amount = float(size)
    for unit in ("KiB", "MiB", "GiB"):
        amount /= 1024
        # What rounds to 1024 is the next unit's 1.
        if amount < 1023.95:
            return f"{amount:.1f} {unit}"
    return f"{amount / 1024:.1f} TiB"


def _row(entry: Entry, rank: int, query: str) -> str:
    name, is_folder, size, modified = entry
    date = utc(modified)
    if is_folder:
        kind, href, cell = "d", entry.href + query, "<td role=cell>"
    else:
        extension = name.rpartition(b".")[2].decode("latin-1").lower()
        kind, href = _CLASSES.get(extension, "f"), entry.href
        cell = f'<td role=cell title="{size:,} bytes">{human_size(size)}'
    return (
        f'<tr class={kind} role=row data-k="{rank} {size} {int(modified)}">'
        f'<td role=cell><a href="{href}"><bdi>{escape(entry.text)}</bdi></a>{cell}'
        f"<td role=cell><time datetime={date}>{date[:10]} {date[11:16]}</time>"
    )


def _head(key: str, order: Order) -> str:
    active = key == order.key
    descending = not order.descending if active else _DESCENDING_FIRST[key]
    state = f' aria-sort="{"de" if order.descending else "a"}scending"' if active else ""
    return (
        f'<th role="columnheader" scope="col" data-key="{key}"{state}>'
        f'<a href="{_query(Order(key, descending))}">{_HEADS[key]}</a></th>'
    )


def _query(order: Order) -> str:
    return f"?sort={order.key}&amp;order={'desc' if order.descending else 'asc'}"


def _crumbs(names: list[bytes], host: str, query: str) -> str:
    """One list item for each folder on the way, the last one as the page's heading.

    Relative links: the top of the folder may be somewhere below the top of the site.
    """
    *above, here = [f"<bdi>{escape(text)}</bdi>" for text in (host, *map(shown, names))]
    links = [
        f'<li><a href="{"../" * up}{query}">{text}</a></li>'
        for up, text in zip(range(len(above), 0, -1), above, strict=True)
    ]
    return "\n".join([*links, f'<li><h1 id="here" aria-current="page">{here}</h1></li>'])


def _up(query: str) -> str:
    return (
        '<tbody role="rowgroup"><tr class="u" role="row"><td role="cell" colspan="3">'
        f'<a href="../{query}" aria-label="Parent folder" aria-keyshortcuts="u Backspace">..</a>'
        "</td></tr></tbody>\n"
    )


def _count(folders: int, files: int) -> str:
    parts = [
        f"{number:,} {word}{'' if number == 1 else 's'}"
        for number, word in ((folders, "folder"), (files, "file"))
        if number
    ]
    return ", ".join(parts)


def _cut(listed: int, found: int) -> str:
    if listed == found:
        return ""
    return (
        f"<p>Only the first {listed:,} of {found:,} are shown. Sorting looks at all of them, the "
        "filter at these; as text or JSON the list is whole.</p>\n"
    )
