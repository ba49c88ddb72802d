"""`faithful` mode: the same content in two spellings is equal, two contents never are."""

import random
import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from recipe.normalize.compatible_numbers import read_cardinal, read_digits
from recipe.normalize.decimals import scale
from recipe.normalize.faithful import normalize
from recipe.normalize.numbers_en import digits_for_words
from recipe.normalize.numbers_zh import digits_for_numerals
from recipe.normalize.spelling_marks import VOWEL_MARKS

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "normalizer"


def table(name: str) -> list[list[str]]:
    return [line.split("\t") for line in (GOLDEN / name).read_text(encoding="utf-8").splitlines()[1:]]


def words(text: str) -> list[str]:
    return text.split()


ONES = words(
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen "
    "eighteen nineteen"
)
TENS = words("twenty thirty forty fifty sixty seventy eighty ninety")


def english(number: int, conjunction: str = "and ", hyphen: str = "-") -> str:
    """A cardinal as it is said."""
    if number < 20:
        return ONES[number]
    if number < 100:
        return TENS[number // 10 - 2] + (hyphen + ONES[number % 10] if number % 10 else "")
    for power, name in ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred")):
        if number >= power:
            head, rest = english(number // power, conjunction, hyphen), number % power
            joint = conjunction if rest < 100 else ""
            return f"{head} {name}" + (f" {joint}{english(rest, conjunction, hyphen)}" if rest else "")
    raise AssertionError(number)


# --- the tables ---


def test_pairs_of_the_same_content_are_equal():
    pairs = [row for row in table("pairs_dev.tsv") if row[1] != "kind"]
    different = [
        f"{a!r} {b!r}: {normalize(a)!r} {normalize(b)!r}" for _, _, a, b, *_ in pairs if normalize(a) != normalize(b)
    ]
    assert not different, "\n".join(different)


def test_different_contents_stay_different():
    rows = table("must_differ_dev.tsv")
    collapsed = [f"{a!r} {b!r}: {normalize(a)!r}" for a, b, *_ in rows if normalize(a) == normalize(b)]
    assert rows and not collapsed, "\n".join(collapsed)


def test_every_golden_line_is_stable():
    unstable = [row[1] for row in table("golden_dev.tsv") if normalize(normalize(row[1])) != normalize(row[1])]
    assert not unstable


# --- numbers ---

NUMBERS = st.one_of(st.integers(0, 130), st.integers(0, 10_000), st.integers(0, 10**11))


@given(NUMBERS, st.sampled_from(["and ", ""]), st.sampled_from(["-", " "]))
def test_english_cardinals(number, conjunction, hyphen):
    assert digits_for_words(english(number, conjunction, hyphen)) == str(number)


@given(NUMBERS)
def test_chinese_cardinals(number):
    assert digits_for_numerals(read_cardinal(str(number))).strip() == str(number)


@given(st.integers(100, 10**8), st.sampled_from("元个人"))
def test_chinese_digit_strings(number, following):
    assert normalize(read_digits(str(number)) + following) == f"{number} {following}"


@given(st.integers(0, 999), st.text("0123456789", min_size=1, max_size=6))
def test_decimals(integer, decimals):
    spoken = " ".join(ONES[int(digit)] for digit in decimals)
    assert normalize(f"{english(integer)} point {spoken}") == f"{integer}.{decimals}"
    assert normalize(f"{read_cardinal(str(integer))}点{read_digits(decimals)}") == f"{integer}.{decimals}"


@given(st.integers(0, 23), st.integers(0, 59))
def test_times_of_day(hour, minute):
    canonical = f"{hour}:{minute:02d}"
    assert normalize(f"{hour:02d}:{minute:02d}") == canonical
    spoken = f"{read_cardinal(str(hour))}点{read_cardinal(str(minute))}分"
    assert normalize(spoken) == (canonical if minute else f"{hour} 点")
    if 1 <= hour <= 12 and minute >= 10:
        assert normalize(f"{english(hour)} {english(minute)}") == canonical


@given(st.integers(1110, 2099).filter(lambda year: year % 100 > 9))
def test_years(year):
    spoken = f"{english(year // 100)} {english(year % 100)}"
    if year > 1299:  # up to there, twelve ten alone may be a time of day
        assert normalize(f"in {spoken}") == f"in {year}"
    assert normalize(f"the second of june {spoken}") == f"june 2 {year}"


@given(st.lists(st.integers(0, 99), min_size=3, max_size=4))
def test_points_in_a_row(parts):
    written = ".".join(map(str, parts))
    assert normalize(f"build {' point '.join(english(part) for part in parts)}") == f"build {written}"
    assert normalize(f"版{'点'.join(read_cardinal(str(part)) for part in parts)}") == f"版 {written}"


@given(st.integers(2, 98), st.integers(1, 99))
def test_ranges(low, more):
    high = low + more
    assert normalize(f"{english(low)} to {english(high)} dollars") == normalize(f"about ${low}-{high}").removeprefix(
        "about "
    )
    spoken = f"{read_cardinal(str(low))}到{read_cardinal(str(high))}"
    assert normalize(f"{spoken}人") == normalize(f"{low}-{high}人") == f"{low} ~ {high} 人"
    assert normalize(f"百分之{spoken}") == normalize(f"占{low}%-{high}%").removeprefix("占 ") == f"{low} ~ {high}%"


def test_scaling_keeps_every_digit():
    assert scale("1.5", 3) == "1500"
    assert scale("1.23456", 2) == "123.456"
    assert scale("0.05", 1) == "0.5"
    assert scale("9" * 5000, 8) == "9" * 5000 + "0" * 8


SAME = [
    ("两点半", "2:30"),
    ("九点一刻", "9:15"),
    ("half past seven", "7:30"),
    ("a quarter to one", "12:45"),
    ("a quarter past five", "quarter past 5"),
    ("nine o five p.m.", "9:05 PM"),
    ("in twelve fifteen they signed", "in 1215 they signed"),
    ("the 1980's", "the nineteen eighties"),
    ("at nine oh five", "at 9:05"),
    ("room nine oh five", "room 905"),
    ("Jan. 5th", "January fifth"),
    ("1.5亿", "150000000"),
    ("2万5千", "25000"),
    ("三点五万", "35000"),
    ("百分之百", "100%"),
    ("千分之三", "3‰"),
    ("万分之一", "1/10000"),
    ("two and a half million", "2500000"),
    ("a hundred percent", "100%"),
    ("two thirds", "2/3"),
    ("one half", "½"),
    ("the nineteen eighties", "the 1980s"),
    ("twenty-first century", "21st century"),
    ("double five six seven", "5567"),
    ("(330) 652-2963", "330-652-2963"),
    ("138 1317 3200", "13813173200"),
    ("it's", "it is"),
    ("he's been there", "he has been there"),
    ("I can't", "I cannot"),
    ("the U.S. team", "the US team"),
    ("Mr. Smith", "mister Smith"),
    ("我 有 五 千 个 书 包", "我有5000个书包"),
    ("三百两银子", "300两银子"),
    ("五千米", "5公里"),
    ("-5℃", "零下五摄氏度"),
    ("$8.05", "eight dollars and five cents"),
    ("$25.00", "twenty-five dollars"),
    ("壹佰贰拾元", "120元"),
    ("臺灣的皇后", "台湾的皇后"),
    ("二○一九年", "2019年"),
    ("٣ كتب", "3 كتب"),
    ("ﾊﾟｿｺﾝ", "パソコン"),
    ("Straße", "STRASSE"),
    ("80㎡", "八十平方米"),
    ("五千米", "5000米"),
    ("五千克拉", "5000克拉"),
    ("五十六点三千瓦", "56.3 kW"),
    ("三百六十五点六分贝", "365.6dB"),
    ("九十点五分", "90.5分"),
    ("一百二十公里每小时", "120 km/h"),
    ("sixty kilometres an hour", "60 km/h"),
    ("twenty cubic meters", "20 m³"),
    ("eight gigabytes", "8GB"),
    ("nine pounds and five pence", "£9.05"),
    ("fifty cents", "$0.50"),
    ("twenty rupees", "₹20"),
    ("half a million", "500,000"),
    ("two and a quarter", "2¼"),
    ("three and three quarters", "3 3/4"),
    ("two and a half", "2½"),
    ("635.926.7754", "(635) 926-7754"),
    ("Prof. Oak", "professor Oak"),
    ("Gen. Lee", "General Lee"),
    ("J. K. Rowling", "J.K. Rowling"),
    ("you & me", "you and me"),
    ("track #5", "track number five"),
    ("OK", "okay"),
    ("x>y", "x > y"),
    ("x≥y", "x >= y"),
    ("x²", "x ^ 2"),
    ("5²", "5 ^ 2"),
    ("a 50/50 chance", "a 50 / 50 chance"),
    ("§5 says", "section five says"),
    ("№ 5", "#5"),
    ("C♯", "C#"),
    ("≦5", "≤5"),
    ("万分之五", "5‱"),
    ("一个半小时", "1.5个小时"),
    ("买了俩苹果", "买了两个苹果"),
    ("仨人", "三个人"),
    ("on March 3rd, 2021 we", "on 3 March 2021 we"),
    ("on March 3rd, 2021 we", "on the third of March, 2021 we"),
    ("on March 3rd, 2021 we", "on 2021-03-03 we"),
    ("march the 3rd", "the 3rd of March"),
    ("he may 3", "he may three"),
    ("<noise>hello <unk>", "noise hello unk"),
    ("the organisation's plan", "the organization’s plan"),
]
DIFFERENT = [
    ("三五个", "三十五个"),
    ("两三个", "二十三个"),
    ("一两个", "十二个"),
    ("三四千", "三万四千"),
    ("五，千万别忘", "五千"),
    ("5²", "52"),
    ("10⁶", "106"),
    ("3½", "31/2"),
    ("one hundred two hundred", "102 hundred"),
    ("≥5", "≤5"),
    ("≈5", "5"),
    ("18+", "18"),
    ("18+", "18+5"),
    ("grade A+", "grade A"),
    ("₹5", "5"),
    ("£5", "5 lbs"),
    ("5G", "5克"),
    ("5 km/h", "5 km"),
    ("gen z", "general z"),
    ("3-5", "35"),
    ("3-5", "3 5"),
    ("3 -5", "3-5"),
    ("C++", "C"),
    ("we're", "were"),
    ("résumé", "resume"),
    ("हिन्दी", "हिनदी"),
    ("三比十", "3:10"),
    ("x < 35", "x 35"),
    ("one two", "twelve"),
    ("5, 100", "5,100"),
    ("5、100", "5,100"),
    ("三、五", "三十五"),
    ("<hello> world", "world"),
    ("[laughter] hi", "hi"),
    ("#1", "1"),
    ("排名#3", "排名3"),
    ("x > y", "x < y"),
    ("if a >= b", "if a <= b"),
    ("5 >= 3", "5 = 3"),
    ("a = b", "a b"),
    ("x>y", "x<y"),
    ("我>你", "我<你"),
    ("x ≥ y", "x ≤ y"),
    ("x==y", "x!=y"),
    ("a+b", "a b"),
    ("x²", "x2"),
    ("x⁻²", "x²"),
    ("x ^ 2", "x 2"),
    ("10⁻³", "10-3"),
    ("5 & 3", "5 3"),
    ("john@example.com", "john example com"),
    ("§5", "5"),
    ("∞", ""),
    ("a ∈ b", "a ∉ b"),
    ("₦5", "5"),
    ("5‱", "5‰"),
    ("B♭", "B"),
    ("伎俩", "伎两个"),
]


@pytest.mark.parametrize(("one", "other"), SAME)
def test_same_content(one, other):
    assert normalize(one) == normalize(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_content(one, other):
    assert normalize(one) != normalize(other)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("温度是-3", "温 度 是 -3"),
        ("at nine fifteen, $25.50!", "at 9:15 25.50 dollars"),
        ("增长百分之七十七点三", "增 长 77.3%"),
        ("他说：“千万别忘。”", "他 说 千 万 别 忘"),
        ("乾隆年间很乾燥", "乾 隆 年 间 很 干 燥"),
        ("东京の新幹線", "东 京 の 新 幹 線"),
        ("l'hôtel de Lisboa ?", "l'hôtel de lisboa"),
        ("Тебе 5 лет", "тебе 5 лет"),
        ("저는 25살입니다", "저는 25 살입니다"),
        ("ฉันอายุ 23 ปี", "ฉันอายุ 23 ปี"),
        ("<|zh|>你好<|endofspeech|>", "你 好"),
        ("the boys' rock 'n' roll", "the boys rock n roll"),
        ("2024-02-29 was Thursday", "february 29 2024 was thursday"),
        ("2024-02-29", "2024 年 2 月 29 日"),
        ("", ""),
        ("...", ""),
    ],
)
def test_canonical_form(text, canonical):
    assert normalize(text) == canonical


def test_no_two_numbers_share_a_form():
    """Every meaning that numbers up to 200 can have gets a form of its own."""
    meanings = {}
    for n in range(201):
        forms = [
            f"{n}",
            f"-{n}",
            f"0{n}",
            f"00{n}",
            f"{n}%",
            f"{n}.5",
            f"{n}.05",
            f"{n}th",
            f"${n}",
            f"{n}年",
            f"第{n}",
        ]
        forms += [
            f"{n}万" if n else "",
            f"{n} {n}",
            f"{n}, {n + 1}",
            f"{n}-{n}",
            f"{n}/{n + 2}",
            f"{n}+{n}",
            f"{n}²",
            f"{n}kg",
        ]
        for kind, form in enumerate(forms):
            if form:
                assert meanings.setdefault(normalize(form), (n, kind)) == (n, kind), form


# --- any text ---

FRAGMENTS = (
    *"零一二三四五六七八九两十百千万亿点分时半刻整比之负年月日号元块毛个米克0123456789",
    *(
        "百分之",
        "零下",
        "分之",
        "摄氏度",
        "公斤",
        "上午",
        "三点五",
        "十五",
        "萬",
        "點",
        "乾",
        "隆",
        "々",
        "〇",
        "壹",
        "佰",
    ),
    *words("one two five ten fifteen twenty hundred thousand million point and a half minus double oh o second third"),
    *words("halves quarter percent per cent dollars cents past to o'clock it's don't gonna may april 's 'd been c++"),
    "u.s.",
    *("1,000", "9:15", "2024-02-29", *"$€¥%-+/.,:=<>()'’~^#×÷°±√‰℃½²③|", "<|zh|>", "[x]", "，", "。", "、", "—", "…"),
    *(
        "ß",
        "İ",
        "ﬁ",
        "ŉ",
        "\u0301",
        "\u0345",
        "ᾳ",
        "\u200b",
        "\u200d",
        "\ufeff",
        "हि",
        "ก็",
        "か\u3099",
        "ﾊﾟ",
        "한",
        "١",
        "😀",
    ),
)
MESSY = st.lists(st.tuples(st.sampled_from(FRAGMENTS), st.sampled_from(["", " "])), max_size=10).map(
    lambda parts: "".join(fragment + space for fragment, space in parts)
)
ANY = st.one_of(MESSY, st.text(max_size=40))


def marks(text: str) -> dict[str, int]:
    """Combining marks, counted; variation selectors choose a glyph and are none, and vowel marks may be left out."""
    decomposed = VOWEL_MARKS.sub("", unicodedata.normalize("NFD", text))
    found = [c for c in decomposed if unicodedata.category(c)[0] == "M" and unicodedata.name(c, "")[:9] != "VARIATION"]
    return {mark: found.count(mark) for mark in found}


@settings(max_examples=1500)
@example("five, million")
@example("5，千万别")
@given(ANY)
def test_normalizing_twice_is_normalizing_once(text):
    once = normalize(text)
    assert normalize(once) == once
    assert once == " ".join(once.split())


@settings(max_examples=500)
@example("\u1fdd")
@given(ANY)
def test_no_mark_is_lost(text):
    kept = marks(normalize(text))
    assert all(kept.get(mark, 0) >= count for mark, count in marks(text).items())


@settings(max_examples=500)
@given(ANY)
@example("\u1fdd")
def test_composed_and_decomposed_text_are_equal(text):
    assert normalize(unicodedata.normalize("NFD", text)) == normalize(unicodedata.normalize("NFC", text))


@settings(max_examples=300)
@given(MESSY)
def test_letter_case_does_not_matter(text):
    assert normalize(text.upper().lower()) == normalize(text.lower().upper().lower())


def test_punctuation_after_words_does_not_matter():
    rows = [row[1] for row in table("golden_dev.tsv") if row[4] in ("en_plain", "zh_plain", "mix_plain")]
    for text in random.Random(0).sample(rows, 100):
        assert normalize(text + "。") == normalize(text + " !") == normalize(f"“{text}”") == normalize(text)
