"""Chinese in `faithful` mode: every kind of number, measure and sum of money, with sentences that must differ."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipe.normalize import normalizer
from recipe.normalize.cardinals import Grammar, about, read_cardinals
from recipe.normalize.compatible_numbers import read_cardinal

declared = normalizer("faithful", language="zh")
found = normalizer("faithful")

SAME = {
    "formal numerals": [
        ("欠款负柒元", "欠款-7元"),
        ("温度零点捌", "温度0.8"),
        ("捌拾參位來賓", "83位来宾"),
        ("借了伍仟六百", "借了5600"),
        ("卖出贰百", "卖出200"),
        ("叁万肆仟个", "34000个"),
        ("壹仟圆整", "1000元整"),
    ],
    "tens in one character": [("廿六日出发", "26日出发"), ("等了卅秒", "等了30秒"), ("一千零卌", "1040")],
    "spaces in numerals": [
        ("共 六千 三百 二十 五 人", "共6325人"),
        ("四 百 五", "450"),
        ("9 萬3 千2 百", "93200"),
        ("百 分 之 三 十", "30%"),
        ("增加四點 二倍", "增加4.2倍"),
    ],
    "large units": [
        ("三兆零五百万", "3000005000000"),
        ("七兆二十亿", "7002000000000"),
        ("二京三千兆", "23000000000000000"),
        ("两亿五千", "2亿5000"),
        ("六万万", "600000000"),
        ("三千万亿", "3000000000000000"),
        ("一百兆赫", "100MHz"),
    ],
    "digits behind a unit": [
        ("6亿2500人", "六亿两千五百人"),
        ("7万8000", "七万八千"),
        ("7万8", "七万八"),
        ("2千零7", "2007"),
        ("5百08", "508"),
    ],
    "zeros": [
        ("零十", "10"),
        ("两万零百二十二", "20122"),
        ("两小时零三十秒", "2小时30秒"),
        ("五年零八个月", "5年8个月"),
        ("一小时零七分", "1小时7分"),
    ],
    "negative": [
        ("亏损-2.5亿元", "亏损负二点五亿元"),
        ("-30.5万", "负三十点五万"),
        ("-4千", "负四千"),
        ("-百分之3", "负百分之三"),
        ("误差正负三", "误差±3"),
    ],
    "operations": [
        ("七加八等于十五", "7+8=15"),
        ("九减去四", "9-4"),
        ("六乘以五", "6×5"),
        ("二十除以四", "20÷4"),
        ("五大于等于三", "5≥3"),
        ("三小于四", "3<4"),
        ("三不等于四", "3≠4"),
        ("三约等于四", "3≈4"),
    ],
    "ranges": [
        ("来了三到五个", "来了3~5个"),
        ("六至八公升", "6-8L"),
        ("七百二到七百八", "720~780"),
        ("百分之二十到三十五", "20~35%"),
        ("20%~35%", "20~35%"),
        ("四到六万", "4万~6万"),
        ("四五千人", "4000~5000人"),
        ("三十七八岁", "37~38岁"),
        ("两百五六十元", "250~260元"),
        ("26-7万", "二十六七万"),
        ("$620-30", "六百二三十美元"),
        ("£8~9", "八九英镑"),
        ("一到两万", "1万到2万"),
    ],
    "points in a row": [
        ("系统四点零点六", "系统4.0.6"),
        ("二百零一点三十点七点一", "201.30.7.1"),
        ("七点十二点二版", "7.12.2版"),
    ],
    "ranges that are no dates": [
        ("十二到二十五人", "12-25人"),
        ("十到三十元", "10-30元"),
        ("百分之十到二十", "10-20%"),
        ("百分之六到百分之九", "6%-9%"),
        ("5~6点", "5-6点"),
        ("十二分之五", "5/12"),
        ("十二分之十一", "11/12"),
    ],
    "signs in front": [("升温+6度", "升温正六度"), ("y等于七", "y=7"), ("正负零点五", "±0.5")],
    "money": [
        ("八百元人民币", "CNY 800"),
        ("₩3000", "三千韩元"),
        ("₹250", "两百五十印度卢比"),
        ("JPY¥800", "八百日元"),
        ("800 JPY", "八百日圆"),
        ("US$70", "70美金"),
        ("HK$45", "四十五港币"),
        ("45 HKD", "港币45元"),
        ("NT$90", "九十新台币"),
        ("CNY 7.5", "七点五人民币"),
        ("RMB60", "人民币六十元"),
        ("60 RMB", "¥60"),
        ("5 CHF", "五瑞士法郎"),
        ("฿20", "二十泰铢"),
        ("€3万", "三万欧元"),
        ("£6", "六英镑"),
        ("¥48.6", "四十八元六角"),
        ("9.15元", "九元一角五分"),
        ("三块二毛", "3.2块"),
        ("¥30.00", "三十元"),
    ],
    "units": [
        ("7m", "七米"),
        ("2.5g", "二点五克"),
        ("4t", "四吨"),
        ("6L", "六升"),
        ("6公升", "六升"),
        ("3 miles", "三英里"),
        ("8 inches", "八英寸"),
        ("40 lbs", "四十磅"),
        ("30cm²", "三十平方厘米"),
        ("每小时八十公里", "80km/h"),
        ("每秒七米", "7m/s"),
        ("响应8ms一次", "响应八毫秒一次"),
        ("110V", "一百一十伏"),
        ("两千瓦", "2kW"),
        ("三兆瓦", "3MW"),
    ],
    "degrees": [
        ("摄氏25度", "25℃"),
        ("攝氏25°", "25°C"),
        ("华氏80度", "80°F"),
        ("摄氏零下四度", "-4℃"),
        ("转90°", "转九十度"),
    ],
    "dates and times": [
        ("2011/06", "二零一一年六月"),
        ("05/09", "五月九日"),
        ("7:00", "七点"),
        ("上午9:00", "上午九点整"),
        ("9:30 a.m.", "上午九点半"),
        ("6:10pm", "下午六点十分"),
        ("两千六年", "2006年"),
    ],
    "durations": [
        ("七点五分钟", "7.5分钟"),
        ("三个半分钟", "3.5分钟"),
        ("六分半钟", "6.5分钟"),
    ],
    "other": [
        ("幺九二点一六八点零点幺", "192.168.0.1"),
        ("+86 13912345678", "8613912345678"),
        ("百分百", "百分之百"),
        ("负的百分之五", "-5%"),
        ("一百分之二点五", "2.5/100"),
        ("两三个", "2~3个"),
        ("一两天", "1~2天"),
        ("比分19:16", "比分十九比十六"),
        ("千万分之七", "7/10000000"),
    ],
}

DIFFERENT = [
    ("四点零点六", "四点零六"),
    ("201.30.7.1", "201.307.1"),
    ("八点九点十点", "8.9:10点"),
    ("12-25人", "12月25日人"),
    ("10-20%", "10-20"),
    ("6%-9%", "6%-90%"),
    ("11/12", "11月12日"),
    ("升温+6度", "升温6度"),
    ("一千零五十零零三", "1050 3"),
    ("3e-05", "3e05"),
    ("-1.5亿", "1.5亿"),
    ("-百分之三", "百分之三"),
    ("零十", "零"),
    ("两小时零三十秒", "两小时三秒"),
    ("八百一千", "八千一百"),
    ("八百一千", "八百一十"),
    ("六斤八两", "六斤82"),
    ("五点五分钟", "5:05钟"),
    ("正负二", "负二"),
    ("正负二", "二"),
    ("三五个", "三十五个"),
    ("三十七八岁", "378岁"),
    ("5G", "5克"),
    ("256G硬盘", "256g硬盘"),
    ("10M带宽", "10米带宽"),
    ("¥50万", "50万"),
    ("₩100", "100"),
    ("5美元", "5港元"),
    ("一百日元", "一百元"),
    ("30℃", "30度"),
    ("30℃", "30℉"),
    ("三加五", "三五"),
    ("三加五", "三减五"),
    ("3>2", "3≥2"),
    ("三到五个", "三五十个"),
    ("5-3个", "3-5个"),
    ("20~35%", "20~35"),
    ("2011/06", "201106"),
    ("05/09", "0509"),
    ("7:00", "700"),
    ("上午九点", "下午九点"),
    ("上午九点", "早上九点"),
    ("192.168.0.1", "19216801"),
    ("一兆", "一亿"),
    ("五兆赫", "五兆"),
    ("千万别去", "10000000别去"),
    ("五，万一下雨", "五万一下雨"),
    ("队伍一人", "队51人"),
    ("参加", "3加"),
    ("每小时六十公里", "六十公里"),
    ("四点五个百分点", "4.5%"),
    ("3.5块", "3.5元"),
]


@pytest.mark.parametrize(("one", "other"), [pair for kind in SAME.values() for pair in kind])
def test_same_content(one, other):
    assert declared(one) == declared(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
@pytest.mark.parametrize("normalize", [declared, found], ids=["declared", "found"])
def test_different_content(normalize, one, other):
    assert normalize(one) != normalize(other)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("八百一千", "800 1000"),
        ("十五十六", "15 16"),
        ("五百三百", "500 300"),
        ("六斤八两", "6 斤 8 两"),
        ("五，千万别忘", "5 千 万 别 忘"),
        ("五，万一下雨", "5 万 一 下 雨"),
        ("收拾两个包", "收 拾 2 个 包"),
        ("大陆十人参加", "大 陆 10 人 参 加"),
        ("五万百姓", "50000 百 姓"),
        ("一小时零五分", "1 小 时 5 分"),
        ("三千克", "3 kg"),
        ("三百二十一零零五", "321 005"),
        ("960万km²", "9600000 sqkm"),
    ],
)
def test_canonical_form(text, canonical):
    assert found(text) == canonical


@given(st.integers(0, 10**16 - 1), st.integers(0, 10**16 - 1))
def test_cardinals_beyond_trillions(one, other):
    """Written with 亿 and 万亿, each number keeps its value, and two that differ stay different."""
    assert found(read_cardinal(str(one)) + "人") == f"{one} 人"
    assert (found(f"{one}人") == found(f"{other}人")) == (one == other)


def test_numerals_that_cannot_be_one_number_are_several():
    chinese, japanese = Grammar(True, frozenset("十")), Grammar(False, frozenset("十百千"))
    assert read_cardinals(list("五千万五千万"), chinese) == ["50000000", "50000000"]
    assert read_cardinals(list("八百一千"), chinese) == ["800", "1000"]
    assert read_cardinals(list("万千"), chinese) == ["万", "千"]
    assert read_cardinals(list("三千五"), chinese) == ["3500"]
    assert read_cardinals(list("三千五"), japanese) == ["3005"]
    assert read_cardinals(list("一万千百十一"), japanese) == ["11111"]


def test_about_needs_two_digits_that_follow_each_other():
    assert about(list("七八百")) == (list("七百"), list("八百"))
    assert about(list("十五六")) == (list("十五"), list("十六"))
    assert about(list("七六百")) is about(list("七八")) is about(list("七八九百")) is None


FRAGMENTS = (
    *"零一二三五九两幺十百千万亿兆京壹参伍拾廿点分时半刻整比负年月日元块角",
    *"毛个米克升度斤加减到至每第0123456789-~.:/%°$¥ ，",
    *(
        "百分之",
        "摄氏",
        "小时",
        "等于",
        "上午",
        "am",
        "人民币",
        "jpy",
        "km",
        "m",
        "g",
        "G",
        "万一",
        "千万别",
        "08/08",
        "1:00",
        "10-20",
        "7%-9%",
        "e-05",
        "三点",
        "+",
    ),
)


@settings(max_examples=1000)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=9).map("".join))
def test_normalizing_twice_is_normalizing_once(text):
    for normalize in (declared, found):
        assert normalize(normalize(text)) == normalize(text)
