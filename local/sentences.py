"""The sentences of the bundled corpus: two grammars, each with a written and a spoken form of every sentence.

The general grammar gives everyday English, Mandarin and mixed sentences without digits; the domain grammar gives
home control and orders, whose transcripts carry digits, times, prices, percentages and names the way Fun-ASR writes
them ("Wake me up at 7:30.") while espeak-ng is given words ("wake me up at seven thirty").

A grammar maps a symbol to its alternatives. An alternative is a template, in which `{symbol}` stands for any
alternative of that symbol, or a `Phrase`, whose two forms differ.
"""

import hashlib
import math
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

_SYMBOL = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Phrase:
    """One wording: as a transcript has it, and as it is said."""

    written: str
    spoken: str


Grammar = dict[str, list[str | Phrase]]


def expand(grammar: Grammar, symbol: str, rng: random.Random) -> Phrase:
    """A random phrase of `symbol`."""
    alternative = rng.choice(grammar[symbol])
    if isinstance(alternative, Phrase):
        return alternative
    parts = _SYMBOL.split(alternative)
    # Odd parts are symbols, even parts the text between them.
    phrases = [expand(grammar, part, rng) if i % 2 else Phrase(part, part) for i, part in enumerate(parts)]
    return Phrase("".join(p.written for p in phrases), "".join(p.spoken for p in phrases))


def count(grammar: Grammar, symbol: str) -> int:
    """How many phrases `symbol` derives."""
    return sum(
        1 if isinstance(a, Phrase) else math.prod(count(grammar, s) for s in _SYMBOL.findall(a))
        for a in grammar[symbol]
    )


def sentences(grammar: Grammar, symbol: str, rng: random.Random) -> Iterator[Phrase]:
    """Random distinct sentences of `symbol` without end, the first letter of the written form capital."""
    seen = set()
    while True:
        phrase = expand(grammar, symbol, rng)
        written = phrase.written[0].upper() + phrase.written[1:]
        if written not in seen:
            seen.add(written)
            yield Phrase(written, phrase.spoken)


def bucket(sentence: str, buckets: int) -> int:
    """A number from 0 to buckets - 1 that depends on the sentence alone: splits by it share no sentence."""
    return int.from_bytes(hashlib.sha256(sentence.encode()).digest()[:4], "big") % buckets


def words(text: str) -> list[str]:
    """The items of a list with commas."""
    return [word.strip() for word in text.replace("\n", " ").split(",")]


# --- Numbers as they are said -------------------------------------------------------------------------------------

_ONES = words(
    """
    zero, one, two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, thirteen, fourteen, fifteen,
    sixteen, seventeen, eighteen, nineteen
    """
)
_TENS = words("zero, ten, twenty, thirty, forty, fifty, sixty, seventy, eighty, ninety")
_DIGITS = "零一二三四五六七八九"


def english_number(n: int) -> str:
    """The English words of 0 to 100, without hyphens."""
    if n < 20:
        return _ONES[n]
    if n < 100:
        return _TENS[n // 10] + (f" {_ONES[n % 10]}" if n % 10 else "")
    return "one hundred"


def chinese_number(n: int) -> str:
    """The Chinese words of 0 to 100."""
    if n < 10:
        return _DIGITS[n]
    if n < 100:
        return (_DIGITS[n // 10] if n >= 20 else "") + "十" + (_DIGITS[n % 10] if n % 10 else "")
    return "一百"


def chinese_count(n: int) -> str:
    """The Chinese words of a number before a measure word or 点: 2 is 两."""
    return "两" if n == 2 else chinese_number(n)


# --- The general grammar ------------------------------------------------------------------------------------------

ENGLISH_GENERAL: Grammar = {
    "sentence": [
        "{who} {did} {a_thing} {past}.",
        "{who} {did} {the_thing} {where}.",
        "{who} will {do} {the_thing} {future}.",
        "{who} {ate} {food} {past}.",
        "{who} {ate} {food} and {food}.",
        "{who} went to the {place} with {whom}.",
        "{who} went to the {place} {past}.",
        "we should go to the {place} {future}.",
        "the {thing} is {where}.",
        "the {adjective} {thing} is {where}.",
        "my {thing} is {adverb} {quality}.",
        "the {place} is {adverb} {place_quality}.",
        "it was {adverb} {weather} {past}.",
        "it will be {weather} {future}.",
        "do you like {food}?",
        "have you seen my {adjective} {thing}?",
        "where did {whom} put the {adjective} {thing}?",
        "when will {who} come to the {place}?",
        "{who} can {act} {manner}.",
        "{who} wanted to {act} {past}.",
        "I think {who} can {act}.",
        "there were {number} {things} {where}.",
        "we saw {number} {things} in the {place}.",
        "I have {number} {things} and {number} {things}.",
        "please {do} the {adjective} {thing}.",
        "{whom} was {adverb} {feeling} {past}.",
        "could you {do} {a_thing} for {whom}?",
        "{who} will stay at the {place} {future}.",
    ],
    "who": words(
        """
        I, we, you, they, he, she, my brother, my sister, my father, my mother, our teacher, the doctor, the driver,
        his friend, her friend, the children, the students, the old man, the young woman, the boy, the girl
        """
    ),
    "whom": words(
        """
        my brother, my sister, my father, my mother, our teacher, the doctor, the driver, his friend, her friend,
        the old man, the young woman, the boy, the girl
        """
    ),
    "did": words(
        """
        found, lost, bought, sold, opened, washed, carried, saw, took, brought, broke, painted, forgot, needed, used,
        kept, moved, liked
        """
    ),
    "do": words("find, sell, open, wash, carry, take, bring, paint, use, keep, move, buy, show, send, check, choose"),
    "ate": words("ate, cooked, bought, liked, wanted, made, shared, tried"),
    "food": words(
        """
        rice, bread, soup, fish, chicken, cake, fruit, noodles, eggs, apples, vegetables, ice cream, cheese, hot tea,
        black coffee, cold milk, orange juice, fresh water
        """
    ),
    "thing": words(
        """
        book, bag, phone, key, letter, map, picture, box, bottle, hat, coat, shirt, shoe, ball, ticket, newspaper,
        camera, umbrella, watch, clock, pen, cup, table, chair, window, door, car, bike, lamp, radio
        """
    ),
    "things": words(
        """
        books, birds, trees, cats, dogs, people, cars, houses, flowers, boxes, chairs, children, students, windows,
        pictures, cups, horses, boats
        """
    ),
    "adjective": words(
        """
        red, blue, green, black, white, yellow, old, new, small, big, long, short, heavy, cheap, broken, clean, round,
        little
        """
    ),
    "quality": words("old, new, small, big, heavy, cheap, expensive, clean, dirty, beautiful, strong, light, useful"),
    "a_thing": ["a {adjective_c} {thing_c}", "my {thing}", "the {adjective} {thing}", "{number} {things}"],
    # After "a": nothing that begins with a vowel.
    "adjective_c": words("red, blue, green, black, white, yellow, new, small, big, long, short, heavy, cheap, clean"),
    "thing_c": words(
        "book, bag, phone, key, map, picture, box, bottle, hat, coat, shirt, ball, ticket, camera, watch, cup"
    ),
    "the_thing": ["the {thing}", "the {adjective} {thing}", "her {thing}", "his {thing}"],
    "place": words(
        """
        school, park, station, market, library, office, hospital, beach, river, garden, kitchen, museum, airport,
        hotel, village, city, bank, farm, restaurant, church
        """
    ),
    "place_quality": words("quiet, busy, far, close, small, big, beautiful, old, new, clean, dark, open, empty"),
    "where": words(
        """
        in the kitchen, in the garden, in the car, on the table, on the floor, under the bed, behind the door,
        near the window, next to the river, at home, at school, outside
        """
    ),
    "past": words(
        """
        yesterday, last night, last week, last year, this morning, two days ago, before lunch, after dinner,
        on Monday, on Sunday, in the summer
        """
    ),
    "future": words(
        "tomorrow, tonight, next week, next month, on Friday, after school, in the winter, soon, later, today"
    ),
    "number": words(
        """
        two, three, four, five, six, seven, eight, nine, ten, eleven, twelve, fifteen, eighteen, twenty, thirty,
        forty, fifty, sixty, ninety, one hundred
        """
    ),
    "adverb": words("very, really, too, quite, so, always, never"),
    "weather": words("cold, warm, hot, rainy, sunny, windy, cloudy, dry"),
    "act": words(
        """
        swim, run, sing, dance, cook, read, write, drive, sleep, walk home, speak Chinese, play the piano,
        learn English, ride a horse, watch a movie, listen to music, work
        """
    ),
    "manner": words("fast, slowly, well, every day, again, together, alone, all night, very early"),
    "feeling": words("happy, sad, tired, hungry, angry, sick, busy, late, surprised, afraid"),
}

CHINESE_GENERAL: Grammar = {
    "sentence": [
        "{who}{when}{act}。",
        "{who}{when}在{place}{act}。",
        "{when}{who}想去{place}。",
        "{who}喜欢{act}。",
        "{who}不喜欢{act}。",
        "{who}会{act}吗？",
        "你{when}去{place}吗？",
        "{place}里有{number}{thing}。",
        "{who}有{number}{thing}。",
        "{who}买了{number}{thing}。",
        "{who}在{place}看见了{number}{thing}。",
        "这{thing}很{quality}。",
        "那{thing}太{quality}了。",
        "这{thing}是{who}的。",
        "{when}的天气很{weather}。",
        "{place}{when}很{weather}。",
        "{who}觉得{place}很{mood}。",
        "{who}{when}很{feeling}。",
        "{who}跟{who}一起{act}。",
        "{who}先{act}，再{act}。",
        "{who}从{place}走到{place}。",
        "请把{object}放在{spot}。",
        "{object}在{spot}。",
        "{who}的{object}不见了。",
    ],
    "who": words(
        """
        我, 你, 他, 她, 我们, 你们, 他们, 爸爸, 妈妈, 哥哥, 姐姐, 弟弟, 妹妹, 爷爷, 奶奶, 老师, 医生, 同学, 朋友,
        孩子, 司机, 那个女孩, 这位先生
        """
    ),
    "when": words(
        """
        今天, 昨天, 明天, 早上, 下午, 晚上, 中午, 周末, 上个月, 去年, 明年, 刚才, 现在, 每天, 星期一, 星期五, 夏天,
        冬天
        """
    ),
    "place": words(
        """
        学校, 公园, 家, 北京, 上海, 图书馆, 医院, 商店, 火车站, 机场, 饭店, 银行, 办公室, 海边, 城市, 村子, 电影院,
        超市, 教室, 房间, 厨房, 花园
        """
    ),
    "act": words(
        """
        看书, 看电影, 看电视, 喝茶, 喝咖啡, 吃面条, 吃苹果, 吃早饭, 买衣服, 买水果, 打篮球, 踢足球, 写信, 听音乐,
        学习中文, 工作, 休息, 睡觉, 跑步, 游泳, 画画, 唱歌, 跳舞, 做饭, 洗衣服, 打扫房间, 照相, 等朋友, 开车, 坐火车,
        骑自行车, 散步, 上课, 聊天
        """
    ),
    "number": words("一, 两, 三, 四, 五, 六, 七, 八, 九, 十, 十二, 十五, 二十, 三十, 四十, 五十, 六十, 八十, 一百"),
    "thing": words(
        """
        本书, 辆车, 杯水, 杯牛奶, 件衣服, 张照片, 张票, 条鱼, 条狗, 个苹果, 个杯子, 个房间, 支笔, 把椅子, 朵花, 棵树,
        位客人, 家商店, 块蛋糕, 双鞋, 部手机, 瓶水
        """
    ),
    "quality": words("大, 小, 新, 旧, 漂亮, 贵, 好看, 干净, 特别, 重, 轻, 有意思, 好, 普通"),
    "weather": words("冷, 热, 好, 暖和, 凉快, 不错"),
    "mood": words("安静, 热闹, 漂亮, 远, 近, 大, 小, 舒服, 干净"),
    "feeling": words("忙, 累, 高兴, 开心, 生气, 难过, 着急, 饿, 困, 健康, 紧张"),
    "object": words(
        "钥匙, 书包, 手机, 雨伞, 帽子, 杯子, 眼镜, 报纸, 照片, 电脑, 毛巾, 红色的笔, 白色的衣服, 黑色的包, 蓝色的盒子"
    ),
    "spot": words("桌子上, 椅子下面, 门后面, 窗户旁边, 床上, 车里, 房间里, 厨房里, 冰箱里, 地上"),
}

MIXED_GENERAL: Grammar = {
    **CHINESE_GENERAL,
    "sentence": [
        "{who}{when}有一个 {event}。",
        "{when}的 {event} 很{event_quality}。",
        "{who}{when}要去 {english_place} {act}。",
        "{who}想买一个{adjective} {english_thing}。",
        "{who}的 {english_thing} 在{spot}。",
        "我们去 {english_place} 喝 {drink} 吧。",
        "{who}喜欢喝 {drink}。",
        "{who}觉得这个 {english_thing} 很 {english_quality}。",
        "{who}{when}很 {english_quality}。",
        "{who}在 {english_place} {act}。",
        "请把 {english_thing} 放在{spot}。",
        "{when}的 {event} 在{place}。",
    ],
    "event": words("party, meeting, movie, class, music show, football game, picnic, lunch, dinner"),
    "event_quality": words("好, 长, 短, 有意思, 重要, 热闹"),
    "english_place": words("office, park, library, coffee shop, hotel, market, beach, museum, station, restaurant"),
    "english_thing": words(
        "phone, camera, book, bag, box, map, ticket, umbrella, watch, picture, bike, hat, shirt, radio"
    ),
    "english_quality": words("happy, busy, tired, beautiful, expensive, cheap, new, big, useful, sad"),
    "drink": words("coffee, tea, milk, orange juice, water, soup"),
    "adjective": words("新的, 旧的, 大的, 小的, 红色的, 黑色的, 漂亮的"),
}

# --- The domain: home control and orders --------------------------------------------------------------------------


def _english_times() -> list[Phrase]:
    times = [Phrase(f"{hour}:00", f"{_ONES[hour]} o'clock") for hour in range(1, 13)]
    minutes = (15, 30, 45)
    return times + [
        Phrase(f"{hour}:{minute}", f"{_ONES[hour]} {english_number(minute)}")
        for hour in range(1, 13)
        for minute in minutes
    ]


def _chinese_times(hours: range) -> list[Phrase]:
    times = [Phrase(f"{hour}点", f"{chinese_count(hour)}点") for hour in hours]
    times += [Phrase(f"{hour}点半", f"{chinese_count(hour)}点半") for hour in hours]
    return times + [
        Phrase(f"{hour}点{minute}分", f"{chinese_count(hour)}点{chinese_number(minute)}分")
        for hour in hours
        for minute in (10, 15, 45)
    ]


def _english_prices() -> list[Phrase]:
    whole = [Phrase(f"${n}", f"{english_number(n)} dollars") for n in range(2, 21)]
    return whole + [
        Phrase(f"${n}.{cents}", f"{english_number(n)} dollars and {english_number(cents)} cents")
        for n in range(2, 13)
        for cents in (25, 50)
    ]


def _chinese_prices() -> list[Phrase]:
    whole = [Phrase(f"{n}元", f"{chinese_count(n)}元") for n in range(2, 31)]
    return whole + [Phrase(f"{n}.5元", f"{chinese_number(n)}点五元") for n in range(2, 13)]


def _english_numbers(numbers) -> list[Phrase]:
    return [Phrase(str(n), english_number(n)) for n in numbers]


def _chinese_counts(numbers) -> list[Phrase]:
    return [Phrase(str(n), chinese_count(n)) for n in numbers]


_PERCENTAGES = range(10, 101, 10)
_DEGREES = range(18, 27)
_MINUTES = (5, 10, 15, 20, 30, 45, 60)
_COUNTS = range(2, 7)
_NAMES = words("Tom, Mei, Anna, David, Lily, Kevin, Lucy, Peter")

ENGLISH_DOMAIN: Grammar = {
    "sentence": [
        "set the {room} light to {percent}.",
        "set the {room} {dimmed} to {percent}.",
        "dim the {room} lights to {percent}.",
        "open the {room} curtains to {percent}.",
        "set the {room} to {degrees} degrees.",
        "turn {on} the {room} {device}.",
        "turn {on} the {device} at {time}.",
        "wake me up at {time}.",
        "set an alarm for {time}.",
        "set a timer for {minutes} minutes.",
        "stop the {device} in {minutes} minutes.",
        "remind me to {task} at {time}.",
        "remind {name} to {task}.",
        "call {name} at {time}.",
        "call {name} in {minutes} minutes.",
        "dinner with {name} is at {time}.",
        "order {count} {items} for {name}.",
        "order {count} {items}.",
        "{count} {items}, that is {price}.",
        "pay {name} {price}.",
        "{name} owes me {price}.",
    ],
    "room": words("bedroom, kitchen, living room, bathroom, office, garden"),
    "dimmed": words("lamp, fan, speaker"),
    "device": words("light, lamp, fan, heater, speaker, music"),
    "on": words("on, off"),
    "task": words(
        """
        feed the cat, call the bank, water the plants, pay the rent, lock the door, walk the dog
        """
    ),
    "items": words("lattes, pizzas, burgers, salads, sandwiches, cookies"),
    "name": list(_NAMES),
    "percent": [Phrase(f"{n}%", f"{english_number(n)} percent") for n in _PERCENTAGES],
    "degrees": _english_numbers(_DEGREES),
    "minutes": _english_numbers(_MINUTES),
    "count": _english_numbers(_COUNTS),
    "time": _english_times(),
    "price": _english_prices(),
}

CHINESE_DOMAIN: Grammar = {
    "sentence": [
        "把{room}的灯{set_to}{percent}。",
        "把{room}的{dimmed}{set_to}{percent}。",
        "{room}的灯太亮了，{set_to}{percent}。",
        "把{room}的窗帘打开{percent}。",
        "把空调{set_to}{degrees}度。",
        "{room}的温度设为{degrees}度。",
        "打开{room}的{device}。",
        "关掉{room}的{device}。",
        "{time}打开{device}。",
        "{day}{time}叫醒我。",
        "定一个{time}的闹钟。",
        "定时{minutes}分钟。",
        "{minutes}分钟后关掉{device}。",
        "{time}提醒我{task}。",
        "{day}提醒{name}{task}。",
        "给{name}打电话。",
        "{time}给{name}打电话。",
        "点{goods}。",
        "给{name}点{goods}。",
        "{goods}一共{price}。",
        "转给{name}{price}。",
        "{name}付了{price}。",
    ],
    # The same sound as 调 (tiáo), which espeak-ng would read diào here.
    "set_to": [Phrase("调到", "条到")],
    "room": words("客厅, 卧室, 厨房, 浴室, 书房, 花园"),
    "dimmed": words("台灯, 风扇, 音响"),
    "device": words("灯, 空调, 电视, 风扇, 音响, 暖气"),
    "task": words("吃药, 开会, 取快递, 接孩子, 浇花, 喝水"),
    "name": words("小王, 小李, 小张, 张伟, 王芳, 李明"),
    "day": words("今天, 明天, 后天, 周一, 周五"),
    "goods": ["{count}{good}"],
    "good": words("杯拿铁, 杯奶茶, 份炒饭, 个汉堡, 瓶牛奶, 斤苹果"),
    "percent": [Phrase(f"{n}%", f"百分之{chinese_number(n)}") for n in _PERCENTAGES],
    "degrees": [Phrase(str(n), chinese_number(n)) for n in _DEGREES],
    "minutes": _chinese_counts(_MINUTES),
    "count": _chinese_counts(_COUNTS),
    "time": ["早上{early}", "下午{afternoon}", "晚上{evening}"],
    "early": _chinese_times(range(6, 11)),
    "afternoon": _chinese_times(range(1, 7)),
    "evening": _chinese_times(range(7, 12)),
    "price": _chinese_prices(),
}

MIXED_DOMAIN: Grammar = {
    **CHINESE_DOMAIN,
    "sentence": [
        "给 {english_name} 打电话。",
        "{time}给 {english_name} 打电话。",
        "提醒 {english_name} {time}{task}。",
        "给 {english_name} 点{goods}。",
        "给 {english_name} 点{count}杯 {drink}。",
        "{count}个 {food} 一共{price}。",
        "转给 {english_name} {price}。",
        "把 {english_room} 的灯{set_to}{percent}。",
        "打开 {english_room} 的{device}。",
        "{time}打开 {english_device}。",
        "{minutes}分钟后关掉 {english_device}。",
        "把 {english_room} 的 {english_device} 关掉。",
    ],
    "english_name": list(_NAMES),
    "english_room": words("bedroom, kitchen, living room, bathroom, office, garden"),
    "english_device": words("light, lamp, fan, heater, speaker, music"),
    "drink": words("latte, coffee, mocha"),
    "food": words("pizza, burger, salad, sandwich"),
}
