"""COCO's ten figures: equal to pycocotools' to the last digit, from files and lists, on written and real people."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace

import numpy as np
import pytest

from rdpose import evaluation
from rdpose.data import annotations as annotation_files
from rdpose.evaluation import Scores, evaluate
from rdpose.skeletons import COCO_17, DEFAULT_SIGMA, from_names

NOISE = [0.0, 0.01, 0.03, 0.1, 0.3]


@pytest.mark.parametrize("noise", NOISE)
def test_figures_equal_pycocotools(noise, tmp_path, coco_content, noisy, save, reference) -> None:
    rows = noisy(coco_content, noise)
    truth = save(tmp_path / "truth.json", coco_content)
    expected = reference(coco_content, rows)
    assert list(evaluate(save(tmp_path / "results.json", rows), truth).figures.values()) == expected
    assert list(evaluate(rows, truth).figures.values()) == expected


@pytest.mark.parametrize(
    ("noise", "pictures"), [*((noise, 60) for noise in NOISE), pytest.param(0.05, 9999, marks=pytest.mark.slow)]
)
def test_figures_equal_pycocotools_on_real_people(
    noise, pictures, tmp_path, shared_data, some_pictures, noisy, save, reference
) -> None:
    content = some_pictures(shared_data / "labels_only/person_keypoints_val2017_part.json", pictures)
    rows = noisy(content, noise)
    scores = evaluate(save(tmp_path / "results.json", rows), save(tmp_path / "truth.json", content))
    assert list(scores.figures.values()) == reference(content, rows)


def test_a_hand_made_case(tmp_path, coco_content, save) -> None:
    """Three people, two found exactly and surest, one not at all: precision 1 up to recall 2/3, that is at the recalls
    0 to 0.66, 67 of 101; recall 2/3."""
    people = [person for person in coco_content["annotations"] if person["num_keypoints"] and not person["iscrowd"]][:3]
    truth = save(tmp_path / "truth.json", coco_content | {"annotations": people})
    keys = ("image_id", "category_id", "keypoints")
    rows = [{key: person[key] for key in keys} | {"score": 0.9} for person in people[:2]]
    figures = evaluate(rows, truth).figures
    assert figures["AP"] == pytest.approx(67 / 101)
    assert figures["AR .75"] == pytest.approx(2 / 3)


def test_what_plays_no_part_may_be_of_any_type(tmp_path, coco_content, noisy, save) -> None:
    rows = noisy(coco_content, 0.05)
    own = coco_content | {"info": {"year": "2020"}, "licenses": "none"}
    figures = [evaluate(rows, save(tmp_path / "truth.json", content)).figures for content in (coco_content, own)]
    assert figures[0] == figures[1]


@pytest.mark.parametrize(
    ("group", "odd"),
    [
        ("images", {"date_captured": 0, "license": "CC-BY", "width": None}),  # the first is CVAT's, in all its exports
        ("annotations", {"iscrowd": None, "segmentation": [1, 2, 3, 4], "attributes": {"occluded": False}}),
        ("categories", {"supercategory": 0, "name": 7}),
    ],
)
def test_fields_that_tools_fill_in_their_own_way(group, odd, tmp_path, coco_content, noisy, save) -> None:
    rows = noisy(coco_content, 0.05)
    odd_rows = [row | {key: value for key, value in odd.items() if not row.get(key)} for row in coco_content[group]]
    own = coco_content | {group: odd_rows}
    figures = [evaluate(rows, save(tmp_path / "truth.json", content)).figures for content in (coco_content, own)]
    assert figures[0] == figures[1]


@pytest.mark.parametrize("area", [0, 0.0, None])
def test_an_area_of_nothing_is_taken_from_the_box(area, tmp_path, coco_content, noisy, save) -> None:
    """As reading does it for training; RectLabel, for one, writes 0 for people whose joints alone are labelled."""
    rows, people = noisy(coco_content, 0.05), coco_content["annotations"]
    flat = coco_content | {"annotations": [person | {"area": area} for person in people]}
    bare = coco_content | {"annotations": [{k: v for k, v in person.items() if k != "area"} for person in people]}
    scores = [evaluate(rows, save(tmp_path / "truth.json", content)) for content in (flat, bare)]
    assert scores[0].figures == scores[1].figures
    assert scores[0].note == scores[1].note == f"areas of {len(people)} people are 0.53 x box"


def test_labelled_people_of_whom_none_counts_are_refused(tmp_path, coco_content, save) -> None:
    people = [person | {"num_keypoints": 0} for person in coco_content["annotations"]]
    with pytest.raises(ValueError, match=r"truth\.json says `num_keypoints` 0 of all its people, labelled ones too"):
        evaluate([], save(tmp_path / "truth.json", coco_content | {"annotations": people}))
    bare = [person | {"keypoints": [0] * 51} for person in people]
    assert evaluate([], save(tmp_path / "truth.json", coco_content | {"annotations": bare})).figures["AP"] == -1


@pytest.mark.parametrize("metric", ["coco", "pck"])
def test_ids_that_two_exports_share_are_refused(metric, tmp_path, coco_content, save) -> None:
    """The evaluator would count such people twice or not at all: perfect results of 25 people had an AP of .04."""
    people = [person | {"id": 1 + row % 3} for row, person in enumerate(coco_content["annotations"])]
    truth = save(tmp_path / "truth.json", coco_content | {"annotations": people})
    with pytest.raises(ValueError, match=r"truth.json gives the annotation id \d to \d+ annotations; ids must be uniq"):
        evaluate([], truth, metric=metric)


def test_joints_that_the_file_does_not_name(tmp_path, coco_content, noisy, save) -> None:
    """They are said by a skeleton, with its sigmas; one of other joints, or of another order, is refused."""
    rows = noisy(coco_content, 0.05)
    named = save(tmp_path / "truth.json", coco_content)
    nameless = save(tmp_path / "nameless.json", coco_content | {"categories": [{"id": 1, "name": "person"}]})
    assert evaluate(rows, nameless, skeleton=COCO_17).figures == evaluate(rows, named).figures
    lenient = replace(COCO_17, sigmas=(0.3,) * 17)
    assert evaluate(rows, named, skeleton=lenient).figures["AP"] > evaluate(rows, named).figures["AP"]
    turned = from_names(COCO_17.joints[::-1], name="turned")
    with pytest.raises(ValueError, match=r"truth\.json lists the joints nose, .*, the skeleton turned right_ankle"):
        evaluate(rows, named, skeleton=turned)
    with pytest.raises(ValueError, match=r"MPII's 16 joints, not in those of coco"):
        evaluate(rows, named, skeleton=COCO_17, metric="mpii")


def test_nothing_found_gives_zeros_and_no_one_to_find_minus_one(tmp_path, coco_content, save) -> None:
    empty = save(tmp_path / "results.json", [])
    truth = save(tmp_path / "truth.json", coco_content)
    assert set(evaluate(empty, truth).figures.values()) == {0.0}
    assert set(evaluate([], truth).figures.values()) == {0.0}
    nobody = save(tmp_path / "nobody.json", coco_content | {"annotations": []})
    scores = evaluate(empty, nobody)
    assert set(scores.figures.values()) == {-1.0}
    assert json.loads(json.dumps(scores.to_dict(), allow_nan=False))["figures"]["AP"] == -1


def test_own_joint_sets_use_their_sigmas(tmp_path, crowdpose_content, noisy, save, reference) -> None:
    for index, name in enumerate(crowdpose_content["categories"][0]["keypoints"]):
        crowdpose_content["categories"][0]["keypoints"][index] = f"own_{name}"
    rows = noisy(crowdpose_content, 0.05)
    truth = save(tmp_path / "truth.json", crowdpose_content)
    default = reference(crowdpose_content, rows, sigmas=[DEFAULT_SIGMA] * 14)
    assert "sigmas of 0.079" in evaluate(rows, truth).note
    wide = reference(crowdpose_content, rows, sigmas=[0.2] * 14)
    assert list(evaluate(rows, truth).figures.values()) == default
    own = from_names(crowdpose_content["categories"][0]["keypoints"], sigmas=[0.2] * 14)
    assert list(evaluate(rows, truth, skeleton=own).figures.values()) == wide != default


def test_missing_areas_and_counts_are_filled_in(tmp_path, coco_content, noisy, save, reference) -> None:
    rows = noisy(coco_content, 0.05)
    bare = json.loads(json.dumps(coco_content))
    for person, full in zip(bare["annotations"], coco_content["annotations"], strict=True):
        del person["area"], person["num_keypoints"]
        full["area"] = 0.53 * full["bbox"][2] * full["bbox"][3]
    scores = evaluate(rows, save(tmp_path / "truth.json", bare))
    assert list(scores.figures.values()) == reference(coco_content, rows)
    assert "0.53 x box" in scores.note


def test_an_area_elsewhere_does_not_stand_in_for_a_missing_one(tmp_path, coco_content, noisy, save, reference) -> None:
    rows = noisy(coco_content, 0.05)
    content = json.loads(json.dumps(coco_content))
    first = content["annotations"][0]
    unlabelled = {key: value for key, value in first.items() if key not in ("keypoints", "num_keypoints")}
    content["annotations"].append(unlabelled | {"id": 10**6, "iscrowd": 1, "keypoints": [0] * 51, "num_keypoints": 0})
    content["categories"].append({"id": 99, "name": "ball"})
    ball = {"id": 10**6 + 1, "image_id": first["image_id"], "category_id": 99, "bbox": [0, 0, 5, 5], "iscrowd": 0}
    content["annotations"].append(ball | {"area": 25, "num_keypoints": 0})
    first["area"] = 0.53 * first["bbox"][2] * first["bbox"][3]
    expected = reference(content, rows)
    del first["area"]
    scores = evaluate(rows, save(tmp_path / "truth.json", content))
    assert list(scores.figures.values()) == expected
    assert "areas of 1 people" in scores.note


def spoilt(rows: list[dict], **changes) -> list[dict]:
    return [rows[0], {**rows[1], **changes}, *rows[2:]]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda rows: spoilt(rows, image_id=987654), r"1 picture ids .* 987654"),
        (lambda rows: spoilt(rows, category_id=44), r"1 category ids .* 44"),
        (lambda rows: spoilt(rows, keypoints=[1.0] * 42), "result 1 has 42 numbers as keypoints.* 51"),
        (lambda rows: spoilt(rows, keypoints=[1.0] * 54), "result 1 has 54 numbers"),
        (lambda rows: spoilt(rows, keypoints=[float("nan")] * 51), "result 1 holds NaN or infinity in `keypoints`"),
        (lambda rows: spoilt(rows, score=float("nan")), "result 1 holds NaN or infinity in `score`"),
        (lambda rows: spoilt(rows, score=None), "result 1 holds NaN or infinity in `score`"),
        (lambda rows: spoilt(rows, score="high"), "`score` holds something else than numbers"),
        (lambda rows: spoilt(rows, keypoints=["a"] * 51), "`keypoints` holds something else than numbers"),
        (lambda rows: [{k: v for k, v in row.items() if k != "score"} for row in rows], "result 0 has no `score`"),
        (lambda rows: {"annotations": rows}, "not a list of results"),
        (lambda rows: [1, 2], "not a list of results"),
    ],
)
@pytest.mark.parametrize("as_file", [True, False])
def test_wrong_results_are_named_in_a_sentence(
    spoil, message, as_file, tmp_path, coco_content, noisy, save, capfd
) -> None:
    truth = save(tmp_path / "truth.json", coco_content)
    rows = spoil(noisy(coco_content, 0.1))
    source = save(tmp_path / "results.json", rows) if as_file else rows
    with pytest.raises(ValueError, match=message) as raised:
        evaluate(source, truth)
    assert ("results.json" if as_file else "the list of results") in str(raised.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("cut", "note"), [(0, ""), (9, "results.jsonl: the last line is cut off, and left out")])
def test_lines_that_a_killed_process_leaves_are_results(cut, note, tmp_path, coco_content, noisy, save, capsys) -> None:
    truth, rows = save(tmp_path / "truth.json", coco_content), noisy(coco_content, 0.05)
    lines, whole = tmp_path / "results.jsonl", rows[:-1] if cut else rows
    text = "".join(json.dumps(row) + "\n" for row in rows)
    lines.write_text(text[: len(text) - cut])
    assert evaluate(lines, truth).figures == evaluate(whole, truth).figures
    told = capsys.readouterr().err
    assert told.strip().endswith(note)
    assert bool(told) == bool(note)
    lines.write_text("{\n" + text)
    with pytest.raises(ValueError, match=r"results\.jsonl: line 1 is not JSON .*; take it out"):
        evaluate(lines, truth)


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "is empty"), ("[{", "not a whole JSON file"), ('[{"keypoints": [1, 2', "not a whole JSON file")],
)
def test_broken_results_files(content, message, tmp_path, coco_content, save) -> None:
    truth = save(tmp_path / "truth.json", coco_content)
    broken = tmp_path / "results.json"
    broken.write_text(content)
    with pytest.raises(ValueError, match=f"results.json.*{message}"):
        evaluate(broken, truth)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ('{"images": [', "not a whole JSON file"),
        ("[]", "not in COCO format"),
        ('{"images": [], "annotations": [], "categories": []}', "lists no pictures"),
        (json.dumps({"images": [{"id": 1}], "categories": [{"id": 1, "name": "dog"}]}), "no category with `keypoints`"),
    ],
)
def test_broken_annotation_files(content, message, tmp_path) -> None:
    path = tmp_path / "truth.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=f"truth.json.*{message}"):
        evaluate([], path)


def test_missing_files_and_unknown_metrics(tmp_path, coco_content, save) -> None:
    truth = save(tmp_path / "truth.json", coco_content)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json does not exist"):
        evaluate(tmp_path / "nowhere.json", truth)
    with pytest.raises(FileNotFoundError, match=r"nowhere\.json does not exist"):
        evaluate([], tmp_path / "nowhere.json")
    with pytest.raises(ValueError, match="unknown metric 'cocoo'; there are coco"):
        evaluate([], truth, metric="cocoo")


def test_results_in_numpy_types_are_taken(tmp_path, coco_content, noisy, save) -> None:
    truth = save(tmp_path / "truth.json", coco_content)
    rows = noisy(coco_content, 0.05)
    arrays = [
        row | {"keypoints": np.array(row["keypoints"]), "image_id": np.int64(row["image_id"]), "score": np.float64(0.5)}
        for row in rows
    ]
    assert evaluate(arrays, truth).figures == evaluate([row | {"score": 0.5} for row in rows], truth).figures


def test_scores_print_the_table_of_the_field(tmp_path, coco_content, save) -> None:
    scores = evaluate([], save(tmp_path / "truth.json", coco_content), name="rdpose")
    head, rule, row = str(scores).splitlines()
    assert head == "| Arch | AP | AP .5 | AP .75 | AP (M) | AP (L) | AR | AR .5 | AR .75 | AR (M) | AR (L) |"
    assert rule.count("---") == 11
    assert row == "| rdpose |" + " 0.000 |" * 10
    assert scores.main == 0


def test_tables_of_several_rows() -> None:
    rows = [Scores("a", {"AP": 0.5}, "flip test"), Scores("b", {"AP": 1 / 3}, "flip test")]
    lines = ["| Arch | AP |", "| --- | --- |", "| a | 0.500 |", "| b | 0.333 |", "(flip test)"]
    assert evaluation.table(rows).splitlines() == lines
    with pytest.raises(ValueError, match="different metrics"):
        evaluation.table([rows[0], Scores("c", {"Mean": 1.0})])


def test_a_label_without_a_place_counts_as_none_and_is_told(tmp_path, coco_content, noisy, save) -> None:
    rows = noisy(coco_content, 0.5)
    person = next(p for p in coco_content["annotations"] if p["num_keypoints"] > 3)
    joint = next(j for j in range(17) if person["keypoints"][3 * j + 2])
    person["keypoints"][3 * joint : 3 * joint + 3] = 0, 0, 0
    expected = evaluate(rows, save(tmp_path / "without.json", coco_content))
    person["keypoints"][3 * joint : 3 * joint + 3] = float("nan"), 3, 2
    found = evaluate(rows, save(tmp_path / "nan.json", coco_content))
    assert found.figures == expected.figures
    assert "1 labels whose place is not a number, taken as unlabelled" in str(found)


def with_words(content: dict, rows: list[dict]) -> tuple[dict, list[dict]]:
    """The same with UUIDs, as label platforms write them, for the ids of pictures and people."""

    def word(kind: int, number: int) -> str:
        return str(uuid.UUID(int=(number * 7919 % 1000 << 64) + (kind << 32) + number))

    images = [image | {"id": word(1, image["id"])} for image in content["images"]]
    people = [p | {"id": word(2, p["id"]), "image_id": word(1, p["image_id"])} for p in content["annotations"]]
    named = [row | {"image_id": word(1, row["image_id"])} for row in rows]
    named = [row | {"annotation_id": word(2, row["annotation_id"])} if "annotation_id" in row else row for row in named]
    return content | {"images": images, "annotations": people}, named


@pytest.mark.parametrize("metric", ["coco", "crowdpose", "pck"])
def test_ids_may_be_words(metric, tmp_path, coco_content, crowdpose_content, own, save) -> None:
    content = crowdpose_content if metric == "crowdpose" else coco_content
    rows = own(content, 0.7)
    words, named = with_words(content, rows)
    truth, results = save(tmp_path / "truth.json", words), save(tmp_path / "results.json", named)
    expected = evaluate(rows, save(tmp_path / "numbered.json", content), metric=metric)
    assert evaluate(results, truth, metric=metric).figures == expected.figures
    people = annotation_files.read(truth, "")
    assert people.image_id[people.image_index].tolist() == [
        next(p["image_id"] for p in words["annotations"] if p["id"] == person) for person in people.person_id
    ]
    assert str(evaluation.misassignment(results, truth)) == str(
        evaluation.misassignment(rows, tmp_path / "numbered.json")
    )
    with pytest.raises(ValueError, match=r"picture ids that are not in .*truth\.json|no result for anyone"):
        evaluate(rows, truth, metric=metric)


def test_annotations_without_ids_are_told_in_our_words(tmp_path, coco_content, save) -> None:
    del coco_content["annotations"][3]["id"]
    with pytest.raises(ValueError, match=r"truth\.json: row 3 has no `id`; each row needs one"):
        evaluate([], save(tmp_path / "truth.json", coco_content))
