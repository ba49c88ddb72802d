"""Chinese characters: traditional to simplified, by OpenCC (Apache-2.0)."""

import functools
import re
from typing import Any

# Chinese characters, for character classes.
HAN = "\u2e80-\u2fdf\u3005-\u3007\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_ANY_HAN = re.compile(f"[{HAN}]")


@functools.cache
def _converter() -> Any:
    import opencc  # 30 ms, and only lines with such characters need it

    return opencc.OpenCC("t2s")


# Characters in use that the published converter knows and OpenCC's table of traditional characters does not: variants,
# and shapes that only Japanese has.
_VARIANTS = dict(
    zip(
        "瞭妳牠馀钜矽砲姪倣働効窓氷麺頼姉汚鉄隣賛歴甦甯麹韮醯擧毬踫鎗谘讬"
        "乗傚兎勅勦呪啗啣妬嬝廻揹搆搾暱栢欝渖燄瑯疎痲痺瘉皐睪瞇箠篛簷籐粧繙脇覇讐逕鈽銲鑤锺镟阬隄隷靭餽駈鼇",
        "了你它余巨硅炮侄仿动效窗冰面赖姊污铁邻赞历苏宁曲韭酰举球碰枪咨托"
        "乘效兔敕剿咒啖衔妒袅回背构榨昵柏郁沈焰琅疏痳痹愈皋睾眯棰箬檐藤妆翻胁霸雠迳钚焊刨钟旋坑堤隶韧馈驱鳌",
        strict=True,
    )
)


class _SimplifiedCharacters(dict):
    """Code point -> simplified character, for `str.translate`; filled as characters are met."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        if code >= 0x2E80:
            character = _VARIANTS.get(character) or _converter().convert(character)
        self[code] = character
        return self[code]


_SIMPLIFIED = _SimplifiedCharacters()


def simplify_characters(text: str) -> str:
    """Traditional to simplified, each character for itself (乾 is always 干)."""
    return text if text.isascii() else text.translate(_SIMPLIFIED)


def simplify_line(text: str) -> str:
    """Traditional to simplified, words at a time (乾隆 stays, 乾燥 becomes 干燥)."""
    return _converter().convert(text) if _ANY_HAN.search(text) else text
