"""Everything that can be wrong with a request: a code, a status, and what to do."""

from starlette.exceptions import HTTPException

# Code -> HTTP status, and what the sender can do. These are the documented codes of the API.
CODES: dict[str, tuple[int, str]] = {
    "bad_json": (400, "Send one JSON object: each key once, no NaN or Infinity, little nesting."),
    "bad_form": (400, "Send a form of the type multipart/form-data, as browsers do."),
    "bad_request": (400, "Compare the request with the page api/docs."),
    "wrong_host": (400, "Use the address that the server printed, or start it with --allow-host."),
    "token_needed": (401, "Open the address with ?token=, or send 'Authorization: Bearer TOKEN'."),
    "wrong_origin": (403, "Use the server's own pages, or a program that sends no Origin."),
    "not_found": (404, "See api/docs for what there is."),
    "unknown_model": (404, "Take a name from api/models."),
    "unknown_sample": (404, "Take a name from api/samples."),
    "unknown_comparison": (404, "Begin it anew: what nobody asks about is dropped."),
    "wrong_verb": (405, "See api/docs for what this address takes."),
    "too_large": (413, "Send less in one request."),
    "picture_too_large": (413, "Make the picture smaller first."),
    "text_too_long": (413, "Send a shorter text."),
    "too_many_texts": (413, "Send fewer texts in one request."),
    "too_many_prototypes": (413, "Ask for fewer classes, or fewer of each."),
    "wrong_type": (415, "Send JSON as application/json, pictures as multipart/form-data."),
    "unsupported_picture": (415, "Send a PNG, JPEG, WebP, BMP or GIF picture."),
    "bad_field": (422, "Compare the fields with the page api/docs."),
    "bad_picture": (422, "Check that the file opens in a picture viewer, and send it again."),
    "bad_numbers": (422, "Send base64 of exactly height times width bytes."),
    "empty_text": (422, "Write at least one word."),
    "unknown_method": (422, "Take a name from api/methods."),
    "unknown_composite": (422, "Take a name from api/methods."),
    "unknown_metric": (422, "Take a name from api/compare/metrics."),
    "unknown_class": (422, "Take a class from api/models, by number or name."),
    "unknown_layer": (422, "Take a layer from api/models."),
    "same_class": (422, "Choose two different classes, or leave `against` out."),
    "wrong_kind": (422, "Choose a model of the right kind from api/models."),
    "no_prototype": (422, "Choose another prior, start or model; see api/prototypes/choices."),
    "not_explained": (422, "Choose another method, composite or model."),
    "internal": (500, "Try again; if it happens again, please report it."),
    "busy": (503, "Try again in a moment."),
    "not_available": (503, "Choose another model, or ask the operator for its files."),
    "too_slow": (504, "Choose a faster method, or a smaller input."),
}


class Problem(HTTPException):
    """A request that cannot be answered: a documented code, and one sentence that says why."""

    def __init__(self, code: str, message: str) -> None:
        status, self.what_to_do = CODES[code]
        more = {"Retry-After": "1"} if code == "busy" else {}
        if code == "token_needed":
            more["WWW-Authenticate"] = "Bearer"
        super().__init__(status, detail=message, headers=more or None)
        self.code, self.message = code, message

    def record(self) -> dict[str, dict[str, str]]:
        """The problem as the API sends it."""
        about = {"code": self.code, "message": self.message, "what_to_do": self.what_to_do}
        return {"error": about}
