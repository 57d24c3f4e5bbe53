"""The metrics of `mdl-toolkit evaluate` beside the programs that users know: transformers' EnglishTextNormalizer, jiwer, scikit-learn."""

import json
import random
import re
import subprocess
import unicodedata

import pytest
from sklearn.metrics import accuracy_score, confusion_matrix
from transformers.models.whisper.english_normalizer import EnglishNumberNormalizer, EnglishTextNormalizer

jiwer = pytest.importorskip("jiwer", reason="scripts/requirements-peers.txt has it, build/venv-4.57 has not")

SPELLINGS = {"colour": "color", "grey": "gray", "mum": "mom"}
TEXTS = [
    "",
    "  ",
    "Hmm, I'm not sure; you're right -- isn't it?",
    "Mr. and Mrs. Smith (of St. Ives) won't go [laughter] <noise>.",
    "The colour of Mum's grey car: £20,000.50!",
    "It cost twenty five thousand dollars and sixty cents, i.e. $2 and ¢7.",
    "one oh one, two point five percent, nineteen eighty four, the twenty first",
    "double oh seven and triple two",
    "two and a half, half and a half, apples and a half",
    "minus four, plus, negative nonsense, positive ten",
    "five hundred and three thousand two hundred twelve",
    "a hundred thousand million, three decillion, 10 million, 3.5 billion, 1.2.3 thousand",
    "he's been gone; she'd done it; they've got'em; y'all gonna wanna I'ma",
    "Æsop's naïve café — œuvre, Łódź, straße, İstanbul",
    "sixes and sevens, thirties, the fiftieth, two hundredths, hundredth, millions",
    "10% of 5 per cent; per capita; five per cent; percent",
    "1960s 32nd 5 th 4 s 1 ones 1s",
    "zero point zero five",
    "twenty oh five thirty one eleven twelve hundred",
    "0 thousand 00 million 7. 8.9. 192.168.0.1",
    "pounds cents five pounds twenty euros thirty cents",
]
PAIRS = [
    ["The dog is barking.", "the dog barks"],
    ["Two point five percent!", "2.5 %"],
    ["你好，世界。", "你好世界"],
    ["Rain", "rain."],
    ["rain ", "Wind"],
    ["wind", "wind"],
    ["wind", "something else"],
    ["Ｒａｉｎ", "rain"],
    ["a, b; c", "a b d"],
]


def measured(bin_dir, texts, pairs):
    words = json.dumps({"english": texts, "spellings": SPELLINGS, "pairs": pairs})
    done = subprocess.run([bin_dir / "metrics_probe"], input=words, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


def random_numbers(count):
    """Sentences of the words that numbers are made of, in any order: every rule meets every other."""
    words = sorted(EnglishNumberNormalizer().words) + ["5", "12", "300", "4.5", "$7", "7%", "dog", "half", "a"]
    chance = random.Random(3)
    return [" ".join(chance.choices(words, k=chance.randint(1, 7))) for _ in range(count)]


def test_english_is_normalised_as_transformers_does(bin_dir):
    theirs = EnglishTextNormalizer(SPELLINGS)
    texts, expected = [], []
    for text in TEXTS + random_numbers(4000):
        try:
            plain = theirs(text)
        except (AttributeError, IndexError, TypeError, ValueError):
            continue  # it fails on some
        if not re.search(r"\d{30}", plain):  # as numbers are in Python, but nowhere else
            texts.append(text)
            expected.append(plain)
    assert len(texts) > 3000
    for text, mine, other in zip(texts, measured(bin_dir, texts, [])["english"], expected, strict=True):
        assert mine.split() == other.split(), text


def test_rates_are_jiwers(bin_dir):
    told = measured(bin_dir, [], PAIRS)
    english = EnglishTextNormalizer(SPELLINGS)
    references, answers = zip(*PAIRS, strict=True)
    assert told["wer"] == pytest.approx(jiwer.wer([english(text) for text in references], [english(text) for text in answers]), rel=1e-12)

    def characters(text):
        kept = "".join(c for c in unicodedata.normalize("NFKC", text) if not unicodedata.category(c).startswith("P"))
        return " ".join(kept.split())

    theirs = jiwer.cer([characters(text) for text in references], [characters(text) for text in answers])
    assert told["cer"] == pytest.approx(theirs, rel=1e-12)


def test_accuracy_and_confusion_are_scikit_learns(bin_dir):
    chance = random.Random(1)
    names = ["rain", "Wind", "dog, barking", "a cat.", "雨"]
    pairs = PAIRS + [[chance.choice(names), chance.choice([*names, "nothing"])] for _ in range(200)]
    told = measured(bin_dir, [], pairs)
    assert told["accuracy"] == pytest.approx(accuracy_score(told["references"], told["answers"]), rel=1e-12)
    labels = told["labels"]
    answers = [answer if answer in labels else "(other)" for answer in told["answers"]]
    theirs = confusion_matrix(told["references"], answers, labels=[*labels, "(other)"])
    assert told["confusion"] == theirs[:-1].tolist()
    assert re.sub(r"\s+", " ", "Ｒａｉｎ") not in labels and "rain" in labels
