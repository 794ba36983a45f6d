"""What the API answers is what the library computes."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

import whence
from serving import Client, decoded, encoded, ink
from whence import composites, targets, zoo
from whence.serve._pictures import as_coarse

NET = zoo.model("digits-cnn")
DIGITS = zoo.dataset("digits")


def png(number: int) -> bytes:
    file = io.BytesIO()
    pixels = (DIGITS[number].image[0].numpy() * 255).astype(np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def drawn(number: int) -> torch.Tensor:
    """A digit as it arrives at the net after it was sent as bytes."""
    pixels = (DIGITS[number].image.numpy() * 255).astype(np.uint8)
    return NET.preprocess(torch.from_numpy(pixels.astype(np.float32) / 255)[None])


def test_a_drawing_gets_the_relevance_of_the_library(client: Client) -> None:
    found = client.post("api/explain/digit", {"pixels": ink(4), "target": 3}).json
    wanted = whence.explain(NET.module, drawn(4), 3)

    np.testing.assert_array_equal(decoded(found["relevance"]), wanted.relevance[0, 0].numpy())
    assert found["score"] == float(wanted.score[0])
    assert found["target"] == {"index": 3, "name": "3"}
    assert found["verdict"] == wanted.ledger.verdict


def test_a_contrast_is_the_difference_of_two_scores(client: Client) -> None:
    asked = {"pixels": ink(4), "target": "3", "against": 9}
    found = client.post("api/explain/digit", asked).json
    scores = [each["score"] for each in found["classes"]]

    assert found["score"] == pytest.approx(scores[3] - scores[9], rel=1e-6)
    assert found["against"] == {"index": 9, "name": "9"}


def test_positive_and_negative_are_sums_of_the_map(client: Client) -> None:
    found = client.post("api/explain/digit", {"pixels": ink(9), "target": 2, "against": 7}).json
    shown = decoded(found["relevance"]).astype(np.float64)

    assert found["positive"] == pytest.approx(shown[shown > 0].sum(), rel=1e-5)
    assert found["negative"] == pytest.approx(shown[shown < 0].sum(), rel=1e-5)
    assert found["negative"] < 0


def test_the_ledger_accounts_for_the_score(client: Client) -> None:
    asked = {"model": "digits-mlp", "pixels": ink(9), "composite": "epsilon"}
    found = client.post("api/explain/digit", asked).json
    arrived = found["positive"] + found["negative"]

    assert found["conserves"] is True
    assert abs(found["ledger"]["bias"]) > 0.01
    assert arrived + sum(found["ledger"].values()) == pytest.approx(found["score"], rel=1e-4)


def test_shares_of_classes_are_the_softmax_of_their_scores(client: Client) -> None:
    found = client.post("api/explain/digit", {"pixels": ink(0)}).json
    scores = np.array([each["score"] for each in found["classes"]])
    shares = np.array([each["probability"] for each in found["classes"]])
    powers = np.exp(scores - scores.max())

    np.testing.assert_allclose(shares, powers / powers.sum(), rtol=1e-9)
    assert found["target"]["index"] == int(scores.argmax())


def test_the_picture_is_what_the_net_sees(client: Client) -> None:
    found = client.post("api/explain/digit", {"pixels": ink(7)}).json
    wanted = NET.preprocess.pixels(drawn(7))[0, 0].numpy()

    np.testing.assert_array_equal(decoded(found["picture"]), wanted)


@pytest.mark.parametrize("name", ["epsilon-plus", "epsilon-gamma-box", "deep-taylor"])
def test_a_composite_is_the_one_of_that_name(client: Client, name: str) -> None:
    made = {
        "epsilon-plus": composites.EpsilonPlus(),
        "epsilon-gamma-box": composites.EpsilonGammaBox(NET.low, NET.high),
        "deep-taylor": composites.DeepTaylorRules(NET.low, NET.high),
    }
    found = client.post("api/explain/digit", {"pixels": ink(4), "composite": name}).json
    wanted = whence.LRP(NET.module, made[name]).explain(drawn(4))

    np.testing.assert_array_equal(decoded(found["relevance"]), wanted.relevance[0, 0].numpy())


@pytest.mark.parametrize("name", whence.methods())
def test_every_method_answers(client: Client, name: str) -> None:
    found = client.post("api/explain/digit", {"pixels": ink(4), "method": name})

    assert found.status == 200
    assert np.isfinite(decoded(found.json["relevance"])).all()
    assert found.json["method"] == name


def test_a_net_that_flattens_first_gets_its_box(client: Client) -> None:
    asked = {"pixels": ink(4), "model": "digits-mlp", "method": "deep-taylor"}
    found = client.post("api/explain/digit", asked).json
    net = zoo.model("digits-mlp")
    wanted = whence.explainers.DeepTaylor(net.module, 0.0, 1.0).explain(drawn(4))

    np.testing.assert_array_equal(decoded(found["relevance"]), wanted.relevance[0, 0].numpy())


def test_depth_gives_the_relevance_at_a_layer(client: Client) -> None:
    asked = {"pixels": ink(4), "depth": "features.3", "target": 3}
    found = client.post("api/explain/digit", asked).json
    wanted = whence.LRP(NET.module).explain(drawn(4), 3, taps=["features.3"]).at("features.3")

    assert found["relevance"]["shape"] == [16, 16]
    np.testing.assert_allclose(
        decoded(found["relevance"]), wanted[0].double().sum(0).numpy(), rtol=1e-6, atol=1e-9
    )


def test_an_uploaded_picture_is_explained_as_the_library_does(client: Client) -> None:
    found = client.upload("api/explain/image", {"model": "digits-cnn", "target": "3"}, png(4)).json
    wanted = whence.explain(NET.module, NET.preprocess(Image.open(io.BytesIO(png(4)))), 3)

    np.testing.assert_array_equal(decoded(found["relevance"]), wanted.relevance[0, 0].numpy())


def test_a_sample_is_explained_by_its_name(client: Client) -> None:
    name = client.get("api/samples?model=digits-cnn").json[0]["name"]
    found = client.upload("api/explain/image", {"model": "digits-cnn", "sample": name}).json
    item = next(item for item in DIGITS if item.name == name)
    wanted = whence.explain(NET.module, NET.preprocess(item.image[None]))

    np.testing.assert_array_equal(decoded(found["relevance"]), wanted.relevance[0, 0].numpy())


def test_empty_fields_of_a_form_count_as_left_out(client: Client) -> None:
    some = {"model": "digits-cnn", "target": "3"}
    empty = dict.fromkeys(["sample", "composite", "depth", "against", "method"], "")
    first = client.upload("api/explain/image", some, png(4)).json
    second = client.upload("api/explain/image", some | empty, png(4)).json

    assert first["relevance"] == second["relevance"]


def test_words_get_the_relevance_of_the_library(client: Client) -> None:
    text = "not a good film"
    found = client.post("api/explain/text", {"text": text, "target": "positive"}).json["texts"][0]
    net = zoo.model("sst-lstm")
    k = net.classes.index("positive")
    wanted = whence.explain(net.module, net.preprocess(text), targets.Logit(k))

    assert found["words"] == text.split()
    assert found["relevance"] == wanted.word_relevance[0].double().tolist()
    assert found["score"] == float(wanted.score[0])


def test_a_batch_of_texts_equals_its_texts(client: Client) -> None:
    texts = ["a fine film", "dull", "so it goes, on and on"]
    together = client.post("api/explain/text", {"texts": texts}).json["texts"]
    alone = [client.post("api/explain/text", {"text": t}).json["texts"][0] for t in texts]

    assert together == alone


def test_a_large_drawing_is_averaged_to_the_grid_of_the_data(client: Client) -> None:
    coarse = DIGITS[4].image[0].numpy() * 255
    large = np.kron(coarse, np.ones((20, 20)))
    found = client.post("api/explain/digit", {"pixels": encoded(large), "target": 3}).json
    wanted = client.post("api/explain/digit", {"pixels": ink(4), "target": 3}).json

    np.testing.assert_allclose(
        decoded(found["relevance"]), decoded(wanted["relevance"]), rtol=1e-4, atol=1e-6
    )


def test_a_drawing_that_is_not_square_gets_paper_beside_it() -> None:
    drawing = torch.ones(1, 8, 4)

    wanted = torch.tensor([0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 0.0, 0.0]).expand(8, 8)
    assert torch.equal(as_coarse(drawing, 8)[0], wanted)


def test_an_empty_drawing_has_no_relevance(client: Client) -> None:
    found = client.post("api/explain/digit", {"pixels": encoded(np.zeros((28, 28)))}).json

    assert not decoded(found["relevance"]).any()
    assert found["score"] == 0


def test_a_photograph_is_made_smaller_first_and_the_answer_says_so(client: Client) -> None:
    file = io.BytesIO()
    Image.new("RGB", (2100, 3000), "white").save(file, "PNG")
    found = client.upload("api/explain/image", {"model": "digits-cnn"}, file.getvalue()).json

    assert found["notes"][0] == "The picture was made 2 times smaller first, by averaging."


def test_of_an_animation_the_first_frame_counts(client: Client) -> None:
    frames = [Image.new("L", (40, 40), grey) for grey in (255, 0, 128)]
    moving, still = io.BytesIO(), io.BytesIO()
    frames[0].save(moving, "GIF", save_all=True, append_images=frames[1:])
    frames[0].save(still, "PNG")
    found = client.upload("api/explain/image", {"model": "digits-cnn"}, moving.getvalue()).json
    wanted = client.upload("api/explain/image", {"model": "digits-cnn"}, still.getvalue()).json

    assert found["relevance"] == wanted["relevance"]
    assert found["score"] != 0
