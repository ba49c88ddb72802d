"""`faithful` mode in English: each kind of spelling, and contents that look alike and are not."""

import os
import random
import time
from pathlib import Path

import pytest

from recipe.normalize import normalizer
from recipe.normalize.numbers_en import digits_for_words
from recipe.normalize.units_en import symbols

normalize = normalizer("faithful", language="en")
PEERS = Path(os.environ.get("SHARED", Path(__file__).resolve().parents[3] / "shared"), "golden", "peers")

SAME = {
    "counts that are no times": [
        ("one fifty five dollars", "$155"),
        ("two forty kilograms of rice", "240 kg of rice"),
        ("flight six thirty one", "flight 631"),
        ("route one twelve", "route 112"),
        ("two twenty to three thirty volts", "220 to 330 volts"),
        ("the m b p fourteen fifty", "the MBP 1450"),
        ("in seven fifty b c", "in 750 BC"),
        ("eleven forty oak street", "1140 Oak St"),
        ("six twenty pages", "620 pages"),
        ("chapters three hundred to three forty", "chapters 300 to 340"),
        ("pulse pressure one twenty over seventy", "pulse pressure 120/70"),
        ("flight i a six fifty", "flight IA 650"),
        ("p o box two sixteen", "P.O. Box 216"),
        ("a six forty p picture", "a 640p picture"),
        ("an i q of one thirty", "an IQ of 130"),
    ],
    "several numbers": [
        ("forty one thousand thirty thousand six", "41000 30006"),
        ("hundred thousand, hundred thousand", "100000, 100000"),
        ("six million two million", "6000000 2000000"),
        ("three hundred thousand million", "300000000000"),
    ],
    "points in a row": [
        ("release four point zero point six", "release 4.0.6"),
        ("release seven point twelve point two", "release 7.12.2"),
        ("firmware two point one point nine point three", "firmware 2.1.9.3"),
    ],
    "number words": [
        ("hundred and nine", "109"),
        ("thousand litres", "1,000 l"),
        ("half million", "500,000"),
        ("6 thousand 2 hundred and 14", "6214"),
        ("nine crore forty lakh", "94,000,000"),
        ("4.5 lakhs", "450000"),
        ("12,34,567", "1,234,567"),
        ("seven million and a half", "7500000"),
        ("two billion and three quarters", "2,750,000,000"),
        ("four quintillion", "4" + "0" * 18),
        ("eight thousand, four hundred and two", "8402"),
        ("nought point four", "0.4"),
        ("oh seven", "07"),
        ("nine thousand zero twelve", "9000 012"),
        ("point sixteen", "0.16"),
        ("one thirty-fifth", "1/35"),
        ("seventeen hundreds", "1700s"),
        ("zeroth", "0th"),
        ("three over eight", "3/8"),
        ("four and a third", "4 1/3"),
        ("half an hour", "1/2 h"),
        ("an hour and a half", "1.5 hours"),
        ("60K", "sixty thousand"),
        ("2.4M", "two point four million"),
    ],
    "web": [
        ("m.ray@acme-labs.org", "m dot ray at acme dash labs dot org"),
        (
            "https://www.acme.org/a_b/c7",
            "h t t p s colon slash slash w w w dot acme dot org slash a underscore b slash c seven",
        ),
        ("acme.co.uk", "acme dot co dot uk"),
        ("lee44@acme.net", "lee four four at acme dot net"),
        ("read notes.txt first", "read notes dot txt first"),
        ("10.20.0.7", "ten dot twenty dot o dot seven"),
        ("release 3.1.4", "release three dot one dot four"),
    ],
    "units": [
        ("17 mi", "seventeen miles"),
        ("90 lbs of sugar", "ninety pounds of sugar"),
        ("she weighs 70 lb", "she weighs seventy pounds"),
        ("25 MW", "twenty five mega watts"),
        ("3 kHz", "three kilohertz"),
        ("80 Mbps", "eighty megabits per second"),
        ("6 cm2", "six square centimetres"),
        ("4 dm³", "four cubic decimeters"),
        ("86 degrees F", "86°F"),
        ("19 ° Celsius", "nineteen degrees celsius"),
        ("360°", "three hundred sixty degrees"),
        ("7 degrees below zero", "-7 degrees"),
        ("9 in.", "nine inches"),
        ("6'2\" tall", "six feet two inches tall"),
        ("12 g", "twelve grams"),
        ("7 l", "seven litres"),
        ("240 V", "two hundred forty volts"),
        ("3 h", "three hours"),
        ("310 K", "three hundred ten kelvin"),
        ("4 kWh", "four kilo watt hours"),
        ("$9/d", "nine dollars per day"),
        ("3 kg/m³", "three kilograms per cubic meter"),
        ("2 m/s", "two meters per second"),
        ("kb", "kilobytes"),
        ("in km", "in kilometers"),
        ("a lb", "a pound"),
    ],
    "money": [
        ("£6.40", "six pounds forty"),
        ("$3.99", "three dollars ninety-nine"),
        ("$9 an hour", "$9/hour"),
        ("R$ 30", "30 reais"),
        ("half a percent", "0.5%"),
        ("1/2 kg", "half a kilogram"),
        ("US$7", "seven united states dollars"),
        ("USD 7", "7 US dollars"),
        ("A$30", "thirty Australian dollars"),
        ("30 HKD", "thirty Hong Kong dollars"),
        ("CNY 12", "twelve yuan"),
        ("¥900", "nine hundred yen"),
        ("JPY 900", "900 yen"),
        ("₹75", "Rs. 75"),
        ("₩4000", "four thousand won"),
        ("£6.01", "six pounds one penny"),
        ("£8k", "eight thousand pounds"),
        ("$4.5bn", "four point five billion dollars"),
        ("$70.00", "seventy dollars and zero cents"),
        ("$300-$400", "three hundred dollars to four hundred dollars"),
    ],
    "times and dates": [
        ("the sixth of august sixteen forty two", "6 August 1642"),
        ("on march first twelve fifteen", "on March 1, 1215"),
        ("2019-07-04", "twenty nineteen dash oh seven dash oh four"),
        ("21.11.1974", "the twenty first of november nineteen seventy four"),
        ("3:40 a.m.", "twenty to four a m"),
        ("3:35", "twenty five to four"),
        ("at 0700", "at oh seven hundred"),
        ("0300 hours", "zero three hundred hours"),
        ("at 6:45", "at oh six forty five"),
        ("3 hours and 12 minutes", "3h12m"),
        ("meet at 9:00 GMT-4", "meet at nine o'clock GMT minus four"),
        ("UTC+9", "utc plus nine"),
        ("6:00", "six o'clock"),
        ("08:00 a.m.", "eight a m"),
        ("5pm", "five PM"),
        ("3.45 p.m.", "three forty five pm"),
        ("7:20", "twenty past seven"),
        ("4:50", "ten minutes to five"),
        ("at 4:50 pm", "at ten to five pm"),
        ("6:45", "quarter till seven"),
        ("2021-11-09", "the ninth of november twenty twenty one"),
        ("23-04-2018", "april twenty third two thousand eighteen"),
        ("4/23/2018", "april 23, 2018"),
        ("8-Feb-2015", "february eighth twenty fifteen"),
        ("9 june", "the ninth of june"),
        ("1998-march-4", "march fourth nineteen ninety eight"),
        ("the 7th May was wet", "the seventh of may was wet"),
    ],
    "signs": [
        ("±7 volts", "plus or minus seven volts"),
        ("$7-12", "seven to twelve dollars"),
        ("$7.50-8", "seven point five zero to eight dollars"),
        ("€3-4 million", "three to four million euros"),
        ("a 50-50 split", "a fifty fifty split"),
        ("20/20 vision", "twenty twenty vision"),
        ("a 6x9 frame", "a six by nine frame"),
        ("2.6e-7", "two point six times ten to the minus seven"),
        ("4^9", "four to the ninth power"),
        ("9² and b³", "nine squared and b cubed"),
        ("3.1 m/s²", "three point one meters per second squared"),
        ("- 2 3/4", "minus two and three quarters"),
        ("a ride of 2000 miles over 3 weeks", "a ride of two thousand miles over three weeks"),
        ("+44 20 7946 0018", "plus four four two oh seven nine four six double oh one eight"),
        ("212-555-0177", "two one two dash five five five dash oh one seven seven"),
        ("5512-3400-1187-9002", "5512340011879002"),
        ("3-6 boxes", "three to six boxes"),
        ("8% - 9%", "eight percent to nine percent"),
        ("2001-08", "two thousand one to 08"),
        ("7 am - 6 pm", "seven AM to six PM"),
        ("9 + 5 = 14", "nine plus five equals fourteen"),
        ("9-5=4", "nine minus five equals four"),
        ("6*4", "six times four"),
        ("+12 degrees", "plus twelve degrees"),
        ("+1 415-555-0199", "plus one, four one five, five five five, zero one nine nine"),
        ("212-55-8765", "two one two, five five, eight seven six five"),
        ("(415)-555-0199", "four one five, five five five, zero one nine nine"),
    ],
    "names and letters": [
        ("P&G", "p and g"),
        ("A&P stores", "a and p stores"),
        ("the AB&Q railway", "the a b and q railway"),
        ("CO2", "c o two"),
        ("H2O", "h two o"),
        ("every CIA man", "every c i a man"),
        ("an RNA test", "an r n a test"),
        ("TV a lot", "t v a lot"),
        ("Oak St.", "oak street"),
        ("8th Ave", "eighth avenue"),
        ("900 sq. ft.", "nine hundred square feet"),
        ("he is 6'1\"", "he is six foot one"),
        ("a five foot ten sailor", "a 5 foot 10 sailor"),
        ("#spring", "hashtag spring"),
        ("thanks @acme", "thanks at acme"),
        ("p. 31", "page thirty one"),
        ("Vol. III, apt 7", "volume three, apartment seven"),
        ("WWII", "World War Two"),
        ("IBM", "i b m"),
        ("ZX9", "z x nine"),
        ("x86", "x eight six"),
        ("o k", "okay"),
        ("5G network", "five g network"),
        ("Act II", "act two"),
        ("World War I", "world war one"),
        ("Volume XIV", "volume fourteen"),
        ("a Ph.D. student", "a PhD student"),
        ("King George V", "king George the fifth"),
        ("She stayed at 88 Pine St. It was dark.", "she stayed at 88 Pine Street. It was dark."),
        ("9 E 3rd ave, Reno, NV 89501", "nine east third avenue, Reno, Nevada eight nine five zero one"),
        ("Form No. 8", "form number eight"),
        ("Mt. Fuji", "Mount Fuji"),
        ("Maj.", "major"),
        ("teacher's", "teacher is"),
        ("the cat's on the roof", "the cat is on the roof"),
        ("gimme that", "give me that"),
        ("hummin'", "humming"),
        ("right thru", "right through"),
    ],
}
DIFFERENT = [
    ("release 4.0.6", "release 4.06"),
    ("release four point zero point six", "release four point zero six"),
    ("$7-12", "$7 -12"),
    ("$7-12", "7-12"),
    ("±7", "-7"),
    ("±7", "+7"),
    ("$0.50-0.75", "$0.50 to 75 dollars"),
    ("h two o", "h twenty"),
    ("k two o", "k twenty"),
    ("six foot one", "6 foot 10"),
    ("six foot one", "6.1 ft"),
    ("he walked six feet two times", "he walked 6 ft 2 inches"),
    ("2.6e-7", "2.6e7"),
    ("GMT-4", "GMT+4"),
    ("GMT-4", "GMT 4"),
    ("- 2 3/4", "2 3/4"),
    ("at 0700", "at 700"),
    ("won by twenty to four", "won by 3:40"),
    ("a lap of 2000 over 3 weeks", "a lap of 2000 3 weeks"),
    ("6 August 1642", "6 August 1624"),
    ("three dollars ninety-nine times", "$3.99 times"),
    ("$8.16", "$8 16"),
    ("@acme", "acme"),
    ("#spring", "spring"),
    ("R$ 30", "$30"),
    ("12 feet by 6", "12 ft 6 inches"),
    ("half a percent", "1/2"),
    ("at nine fifteen", "at 915"),
    ("one fifty five dollars", "one hundred and five dollars"),
    ("several thousand", "several thousands"),
    ("six million and two", "six million and a half"),
    ("oh five people came", "05 people came"),
    ("two to five", "two minus five"),
    ("5, 6, 7", "567"),
    ("$50-$60", "$50-60"),
    ("7% to 9%", "7 to 9%"),
    ("5 mW", "5 MW"),
    ("5G", "5 grams"),
    ("3 m", "3M"),
    ("£5", "5 lbs"),
    ("5 dollars", "5 Australian dollars"),
    ("¥5", "5 yuan"),
    ("5 per kg", "5 kg"),
    ("m.ray@acme.org", "m ray acme org"),
    ("10.20.0.7", "1020.0.7"),
    ("+12 degrees", "-12 degrees"),
    ("5 degrees below zero", "5 degrees"),
    ("5'10\"", "5.10"),
    ("88 Pine St", "88 Pine saint"),
    ("Henry V", "Henry"),
    ("the dog's tail", "the dog is tail"),
    ("6:00", "6"),
    ("ten to five", "5 to 10"),
    ("23-04-2018", "23 to 4 to 2018"),
    ("2 sq mi", "2 mi"),
    ("5 kilotons", "5 knots"),
    ("5 milliwatts", "5 megawatts"),
    ("5 kilobits per second", "5 kilobytes per second"),
    ("4 kwh", "4 kw"),
    ("one thirty-fifth", "1 35"),
]


@pytest.mark.parametrize(("one", "other"), [pair for pairs in SAME.values() for pair in pairs])
def test_same_content(one, other):
    assert normalize(one) == normalize(other)


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_different_content(one, other):
    assert normalize(one) != normalize(other)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("on second thought, wait a second", "on 2nd thought wait a second"),
        ("I have a k or an l", "i have a k or an l"),
        ("nine fifteen works for me", "9:15 works for me"),
        ("from ten to eleven pm", "from 10 to 11:00 pm"),
        ("we may go on 5 may", "we may go on 5 may"),
        ("the 5th may be late", "the 5th may be late"),
        ("5 in the room", "5 in the room"),
        ("he had a 401(k)", "he had a 401 k"),
        ("it was done.it was late", "it was done it was late"),
        ("a few hundred", "a few hundred"),
        ("5 mi/h", "5 mi per hour"),
        ("march 2020, may 5", "march 2020 may 5"),
        ("and oh one more thing", "and oh 1 more thing"),
        ("the part i like", "the part i like"),
    ],
)
def test_canonical_form(text, canonical):
    assert normalize(text) == canonical


@pytest.mark.parametrize(
    ("text", "canonical"),
    [("这个文件 five kilometers", "这 个 文 件 5 km"), ("我有 2-5 个", "我 有 2 ~ 5 个"), ("用5G上网", "用 5 g 上 网")],
)
def test_signs_beside_chinese_are_left_to_chinese(text, canonical):
    assert normalizer("faithful")(text) == canonical


def test_of_english_in_a_line_that_is_said_to_be_chinese_words_alone_are_read():
    assert normalizer("faithful", language="zh")("six files, n b a") == "6 files n b a"


def test_every_unit_has_one_symbol():
    """What symbols() writes it leaves alone, behind every name that it knows."""
    names = (
        "kilo watt hours",
        "mega hertz",
        "deci meters",
        "square miles",
        "horsepower",
        "pounds per square inch",
        "yards",
    )
    for name in names:
        once = symbols(f"5 {name}")
        assert once != f"5 {name}" and symbols(once) == once


@pytest.mark.parametrize("power", ["thousand", "million", "billion", "trillion", "quintillion", "decillion"])
def test_powers_need_no_number_of_their_own_behind_and(power):
    assert digits_for_words(f"three {power} and nine").endswith("009")


FRAGMENTS = """
one two five ten twenty fifteen hundred thousand million and a half quarter point minus plus oh second third to past
till at am pm p m o'clock st. ave k K M m g s h lb pounds dollars cents yen $ £ ¥ usd per / - + = * x % . , @ dot slash
www. .com a.b@c.de ii chapter henry may april 5 10 2 05 9:15 3-5 555 1234 ° degrees square cm2 ft kilo
watt dog's in' 'em few 's lakh hundreds over times equals n b i u.s. 12 S Main fl 95051 # 2024-02-29 3/4/1998 1960s
401 5g mW jan. people ½ 5'6" foot dash or squared power gmt e-05 5x4 2h30m $5-10 50-50 o an hour p. pct ± R$ over
"""
PARTS = FRAGMENTS.split()


def test_normalizing_twice_is_normalizing_once():
    draw = random.Random(7)
    for _ in range(3000):
        text = "".join(draw.choice(PARTS) + draw.choice(["", " ", " ", ", "]) for _ in range(draw.randint(1, 9)))
        once = normalize(text)
        assert normalize(once) == once, text


@pytest.mark.parametrize(
    "part", ["a-", "5 ", "1-2-", "x y z ", "5 elm st, ", "a.b.", "one, two ", "5 to ", "it's ", "w dot "]
)
def test_time_is_linear(part):
    def seconds(length: int) -> float:
        text = part * (length // len(part))
        start = time.process_time()
        normalize(text)
        return time.process_time() - start

    assert min(seconds(40_000) for _ in range(2)) < 8 * min(seconds(10_000) for _ in range(2)) + 0.2


def peers(name: str) -> list[list[str]]:
    if not (PEERS / name).exists():
        pytest.skip("the peers' suites are not here")
    rows = [line.split("\t") for line in (PEERS / name).read_text(encoding="utf-8").splitlines()[1:]]
    return [row for row in rows if row[2] == "en"]


def test_pairs_of_the_peers_are_equal():
    rows = peers("pairs_peers_dev.tsv")
    different = [f"{row[0]} {row[3]!r} {row[4]!r}" for row in rows if normalize(row[3]) != normalize(row[4])]
    assert len(different) <= 0.03 * len(rows), "\n".join(different)


def test_different_contents_of_the_peers_stay_different():
    collapsed = [row[0] for row in peers("must_differ_peers_dev.tsv") if normalize(row[3]) == normalize(row[4])]
    assert not collapsed
