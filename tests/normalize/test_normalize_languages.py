"""Whose rules act in a line (`faithful` mode), and numbers, dates and marks as other languages write them."""

import csv
import gzip
import json
import re

import pytest
from conftest import ROOT
from hypothesis import given, settings
from hypothesis import strategies as st

from recipe.files import RecipeError
from recipe.normalize import normalize_file, normalizer, numbers_other
from recipe.normalize.languages import of_label, of_line

SUITES = ROOT.parent / "shared" / "golden" / "peers"


def faithful(text: str, language: str | None = None) -> str:
    return normalizer("faithful", language=language)(text)


# --- labels ---


@pytest.mark.parametrize(
    ("labels", "codes"),
    [
        ("en English eng en-US en_GB 英文", "en"),
        ("zh cmn-Hans-CN Mandarin zh-TW 普通话", "zh"),
        ("yue Cantonese zh-HK-yue", None),
        ("de German deu de-AT de_CH deutsch", "de"),
        ("fr fr-CA French fra", "fr"),
        ("es es_419 es-MX spa", "es"),
        ("pt-br pt-BR", "pt"),
        ("ru he hy tr no sw lg", None),
        ("nb-NO nn", "no"),
        ("zh-en en/zh Chinese-English", "en zh"),
        ("de-en en+de", "de en"),
        ("mix und auto Klingon - speaker-7", ""),
    ],
)
def test_what_a_label_names(labels, codes):
    for label in labels.split():
        if codes is None:
            assert of_label(label) and "en" not in of_label(label), label
        else:
            assert of_label(label) == set(codes.split()), label


def test_languages_of_chinese_have_its_rules():
    assert "zh" in of_label("yue") & of_label("Cantonese") & of_label("wuu") & of_label("zh-nan")
    assert faithful("三十個", "yue") == "30 个"


# --- lines without a label ---


@pytest.mark.parametrize(
    ("line", "language"),
    [
        ("Jag har bott här i tio år", "sv"),
        ("Sen gick hon till affären och köpte mjölk", "sv"),
        ("Se on one way -lippu, ja sen hinta oli kymmenen euroa", "fi"),
        ("Ten dom jest większy niż tamten", "pl"),
        ("Der Zug kommt um acht Uhr an", "de"),
        ("Aber ich habe keine Zeit", "de"),
        ("Il treno parte dalla stazione", "it"),
        ("Saya tidak tahu siapa dia", "ms"),
        ("Tôi không biết anh ấy là ai", "vi"),
        ("Bu kitap çok güzel", "tr"),
        ("C'est la première fois qu'il vient", "fr"),
        ("Tento vlak jede do Brna", "cs"),
        ("Сегодня хорошая погода", "ru"),
        ("Σήμερα κάνει ζέστη", "el"),
        ("오늘은 날씨가 좋습니다", "ko"),
        ("اليوم الجو جميل", "ar"),
        ("आज मौसम अच्छा है", "hi"),
    ],
)
def test_a_line_shows_that_it_is_not_english(line, language):
    found = of_line(line.lower())
    assert language in found and not found & {"en", "zh", "ja"}


@pytest.mark.parametrize(
    "line",
    [
        "Beyoncé has sold twenty million records",
        "a café on the Champs-Élysées",
        "Rio de Janeiro",
        "résumé",
        "Dvořák's fourth symphony",
        "Mr. Müller called at nine fifteen",
        "El Niño years are warmer",
        "die another day",
        "the van der Waals force",
        "ten men sat in the den",
        "colour",
        "twenty one",
        "OK",
    ],
)
def test_english_keeps_its_rules(line):
    assert "en" in of_line(line.lower())


@pytest.mark.skipif(not SUITES.exists(), reason="others' suites are not here")
def test_english_lines_of_the_suites_are_taken_for_english():
    with open(SUITES / "pairs_peers_dev.tsv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if row[2] == "en"]
    lines = [line for row in rows for line in row[3:5] if any(c.isalpha() for c in line)]
    lost = [line for line in lines if "en" not in of_line(line.lower())]
    assert len(lost) <= len(lines) * 0.005, lost


# --- whose rules act ---


@pytest.mark.parametrize("label", [None, "sv", "Swedish", "swe"])
@pytest.mark.parametrize(
    "line",
    [
        "sen gick vi till corp och det var bra",
        "vi har en centre på ten meter och one",
        "det är några metre till theatre och en fibre",
    ],
)
def test_words_of_other_languages_are_no_english(line, label):
    assert faithful(line, label) == line


@pytest.mark.parametrize(
    ("line", "label"),
    [
        ("ten rok", "pl"),
        ("za metre", "sl"),
        ("sen", "fi"),
        ("twenty dr st colour", "de"),
        ("litre", "da"),
        ("may 5th", "xh"),
    ],
)
def test_a_label_decides_where_words_do_not(line, label):
    assert faithful(line, label) == line


def test_english_within_chinese_keeps_its_rules():
    for label in (None, "zh", "zh-en", "mix"):
        assert faithful("我有 twenty five 本 colour book", label) == faithful("我有25本 color book", label)


def test_numerals_are_chinese_in_lines_of_chinese_alone():
    assert faithful("三十個", "ja") != faithful("三十個", "zh") == "30 个"


def test_a_date_is_written_into_no_line_of_another_language():
    for line, label in [("den 2024-02-29 var vi där", "sv"), ("2024-02-29", "de"), ("это было 2024-02-29", None)]:
        assert "2024/2/29" in faithful(line, label)
    assert faithful("on 2024-02-29 we left") == "on february 29 2024 we left"
    assert "section" not in faithful("das ist § 5 der Verordnung") and "section 5" in faithful("see § 5 of the act")


# --- numbers ---

SAME = [
    ("de", "1.234.567,5 Euro", "1234567,5 Euro"),
    ("de", "rund 12.500 Leute", "rund 12500 Leute"),
    ("de", "3'456'789.50 Franken", "3456789.50 Franken"),
    ("de", "am 05.03.2021", "am 5.3.2021"),
    ("de", "am 5.3.2021", "am 2021-03-05"),
    ("es", "1.000.000 de pesos", "1000000 de pesos"),
    ("es", "2,345,678.90", "2.345.678,90"),
    ("it", "il 25/12/1999", "il 25-12-1999"),
    ("pt", "custa 2.450,99", "custa 2450,99"),
    ("id", "Rp 15.000", "Rp 15000"),
    ("da", "4.321,75 kroner", "4321,75 kroner"),
    ("fr", "1 234,5 euros", "1234,5 euros"),
    ("fr", "1\u202f234\u202f567", "1234567"),
    ("sv", "10\u00a0000 kronor", "10000 kronor"),
    ("pl", "25 300 złotych", "25300 złotych"),
    ("cs", "1 250 000 korun", "1250000 korun"),
    ("ru", "7 500,25 рубля", "7500,25 рубля"),
    ("hi", "१२,३४,५६७", "1234567"),
    ("hi", "१२.५", "12.5"),
    ("ar", "٪٢٥", "25%"),
    ("ar", "٢٥٪", "25 %"),
    ("ar", "١٬٢٣٤٫٥", "1234.5"),
    ("tr", "%18", "18%"),
    ("th", "๑,๒๓๔.๕", "1234.5"),
    ("ko", "1,234,567원", "1234567원"),
    ("fr", "25 %", "25%"),
    (None, "det kostar 1 234,5 kronor", "det kostar 1234,5 kronor"),
    (None, "das sind 1.234,5 Liter", "das sind 1234,5 Liter"),
]
DIFFERENT = [
    ("de", "1,234", "1.234"),
    ("de", "1,5", "15"),
    ("de", "1,5", "1 5"),
    ("de", "0,125", "0125"),
    ("de", "$1,50", "$1 50"),
    ("de", "$1,250", "$1.250"),
    ("de", "5.3.2021", "3.5.2021"),
    ("de", "192.168.100.200", "192168100200"),
    ("fr", "01 234", "01234"),
    ("fr", "1,2, 3", "1 2 3"),
    ("fr", "5 21", "521"),
    ("sv", "070 123 456", "70123456"),
    ("sv", "3,5 miljoner", "3 5 miljoner"),
    (None, "4,8", "4 8"),
    ("ar", "%6.88", "6.88"),
    ("tr", "%18", "18"),
    ("ko", "3,5", "3 5"),
]


@pytest.mark.parametrize(("label", "one", "other"), SAME)
def test_the_same_number(label, one, other):
    assert faithful(one, label) == faithful(other, label)


@pytest.mark.parametrize(("label", "one", "other"), DIFFERENT)
def test_different_numbers(label, one, other):
    assert faithful(one, label) != faithful(other, label)


@pytest.mark.parametrize("label", ["de", "fr", "sv", "es", "ru"])
@given(integer=st.integers(0, 10**9), decimals=st.text("0123456789", min_size=1, max_size=5))
def test_grouping_changes_no_number(label, integer, decimals):
    grouped = f"{integer:,}".replace(",", "." if label in ("de", "es") else " ")
    assert faithful(f"{grouped},{decimals}", label) in (f"{integer}.{decimals}", f"{integer},{decimals}")
    assert faithful(grouped, label) == str(integer)


@pytest.mark.skipif(not SUITES.exists(), reason="others' suites are not here")
def test_contents_of_the_suites_stay_different():
    with open(SUITES / "must_differ_peers_dev.tsv", encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE) if len(row) == 5][1:]
    rows = [row for row in rows if row[2] not in ("en", "zh", "ja")]
    collapsed = [row for row in rows if faithful(row[3], row[2]) == faithful(row[4], row[2])]
    assert len(rows) > 200 and not collapsed


# --- numbers in words ---

IN_WORDS = [
    ("de", "achtundvierzig Prozent", "48 %"),
    ("de", "neun tausend drei hundert zwölf", "9312"),
    ("de", "minus acht Grad", "-8 Grad"),
    ("de", "einhundertdreißigtausend", "130000"),
    ("de", "vier sechs neun", "4 6 9"),
    ("nl", "zevenendertig huizen", "37 huizen"),
    ("sv", "sextiotre procent", "63%"),
    ("da", "fireoghalvfjerds", "74"),
    ("no", "fire hundre og tolv", "412"),
    ("is", "þrjátíu og fjórir", "34"),
    ("fi", "neljäkymmentäkuusi", "46"),
    ("fr", "quatre-vingt-onze ans", "91 ans"),
    ("fr", "trois mille quatre cent deux", "3402"),
    ("es", "treinta y ocho por ciento", "38%"),
    ("es", "seiscientos doce mil", "612000"),
    ("pt", "cento e noventa e quatro", "194"),
    ("ca", "quaranta-set", "47"),
    ("it", "quarantotto", "48"),
    ("ro", "șaptezeci și nouă", "79"),
    ("pl", "osiem tysięcy pięćset", "8500"),
    ("cs", "sedmdesát tři", "73"),
    ("sk", "deväťdesiat", "90"),
    ("sl", "štiriinpetdeset", "54"),
    ("hr", "sedam tisuća", "7000"),
    ("hu", "harmincnégy százalék", "34%"),
    ("lv", "četrdesmit pieci", "45"),
    ("lt", "trisdešimt septyni", "37"),
    ("ru", "две тысячи семнадцать", "2017"),
    ("uk", "сорок п’ять", "45"),
    ("tr", "elli üç", "53"),
    ("id", "tujuh puluh persen", "70%"),
    ("ms", "lapan puluh", "80"),
    ("vi", "sáu mươi ba", "63"),
    ("ko", "40 퍼센트", "40%"),
    ("ru", "40 процентов", "40 %"),
    (None, "jag tror att det är trettiofyra grader", "jag tror att det är 34 grader"),
]
OTHER_CONTENT = [
    ("de", "ein Haus", "1 Haus"),  # an article, as likely as not
    ("fr", "un livre neuf", "un livre 9"),
    ("it", "sei qui", "6 qui"),
    ("vi", "năm 2013", "5 2013"),
    ("de", "zwanzig fünf", "25"),
    ("de", "zwanzig, fünf", "25"),
    ("fr", "vingt, cinq", "25"),
    ("fr", "huit cents", "8 100"),
    ("sv", "tjugo och fem", "25"),
    ("de", "minus acht Grad", "acht Grad"),
    ("sv", "sju kronor", "sjutton kronor"),
]


@pytest.mark.parametrize(("label", "words", "digits"), IN_WORDS)
def test_numbers_in_words(label, words, digits):
    assert faithful(words, label) == faithful(digits, label)


@pytest.mark.parametrize(("label", "one", "other"), OTHER_CONTENT)
def test_words_that_are_another_number_or_none(label, one, other):
    assert faithful(one, label) != faithful(other, label)


@pytest.mark.parametrize("label", ["de", "fr", "sv", "ru", "it", "vi", "tr"])
@given(data=st.data())
def test_number_words_of_any_order_are_stable(label, data):
    table = json.loads((ROOT / "scripts/recipe/normalize/number_words.json").read_text(encoding="utf-8"))[label]
    known = re.findall(r"[^\W\d_]+", " ".join(table[name] for name in ("small", "hundreds", "thousands", "joint")))
    text = " ".join(data.draw(st.lists(st.sampled_from([*known, "5", "1.000", "x"]), max_size=7)))
    once = faithful(text, label)
    assert faithful(once, label) == once


def test_every_number_word_is_read_as_its_number():
    for label, table in numbers_other._table().items():
        cardinals = numbers_other._Cardinals(**table)
        for value, forms in enumerate(table["small"].split(",")):
            assert {cardinals.value(numbers_other._squashed(form)) for form in forms.split("|")} == {value}, label


# --- marks and widths ---


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("مُدَرِّسٌ", "مدرس"),
        ("كتـــاب", "كتاب"),
        ("ﻛﺘﺎﺏ", "كتاب"),
        ("סֵפֶר", "ספר"),
        ("\ufb2a\u05b8ר", "שר"),
        ("ทำ", "ท\u0e4d\u0e32"),
        ("ค้ำ", "ค\u0e4d\u0e49\u0e32"),
        ("ค้ำ", "ค\u0e49\u0e4d\u0e32"),
        ("พี่", "พ\u0e48\u0e35"),
        ("แพง", "เเพง"),
        ("ນ້ຳ", "ນ\u0ecd\u0ec9\u0eb2"),
        ("ｶﾞｿﾘﾝ", "ガソリン"),
        ("ﾾￂﾤ", "한"),
        ("ￇￂ", "ￇￂ"),
        ("ＡＢＣ１２３", "abc123"),
        ("￦500", "₩500"),
    ],
)
def test_one_spelling(one, other):
    assert faithful(one) == faithful(other)


def test_hamza_and_madda_are_letters():
    assert faithful("أن") != faithful("ان") and faithful("آن") != faithful("ان")


# --- any text ---

PARTS = (
    *(
        "1",
        "12",
        "234",
        "567",
        "05",
        "2024",
        "1.234",
        "1,5",
        "12,345",
        ",",
        ".",
        " ",
        " ",
        "'",
        "%",
        "-",
        "/",
        ":",
        "$",
        "€",
    ),
    *("och", "det", "är", "aber", "ist", "three", "twenty", "the", "centre", "two", "sen", "ten", "zł", "5th", "don't"),
    *("三", "九点", "年", "か", "нет", "ไม่", "ำ", "้", "َ", "ـ", "٪", "٫", "٬", "٣", "ﾾ", "ￂ", "ﾤ", "שׁ", "ּ", "한", "é"),
)
MESSY = st.lists(st.sampled_from(PARTS), max_size=12).map("".join)


@settings(max_examples=1500)
@given(MESSY, st.sampled_from([None, "en", "zh", "de", "fr", "sv", "ar", "th", "hi", "sw", "zh-en", "de-en", "mix"]))
def test_normalizing_twice_is_normalizing_once(text, label):
    once = faithful(text, label)
    assert faithful(once, label) == once


@pytest.mark.parametrize("unit", ["1.234,", "12 345 ", "%5", "1'234", "och the ", "้ำ", "كَ", "ﾾￂ", "1/2/2024 "])
@pytest.mark.parametrize("label", ["de", "fr", None])
def test_long_lines_take_linear_time(unit, label):
    """Not timed: what was quadratic would take minutes."""
    faithful(unit * (100_000 // len(unit)), label)


# --- files ---


def test_a_table_says_in_which_languages_lines_are(tmp_path):
    (tmp_path / "text").write_text("a ten centre\nb ten centre\nc ten centre\nd 三十 ten\n", encoding="utf-8")
    (tmp_path / "utt2lang").write_text("a pl\nb en\nd zh-en\nx de\n")
    for workers in (1, 2):
        normalize_file(tmp_path / "text", tmp_path / "out", "faithful", utt2lang=tmp_path / "utt2lang", workers=workers)
        assert (tmp_path / "out").read_text() == "a\tten centre\nb\t10 center\nc\t10 center\nd\t30 10\n"


def test_a_manifest_says_it_too(tmp_path):
    (tmp_path / "text").write_text("a ten centre\nb ten centre\n")

    def line(key, language):
        said = [{"role": "system", "content": "You are a helpful assistant."}]
        said += [{"role": "user", "content": f"语音转写：<|startofspeech|>!{key}.wav<|endofspeech|>"}]
        return json.dumps(
            {"key": key, "messages": [*said, {"role": "assistant", "content": "x"}], "language": language}
        )

    for language, form in (("fi", "ten centre"), (None, "10 center")):
        with gzip.open(tmp_path / "m.jsonl.gz", "wt", encoding="utf-8") as file:
            file.write(f"{line('a', language)}\n{line('b', None)}\n")
        normalize_file(tmp_path / "text", tmp_path / "out", "faithful", utt2lang=tmp_path / "m.jsonl.gz")
        assert (tmp_path / "out").read_text() == f"a\t{form}\nb\t10 center\n"


def test_a_table_that_cannot_be_read_is_named(tmp_path):
    (tmp_path / "text").write_text("a x\n")
    with pytest.raises(RecipeError, match="utt2lang"):
        normalize_file(tmp_path / "text", tmp_path / "out", "faithful", utt2lang=tmp_path / "utt2lang")
    assert not (tmp_path / "out").exists()


def test_hotwords_have_the_language_of_their_utterance(tmp_path):
    (tmp_path / "lists").write_text("a ten, centre\nb ten, centre\n")
    (tmp_path / "utt2lang").write_text("a sl\nb en\n")
    normalize_file(tmp_path / "lists", tmp_path / "out", "faithful", lists=True, utt2lang=tmp_path / "utt2lang")
    assert (tmp_path / "out").read_text() == "a\tten, centre\nb\t10, center\n"
