"""Japanese in `faithful` mode, with kana and without: numbers, dates, times, measures and money."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipe.normalize import normalizer
from recipe.normalize.kanji import shows_japanese

declared = normalizer("faithful", language="ja")
found = normalizer("faithful")

_DIGITS = "〇一二三四五六七八九"


def japanese(number: int) -> str:
    """A cardinal as it is written in words: no 一 before 十, 百, 千."""
    if not number:
        return "零"
    written = ""
    for power, name in ((10**12, "兆"), (10**8, "億"), (10**4, "万")):
        if number >= power:
            written += japanese(number // power) + name
            number %= power
    for power, name in ((1000, "千"), (100, "百"), (10, "十")):
        digit, number = divmod(number, power)
        if digit:
            written += (_DIGITS[digit] if digit > 1 else "") + name
    return written + (_DIGITS[number] if number else "")


SAME = {
    "cardinals": [
        ("千三", "1003"),
        ("一万五", "10005"),
        ("二万千六百", "21600"),
        ("三億七万", "3億7万"),
        ("4兆90", "四兆九十"),
        ("6億8000万", "六億八千万"),
        ("250万3000", "二百五十万三千"),
        ("八千億円分の株", "800000000000円分の株"),
        ("ゼロから始める", "0から始める"),
        ("電話番号は〇三五五", "電話番号は0355"),
    ],
    "signs": [
        ("気温はマイナス四度", "気温は-4度"),
        ("気温はプラス四度", "気温は+4度"),
        ("誤差はプラスマイナス三", "誤差は±3"),
        ("答えは-7.5", "答えはマイナス七点五"),
        ("七足す二", "7+2"),
        ("九引く四イコール五", "9-4=5"),
        ("三かける六", "3×6"),
    ],
    "points in a row": [("版は四点零点六", "版は4.0.6"), ("十点百二点零点七", "10.102.0.7")],
    "decimals": [
        ("六・四", "6.4"),
        ("三・二ギガヘルツ", "3.2GHz"),
        ("七・五ドル", "7.5ドル"),
        ("六点〇二", "6.02"),
        ("二・五倍になる", "2.5倍になる"),
        ("円周率は三・一四", "円周率は3.14"),
        ("七コンマ八", "7.8"),
        ("コンマ〇三秒の差", "0.03秒の差"),
        ("四点五キロ", "4.5キロ"),
        ("二点六万人", "26000人"),
    ],
    "dates": [
        ("千九百八十七年六月三日", "1987年6月3日"),
        ("二〇一八年", "2018年"),
        ("二千四年七月", "2004/07"),
        ("09/06", "九月六日"),
        ("2016.07.05", "二千十六年七月五日"),
        ("昭和元年", "昭和1年"),
        ("大正十二年九月一日", "大正12年9月1日"),
        ("紀元前二千年頃", "紀元前2000年頃"),
        ("三月八日から十日", "3月8日〜10日"),
    ],
    "times": [
        ("七時四十五分", "7:45"),
        ("午後四時半頃", "午後4:30頃"),
        ("翌日二十六時", "翌日26時"),
        ("午前八時十分", "8:10am"),
        ("11:00に会う", "十一時に会う"),
        ("二時五分九秒", "2:05:09"),
    ],
    "fractions": [
        ("七分の三", "3/7"),
        ("マイナス八分の五", "-5/8"),
        ("5分の2を削る", "五分の二を削る"),
        ("二と三分の一", "2 1/3"),
    ],
    "ordinals": [("第二千五", "第2005"), ("百六番目の人", "106番目の人"), ("五つ", "5つ")],
    "measures": [
        ("三十五パーセント", "35%"),
        ("六キロメートル", "6km"),
        ("八センチ", "8cm"),
        ("二十キログラム", "20kg"),
        ("四ミリリットル", "4ml"),
        ("百平方メートル", "100㎡"),
        ("七メートル", "7m"),
        ("三グラム", "3g"),
        ("時速九十キロ", "90km/h"),
        ("摂氏二十度", "20℃"),
        ("五インチ", "5 inch"),
    ],
    "money": [
        ("￥350", "三百五十円"),
        ("一万二千円", "1万2000円"),
        ("$40", "四十ドル"),
        ("€6", "六ユーロ"),
        ("千ウォン", "₩1000"),
    ],
    "other": [("三対一", "3:1"), ("一〇・〇・〇・一", "10・0・0・1"), ("一九二点一六八点一点一", "192.168.1.1")],
}
DIFFERENT = [
    ("四百四号室", "四百四十号室"),
    ("成長率は四％", "成長率は四"),
    ("差は-3", "差は3"),
    ("マイナス三", "三"),
    ("千三", "千三百"),
    ("七時四十五分", "七時四十分"),
    ("三分の一", "三分一"),
    ("六点二", "六二"),
    ("一・二年生", "1.2年生"),
    ("二・五倍", "二五倍"),
    ("第二千五", "第二千五百"),
    ("五ドル", "五円"),
    ("四点零点六", "四点零六"),
    ("12-25人", "12月25日人"),
    ("プラスマイナス三", "マイナス三"),
    ("三百零零二", "300 2"),
    ("五メートル", "五センチ"),
    ("七足す二", "七引く二"),
    ("三月から五月", "三月五月"),
    ("百万円", "千万円"),
    ("二億円", "二兆円"),
    ("午前三時", "午後三時"),
    ("一万千円", "一万円"),
    ("五Gの話", "五グラムの話"),
]


@pytest.mark.parametrize(("one", "other"), [pair for kind in SAME.values() for pair in kind])
def test_same_content(one, other):
    assert declared(one) == declared(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_content(one, other):
    assert declared(one) != declared(other)


@given(st.integers(0, 10**16 - 1))
def test_cardinals(number):
    assert declared(japanese(number)) == str(number)
    assert found(f"それは{japanese(number)}です") == f"そ れ は {number} で す"


@given(st.integers(0, 30), st.integers(1, 59))
def test_times_of_day(hour, minute):
    assert (
        declared(f"{japanese(hour)}時{japanese(minute)}分")
        == declared(f"{hour}:{minute:02d}")
        == f"{hour}:{minute:02d}"
    )


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("四百四号室", "404 号 室"),
        ("二千三円", "2003 yen"),
        ("一万千円", "11000 yen"),
        ("気温三十度", "気 温 30 度"),
        ("駅前二千五番地", "駅 前 2005 番 地"),
        ("百貨店と千葉", "百 貨 店 と 千 葉"),
        ("二千九年", "2009 年"),  # Chinese or Japanese
        ("三千五人", "3500 人"),  # taken for Chinese: nothing shows what it is
        ("差は-3", "差 は -3"),
    ],
)
def test_what_is_found_without_a_declared_language(text, canonical):
    assert found(text) == canonical


def test_declared_japanese_keeps_its_characters_and_declared_chinese_does_not():
    assert declared("時間後") == "時 間 後"
    assert normalizer("faithful", language="zh")("時間後") == "时 间 后"


@pytest.mark.parametrize("text", ["東京駅", "千円", "気分", "あ", "12号室", "三番目"])
def test_japanese_is_shown(text):
    assert shows_japanese(text)


@pytest.mark.parametrize("text", ["臺灣的時間", "台湾的时间", "裏面", "hello", "四百四", "北海道的桜花"])
def test_japanese_is_not_shown(text):
    assert not shows_japanese(text)


FRAGMENTS = (
    *"零〇一二三五九十百千万億兆点分時半比年月日円度対と第0123456789-~.:/%・ 、",
    *(
        "分の",
        "マイナス",
        "から",
        "キロ",
        "ドル",
        "パーセント",
        "午前",
        "pm",
        "元年",
        "平成",
        "コンマ",
        "ゼロ",
        "百貨",
        "km",
        "m",
    ),
    *("足す", "引く", "時速", "2008/08", "プラス", "ギガ", "三点", "+"),
)


@settings(max_examples=1000)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=9).map("".join))
def test_normalizing_twice_is_normalizing_once(text):
    for normalize in (declared, found):
        assert normalize(normalize(text)) == normalize(text)
