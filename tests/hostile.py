"""The table of hostile inputs: name, what is sent, and the documented answer to it."""

import base64
import io
import json
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from serving import Client, Reply, encoded, form, ink

DIGIT, IMAGE, TEXT = "api/explain/digit", "api/explain/image", "api/explain/text"
PROTOTYPES = "api/prototypes"
COMPARE = "api/compare"
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Case:
    """One hostile input, and the status and code it must get; no code where it is harmless."""

    name: str
    send: Callable[[Client], Reply]
    status: int
    code: str | None
    data: bytes | None = None  # of a picture, which the page's own form takes too


def saved(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    image = Image.new("RGB", (64, 64), "red") if image is None else image
    image.save(file, kind, **options)
    return file.getvalue()


def noise(side: int) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (side, side, 3))
    return Image.fromarray(values.astype(np.uint8))


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def bomb(width: int, height: int, rows: int = 0) -> bytes:
    """A PNG whose header claims a size; with rows, that many bytes of zeros well compressed."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = zlib.compress(bytes(rows), 9)
    parts = chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def text_bomb() -> bytes:
    """A PNG with a compressed comment of 100 million letters."""
    header = struct.pack(">IIBBBBB", 8, 8, 8, 0, 0, 0, 0)
    note = b"Comment\0\0" + zlib.compress(b"a" * 100_000_000, 9)
    data = zlib.compress(bytes(9 * 8))
    parts = chunk(b"IHDR", header) + chunk(b"zTXt", note) + chunk(b"IDAT", data)
    return b"\x89PNG\r\n\x1a\n" + parts + chunk(b"IEND", b"")


def gif() -> bytes:
    frames = [Image.new("L", (32, 32), grey) for grey in range(0, 250, 2)]
    return saved("GIF", frames[0], save_all=True, append_images=frames[1:])


def picture(name: str, data: bytes, status: int, code: str | None) -> Case:
    def send(client: Client) -> Reply:
        return client.upload(IMAGE, {"model": "digits-cnn"}, data)

    return Case(f"picture: {name}", send, status, code, data)


def fields(name: str, given: dict[str, Any], status: int, code: str | None) -> Case:
    def send(client: Client) -> Reply:
        return client.upload(IMAGE, {"model": "digits-cnn"} | given, saved("PNG"))

    return Case(f"form: {name}", send, status, code)


def digit(name: str, given: dict[str, Any], status: int, code: str | None) -> Case:
    return Case(f"digit: {name}", lambda c: c.post(DIGIT, {"pixels": ink(0)} | given), status, code)


def text(name: str, given: Any, status: int, code: str | None) -> Case:
    return Case(f"text: {name}", lambda client: client.post(TEXT, given), status, code)


def compare(name: str, given: dict[str, Any], status: int, code: str | None) -> Case:
    body = {"samples": 2, "methods": ["lrp"]} | given
    return Case(f"compare: {name}", lambda client: client.post(COMPARE, body), status, code)


def language(name: str, given: dict[str, Any], status: int, code: str) -> Case:
    asked = {"model": "sst-lstm", "text": "a film"} | given
    return Case(f"language: {name}", lambda c: c.post("api/continue", asked), status, code)


def raw(name: str, body: bytes, status: int, code: str | None, kind: str | None = None) -> Case:
    headers = JSON if kind is None else {"Content-Type": kind}
    return Case(f"body: {name}", lambda c: c.post(DIGIT, body, headers), status, code)


def get(name: str, path: str, status: int, code: str | None, **headers: str) -> Case:
    return Case(f"get: {name}", lambda client: client.get(path, **headers), status, code)


def prototype(name: str, given: dict[str, Any], status: int, code: str | None) -> Case:
    asked = {"model": "digits-mlp", "classes": [3], "steps": 2} | given
    return Case(f"prototype: {name}", lambda c: c.post(PROTOTYPES, asked), status, code)


def inside(name: str, given: dict[str, Any], status: int, code: str | None) -> Case:
    asked = {"sample": "digits-36"} | given
    return Case(f"inside: {name}", lambda c: c.post("api/inside", asked), status, code)


def numbers(name: str, shape: list[int], data: bytes, status: int, code: str | None) -> Case:
    given = {"shape": shape, "data": base64.b64encode(data).decode()}
    asked = {"model": "digits-mlp", "input": given}
    return Case(f"input: {name}", lambda c: c.post("api/explain/input", asked), status, code)


def post(name: str, headers: dict[str, str], status: int, code: str | None) -> Case:
    body = json.dumps({"pixels": ink(0)}).encode()
    return Case(f"head: {name}", lambda c: c.post(DIGIT, body, JSON | headers), status, code)


def form_body(name: str, body: bytes, kind: str, status: int, code: str) -> Case:
    headers = {"Content-Type": kind}
    return Case(f"form: {name}", lambda c: c.post(IMAGE, body, headers), status, code)


SVG = (
    b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
)
HTML = b"<!doctype html><script>alert(1)</script>"
WHOLE = form({"model": "digits-cnn"}, saved("PNG"))[0]

PICTURES = [
    picture("no bytes", b"", 422, "bad_picture"),
    picture("a PNG cut in half", saved("PNG", noise(64))[:6000], 422, "bad_picture"),
    picture("a JPEG cut in half", saved("JPEG", noise(64))[:1500], 422, "bad_picture"),
    picture("a WebP cut in half", saved("WEBP", noise(64))[:1500], 422, "bad_picture"),
    picture("only the start of a PNG", b"\x89PNG\r\n\x1a\n", 422, "bad_picture"),
    picture(
        "a PNG with a damaged chunk", saved("PNG").replace(b"IDAT", b"IDAX"), 422, "bad_picture"
    ),
    picture("a PNG of 0 x 0", bomb(0, 0), 422, "bad_picture"),
    picture("a header of 60,000 x 60,000", bomb(60_000, 60_000), 413, "picture_too_large"),
    picture("a header of 2**31 x 2**31", bomb(2**31 - 1, 2**31 - 1), 413, "picture_too_large"),
    picture("a decompression bomb", bomb(12_000, 12_000, 144_012_000), 413, "picture_too_large"),
    picture("a comment that unpacks to 100 MB", text_bomb(), 422, "bad_picture"),
    picture("one row of 30 million", bomb(30_000_000, 1), 422, "bad_picture"),
    picture("a thin strip", saved("PNG", Image.new("L", (1100, 100))), 422, "bad_picture"),
    picture("one pixel", saved("PNG", Image.new("L", (1, 1))), 200, None),
    picture("a GIF of 125 frames", gif(), 200, None),
    picture("16-bit grey", saved("PNG", Image.new("I;16", (32, 32), 40_000)), 200, None),
    picture("CMYK", saved("JPEG", Image.new("CMYK", (32, 32))), 200, None),
    picture("transparent", saved("PNG", Image.new("RGBA", (32, 32), (0, 0, 0, 0))), 200, None),
    picture("SVG with a script", SVG, 415, "unsupported_picture"),
    picture("HTML", HTML, 415, "unsupported_picture"),
    picture("PDF", b"%PDF-1.7\n" + bytes(100), 415, "unsupported_picture"),
    picture("a zip archive", b"PK\x03\x04" + bytes(100), 415, "unsupported_picture"),
    picture("a pickle", b"\x80\x04\x95\x00\x00\x00\x00cos\nsystem\n.", 415, "unsupported_picture"),
    picture("TIFF", saved("TIFF"), 415, "unsupported_picture"),
    picture("random bytes", bytes(range(1, 256)) * 9, 415, "unsupported_picture"),
    picture("more bytes than allowed", bytes(13 * 2**20), 413, "too_large"),
]
FORMS = [
    fields("an unknown model", {"model": "resnet1000"}, 404, "unknown_model"),
    fields("a model of texts", {"model": "sst-lstm"}, 422, "wrong_kind"),
    fields("an unknown method", {"method": "magic"}, 422, "unknown_method"),
    fields("an unknown composite", {"composite": "magic"}, 422, "unknown_composite"),
    fields("a composite without lrp", {"method": "sensitivity", "composite": "epsilon"}, 422,
           "not_explained"),
    fields("an unknown layer", {"depth": "features.99"}, 422, "unknown_layer"),
    fields("a layer that is code", {"depth": "__class__"}, 422, "unknown_layer"),
    fields("a class of code", {"target": "__import__('os')"}, 422, "unknown_class"),
    fields("a field too many", {"colour": "red"}, 422, "bad_field"),
    fields("picture and sample", {"sample": "digits-36"}, 422, "bad_field"),
    fields("a long name", {"method": "x" * 5000}, 422, "bad_field"),
    fields("a field twice", {"picture": "no file"}, 400, "bad_form"),
    form_body("a picture as text", form({"model": "digits-cnn", "picture": "x"})[0],
              form({})[1], 422, "bad_field"),
    form_body("no boundary", WHOLE, "multipart/form-data", 400, "bad_form"),
    form_body("another boundary", WHOLE, "multipart/form-data; boundary=x", 400, "bad_form"),
    form_body("cut off", WHOLE[:-60], form({})[1], 400, "bad_form"),
    form_body("nothing", b"", form({})[1], 400, "bad_form"),
    form_body("JSON", b"{}", "application/json", 415, "wrong_type"),
]  # fmt: skip
DIGITS = [
    digit("a path as model", {"model": "../../etc/passwd"}, 404, "unknown_model"),
    digit("an absolute path as model", {"model": "/etc/passwd"}, 404, "unknown_model"),
    digit("an address as model", {"model": "file:///etc/passwd"}, 404, "unknown_model"),
    digit("a Windows path as model", {"model": "C:\\Windows\\win.ini"}, 404, "unknown_model"),
    digit("a hub name as model", {"model": "hf:gpt2"}, 404, "unknown_model"),
    digit("a null byte in the model", {"model": "digits-cnn\0"}, 404, "unknown_model"),
    digit("no model", {"model": ""}, 404, "unknown_model"),
    digit("a model that is a list", {"model": ["digits-cnn"]}, 422, "bad_field"),
    digit("a negative class", {"target": -1}, 422, "unknown_class"),
    digit("a class beyond the last", {"target": 10}, 422, "unknown_class"),
    digit("a huge class", {"target": 10**30}, 422, "unknown_class"),
    digit("a class as float", {"target": 3.0}, 422, "bad_field"),
    digit("a class as bool", {"target": True}, 422, "bad_field"),
    digit("the class 'NaN'", {"target": "NaN"}, 422, "unknown_class"),
    digit("an empty class", {"target": ""}, 422, "unknown_class"),
    digit("a class of other digits", {"target": "\u00b2"}, 422, "unknown_class"),
    digit("a class against itself", {"target": 3, "against": "3"}, 422, "same_class"),
    digit("a method that is null", {"method": None}, 422, "bad_field"),
    digit("an option of the library", {"create_graph": True}, 422, "bad_field"),
    digit("no base64", {"pixels": "*" * 64}, 422, "bad_numbers"),
    digit("base64 with a space", {"pixels": ink(0)[:20] + " " + ink(0)[20:]}, 422, "bad_numbers"),
    digit("no pixels", {"pixels": ""}, 422, "bad_numbers"),
    digit("a wrong number of bytes", {"pixels": encoded(np.zeros(63))}, 422, "bad_numbers"),
    digit("a wrong height", {"height": 7}, 422, "bad_numbers"),
    digit("a height of 0", {"height": 0}, 422, "bad_field"),
    digit("a negative height", {"height": -8}, 422, "bad_field"),
    digit("a huge height", {"height": 10**12}, 422, "bad_numbers"),
    digit("a huge drawing", {"pixels": encoded(np.zeros((1000, 1000)))}, 413, "picture_too_large"),
    digit("huge base64", {"pixels": "A" * (13 * 2**20)}, 413, "too_large"),
    digit("pixels as a list", {"pixels": [[0, 1], [1, 0]]}, 422, "bad_field"),
]
INSIDES = [
    inside("a path as model", {"model": "../../etc/passwd"}, 404, "unknown_model"),
    inside("a path as sample", {"sample": "../../../etc/passwd"}, 404, "unknown_sample"),
    inside("a sample and pixels", {"pixels": ink(0)}, 422, "bad_field"),
    inside("nothing to explain", {"sample": None}, 422, "bad_field"),
    inside("a text for digits", {"sample": None, "text": "no"}, 422, "wrong_kind"),
    inside("no words", {"model": "sst-lstm", "sample": None, "text": " "}, 422, "empty_text"),
    inside(
        "a huge text",
        {"model": "sst-lstm", "sample": None, "text": "so " * 10_000},
        413,
        "text_too_long",
    ),
    inside("a diagram of no width", {"width": 0}, 422, "bad_field"),
    inside("a diagram of endless width", {"width": 10**12}, 422, "bad_field"),
    inside("endlessly many stations", {"stations": 10**12}, 422, "bad_field"),
    inside("a method without a ledger", {"method": "occlusion"}, 422, "not_explained"),
    inside("a method that is code", {"method": "__import__('os')"}, 422, "unknown_method"),
]
BODIES = [
    raw("not JSON", b"{pixels: 3", 400, "bad_json"),
    raw("nothing", b"", 422, "bad_field"),
    raw("NaN", b'{"pixels": NaN}', 400, "bad_json"),
    raw("Infinity", b'{"target": -Infinity}', 400, "bad_json"),
    raw("a key twice", b'{"pixels": "AA==", "pixels": "AB=="}', 400, "bad_json"),
    raw("100,000 brackets", b"[" * 100_000, 400, "bad_json"),
    raw("deep objects", b'{"a":' * 50_000 + b"1" + b"}" * 50_000, 400, "bad_json"),
    raw("a number of 10,000 digits", b'{"target": ' + b"9" * 10_000 + b"}", 400, "bad_json"),
    raw("bytes that are no UTF-8", b'{"model": "\xff\xfe"}', 400, "bad_json"),
    raw("UTF-16", '{"pixels": ""}'.encode("utf-16"), 400, "bad_json"),
    raw("half a character", b'{"pixels": "AA==", "model": "\\ud800"}', 422, "bad_field"),
    raw("a list", b"[1, 2]", 422, "bad_field"),
    raw("null", b"null", 422, "bad_field"),
    raw("a missing field", b"{}", 422, "bad_field"),
    raw("plain text", b'{"pixels": ""}', 415, "wrong_type", "text/plain"),
    raw("a pickle", base64.b64decode("gASVAAAAAA=="), 415, "wrong_type", "application/x-pickle"),
    raw("a form", b"pixels=AA", 415, "wrong_type", "application/x-www-form-urlencoded"),
]
TEXTS = [
    text("empty", {"text": ""}, 422, "empty_text"),
    text("only spaces", {"text": " \t\n\u00a0"}, 422, "empty_text"),
    text("a million characters", {"text": "word " * 200_000}, 413, "text_too_long"),
    text("one word of a million letters", {"text": "a" * 1_000_000}, 413, "text_too_long"),
    text("too many texts", {"texts": ["a film"] * 33}, 413, "too_many_texts"),
    text("no texts", {"texts": []}, 422, "empty_text"),
    text("text and texts", {"text": "a", "texts": ["a"]}, 422, "bad_field"),
    text("neither", {}, 422, "bad_field"),
    text("a number", {"text": 7}, 422, "bad_field"),
    text("texts that are numbers", {"texts": [1, None]}, 422, "bad_field"),
    text("a model of pictures", {"text": "a", "model": "digits-cnn"}, 422, "wrong_kind"),
    text("a method for pictures", {"text": "a film", "method": "grad-cam"}, 422, "not_explained"),
    text("emoji", {"text": "a film \U0001f600\U0001f3f3\ufe0f\u200d\U0001f308"}, 200, None),
    text(
        "right to left", {"text": "\u202eseliforp \u05e9\u05dc\u05d5\u05dd \u0645\u0631"}, 200, None
    ),
    text("control characters", {"text": "a\x00film\x1b[31m\x07 \x7f"}, 200, None),
    text("a script", {"text": "<script>alert(1)</script>"}, 200, None),
    text("marks on marks", {"text": "z" + "\u0301" * 500}, 200, None),
    text(
        "a word to leave out beyond the last", {"text": "a film", "without": [2]}, 422, "bad_field"
    ),
    text("all words to leave out", {"text": "a film", "without": [0, 1]}, 422, "empty_text"),
    text(
        "words to leave out of many texts", {"texts": ["a", "b"], "without": [0]}, 422, "bad_field"
    ),
    text("a huge number of a word", {"text": "a film", "without": [10**30]}, 422, "bad_field"),
    text("a million words to leave out", {"text": "a film", "without": [0] * 1_000_000}, 200, None),
]
LANGUAGE = [
    language("a path as model", {"model": "../../etc/passwd"}, 404, "unknown_model"),
    language("a classifier", {"model": "sst-lstm"}, 422, "wrong_kind"),
    language("no model", {"model": None}, 422, "bad_field"),
    language("a million tokens", {"tokens": 10**6}, 422, "bad_field"),
    language("a text of a million letters", {"text": "a" * 10**6}, 413, "text_too_long"),
    language("an option of generate", {"do_sample": True}, 422, "bad_field"),
]
ADDRESSES = [
    get("a file above static", "static/../_app.py", 404, "not_found"),
    get("the same in code", "static/%2e%2e/_app.py", 404, "not_found"),
    get("a null byte", "static/style.css%00.png", 404, "not_found"),
    get("an absolute path", "static//etc/passwd", 404, "not_found"),
    get("a sample above", "api/samples/digits-cnn/..%2f..%2fsecret", 404, "unknown_model"),
    get("no such sample", "api/samples/digits-cnn/digits-9999999", 404, "unknown_sample"),
    get("samples of a path", "api/samples?model=/etc", 404, "unknown_model"),
    get("methods of no model", "api/methods?model=" + "x" * 500, 422, "bad_field"),
    get("a form by get", DIGIT, 405, "wrong_verb"),
    get("an unknown address", "admin.php", 404, "not_found"),
    get("a foreign host", "api/models", 400, "wrong_host", Host="evil.example"),
    get("a foreign host that looks local", "", 400, "wrong_host", Host="localhost.evil.example"),
    Case("verb: delete", lambda c: c.ask("DELETE", "api/models"), 405, "wrong_verb"),
    Case("verb: unknown", lambda c: c.ask("BREW", "api/models"), 405, "wrong_verb"),
]  # fmt: skip
HEADERS = [
    post("a foreign origin", {"Origin": "https://evil.example"}, 403, "wrong_origin"),
    post("the origin null", {"Origin": "null"}, 403, "wrong_origin"),
    post("an origin that is no address", {"Origin": "http://[::1"}, 403, "wrong_origin"),
    post("another site's page", {"Sec-Fetch-Site": "cross-site"}, 403, "wrong_origin"),
    post("a length that lies", {"Content-Length": "99999999999", "Connection": "close"}, 413,
         "too_large"),
    post("a strange content type", {"Content-Type": ";;;=\u00e9"}, 415, "wrong_type"),
    post("a broken cookie", {"Cookie": "whence-token=\"\\; ;;=,"}, 200, None),
    post("junk", {"Accept": "\u00e9;q=NaN", "X-Junk": "x" * 4000, "Range": "bytes=9-1"}, 200, None),
]  # fmt: skip
SEARCHES = [
    prototype("10,000 steps", {"steps": 10_000}, 422, "bad_field"),
    prototype("no step", {"steps": 0}, 422, "bad_field"),
    prototype("1,000 targets", {"classes": [3] * 1000}, 422, "bad_field"),
    prototype("too many at once", {"classes": list(range(10)), "count": 7}, 422, "bad_field"),
    prototype("no target", {"classes": []}, 422, "bad_field"),
    prototype("no such class", {"classes": [10**30]}, 422, "unknown_class"),
    prototype("a class by a long name", {"classes": ["3" * 10_000]}, 422, "bad_field"),
    prototype("strength NaN", {"strength": float("nan")}, 400, "bad_json"),
    prototype("strength in words", {"strength": "NaN"}, 422, "bad_field"),
    prototype("negative strength", {"strength": -1}, 422, "bad_field"),
    prototype("endless strength", {"strength": 10**400}, 422, "bad_field"),
    prototype("an unknown prior", {"prior": "beauty"}, 422, "bad_field"),
    prototype("a prior with options", {"prior": "density:hidden=99999"}, 422, "bad_field"),
    prototype("a start on the disk", {"start": "/etc/passwd"}, 422, "bad_field"),
    prototype("several from one start", {"start": "mean", "count": 2}, 422, "no_prototype"),
    prototype("a seed beyond all", {"seed": 2**64}, 422, "bad_field"),
    prototype("an hour", {"seconds": 3600}, 422, "bad_field"),
    prototype("a model of texts", {"model": "sst-lstm"}, 422, "wrong_kind"),
    prototype("a model by path", {"model": "../../secret"}, 404, "unknown_model"),
    prototype("a ticket of script", {"ticket": "<script>alert</script>"}, 422, "bad_field"),
    prototype("a strength that changes nothing", {"strength": 1000}, 200, None),
    get("progress without a ticket", PROTOTYPES + "/progress", 422, "bad_field"),
    get("progress of junk", PROTOTYPES + "/progress?ticket=%00%ff", 422, "bad_field"),
    get("choices of a path", PROTOTYPES + "/choices?model=/etc/passwd", 404, "unknown_model"),
    numbers("nothing", [1, 32, 32], b"", 422, "bad_numbers"),
    numbers("a shape of its own", [1, 16, 64], bytes(4096), 422, "bad_numbers"),
    numbers("a shape beyond memory", [1, 10**9, 10**9], bytes(4), 422, "bad_numbers"),
    numbers("a negative side", [1, -32, -32], bytes(4096), 422, "bad_field"),
    numbers("NaN in it", [1, 32, 32], b"\x00\x00\xc0\x7f" * 1024, 422, "bad_numbers"),
    numbers("the largest floats", [1, 32, 32], b"\xff\xff\x7f\x7f" * 1024, 422, "not_explained"),
]  # fmt: skip
COMPARES = [
    compare("a model by path", {"model": "../../secret"}, 404, "unknown_model"),
    compare("a model of texts", {"model": "sst-lstm"}, 422, "wrong_kind"),
    compare("no methods", {"methods": []}, 422, "bad_field"),
    compare("100 methods", {"methods": ["lrp"] * 100}, 422, "bad_field"),
    compare("only the control", {"methods": ["random"]}, 422, "bad_field"),
    compare("a method twice", {"methods": ["lrp", "lrp"]}, 422, "bad_field"),
    compare("eight and the control", {"methods": [f"lrp{k}" for k in range(8)]}, 422, "bad_field"),
    compare("a method that is code", {"methods": ["__import__('os')"]}, 422, "unknown_method"),
    compare("a method with options", {"methods": ["lrp:samples=9999"]}, 422, "unknown_method"),
    compare("a composite by path", {"methods": ["lrp:composite=../x"]}, 422, "unknown_composite"),
    compare("a million samples", {"samples": 10**6}, 422, "bad_field"),
    compare("no samples", {"samples": 0}, 422, "bad_field"),
    compare("samples as bool", {"samples": True}, 422, "bad_field"),
    compare("1,000 names of samples", {"samples": ["digits-33"] * 1000}, 422, "bad_field"),
    compare("a sample twice", {"samples": ["digits-33", "digits-33"]}, 422, "bad_field"),
    compare("a sample by path", {"samples": ["../../etc/passwd"]}, 404, "unknown_sample"),
    compare("an hour", {"budget_seconds": 3600}, 422, "bad_field"),
    compare("no time", {"budget_seconds": 0}, 422, "bad_field"),
    compare("time in words", {"budget_seconds": "NaN"}, 422, "bad_field"),
    compare("endless time", {"budget_seconds": 10**400}, 422, "bad_field"),
    compare("a metric of the library that is not offered", {"metric": "infidelity"}, 422,
            "unknown_metric"),
    compare("a metric with knobs", {"metric": "flipping:step=1"}, 422, "unknown_metric"),
    compare("a class that there is not", {"target": 10**30}, 422, "unknown_class"),
    compare("a field too many", {"seed": 1}, 422, "bad_field"),
    Case("compare: a guessed number", lambda c: c.post(f"{COMPARE}/1", {}), 404,
         "unknown_comparison"),
    Case("compare: a number of script", lambda c: c.post(f"{COMPARE}/%3Cscript%3E", {}), 404,
         "unknown_comparison"),
    Case("compare: a long number", lambda c: c.post(f"{COMPARE}/{'x' * 500}", {}), 422,
         "bad_field"),
    Case("compare: stop another's", lambda c: c.post(f"{COMPARE}/1/stop", {}), 404,
         "unknown_comparison"),
    Case("compare: begin by get", lambda c: c.get(COMPARE), 405, "wrong_verb"),
]  # fmt: skip
CASES = [
    *PICTURES,
    *FORMS,
    *DIGITS,
    *INSIDES,
    *BODIES,
    *TEXTS,
    *LANGUAGE,
    *ADDRESSES,
    *HEADERS,
    *SEARCHES,
    *COMPARES,
]
